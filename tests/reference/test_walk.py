"""The denoising walk against StableDiffusionPipeline with DDIM, on the same noise and prompt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DiffusionPipeline, DPMSolverMultistepScheduler, StableDiffusionPipeline

from likeness.files.errors import UserError
from likeness.model.base import Base
from likeness.model.trajectory import ANEW, Sampler, initial_latents, sample, walk

PROMPT, NEGATIVE = "a photo of a dog on the beach", "a cat"


@pytest.fixture(params=["epsilon", "v_prediction", "sample"])
def both(request, tiny_folders):
    folder = tiny_folders[request.param]
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    return Base(folder, "tiny"), pipeline


def drawn(pipeline, base, guidance_scale, **options):
    return pipeline(PROMPT, negative_prompt=NEGATIVE, latents=initial_latents(base, [7]), num_inference_steps=6, guidance_scale=guidance_scale, **options)


@pytest.mark.parametrize("guidance_scale", [1.0, 5.0])
def test_walk_equals_the_pipeline(both, guidance_scale):
    base, pipeline = both
    with torch.no_grad():
        *_, last = walk(base, initial_latents(base, [7]), base.condition([PROMPT]), base.condition([NEGATIVE]), 6, guidance_scale)
    theirs = drawn(pipeline, base, guidance_scale, output_type="latent").images
    torch.testing.assert_close(last.latents, theirs, rtol=1e-4, atol=1e-5)  # float32, guidance written as the same sum
    assert last.index == 5


def test_noise_on_the_way_is_the_pipelines_own(both):
    base, pipeline = both
    with torch.no_grad():
        *_, last = walk(base, initial_latents(base, [7]), base.condition([PROMPT]), base.condition([NEGATIVE]), 6, 5.0, eta=1.0, seeds=[7])
    theirs = drawn(pipeline, base, 5.0, output_type="latent", eta=1.0, generator=[torch.Generator().manual_seed(7 ^ ANEW)]).images
    torch.testing.assert_close(last.latents, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The configuration file of this scheduler")
@pytest.mark.parametrize("said", [{"steps_offset": 0}, {"steps_offset": 1}, {"steps_offset": 2}, {}])
def test_the_steps_offset_is_the_pipelines(said, tiny_folders, tmp_path):
    """StableDiffusionPipeline sets it to 1, whatever an old folder says, or does not say."""
    folder = Path(shutil.copytree(tiny_folders["epsilon"], tmp_path / "base"))
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    del config["steps_offset"]
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({**config, **said}))
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, requires_safety_checker=False)
    pipeline.scheduler.set_timesteps(10)
    assert Sampler(Base.open(str(folder)), 10).timesteps.tolist() == pipeline.scheduler.timesteps.tolist()


def test_a_schedule_that_a_folder_leaves_out_is_its_own_classes_in_every_sampler(tiny_folders, tmp_path):
    """LCMScheduler's default schedule is another than that of the others."""
    folder = Path(shutil.copytree(tiny_folders["epsilon"], tmp_path / "base"))
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({name: value for name, value in json.loads(path.read_text()).items() if "beta" not in name}))
    base = Base.open(str(folder))
    for sampler in (base.sampler(), base.few_step_sampler()):
        assert torch.equal(sampler.alphas_cumprod, base.alphas_cumprod)


@pytest.mark.parametrize("family", ["sdxl", "deepfloyd"])
def test_other_families_keep_the_folders_own_offset(family, tiny_folders, tmp_path):
    folder = Path(shutil.copytree(tiny_folders[family], tmp_path / "base"))
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({**config, "steps_offset": 0}))
    pipeline = DiffusionPipeline.from_pretrained(folder)
    assert Base.open(str(folder)).scheduler.config.steps_offset == pipeline.scheduler.config.steps_offset == 0


@pytest.mark.parametrize("steps", [10, 25, 50])
def test_ddim_goes_where_it_believes_to_be(steps, tiny_base):
    """Timesteps from end to end, the default of other samplers, are no whole gaps apart: data of deviation .2 come out as wide as a consistent walk leaves them."""
    tiny_base.scheduler = DPMSolverMultistepScheduler.from_config(tiny_base.scheduler.config, timestep_spacing="linspace")
    sampler = Sampler(tiny_base, steps)
    timesteps = [*sampler.timesteps.tolist(), -(1000 // steps)]
    assert timesteps[0] == 999
    believed = [t - 1000 // steps for t in timesteps[:-1]]
    assert all(abs(a - b) <= 1 for a, b in zip(believed[:-1], timesteps[1:-1]))


def test_a_walk_has_the_steps_that_were_asked_for_and_each_ends_where_the_next_begins(tiny_base):
    """DDIMScheduler's own has 62 for 61, at the last of which it takes the picture for noise; and at 150 it leaves a tenth of each step's noise."""
    tiny_base.scheduler = DDIMScheduler.from_config(tiny_base.scheduler.config, timestep_spacing="trailing", set_alpha_to_one=True)
    alphas, one, nothing = tiny_base.alphas_cumprod.double(), torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    for steps in range(1, 1001):
        timesteps = Sampler(tiny_base, steps).timesteps
        assert len(timesteps) == steps and timesteps.min() >= 0
    for steps in (3, 30, 61, 150, 300):
        sampler = Sampler(tiny_base, steps)
        for t, after in zip(sampler.timesteps, [*sampler.timesteps[1:], None]):
            left = 1.0 if after is None else alphas[after]
            torch.testing.assert_close(sampler.step(nothing, t, one), (left / alphas[t]).sqrt() * one, rtol=1e-6, atol=0)


@pytest.mark.parametrize("spacing", ["leading", "trailing"])
@pytest.mark.parametrize("steps", [1, 4, 10, 25, 50, 250])
def test_where_steps_divide_the_timesteps_it_is_diffusers_own(steps, spacing, tiny_base):
    tiny_base.scheduler = DDIMScheduler.from_config(tiny_base.scheduler.config, timestep_spacing=spacing)
    ours, theirs = Sampler(tiny_base, steps), DDIMScheduler.from_config(tiny_base.scheduler.config, clip_sample=False)
    theirs.set_timesteps(steps)
    latents, output = initial_latents(tiny_base, [7]), initial_latents(tiny_base, [8])
    assert ours.timesteps.tolist() == theirs.timesteps.tolist()
    for t in theirs.timesteps:
        assert torch.equal(ours.step(output, t, latents), theirs.step(output, t, latents).prev_sample)


def test_noise_on_the_way_from_next_to_nothing_but_noise_stays_finite(tiny_base):
    """The cosine schedule ends in 2e-9 of the picture."""
    tiny_base.scheduler = DDIMScheduler.from_config(tiny_base.scheduler.config, beta_schedule="squaredcos_cap_v2", timestep_spacing="trailing")
    sampler = Sampler(tiny_base, 5, 1.0, [7])
    latents = initial_latents(tiny_base, [7])
    assert sampler.step(latents, sampler.timesteps[0], latents).isfinite().all()


def test_noise_on_the_way_from_nothing_but_noise_stays_finite(tiny_base):
    """DDIMScheduler's own root there is of 0, or after rounding of less: of a hundred counts of steps every second ended in black pictures."""
    tiny_base.scheduler = DDIMScheduler.from_config(tiny_base.scheduler.config, rescale_betas_zero_snr=True, timestep_spacing="trailing", prediction_type="v_prediction")
    latents = initial_latents(tiny_base, [7])
    for steps in range(1, 101):
        sampler = Sampler(tiny_base, steps, 1.0, [7])
        t = sampler.timesteps[0]
        assert sampler.scheduler.alphas_cumprod[t] == 0
        assert sampler.step(latents, t, latents).isfinite().all()


def test_decoded_picture_equals_the_pipeline(both):
    base, pipeline = both
    (ours,) = sample(base, [PROMPT], [7], steps=6, guidance_scale=5.0, negative=NEGATIVE)
    theirs = drawn(pipeline, base, 5.0).images[0]
    assert np.abs(np.asarray(ours, dtype=int) - np.asarray(theirs)).max() <= 1  # of 255: half a step, rounded to the other side


def test_sampler_is_ddim_over_the_bases_own_schedule(tiny_base):
    tiny_base.scheduler = DPMSolverMultistepScheduler.from_config(tiny_base.scheduler.config)
    sampler = tiny_base.sampler()
    assert isinstance(sampler, DDIMScheduler) and not sampler.config.clip_sample
    assert torch.equal(sampler.alphas_cumprod, tiny_base.scheduler.alphas_cumprod)


def test_latents_are_never_clipped(tiny_base):
    """An old folder may say so, or say nothing, which means it to DDIMScheduler; diffusers' pipelines overrule it."""
    tiny_base.scheduler = DDIMScheduler.from_config(tiny_base.scheduler.config, clip_sample=True)
    assert not tiny_base.sampler().config.clip_sample


@pytest.mark.parametrize(("steps", "says"), [(1000, "timestep 1000 of 1000, .* Take 999"), (600, "timestep 600 of .* Take 500"), (400, "timestep 799 of .* Take 333")])
def test_steps_that_would_begin_in_the_middle_are_refused(steps, says, tiny_base):
    tiny_base.scheduler = DDIMScheduler.from_config(tiny_base.scheduler.config, timestep_spacing="leading", steps_offset=1)
    with pytest.raises(UserError, match=says):
        Sampler(tiny_base, steps)
    for allowed in (1, 4, 25, 50, 150, 500):
        Sampler(tiny_base, allowed)


def test_where_memory_runs_out_fewer_are_drawn_at_once(tiny_base, monkeypatch):
    prompts, seeds, sizes = [PROMPT] * 11, list(range(11)), []
    usual = [np.asarray(picture, dtype=int) for picture in sample(tiny_base, prompts, seeds, steps=2, guidance_scale=5.0)]
    decode = tiny_base.decode

    def small(latents):
        sizes.append(len(latents))
        if len(latents) > 2:
            raise torch.OutOfMemoryError
        return decode(latents)

    monkeypatch.setattr(tiny_base, "decode", small)
    fewer = list(sample(tiny_base, prompts, seeds, steps=2, guidance_scale=5.0))
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 1]
    assert max(np.abs(a - np.asarray(b, dtype=int)).max() for a, b in zip(usual, fewer, strict=True)) <= 1

    def nothing(latents):
        raise MemoryError

    monkeypatch.setattr(tiny_base, "decode", nothing)
    with pytest.raises(UserError, match="out of memory while drawing a single picture"):
        next(sample(tiny_base, prompts, seeds, steps=2, guidance_scale=5.0))


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_picture_is_its_seeds_own(tiny_base, eta):
    """Not its neighbours' in the batch, and not its place's."""
    together = list(sample(tiny_base, [PROMPT] * 3, [1, 2, 3], 4, 5.0, eta=eta))
    assert together[1] == next(sample(tiny_base, [PROMPT], [2], 4, 5.0, eta=eta))
    assert len({picture.tobytes() for picture in together}) == 3
