"""Super-resolution: teach the second stage of a cascade what a subject's photos show beyond what the first stage can draw.

Ruiz et al. 2022, arXiv 2208.12242: a super-resolution stage that never saw the subject makes up its fine detail, and noise augmentation as strong as in pretraining
blurs it; so the stage is fine-tuned with less. Here a pair is a photo, and the same photo made as small as the base draws, enlarged and noised at a level which the network
is told apart from the timestep, as in pretraining. (diffusers' example shows the network the noisy photo twice, so it has no such level to reduce: examples/dreambooth,
--class_labels_conditioning.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from PIL import Image
from pydantic import Field, model_validator
from torch import Tensor

from ..learning.denoising import Batch, Examples, denoising_losses
from ..learning.photos import LatentPictures
from ..learning.supervised import CaptionedStage, Lesson, Supervised
from ..model.adapters import Weights
from ..model.base import Base
from ..model.cascade import Upscaler, attached_upscaler
from ..model.denoiser import Conditioning, Denoiser
from ..model.folder import find_upscaler, trained_resolution


class Spec(CaptionedStage):
    """Options of super-resolution."""

    method: ClassVar[str] = "super_resolution"
    decides: ClassVar[tuple[str, ...]] = ("upscaler",)

    upscaler: str | None = Field(
        default=None, min_length=1, description="The pretrained super-resolution stage: a local folder or a hub id, built as DeepFloyd IF's second stage. Default: the base's own, if its folder names one; toybox does."
    )  # fmt: skip
    learning_rate: float = Field(default=5e-6, gt=0, le=1, description="Step size of AdamW after the warm-up. Default from diffusers' DeepFloyd IF example, for batches of 12 and more.")
    noise_least: int = Field(default=0, ge=0, le=999, description="Least noise level of the small picture in training, of the schedule's 1000.")
    noise_most: int = Field(
        default=20, ge=0, le=999,
        description="Highest such level; levels are uniform between the two. On DeepFloyd IF's schedule 20 is a variance of 2e-3, 999 what it was pretrained with. Default: the reduced augmentation of DreamBooth.",
    )  # fmt: skip
    noise_level: int | None = Field(default=None, ge=0, le=999, description="Noise level of the small picture when it is drawn; kept with the run. diffusers' pipeline takes 250. Default: the middle of what is trained.")
    draw_steps: int = Field(default=50, ge=1, le=1000, description="Sampling steps of the stage when it is drawn. Default from diffusers' pipeline.")
    draw_guidance_scale: float = Field(default=4.0, ge=1, le=100, description="Guidance of the stage when it is drawn, where it reads words. Default from diffusers' pipeline.")

    @model_validator(mode="after")
    def _from_least_to_most(self) -> Spec:
        if self.noise_least > self.noise_most:
            raise ValueError(f"noise_least: {self.noise_least} is more than noise_most, {self.noise_most}")
        return self

    def trains(self) -> str:
        return "second stage's U-Net"

    def drawing(self) -> dict[str, Any]:
        """How the stage is drawn, as a card keeps it."""
        level = (self.noise_least + self.noise_most) // 2 if self.noise_level is None else self.noise_level
        return {"name": self.upscaler, "steps": self.draw_steps, "guidance_scale": self.draw_guidance_scale, "noise_level": level}

    def photo_size(self, of_base: int) -> int:
        return trained_resolution(find_upscaler(self.upscaler))


@dataclass(frozen=True)
class Pairs(Examples):
    """Large pictures, and beside each what the network is shown of the small one.

    shown   [b, 3, H, W], enlarged and noised
    levels  [b], at which level
    """

    shown: Tensor = None  # type: ignore[assignment]  # always given; after the defaults of Examples there must be one
    levels: Tensor = None  # type: ignore[assignment]

    def __getitem__(self, rows: slice) -> Pairs:
        return Pairs(**vars(super().__getitem__(rows)), shown=self.shown[rows], levels=self.levels[rows])


@dataclass(frozen=True)
class InPairs(Lesson):
    """Photos with their small pictures [n, 3, h, w], which are noised anew whenever they are shown."""

    upscaler: Upscaler = None  # type: ignore[assignment]
    small: Tensor = None  # type: ignore[assignment]
    levels: tuple[int, int] = (0, 0)

    def examples(self, base: Denoiser, micro: int, size: int, generator: torch.Generator, *what: object) -> Pairs:
        large = super().examples(self.upscaler, micro, size, generator, *what)
        least, most = self.levels
        levels = torch.randint(least, most + 1, (size,), generator=generator).to(self.small.device)
        noise = torch.randn(large.latents.shape, generator=generator).to(self.small)
        return Pairs(**vars(large), shown=self.upscaler.shown(self.small[self.rows(micro, size, *what)], levels, noise), levels=levels)


class SuperResolution(Supervised):
    Spec = Spec
    spec: Spec

    def __init__(self, spec: Spec, base: Base):
        self.spec, self.base = spec, base
        self.upscaler = attached_upscaler(base, spec.upscaler)
        self.adapters = [Weights(self.upscaler.unet, "upscaler")]

    def spare_memory(self) -> None:
        self.upscaler.unet.enable_gradient_checkpointing()

    def _photos(self, pictures: list[Image.Image], texts: Sequence[Sequence[str]], frames: Sequence[tuple[int, int, int, int]]) -> Lesson:
        size = self.base.resolution
        small = [picture.resize((size, size), Image.Resampling.LANCZOS) for picture in pictures]  # as the base is given them
        levels = self.spec.noise_least, self.spec.noise_most
        return InPairs(LatentPictures(self.upscaler, pictures), texts, None, self.upscaler, self.upscaler.moments(small)[0], levels)

    def encode(self, prompts: Sequence[str]) -> Conditioning:
        return self.upscaler.condition(prompts)

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        pairs = batch.photos
        assert isinstance(pairs, Pairs)
        told = replace(self.condition(pairs.prompts), shown=pairs.shown, levels=pairs.levels)
        return denoising_losses(self.upscaler, batch, told, min_snr_gamma=self.spec.min_snr_gamma)

    def sampling(self) -> dict[str, Any]:
        return {"upscaler": {**self.spec.drawing(), "hash": self.upscaler.hash, "trained": True}}
