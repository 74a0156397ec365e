"""The denoising walk, one step at a time: plain sampling, class pictures and previews walk it to its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from .base import Base, Conditioning

BATCH = 8  # pictures drawn together; fixed, because a picture's last bits depend on it


@dataclass(frozen=True)
class Step:
    index: int
    timestep: int
    latents: Tensor  # after the step, [b, c, h, w]


def initial_latents(base: Base, seeds: Sequence[int], size: int | None = None) -> Tensor:
    """Noise of a picture from its own seed, drawn on the CPU: the same on every device and in every batch."""
    side = (size or base.resolution) // base.pixels_per_latent
    shape = (1, base.unet.config.in_channels, side, side)
    return torch.cat([torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in seeds]).to(base.device)


def walk(
    base: Base, latents: Tensor, conditioning: Conditioning, unconditioned: Conditioning, steps: int, guidance_scale: float, eta: float = 0.0,
    generator: torch.Generator | None = None,
) -> Iterator[Step]:  # fmt: skip
    """DDIM (Song et al. 2020, arXiv 2010.02502) with classifier-free guidance, from noise to latents of pictures."""
    sampler = base.sampler()
    sampler.set_timesteps(steps)
    guided = guidance_scale != 1.0
    told = Conditioning.cat([unconditioned, conditioning]) if guided else conditioning
    for index, t in enumerate(sampler.timesteps):
        timesteps = t.to(base.device).expand(len(told.states))
        output = base.predict(torch.cat([latents, latents]) if guided else latents, timesteps, told)
        if guided:
            without, with_prompt = output.chunk(2)
            output = without + guidance_scale * (with_prompt - without)
        latents = sampler.step(output.float(), t, latents, eta=eta, generator=generator).prev_sample  # type: ignore[union-attr]
        yield Step(index, int(t), latents)


@torch.no_grad()
def _batch(base: Base, prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance_scale: float, negative: str, eta: float) -> list[Image.Image]:
    latents = initial_latents(base, seeds)
    generator = torch.Generator().manual_seed(seeds[0]) if eta else None
    for step in walk(base, latents, base.condition(prompts), base.condition([negative] * len(prompts)), steps, guidance_scale, eta, generator):
        latents = step.latents
    return base.decode(latents)


def sample(
    base: Base, prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance_scale: float, negative: str = "", eta: float = 0.0
) -> Iterator[Image.Image]:  # fmt: skip
    """One picture for each prompt and its seed, in order; computed in batches, handed over one by one."""
    for first in range(0, len(prompts), BATCH):
        rows = slice(first, first + BATCH)
        yield from _batch(base, prompts[rows], seeds[rows], steps, guidance_scale, negative, eta)
