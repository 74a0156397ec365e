"""The denoising walk against StableDiffusionPipeline with DDIM, on the same noise and prompt."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, StableDiffusionPipeline

from likeness.model.base import Base
from likeness.model.trajectory import ANEW, initial_latents, sample, walk

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


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_picture_is_its_seeds_own(tiny_base, eta):
    """Not its neighbours' in the batch, and not its place's."""
    together = list(sample(tiny_base, [PROMPT] * 3, [1, 2, 3], 4, 5.0, eta=eta))
    assert together[1] == next(sample(tiny_base, [PROMPT], [2], 4, 5.0, eta=eta))
    assert len({picture.tobytes() for picture in together}) == 3
