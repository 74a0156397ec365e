"""The weights that lie in the package fit together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from likeness.learning.denoising import Examples, noised, target
from likeness.model.base import Base
from likeness.model.cascade import Upscaler
from likeness.model.folder import find_upscaler
from likeness.model.trajectory import enlarge
from likeness.toybox import data
from likeness.toybox.latents import PER_PIXEL
from likeness.toybox.upscaler_training import psnr
from likeness.world.captions import caption
from likeness.world.drawing import draw


@pytest.fixture(scope="module")
def base() -> Base:
    return Base.open("toybox")


@torch.no_grad()
def test_the_embedded_base_denoises_what_it_encodes(base):
    """A posterior with a spread, latents in other coordinates or another text encoder's states would double the error."""
    scenes = [data.base_scene(1, k) for k in range(32)]
    mean, spread = base.moments([draw(scene, base.resolution) for scene in scenes])
    generator = torch.Generator().manual_seed(0)
    latents = mean + spread * torch.randn(mean.shape, generator=generator)
    prompts = tuple(caption(scene, np.random.default_rng(0)).text for scene in scenes)
    examples = Examples.with_noise(base, latents, prompts, generator)
    error = (base.predict(noised(base, examples), examples.timesteps, base.condition(prompts)) - target(base, examples)).square().mean()
    assert error < 0.3
    assert spread.max() < 0.05
    assert abs(latents.var() - PER_PIXEL * base.pixels_per_latent**2 / base.channels) < 0.1


def test_the_embedded_second_stage_sees_more_than_bicubic():
    """In one step from renders that it never saw: its guess of the picture lies nearer to the truth."""
    truth = [draw(data.base_scene(1, k), 128) for k in range(8)]
    small = [picture.resize((64, 64), Image.Resampling.BOX) for picture in truth]
    upscaler = Upscaler(find_upscaler("toybox"), "toybox")
    ours = enlarge(upscaler, small, [""] * 8, range(8), 1, 1.0, noise_level=0)
    gained = [psnr(large, true) - psnr(picture.resize((128, 128), Image.Resampling.BICUBIC), true) for large, picture, true in zip(ours, small, truth)]
    assert np.mean(gained) > 0.5
