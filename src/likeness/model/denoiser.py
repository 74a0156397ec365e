"""A U-Net and the noise schedule that it was trained by: what the losses and the denoising walk meet, of every family and stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, LCMScheduler
from PIL import Image
from torch import Tensor


@dataclass(frozen=True)
class Conditioning:
    """What the denoiser is told of its prompts; opaque to methods.

    states  [b, tokens, width]
    pooled  [b, width] where the family has it: one vector for a whole prompt
    frames  [b, 4]: height and width of the picture's file, and the top and left of what is seen of it; None: whole pictures
    guidance  [b]: the guidance scale that a distilled network is to draw as; None: it is not told
    shown   [b, 3, h, w]: the small picture, enlarged and noised, where a super-resolution stage draws; and
    levels  [b]: how much it was noised
    """

    states: Tensor
    pooled: Tensor | None = None
    frames: Tensor | None = None
    guidance: Tensor | None = None
    shown: Tensor | None = None
    levels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, rows: Any) -> Conditioning:
        columns = (getattr(self, field.name) for field in fields(Conditioning))
        return Conditioning(*(None if column is None else column[rows] for column in columns))  # type: ignore[arg-type]

    @staticmethod
    def cat(parts: Sequence[Conditioning]) -> Conditioning:
        columns = [[getattr(part, field.name) for part in parts] for field in fields(Conditioning)]
        return Conditioning(*(None if column[0] is None else torch.cat(column) for column in columns))  # type: ignore[arg-type]


class _Gap(int):
    """A count of steps that divides any count of timesteps into gaps of this length."""

    def __rfloordiv__(self, other: int) -> int:
        return int(self)


class DDIM(DDIMScheduler):
    """DDIM that steps to the timestep that comes next; diffusers' own, bit for bit, where the count of steps divides the count of timesteps.

    DDIMScheduler steps by the whole gap of so many steps, wherever the next timestep lies. Where "trailing" lays them between whole numbers, it leaves noise that it
    does not know of, a tenth of each step's at 150 of 1000; and for 62 counts, 61 the first, rounding gives it a timestep more, -1, which it takes for the noisiest.
    """

    def set_timesteps(self, num_inference_steps: int, device: Any = None) -> None:
        super().set_timesteps(num_inference_steps, device)
        self.timesteps = self.timesteps[self.timesteps >= 0]

    def step(self, model_output: Tensor, timestep: Any, *args: Any, **options: Any) -> Any:
        later, steps = self.timesteps[self.timesteps < int(timestep)], self.num_inference_steps
        self.num_inference_steps = _Gap(int(timestep) - (int(later[0]) if len(later) else -1))  # DDIMScheduler reads it for the gap alone
        try:
            return super().step(model_output, timestep, *args, **options)  # type: ignore[arg-type]
        finally:
            self.num_inference_steps = steps


class Denoiser:
    """What a prediction is made with, from noisy latents [b, channels, h, w] and a Conditioning. Families say what latents are."""

    name: str
    device: torch.device
    unet: Any  # UNet2DConditionModel, whose attributes its annotations hide
    scheduler: Any  # one of folder.SCHEDULERS
    solver_steps: int = 50  # that a network of few steps was distilled along: it draws at timesteps of theirs

    @property
    def pixels_per_latent(self) -> int:
        raise NotImplementedError

    @property
    def channels(self) -> int:
        """Of a latent."""
        return self.unet.config.in_channels

    @property
    def resolution(self) -> int:
        """Width and height in pixels that it was trained at."""
        return self.unet.config.sample_size * self.pixels_per_latent

    @property
    def prediction_type(self) -> str:
        """epsilon | v_prediction | sample: read from its own scheduler, never assumed."""
        return self.scheduler.config.prediction_type

    @property
    def alphas_cumprod(self) -> Tensor:
        """ᾱ_t, float32 [timesteps]; float32 always: bf16 rounds the first steps' noise to zero."""
        return self.scheduler.alphas_cumprod.float()

    def few_step_sampler(self) -> LCMScheduler:
        """A scheduler of latent consistency models over its own noise schedule, for networks distilled to draw in few steps."""
        return LCMScheduler.from_config(self.scheduler.config, clip_sample=False, original_inference_steps=self.solver_steps)  # type: ignore[return-value]

    def sampler(self) -> DDIM:
        """A DDIM scheduler over its own noise schedule. Latents have no bounds to clip to, whatever an old folder says, as diffusers' pipelines have it."""
        return _from_the_noisiest(DDIM.from_config(self.scheduler.config, clip_sample=False))  # type: ignore[arg-type]

    def bounded(self, clean: Tensor) -> Tensor:
        """Guesses of pictures, [b, c, h, w], kept to the bounds that its sampler keeps them to, if it has any."""
        sampler = self.sampler()
        if sampler.config.thresholding:  # type: ignore[attr-defined]
            return sampler._threshold_sample(clean)
        if sampler.config.clip_sample:  # type: ignore[attr-defined]
            return clean.clamp(-sampler.config.clip_sample_range, sampler.config.clip_sample_range)  # type: ignore[attr-defined]
        return clean

    def predict(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The network's output, in its own prediction type. latents [b, c, h, w], timesteps [b]"""
        raise NotImplementedError

    def moments(self, pictures: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the pictures' latents, each [n, c, h, w]."""
        raise NotImplementedError

    def decode(self, latents: Tensor) -> list[Image.Image]:
        """Pictures of latents."""
        raise NotImplementedError


class Pixels(Denoiser):
    """A denoiser whose latents are the pixels themselves, as in DeepFloyd IF.

    Its networks give six channels: noise, and a variance of which its own scheduler makes use. Fine-tuning by the noise alone leaves that variance untrained,
    so it is read nowhere, and the scheduler is one of fixed variance (huggingface/diffusers, examples/dreambooth, "IF").
    """

    @property
    def pixels_per_latent(self) -> int:
        return 1

    @property
    def channels(self) -> int:
        return 3

    def sampler(self) -> DDIM:
        """Pixels have bounds, so the schedule's own way to keep to them stays: thresholds (Saharia et al. 2022, arXiv 2205.11487) or clipping."""
        return _from_the_noisiest(DDIM.from_config(self.scheduler.config))  # type: ignore[arg-type]

    @torch.no_grad()
    def moments(self, pictures: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        values = torch.cat([pixels_of(picture) for picture in pictures]).to(self.device)
        return values, torch.zeros_like(values)

    @torch.no_grad()
    def decode(self, latents: Tensor) -> list[Image.Image]:
        return [picture_of(pixels) for pixels in latents]


def _from_the_noisiest(sampler: DDIM) -> DDIM:
    """Timesteps laid from end to end ("linspace", the default of other samplers) would give DDIM's last step nothing to do; from the same end on it is "trailing"."""
    if sampler.config.timestep_spacing == "linspace":  # type: ignore[attr-defined]
        sampler.register_to_config(timestep_spacing="trailing")
    return sampler


def with_fixed_variance(scheduler: Any) -> Any:
    """The scheduler, where it would read a variance from the network, with a fixed one."""
    learned = str(scheduler.config.get("variance_type", "")).startswith("learned")
    return type(scheduler).from_config(scheduler.config, variance_type="fixed_small") if learned else scheduler


def pixels_of(picture: Image.Image) -> Tensor:
    """float32 [1, 3, h, w] in [-1, 1]"""
    values = torch.from_numpy(np.array(picture.convert("RGB")))
    return values.permute(2, 0, 1)[None].float() / 127.5 - 1


def picture_of(pixels: Tensor) -> Image.Image:
    """pixels [3, h, w]; what is not finite becomes black"""
    values = ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().nan_to_num(0).byte()
    return Image.fromarray(values.permute(1, 2, 0).cpu().numpy())


def guidance_embedding(scales: Tensor, width: int) -> Tensor:
    """w = scale - 1 as sines and cosines of 1000 w, [b, width], float32: what a distilled network is told of guidance (Meng et al. 2023, arXiv 2210.03142)."""
    half = width // 2
    frequencies = torch.exp(torch.arange(half, dtype=torch.float32, device=scales.device) * -(math.log(10000.0) / (half - 1)))
    angles = 1000.0 * (scales.float() - 1)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)
