"""T14 and T20: what a run does with states that are damaged, and with numbers that are not finite."""

from __future__ import annotations

import io
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from rich.console import Console
from safetensors.torch import load_file, save_file

from likeness.files.atomic import write_lines
from likeness.files.errors import UserError
from likeness.files.recipe import continued_in, read_recipe, recipe_from_dict
from likeness.files.run_folder import RunFolder
from likeness.learning.training import Diverged
from likeness.report.facts import commands_of
from likeness.report.reading import read_run
from likeness.workflow.branching import WHOLE, branch, check_continued
from likeness.workflow.fitting import fit, resume
from likeness.workflow.generating import generate
from likeness.workflow.progress import Progress, Silent
from likeness.workflow.stack import stage_types

STEPS = {"steps": 6, "checkpoints": (1, 3)}


def said(action, *arguments) -> str:
    """What a person reads."""
    text = io.StringIO()
    action(*arguments, Progress(Console(file=text, width=1000)))
    return text.getvalue()


def weights_of(run: RunFolder) -> bytes:
    return (run.path / "checkpoints" / "000006" / "0-dreambooth.safetensors").read_bytes()


@pytest.fixture(scope="module")
def whole(quick_recipe, tmp_path_factory) -> bytes:
    """The weights at the end of the run that nothing happened to."""
    return weights_of(fit(quick_recipe(**STEPS), tmp_path_factory.mktemp("whole"), Silent()))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGE = {
    "flipped weights": lambda run: flip(run / "checkpoints/000005/0-dreambooth.safetensors"),
    "missing weights": lambda run: (run / "checkpoints/000005/0-dreambooth.safetensors").unlink(),
    "flipped optimizer": lambda run: flip(run / "resume/000005/optimizer.safetensors"),
    "missing optimizer": lambda run: (run / "resume/000005/optimizer.safetensors").unlink(),
    "cut short": lambda run: (run / "resume/000005/optimizer.safetensors").write_bytes(b""),
    "no seal": lambda run: (run / "checkpoints/000005/complete.json").unlink(),
    "empty seal": lambda run: (run / "resume/000005/complete.json").write_text(""),
    "no card": lambda run: (run / "checkpoints/000005/card.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_state_is_named_and_the_one_before_is_used(damage, quick_recipe, paused, tmp_path, whole):
    run = paused(quick_recipe(**STEPS), tmp_path, 5)
    DAMAGE[damage](run.path)
    assert "000005 is skipped: " in said(resume, run)
    assert [line["step"] for line in run.journal()] == [1, 2, 3, 4, 5, 6]
    assert weights_of(run) == whole


def test_leftovers_of_a_killed_save_are_skipped(quick_recipe, paused, tmp_path, whole):
    run = paused(quick_recipe(**STEPS), tmp_path, 5)
    shutil.copytree(run.path / "resume/000005", run.path / "resume/.tmp-0123456789abcdef")
    assert "left over from an interrupted save" in said(resume, run)
    assert weights_of(run) == whole


def test_without_any_sound_state_it_says_so_and_begins_again(quick_recipe, paused, tmp_path, whole):
    run = paused(quick_recipe(**STEPS), tmp_path, 5)
    for state in (run.path / "resume").iterdir():
        flip(state / "optimizer.safetensors")
    assert said(resume, run).count("is skipped") == 2
    assert weights_of(run) == whole


@pytest.fixture
def moved_base(tiny_folder, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "base"))


def another(base: Path) -> None:
    """The same shapes, other numbers."""
    path = base / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: value + 1e-3 for name, value in load_file(path).items()}, path, metadata={"format": "pt"})


def test_another_base_of_the_same_shape_is_refused(quick_recipe, paused, moved_base, tmp_path):
    run = paused(quick_recipe(moved_base, **STEPS), tmp_path / "runs", 5)
    journal = run.journal()
    another(moved_base)
    with pytest.raises(UserError, match="begun on another base"):
        resume(run, Silent())
    with pytest.raises(UserError, match="begun on another base"):
        branch(run, {"steps": 9}, Silent())
    with pytest.raises(UserError, match="was trained on"):
        generate(run, ["a {}"], [0], Silent())
    assert run.journal() == journal and len(list((tmp_path / "runs").iterdir())) == 1


def test_a_base_that_was_moved_is_found_where_it_is_said_to_lie(quick_recipe, paused, moved_base, tmp_path, whole, likeness):
    """T31, for what trains: the hash says that it is the same."""
    run = paused(quick_recipe(moved_base, **STEPS), tmp_path / "runs", 5)
    elsewhere = moved_base.rename(tmp_path / "elsewhere")
    assert likeness("resume", run.path, "--base", elsewhere) == 0 and weights_of(run) == whole
    assert likeness("continue", run.path, "--steps", 7, "--base", elsewhere) == 0
    assert likeness("train", "lora", run.path, "--steps", 1, "--base", elsewhere, "--runs", tmp_path / "runs") == 0
    child, stacked = (RunFolder.open(next((tmp_path / "runs").glob(f"*-{name}-*"))) for name in ("continued", "lora"))
    assert child.recipe(stage_types()).base == stacked.recipe(stage_types()).base == str(elsewhere)
    another(elsewhere)
    with pytest.raises(UserError, match="begun on another base"):
        branch(child, {"steps": 9}, Silent(), str(elsewhere))


def test_a_continued_run_is_made_again_from_its_photos(quick_recipe, tmp_path, likeness):
    """By the recipe that leads to it, of children of children too; each run's own says what it was asked."""
    first = branch(fit(quick_recipe(), tmp_path / "once", Silent()), {"steps": 4, "prior_weight": 0.5}, Silent())
    second = branch(first, {"steps": 5, "learning_rate": 5e-4}, Silent())
    assert continued_in(second.path / WHOLE) == [{"steps": 4, "prior_weight": 0.5}, {"steps": 5, "learning_rate": 5e-4}]
    assert read_recipe(second.path / WHOLE, stage_types()) == quick_recipe()
    assert commands_of(read_run(second.path))["train"].endswith("/whole.toml")
    assert likeness("train", "--recipe", second.path / WHOLE, "--runs", tmp_path / "again") == 0
    again = RunFolder.open(max((tmp_path / "again").iterdir(), key=lambda path: len((path / "journal.jsonl").read_text().splitlines())))
    assert [c.step for c in again.checkpoints()][-1] == 5
    assert [(again.path / name).read_bytes() == (second.path / name).read_bytes() for name in ("checkpoints/000005/0-dreambooth.safetensors", "recipe.toml")] == [True, True]


def test_a_finished_run_is_not_resumed(quick_recipe, tmp_path):
    run = fit(quick_recipe(), tmp_path, Silent())
    with pytest.raises(UserError, match="is finished. To train further: likeness continue"):
        resume(run, Silent())


CHANGES = {
    "learning_rate = 0.001": ("learning_rate = 0.01", r"stages.0.learning_rate \(0.001 -> 0.01\) changed in recipe.toml"),
    "seed = 0": ("seed = 1", r"seed \(0 -> 1\)"),
    'identifier = "sks"': ('identifier = "zwx"', r"subject.identifier \(sks -> zwx\)"),
    'method = "dreambooth"': ('method = "lora"', r"stages.0.method \(dreambooth -> lora\)"),
    "steps = 6": ("steps = 4", r"steps \(6 -> 4\) changed in recipe.toml, and 5 are done"),
}


@pytest.mark.parametrize("before", CHANGES)
def test_a_recipe_changed_by_hand_is_refused_with_what_differs(before, quick_recipe, paused, tmp_path):
    """T21."""
    run = paused(quick_recipe(**STEPS), tmp_path, 5)
    after, says = CHANGES[before]
    recipe = run.path / "recipe.toml"
    content = recipe.read_text().replace(f"\n{before}\n", f"\n{after}\n") if not recipe.read_text().startswith(before) else recipe.read_text().replace(before, after, 1)
    recipe.write_text(content.replace("train_text_encoder = false\n", "") if "lora" in after else content.replace("checkpoints = [\n    1,\n    3,\n]", "checkpoints = []"))
    with pytest.raises(UserError, match=says):
        resume(run, Silent())


def test_how_far_to_train_may_be_changed_by_hand(quick_recipe, paused, tmp_path):
    """At a constant rate: a falling one would have been another from the first step on."""
    run, falling = paused(quick_recipe(**STEPS), tmp_path / "a", 5), paused(quick_recipe(**STEPS, learning_rate_schedule="linear"), tmp_path / "b", 5)
    for one in (run, falling):
        recipe = one.path / "recipe.toml"
        recipe.write_text(recipe.read_text().replace("steps = 6", "steps = 7"))
    resume(run, Silent())
    assert run.journal()[-1]["step"] == 7 and run.record().status == "finished"
    with pytest.raises(UserError, match=r"steps \(6 -> 7\)"):
        resume(falling, Silent())


def test_a_run_that_was_stopped_before_it_began_says_so(quick_recipe, tmp_path):
    run = fit(quick_recipe(), tmp_path, Silent())
    child = branch(run, {"steps": 4}, Silent())
    shutil.rmtree(child.path / "resume")
    shutil.rmtree(child.path / "checkpoints")
    with pytest.raises(UserError, match=f"while it was made from .*likeness continue {run.path} .*--steps 4"):
        resume(child, Silent())
    (run.path / "recipe.toml").unlink()
    with pytest.raises(UserError, match="before its recipe was written"):
        resume(run, Silent())


@pytest.mark.parametrize(("stage", "changes", "says"), [
    ({"method": "lora"}, {"rank": 8}, r"rank \(4 -> 8\) cannot change where a run goes on"),
    ({"method": "ddpo", "rewards": ("compressible",), "draw_steps": 2, "batch_size": 1, "gradient_accumulation": 1, "updates": 1}, {"updates": 2}, r"updates \(1 -> 2\)"),
    ({"method": "textual_inversion", "gradient_accumulation": 1}, {"vectors": 2}, r"vectors \(1 -> 2\)"),
    ({"method": "custom_diffusion", "prior_weight": 0.0}, {"trained": "all"}, r"trained \(kv -> all\)"),
])  # fmt: skip
def test_a_child_run_may_not_change_what_is_trained(stage, changes, says, tiny_folder, photo_folder, tmp_path):
    subject = {"photos": photo_folder, "class_noun": "dog"}
    recipe = recipe_from_dict({"base": str(tiny_folder), "subject": subject, "stages": [{"steps": 1, **stage}]}, stage_types())
    run = fit(recipe, tmp_path, Silent())
    with pytest.raises(UserError, match=says):
        branch(run, {"steps": 2, **changes}, Silent())
    assert len(list(tmp_path.glob("*/run.json"))) == 1
    assert len(branch(run, {"steps": 2}, Silent()).journal()) == 2


@contextmanager
def spoilt_unet(first: int):
    """Every U-Net gives NaN from its `first` training pass on."""
    passes = 0

    def spoil(module, given, output):
        nonlocal passes
        if isinstance(module, UNet2DConditionModel) and torch.is_grad_enabled():
            passes += 1
            if passes >= first:
                return UNet2DConditionOutput(sample=output.sample * float("nan"))

    hook = torch.nn.modules.module.register_module_forward_hook(spoil)
    yield
    hook.remove()


def test_a_diverged_run_fails_and_keeps_its_checkpoints(quick_recipe, tmp_path, whole):
    """T14. Once the cause is gone it goes on from there, as if nothing had been."""
    with spoilt_unet(4), pytest.raises(Diverged, match="step 6: .*The last checkpoint is intact"):
        fit(quick_recipe(**STEPS), tmp_path, Silent())
    run = RunFolder.open(next(tmp_path.iterdir()))
    assert run.record().status == "failed" and "Diverged" in str(run.record().exit_reason)
    assert ["skipped" in line for line in run.journal()] == [False, False, False, True, True, True]
    for checkpoint in (run.checkpoint(1), run.checkpoint(3)):
        assert all(value.isfinite().all() for value in load_file(checkpoint.path / "0-dreambooth.safetensors").values())
    assert weights_of(resume(run, Silent())) == whole and not any("skipped" in line for line in run.journal())


def test_a_killed_run_goes_on_from_its_last_state_though_no_checkpoint_was_asked_for(quick_recipe, tmp_path, monkeypatch):
    whole = fit(quick_recipe(steps=6), tmp_path / "whole", Silent())
    from likeness.workflow import stages

    kept = stages.train

    def killed(*arguments):
        for trained in kept(*arguments):
            if trained.step == 5:
                raise KeyboardInterrupt
            yield trained

    monkeypatch.setattr(stages, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(quick_recipe(steps=6, save_every=2), tmp_path / "killed", Silent())
    monkeypatch.setattr(stages, "train", kept)
    (path,) = (tmp_path / "killed").iterdir()
    run = RunFolder.open(path)
    assert run.checkpoints() == [] and run.latest("resume").step == 4  # type: ignore[union-attr]
    resume(run, Silent())
    assert weights_of(run) == weights_of(whole)


def test_seconds_before_a_kill_are_counted(quick_recipe, paused, tmp_path):
    run = paused(quick_recipe(steps=6), tmp_path, 3)
    lines = [{**line, "seconds": 100.0} for line in run.journal()]
    write_lines(run.path / "journal.jsonl", lines)
    run.update(seconds=0.0)  # as who was killed in the beginning, and writes no sum
    resume(run, Silent())
    assert (run.record().model_extra or {})["seconds"] > 100 * len(lines)


def test_a_run_that_another_process_is_at_keeps_what_it_says(quick_recipe, paused, tmp_path):
    run = paused(quick_recipe(steps=6), tmp_path, 3)
    before = run.record().model_extra
    (run.path / "recipe.toml").write_text((run.path / "recipe.toml").read_text().replace("steps = 6", "steps = 7"))
    with run.active(), pytest.raises(UserError, match="run is active"):
        resume(run, Silent())
    assert run.record().model_extra == before


def test_a_stage_that_was_stopped_while_it_was_made_is_made_again_with_its_options(quick_recipe, tmp_path, likeness, monkeypatch):
    run = fit(quick_recipe(), tmp_path / "elsewhere", Silent())
    monkeypatch.chdir(tmp_path)
    assert likeness("train", "lora", run.path, "--rank", 2, "--steps", 1) == 0
    (child,) = (RunFolder.open(path) for path in (tmp_path / "elsewhere").glob("*-lora-*"))  # beside its parent, and not in ./runs
    for part in ("resume", "checkpoints"):
        shutil.rmtree(child.path / part)
    with pytest.raises(UserError, match=f"likeness train lora {run.path} .*--rank 2"):
        resume(child, Silent())


def test_a_recipe_that_goes_on_impossibly_is_refused_before_anything_is_trained(quick_recipe):
    recipe = quick_recipe(steps=1)
    with pytest.raises(UserError, match=r"continued 1: train_text_encoder \(False -> True\) cannot change"):
        check_continued(recipe, [{"steps": 2, "train_text_encoder": True}])
    check_continued(recipe, [{"steps": 2}, {"steps": 3}])


def test_how_a_recipe_goes_on_is_kept_for_who_resumes_it(quick_recipe, paused, likeness, tmp_path, capsys):
    run = paused(quick_recipe(**STEPS), tmp_path / "runs", 5, then=[{"steps": 7}, {"steps": 8}])
    assert likeness("resume", run.path) == 0
    assert capsys.readouterr().err.count("next of this recipe") == 2
    children = [RunFolder.open(path) for path in (tmp_path / "runs").glob("*-continued-*")]
    assert sorted(child.journal()[-1]["step"] for child in children) == [7, 8]
    assert sorted((child.record().then or [] for child in children), key=len) == [[], [{"steps": 8}]]
    with pytest.raises(UserError, match="is finished. To train further: likeness continue .* --steps 7"):
        resume(run, Silent())


def test_a_child_of_this_folder_lies_beside_it(quick_recipe, tmp_path, monkeypatch):
    run = fit(quick_recipe(steps=1), tmp_path, Silent())
    monkeypatch.chdir(run.path)
    child = branch(RunFolder.open(Path(".")), {"steps": 2}, Silent())
    assert child.path.parent == tmp_path
