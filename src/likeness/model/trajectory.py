"""The denoising walk, one step at a time: plain sampling, class pictures and previews walk it to its end; LCM's few steps; the second stage's walk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ..files.errors import UserError
from .base import Base
from .cascade import Upscaler
from .denoiser import Conditioning, Denoiser
from .memory import in_batches

BATCH = 8  # pictures drawn together; fixed, because a picture's last bits depend on it
SECOND = 0x5EC04D  # changes a seed for the second stage, whose noise is no repetition of the first's; torch's CPU generator reads 32 bits of it
ANEW = 0xA2E3  # changes it for the noise that a walk adds on its way
NOTHING_LEFT = 1e-6  # of the picture, ᾱ, by which a step's root would be of next to nothing
MOST_NOISE = 1 - 1e-6  # of DDPM's where all is noise: the whole of it leaves nothing of the way back, and after rounding less than nothing, whose root is no number
FEW, EARLY = 10, 0.85  # walks of fewer steps begin late by design; others at this share of the timesteps or after it


@dataclass(frozen=True)
class Step:
    index: int
    timestep: int
    latents: Tensor  # after the step, [b, c, h, w]


def initial_latents(base: Denoiser, seeds: Sequence[int]) -> Tensor:
    """Noise of a picture from its own seed, drawn on the CPU: the same on every device and in every batch."""
    return _noise(base, [torch.Generator().manual_seed(seed) for seed in seeds])


def _noise(base: Denoiser, generators: Sequence[torch.Generator]) -> Tensor:
    side = base.resolution // base.pixels_per_latent
    shape = (1, base.channels, side, side)
    return torch.cat([torch.randn(shape, generator=generator) for generator in generators]).to(base.device)


class Sampler:
    """DDIM's steps (Song et al. 2020, arXiv 2010.02502).

    eta    share of DDPM's noise that every step adds: 0 is a way that the first noise decides alone, 1 DDPM's own (eq. 12 and 16)
    seeds  of the pictures, whose noise each comes from; needed where eta is not 0
    """

    def __init__(self, base: Denoiser, steps: int, eta: float = 0.0, seeds: Sequence[int] = ()):
        self.scheduler, self.eta = base.sampler(), eta
        self.scheduler.set_timesteps(steps)
        _check_beginning(self.scheduler, steps)
        self.generators = [torch.Generator().manual_seed(seed ^ ANEW) for seed in seeds] if eta else None

    @property
    def timesteps(self) -> Tensor:
        return self.scheduler.timesteps

    def step(self, output: Tensor, t: Tensor, latents: Tensor) -> Tensor:
        """The latents after the step at t."""
        eta = self.eta if self.scheduler.alphas_cumprod[t] > NOTHING_LEFT else min(self.eta, MOST_NOISE)
        return self.scheduler.step(output.float(), t, latents, eta=eta, generator=self.generators).prev_sample  # type: ignore[union-attr,arg-type]


def _check_beginning(scheduler: Any, steps: int) -> None:
    """Refuse step counts whose walk would begin where noise is not all there is: where steps have equal gaps of whole timesteps, many leave the noisiest out."""
    trained = scheduler.config.num_train_timesteps
    if steps >= FEW and not EARLY * trained <= (begins := int(scheduler.timesteps[0])) < trained:
        raise UserError(f"{steps} sampling steps: with this base's schedule they would begin at timestep {begins} of {trained}, not in pure noise. Take {_better(scheduler, steps)}.")


def _better(scheduler: Any, steps: int) -> int:
    """The nearest number of steps, rather fewer, that begins in noise."""
    trained = scheduler.config.num_train_timesteps
    for count in range(min(steps, trained), 0, -1):
        scheduler.set_timesteps(count)
        if EARLY * trained <= int(scheduler.timesteps[0]) < trained:
            return count
    return 1


def walk(
    base: Denoiser, latents: Tensor, conditioning: Conditioning, unconditioned: Conditioning, steps: int, guidance_scale: float, eta: float = 0.0,
    seeds: Sequence[int] = (),
) -> Iterator[Step]:  # fmt: skip
    """From noise to latents of pictures, with classifier-free guidance. eta, seeds: see `Sampler`."""
    sampler = Sampler(base, steps, eta, seeds)
    told = conditioning if guidance_scale == 1.0 else Conditioning.cat([unconditioned, conditioning])
    for index, t in enumerate(sampler.timesteps):
        latents = sampler.step(guided(base, latents, t, told, guidance_scale), t, latents)
        yield Step(index, int(t), latents)


def few_steps(
    base: Base, conditioning: Conditioning, unconditioned: Conditioning, seeds: Sequence[int], steps: int, guidance_scale: float
) -> Iterator[Step]:  # fmt: skip
    """The walk of a latent consistency model (arXiv 2310.04378): each step guesses the picture and hides it in new noise, the last does not.

    A network that is told the guidance scale needs no second pass for it. Each picture's noise comes from its seed alone.
    """
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    latents = _noise(base, generators)
    sampler = base.few_step_sampler()
    sampler.set_timesteps(steps)
    if base.unet.config.time_cond_proj_dim:
        told, guidance_scale = replace(conditioning, guidance=torch.full((len(seeds),), float(guidance_scale))), 1.0
    else:
        told = conditioning if guidance_scale == 1.0 else Conditioning.cat([unconditioned, conditioning])
    for index, t in enumerate(sampler.timesteps):
        output = guided(base, latents, t, told, guidance_scale)
        latents = sampler.step(output, t, latents, generator=generators).prev_sample  # type: ignore[union-attr]
        yield Step(index, int(t), latents)


def guided(base: Denoiser, latents: Tensor, t: Tensor, told: Conditioning, guidance_scale: float | Tensor) -> Tensor:
    """The prediction with classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598), both halves in one pass; in single precision. [b, c, h, w]

    t               a timestep, or one for each of the latents [b]
    told            the negative prompts, then the prompts; or the prompts alone, where there is no guidance
    guidance_scale  a number, or one for each of the latents [b, 1, 1, 1]
    """
    halves = len(told) // len(latents)
    timesteps = t.to(base.device).expand(len(latents)).repeat(halves)
    output = base.predict(torch.cat([latents] * halves), timesteps, told).float()
    if halves == 1:
        return output
    without, with_prompt = output.chunk(2)
    return without + guidance_scale * (with_prompt - without)


@torch.no_grad()
def _batch(
    base: Base, prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance_scale: float, negative: str, eta: float, sampler: str
) -> list[Image.Image]:  # fmt: skip
    said, unsaid = base.condition(prompts), base.condition([negative] * len(prompts))
    if sampler == "LCM":
        path = few_steps(base, said, unsaid, seeds, steps, guidance_scale)
    else:
        path = walk(base, initial_latents(base, seeds), said, unsaid, steps, guidance_scale, eta, seeds)
    for step in path:
        latents = step.latents
    return base.decode(latents)


def sample(
    base: Base, prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance_scale: float, negative: str = "", eta: float = 0.0, sampler: str = "DDIM"
) -> Iterator[Image.Image]:  # fmt: skip
    """One picture for each prompt and its seed, in order; computed in batches, handed over one by one.

    sampler  DDIM, with eta as `Sampler` has it, or LCM for a network that was distilled to draw in few steps
    """
    return in_batches(len(prompts), BATCH, lambda rows: _batch(base, prompts[rows], seeds[rows], steps, guidance_scale, negative, eta, sampler))


def enlarge(
    upscaler: Upscaler, pictures: Iterable[Image.Image], prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance_scale: float, noise_level: int, negative: str = ""
) -> Iterator[Image.Image]:  # fmt: skip
    """The pictures as the super-resolution stage draws them, in order; computed in batches, handed over one by one.

    noise_level  how much the small pictures are noised before they are shown: more leaves more for it to make up
    """
    waiting, small = iter(pictures), dict[int, Image.Image]()  # a batch is taken when its turn comes, and once

    def batch(rows: slice) -> list[Image.Image]:
        numbers = range(rows.start, rows.stop)
        for number in numbers:
            if number not in small:
                small[number] = next(waiting)
        drawn = _enlarged(upscaler, [small[n] for n in numbers], prompts[rows], seeds[rows], steps, guidance_scale, noise_level, negative)
        for number in numbers:
            del small[number]
        return drawn

    return in_batches(len(prompts), BATCH, batch)


@torch.no_grad()
def _enlarged(
    upscaler: Upscaler, small: list[Image.Image], prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance_scale: float, noise_level: int, negative: str
) -> list[Image.Image]:  # fmt: skip
    generators = [torch.Generator().manual_seed(seed ^ SECOND) for seed in seeds]
    latents, noise = (_noise(upscaler, generators) for _ in range(2))  # in the order of diffusers' pipeline
    levels = torch.full((len(small),), noise_level, device=upscaler.device)
    shown = upscaler.shown(upscaler.moments(small)[0], levels, noise)
    said, unsaid = (replace(upscaler.condition(texts), shown=shown, levels=levels) for texts in (prompts, [negative] * len(prompts)))
    for step in walk(upscaler, latents, said, unsaid, steps, guidance_scale if upscaler.hears else 1.0):
        latents = step.latents
    return upscaler.decode(latents)
