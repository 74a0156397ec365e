"""LCM in a run: its pictures, its files for diffusers, its moving average, and pictures of a folder in place of drawn ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import LCMScheduler, StableDiffusionPipeline
from PIL import Image
from safetensors.torch import load_file

from likeness.files.errors import UserError
from likeness.files.recipe import recipe_from_dict
from likeness.files.run_folder import RunFolder
from likeness.learning.method import Subject
from likeness.methods.lcm import LCM, Spec
from likeness.model.base import Base
from likeness.model.trajectory import few_steps
from likeness.workflow.exporting import export
from likeness.workflow.fitting import fit, resume
from likeness.workflow.generating import generate
from likeness.workflow.progress import Silent
from likeness.workflow.stack import put_on, stage_types

QUICK: dict[str, Any] = {"method": "lcm", "steps": 3, "learning_rate": 1e-2, "rank": 4, "batch_size": 1, "pictures": 4, "picture_steps": 2}
LORA: dict[str, Any] = {"method": "lora", "steps": 2, "learning_rate": 1e-2}


@pytest.fixture
def recipe(tiny_folder, photo_folder):
    def of(*stages: dict[str, Any]):
        subject = {"photos": photo_folder, "class_noun": "dog"}
        return recipe_from_dict({"base": str(tiny_folder), "subject": subject, "stages": list(stages)}, stage_types())

    return of


def drawn(run: RunFolder, scale: float) -> torch.Tensor:
    base = Base.open(str(run.recipe(stage_types()).base))
    put_on(base, run.latest())  # type: ignore[arg-type]
    with torch.no_grad():
        *_, last = few_steps(base, base.condition(["a photo of a dog"]), base.condition([""]), [5], 4, scale)
    return last.latents


def theirs(opened: Any, scale: float) -> torch.Tensor:
    opened.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(5)
    return opened("a photo of a dog", num_inference_steps=4, guidance_scale=scale, generator=generator, output_type="latent").images


def test_a_full_student_opens_in_diffusers_as_it_is(recipe, tmp_path):
    run = fit(recipe(LORA, {**QUICK, "student": "full", "learning_rate": 1e-3}), tmp_path, Silent())
    (folder,) = export(run, "diffusers", Silent())
    opened = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    assert isinstance(opened.scheduler, LCMScheduler) and opened.unet.config.time_cond_proj_dim == 256
    torch.testing.assert_close(drawn(run, 8.0), theirs(opened, 8.0), atol=1e-5, rtol=1e-4)
    assert "LCMScheduler" in (folder.parent / "README.md").read_text()


def test_a_lora_student_is_a_lora_file(recipe, tmp_path, tiny_folder):
    run = fit(recipe(QUICK), tmp_path, Silent())
    (path,) = export(run, "diffusers", Silent())
    opened = StableDiffusionPipeline.from_pretrained(tiny_folder, safety_checker=None)
    opened.scheduler = LCMScheduler.from_config(opened.scheduler.config)
    before = theirs(opened, 1.0)
    opened.load_lora_weights(path.parent, weight_name=path.name)
    torch.testing.assert_close(drawn(run, 1.0), theirs(opened, 1.0), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(before, theirs(opened, 1.0), atol=1e-3)


def test_pictures_are_drawn_in_few_steps_and_the_bases_as_usual(recipe, tmp_path):
    run = fit(recipe(LORA, QUICK), tmp_path, Silent())
    generate(run, ["a {} in the snow"], [0], Silent())
    settings = {p.labels["model"]: p.settings for p in run.pictures()}
    student, base = settings["personalized"], settings["base"]
    assert (student.sampler, student.steps, student.guidance_scale) == ("LCM", 4, 1.0)
    assert (base.sampler, base.steps, base.guidance_scale) == ("DDIM", 30, 7.5)
    for wrong, says in (({"steps": 60}, "from 1 to 50"), ({"guide": 2}, "has no walk to guide"), ({"eta": 1.0}, "sampler has its own noise")):
        with pytest.raises(UserError, match=says):
            generate(run, ["a {} in the snow"], [0], Silent(), **wrong)


@pytest.mark.parametrize(("student", "name"), [("full", "unet.conv_in.weight"), ("lora", "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora_B.weight")])
def test_a_moving_average_goes_on_where_it_was(student, name, recipe, paused, tmp_path):
    asked = recipe({**QUICK, "student": student, "average": 0.9, "learning_rate": 1e-3, "steps": 4})
    whole = fit(asked, tmp_path / "whole", Silent())
    stopped = paused(asked, tmp_path / "stopped", 2)
    resume(stopped, Silent())
    ends = [load_file(run.path / "checkpoints" / "000004" / "0-lcm.safetensors") for run in (whole, stopped)]
    averages = [load_file(run.path / "resume" / "000004" / "method.safetensors") for run in (whole, stopped)]
    for first, second in (ends, averages):
        assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(averages[0][name], ends[0][name])


def test_the_target_is_the_moving_average(tiny_base, subject_photos):
    """Where the student has moved and its average has not, the loss is that between the two, and both are back in place afterwards."""
    method = LCM(Spec(rank=2, batch_size=2, average=0.9, pictures=2, picture_steps=1), tiny_base)
    (batch,) = next(method.batches([Subject(subject_photos, "dog", "sks")], 0, 0))
    with torch.no_grad():
        method.loss(batch)  # the average begins where the student is then
        for parameter in method.adapter.parameters():
            parameter.add_(0.1)
        moved = method.adapter.weights()
        by_average = method.loss(batch)["consistency"]
        method.target = moved
        by_itself = method.loss(batch)["consistency"]
    assert not torch.isclose(by_average, by_itself)
    assert all(torch.equal(moved[name], p) for name, p in method.adapter.chosen.items())
    assert Spec().average == 0 and Spec(student="full").average == 0.95


def test_pictures_of_a_folder_take_the_place_of_drawn_ones(tiny_base, subject_photos, monkeypatch):
    def never(*_: Any) -> None:
        raise AssertionError("the teacher drew, though there are pictures")

    monkeypatch.setattr("likeness.methods.lcm.drawn_latents", never)
    pictures = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    subject = Subject(subject_photos, "dog", "sks", class_photos=pictures, class_captions=["a red {}", None])
    method = LCM(Spec(batch_size=2, rank=2), tiny_base)
    (batch,) = next(method.batches([subject], 0, 0))
    assert sorted(batch.examples.prompts) == ["a photo of a dog", "a red dog"]
    assert method.loss(batch)["consistency"] > 0


def test_the_student_of_a_taught_subject_hears_it_whatever_class_photos_there_were(tiny_base, subject_photos):
    """They were for prior preservation, and show others of the class."""
    subject = Subject(subject_photos, "dog", "sks", "sks dog", class_photos=[Image.new("RGB", (16, 16))])
    method = LCM(Spec(batch_size=2, rank=2, pictures=4, picture_steps=2), tiny_base)
    _, prompts = method._lessons([subject], 0)
    assert len(prompts) == 4 and any("sks dog" in prompt for prompt in prompts)


def test_what_cannot_be_distilled_is_refused(tiny_base):
    LCM(Spec(student="full"), tiny_base)
    with pytest.raises(UserError, match="is a student already"):
        LCM(Spec(student="full"), tiny_base)
    with pytest.raises(ValueError, match="more than guidance_max"):
        Spec(guidance_min=9, guidance_max=8)
    with pytest.raises(ValueError, match="must have {}"):
        Spec(prompts=("a dog",))


def test_the_students_start_is_its_teacher(tiny_folder, tiny_base):
    """With the ear at zero, being told the guidance changes nothing yet; with chance weights it does."""
    with torch.no_grad():
        said = tiny_base.condition(["a dog"])
        latents, t = torch.randn(1, 4, 8, 8), torch.tensor([500])
        plain = tiny_base.predict(latents, t, said)
        for zero, same in ((True, True), (False, False)):
            base = Base.open(str(tiny_folder))
            LCM(Spec(student="full", zero_init=zero), base)
            heard = base.predict(latents, t, replace(said, guidance=torch.tensor([8.0])))
            assert torch.equal(plain, heard) == same


@pytest.mark.parametrize("above", [LORA, QUICK, {"method": "ddpo", "rewards": ["compressible"]}])
def test_a_student_teaches_nobody(above, recipe, tmp_path):
    """It draws by another walk than class pictures, lessons and rollouts are drawn by."""
    with pytest.raises(UserError, match=f"{above['method']} cannot stand on lcm, which may carry super_resolution alone"):
        fit(recipe(QUICK, above), tmp_path, Silent())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("steps", [1, 2, 4, 7])
def test_a_student_draws_at_timesteps_that_it_learned(steps, tiny_base, subject_photos):
    method = LCM(Spec(rank=2, batch_size=64, solver_steps=20, pictures=1, picture_steps=1), tiny_base)
    (batch,) = next(method.batches([Subject(subject_photos, "dog", "sks")], 0, 0))
    sampler = tiny_base.few_step_sampler()
    sampler.set_timesteps(steps)
    learned = {50 * cell - 1 for cell in range(1, 21)}
    assert set(batch.examples.timesteps.tolist()) <= learned and set(sampler.timesteps.tolist()) <= learned


def test_more_steps_than_its_solver_had_are_refused(recipe, tmp_path):
    with pytest.raises(ValueError, match="draws_in: 9 is more than solver_steps, 8"):
        Spec(draws_in=9, solver_steps=8)
    run = fit(recipe({**QUICK, "solver_steps": 8}), tmp_path, Silent())
    with pytest.raises(UserError, match="--steps 9: must be from 1 to 8"):
        generate(run, ["a {} in the snow"], [0], Silent(), steps=9)
    (path,) = export(run, "diffusers", Silent())
    assert "original_inference_steps=8" in (path.parent / "README.md").read_text()


def test_a_full_student_learns_at_a_rate_of_its_own():
    assert (Spec().learning_rate, Spec(student="full").learning_rate, Spec(student="full", learning_rate=1e-3).learning_rate) == (1e-4, 1e-6, 1e-3)
    assert "learning_rate" not in Spec(student="full").model_fields_set  # a base's advice may still fill it


def test_a_child_run_that_averages_begins_at_what_its_parent_learned(tiny_base, subject_photos):
    """A LoRA's parent has no average that could be restored."""
    method = LCM(Spec(rank=2, batch_size=1, pictures=1, picture_steps=1, average=0.5), tiny_base)
    batches = method.batches([Subject(subject_photos, "dog", "sks")], 0, 0)
    learned = {name: torch.full_like(value, 0.01) for name, value in method.weights().items()}
    method.restore(learned)
    (batch,) = next(batches)
    method.loss(batch)
    assert method.target.keys() == learned.keys() and all(torch.equal(method.target[name], learned[name]) for name in learned)


def test_solver_steps_that_leave_the_noisiest_out_are_refused(tiny_base):
    with pytest.raises(UserError, match="solver_steps 400 end at timestep 800 of 1000.*Take 333"):
        LCM(Spec(rank=2, solver_steps=400), tiny_base)
    LCM(Spec(rank=2, solver_steps=333), tiny_base)
