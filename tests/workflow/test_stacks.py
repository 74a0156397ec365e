"""Stages on stages: what lies beneath stays as it was, a stack is resumed in any stage, and it opens from its folder alone."""

from __future__ import annotations

import shutil
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict, stages_in
from likeness.files.run_folder import RunFolder
from likeness.learning.training import rate_share
from likeness.methods import packaged_recipes
from likeness.methods.dreambooth import DreamBooth
from likeness.model import tokens
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.workflow import stages
from likeness.workflow.branching import branch, stand
from likeness.workflow.fitting import fit, resume
from likeness.workflow.photos import gather
from likeness.workflow.progress import Silent
from likeness.workflow.recipes import packaged_recipe
from likeness.workflow.stack import put_on, read_card, stage_of, stage_types

WORD = {"method": "textual_inversion", "steps": 2, "learning_rate": 0.5}
ADJECTIVE = {**WORD, "word": "<rare>", "initializer": "photo", "adjective": True, "templates": "prompt"}
UNET = {"method": "dreambooth", "steps": 5, "learning_rate": 1e-3, "prior_weight": 0.0, "checkpoints": (2,)}
LORA = {"method": "lora", "steps": 5, "learning_rate": 1e-2}


@pytest.fixture
def stacked(tiny_folder, photo_folder):
    def recipe(*stages: dict):
        return recipe_from_dict({"base": str(tiny_folder), "subject": {"photos": photo_folder, "class_noun": "dog"}, "stages": list(stages)}, stage_types())

    return recipe


def layers(run: RunFolder) -> dict[str, bytes]:
    checkpoint = run.latest()
    assert checkpoint
    return {path.name: path.read_bytes() for path in checkpoint.path.glob("*.safetensors")}


@pytest.mark.parametrize("stages", [(ADJECTIVE, UNET), (LORA, UNET), (UNET, LORA), (LORA, LORA)])
def test_a_stage_leaves_those_beneath_as_they_were(stages, stacked, tmp_path):
    alone = fit(stacked(stages[0]), tmp_path, Silent(), name="alone")
    both = fit(stacked(*stages), tmp_path, Silent(), name="both")
    first = f"0-{stages[0]['method']}.safetensors"
    assert layers(both)[first] == layers(alone)[first]


def test_what_a_method_may_stand_on_is_its_to_say(stacked, tmp_path, monkeypatch):
    """No method of the package says so; one of another's may."""
    from likeness.methods.lora import LoRA

    for follows, allowed in (((), "the base alone"), (("dreambooth",), "dreambooth")):
        monkeypatch.setattr(LoRA, "follows", follows)
        with pytest.raises(UserError, match=f"lora cannot stand on textual_inversion; it stands on {allowed}"):
            fit(stacked(ADJECTIVE, LORA), tmp_path, Silent())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("stages", [(ADJECTIVE, UNET), (LORA, LORA)])
def test_a_stack_resumed_in_any_stage_equals_the_uninterrupted(stages, step, stacked, paused, tmp_path):
    """Step 1 is of the first stage, step 4 of the second where the first has two, else of the first."""
    recipe = stacked(*stages)
    whole = fit(recipe, tmp_path / "whole", Silent())
    run = paused(recipe, tmp_path / "stopped", step)
    resume(run, Silent())
    assert layers(run) == layers(whole)
    assert [line["losses"] for line in run.journal()] == [line["losses"] for line in whole.journal()]


def test_a_child_of_a_stack_goes_on_in_its_last_stage(stacked, tmp_path):
    recipe = stacked(ADJECTIVE, UNET)
    child = branch(fit(recipe, tmp_path / "parent", Silent()), {"steps": 8}, Silent())
    longer = fit(stacked(ADJECTIVE, {**UNET, "steps": 8}), tmp_path / "longer", Silent())
    assert layers(child) == layers(longer)


def test_a_stack_opens_from_its_folder_alone(stacked, tiny_folder, tmp_path):
    """Nothing of the run but the checkpoint is read; what is drawn is what the trained model drew at its end."""
    run = fit(stacked(ADJECTIVE, {**UNET, "previews": (5,)}), tmp_path / "runs", Silent())
    checkpoint = run.latest()
    assert checkpoint and read_card(checkpoint)["subject"]["called"] == "<rare> dog"
    moved = type(checkpoint)(checkpoint.step, Path(checkpoint.path.rename(tmp_path / "elsewhere")))
    opened = put_on(Base(tiny_folder, "tiny"), moved)
    (shown,) = sample(opened.base, ["a photo of a <rare> dog"], [0], 2, 5.0)
    (plain,) = sample(Base(tiny_folder, "tiny"), ["a photo of a dog"], [0], 2, 5.0)
    assert shown.tobytes() != plain.tobytes()


def test_the_word_stays_frozen_under_the_second_stage(stacked, tmp_path):
    run = fit(stacked(ADJECTIVE, UNET), tmp_path, Silent())
    tensors = [load_file(run.checkpoint(step).path / "0-textual_inversion.safetensors") for step in (2, 4, 7)]
    assert all(torch.equal(tensors[0]["text_encoder.<rare>"], other["text_encoder.<rare>"]) for other in tensors[1:])


def test_the_three_regimes_are_the_studys():
    """Sums of the learning rates over the steps say how much each learns: .0020, .0008 and .00015."""
    sums, toybox = {}, {}
    for name in ("overfit", "balanced", "underfit"):
        for found, stage in ((sums, DreamBooth.Spec(**{k: v for k, v in stages_in(packaged_recipes()[name])[0].items() if k != 'method'})), (toybox, packaged_recipe(name, {"photos": "toybox:biscuit"}).stages[0])):
            found[name] = sum(stage.learning_rate * rate_share(stage, step) for step in range(1, stage.steps + 1))
    assert [round(sums[name], 5) for name in sums] == [0.002, 0.0008, 0.00015]
    assert [round(toybox[name], 2) for name in toybox] == [0.1, 0.04, 0.01]


def test_two_stage_is_zeng_et_al():
    """100 steps of an adjective that begins as "rare", one token, at 5e-4; the whole U-Net at 5e-6, without prior, every 200 steps."""
    word, unet = stages_in(packaged_recipes()["two_stage"])
    assert (word["steps"], word["learning_rate"], word["initializer"], word["adjective"]) == (100, 5e-4, "rare", True)
    assert (unet["steps"], unet["learning_rate"], unet["prior_weight"], unet["checkpoints"]) == (800, 5e-6, 0.0, [200, 400, 600])
    assert word["prompt"] == unet["prompt"]
    assert len(tokens.pieces(Base.open("toybox").tokenizer, "rare")) == 1


def test_a_packaged_recipe_takes_the_bases_advice():
    recipe = packaged_recipe("two_stage", {"photos": "toybox:biscuit"})
    advised = Base.open("toybox").advice["two_stage"]
    assert [stage.steps for stage in recipe.stages] == [table["steps"] for table in advised]  # type: ignore[attr-defined]


def test_a_child_of_a_stack_is_resumed_after_a_kill(stacked, tmp_path, monkeypatch):
    """Its newest state may lie in resume/ alone; the stages beneath are in the checkpoint that it began with."""
    from likeness.workflow import stages

    parent = fit(stacked(ADJECTIVE, UNET), tmp_path / "parent", Silent())
    kept = stages.train

    def killed(*arguments):
        for trained in kept(*arguments):
            if trained.step == 8:
                raise KeyboardInterrupt
            yield trained

    monkeypatch.setattr(stages, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        branch(parent, {"steps": 9, "save_every": 7}, Silent())
    monkeypatch.setattr(stages, "train", kept)
    child = next(RunFolder.open(path) for path in (tmp_path / "parent").iterdir() if "continued" in path.name)
    assert child.latest("resume").step == 9 and [c.step for c in child.checkpoints()] == [7]  # type: ignore[union-attr]
    resume(child, Silent())
    whole = fit(stacked(ADJECTIVE, {**UNET, "steps": 9}), tmp_path / "whole", Silent())
    assert layers(child) == layers(whole)


def test_class_pictures_of_a_stack_are_its_own(stacked, tmp_path, monkeypatch):
    """A base with a LoRA in it draws other pictures than the base; neither may stand in the other's place."""
    prior = {**UNET, "prior_weight": 1.0, "class_pictures": 2, "class_steps": 1}
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    stack = fit(stacked(LORA, prior), tmp_path / "runs", Silent())
    alone = fit(stacked(prior), tmp_path / "runs", Silent())
    assert len(list((tmp_path / "cache" / "class-pictures").iterdir())) == 2
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "empty"))
    again = [fit(stacked(*stages), tmp_path / "again", Silent()) for stages in ((prior,), (LORA, prior))]
    assert layers(again[0]) == layers(alone) and layers(again[1]) == layers(stack)


def test_a_word_keeps_its_length_under_later_stages(stacked, tmp_path):
    custom = {"method": "custom_diffusion", "steps": 1, "prior_weight": 0.0, "augmentation": False}
    run = fit(stacked({**WORD, "vectors": 3}, custom), tmp_path, Silent())
    assert load_file(run.latest().path / "1-custom_diffusion.safetensors")["text_encoder.<sks>"].shape[0] == 3  # type: ignore[union-attr]
    with pytest.raises(UserError, match="has taught <sks> as 3 vectors"):
        fit(stacked({**WORD, "vectors": 3}, {**WORD, "vectors": 1}), tmp_path, Silent())


def test_an_identifier_names_the_word_of_a_packaged_recipe():
    subject = {"photos": "toybox:biscuit"}
    words = [packaged_recipe("two_stage", about).stages[0].word for about in (subject, {**subject, "identifier": "zwx"})]  # type: ignore[attr-defined]
    assert words == ["<rare>", "<zwx>"]


@pytest.mark.parametrize("stages", [(UNET, LORA), (ADJECTIVE, UNET)])
def test_a_stage_on_a_run_equals_the_stack_trained_as_one(stages, stacked, tmp_path):
    first, second = stages
    whole = fit(stacked(*stages), tmp_path / "whole", Silent())
    parent = fit(stacked(first), tmp_path / "apart", Silent())
    child = stand(parent, second["method"], {k: v for k, v in second.items() if k != "method"}, Silent())
    assert layers(child) == layers(whole)
    assert [line["losses"] for line in child.journal()] == [line["losses"] for line in whole.journal()]
    assert (child.record().lineage or {})["run"] == parent.name and child.recipe(stage_types()) == whole.recipe(stage_types())


def test_a_stage_on_a_run_is_resumed_from_its_first_step_on(stacked, tmp_path):
    parent = fit(stacked(UNET), tmp_path, Silent())
    options = {k: v for k, v in LORA.items() if k != "method"}
    whole = stand(parent, "lora", options, Silent())
    stopped = stand(parent, "lora", options, Silent())
    for state in [*(stopped.path / "resume").iterdir(), stopped.path / "checkpoints/000010"]:
        shutil.rmtree(state)  # as if killed before its first save
    resume(stopped, Silent())
    assert layers(stopped) == layers(whole)


def test_a_stage_stands_on_finished_runs_alone(stacked, tmp_path, paused):
    run = paused(stacked(WORD, UNET), tmp_path, 4)
    with pytest.raises(UserError, match="is not finished, and a stage stands on finished ones"):
        stand(run, "lora", {}, Silent())
    with pytest.raises(UserError, match="rank"):
        stand(fit(stacked(UNET), tmp_path, Silent()), "lora", {"rank": 0}, Silent())


def test_a_stage_of_more_pixels_learns_from_the_photos_and_not_from_small_copies(tmp_path, monkeypatch):
    """The toybox's own second stage sees 128 pixels, and the copies that its base has learned from have 64."""
    subject = {"photos": "toybox:biscuit"}
    recipe = recipe_from_dict({"base": "toybox", "subject": {**subject, "class_noun": "dog"}, "stages": [{"method": "lora", "steps": 1, "rank": 1}]}, stage_types())
    parent = fit(recipe, tmp_path, Silent())
    options = {"steps": 1, "upscaler": "toybox"}
    child = stand(parent, "super_resolution", options, Silent())
    whole = [photo.image for photo in gather("toybox:biscuit", 128)]
    assert [(photo.image.size, np.array_equal(photo.image, own)) for photo, own in zip(child.photos(), whole, strict=True)] == [((128, 128), True)] * len(whole)  # type: ignore[union-attr]
    monkeypatch.setattr("likeness.workflow.branching.gather_all", lambda recipe: [])
    with pytest.raises(UserError, match="sees 128 pixels, its copies of the photos have 64, and toybox:biscuit no longer holds"):
        stand(parent, "super_resolution", options, Silent())


def test_a_change_that_was_gone_on_with_is_what_the_next_change_is_held_against(stacked, tmp_path, paused):
    """Fewer steps of a stage, agreed to when the run went on; then the state is the next stage's, and the old number may not come back."""
    run = paused(stacked({**LORA, "steps": 30}, UNET), tmp_path, 4)
    recipe = run.path / "recipe.toml"
    recipe.write_text((before := recipe.read_text()).replace("steps = 30", "steps = 6"))
    assert resume(run, Silent()).record().status == "finished"
    shutil.rmtree(run.path / "checkpoints/000011")
    run.update(status="paused")
    recipe.write_text(before)
    with pytest.raises(UserError, match=r"steps \(6 -> 30\)"):
        resume(run, Silent())


def test_what_the_photos_were_taken_in_by_may_not_change_before_the_first_state(stacked, tmp_path):
    run = fit(stacked(UNET), tmp_path, Silent())
    for state in ("resume", "checkpoints"):
        shutil.rmtree(run.path / state)
    run.update(status="failed")
    recipe = run.path / "recipe.toml"
    recipe.write_text((before := recipe.read_text()).replace('photos = "', 'photos = "elsewhere/'))
    with pytest.raises(UserError, match="subject.photos changed in recipe.toml, and the photos were taken in before"):
        resume(run, Silent())
    recipe.write_text(before.replace("learning_rate = 0.001", "learning_rate = 0.002"))
    resume(run, Silent())
    assert run.journal()[-1]["learning_rates"] == [0.002]


def test_a_stage_on_a_run_without_a_state_of_its_own_is_not_continued(stacked, tmp_path):
    parent = fit(stacked(UNET), tmp_path, Silent())
    child = stand(parent, "lora", {"steps": 5, "rank": 1}, Silent())
    for state in [*(child.path / "resume").iterdir(), child.path / "checkpoints/000010"]:
        shutil.rmtree(state)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match="no saved state to go on from. Resume it first"):
        branch(child, {"steps": 9}, Silent())
    assert sorted(tmp_path.iterdir()) == before


def test_options_of_another_version_are_one_line():
    with pytest.raises(UserError, match="lora: the checkpoint was written by another version of likeness, whose rank, forgotten"):
        stage_of({"method": "lora", "spec": {"rank": "many", "forgotten": 1}})


def test_a_finished_stages_optimizer_is_forgotten_and_its_checkpointing_too(stacked, tmp_path, monkeypatch):
    made, spared, alive, kept = stages.make_optimizer, [], [], []

    def watched(method, stage):
        alive.append(any(of() is not None for of in kept))
        spared.append(method.base.unet.is_gradient_checkpointing)
        kept.append(weakref.ref(optimizer := made(method, stage)))
        return optimizer

    monkeypatch.setattr(stages, "make_optimizer", watched)
    fit(stacked({**UNET, "gradient_checkpointing": True}, LORA), tmp_path, Silent())
    assert alive == [False, False] and spared == [True, False]
