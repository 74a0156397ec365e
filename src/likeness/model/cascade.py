"""The second stage of a cascade: a small picture to a large one, by a denoiser that is shown the small one.

As DeepFloyd IF does it (deep-floyd/IF, diffusers' IFSuperResolutionPipeline; noise augmentation: Ho et al. 2021, arXiv 2106.15282). The small picture is enlarged bilinearly, its
corner pixels in the corners; noised at a level which the network is told apart from the timestep; and laid beside the noisy large one, six channels in.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import Tensor

from ..files.errors import UserError
from .base import Base, load_network, load_scheduler, readable
from .denoiser import Conditioning, Pixels, with_fixed_variance
from .folder import find_upscaler, fingerprint


class Upscaler(Pixels):
    """A super-resolution stage. It hears the text encoder of the base that it enlarges for, if it was built to hear one at all."""

    def __init__(self, folder: Path, name: str, device: str | torch.device = "cpu", base: Base | None = None):
        self.folder, self.name, self.device, self.base = folder, name, torch.device(device), base
        self.hash = fingerprint(folder)
        with readable(folder):
            self.unet = load_network(UNet2DConditionModel, folder / "unet")
            self.scheduler = with_fixed_variance(load_scheduler(folder))
            self.noising = load_scheduler(folder, "image_noising_scheduler")
        self.unet.to(self.device).eval().requires_grad_(False)

    @property
    def hears(self) -> int | None:
        """The width of the text encoder's states that it reads; None if it reads no words."""
        config = self.unet.config
        if not any("CrossAttn" in str(block) for block in (*config.down_block_types, *config.up_block_types, config.mid_block_type)):
            return None
        return config.encoder_hid_dim or config.cross_attention_dim

    @property
    def levels(self) -> int:
        """How many noise levels there are for the small picture."""
        return self.noising.config.num_train_timesteps

    def condition(self, prompts: Sequence[str]) -> Conditioning:
        """What it is told of its prompts, without the small picture."""
        return self.base.condition(prompts) if self.hears and self.base else Conditioning(torch.zeros(len(prompts), 0, 0, device=self.device))

    def shown(self, small: Tensor, levels: Tensor, noise: Tensor) -> Tensor:
        """The small pictures [b, 3, h, w] as the network is shown them: enlarged to [b, 3, H, W] and noised, each at its level [b]. float32"""
        square = self.noising.alphas_cumprod.float().to(small.device)[levels][:, None, None, None]
        return square.sqrt() * enlarged(small, noise.shape[-1]) + (1 - square).sqrt() * noise

    def predict(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The noise, or what else its schedule predicts, of the large pictures; what comes out beside it is a variance."""
        assert conditioning.shown is not None and conditioning.levels is not None
        seen = torch.cat([latents, conditioning.shown], dim=1)
        states = conditioning.states if self.hears else None
        return self.unet(seen, timesteps, states, class_labels=conditioning.levels).sample[:, : self.channels]


def enlarged(pictures: Tensor, size: int) -> Tensor:
    """Pictures [b, 3, h, w] at size x size, bilinearly, corner pixels in the corners."""
    return F.interpolate(pictures, (size, size), mode="bilinear", align_corners=True)


def attached_upscaler(base: Base, name: str | None) -> Upscaler:
    """The super-resolution stage of a base, opened once: whoever trains it and whoever draws with it meet the same one. Raises UserError."""
    folder = find_upscaler(name)
    if base.upscaler is None:
        opened = Upscaler(folder, str(name), base.device, base)
        with torch.no_grad():
            said = base.condition([""]).states.shape[-1]
        if opened.hears not in (None, said):
            raise UserError(f"{name}: reads {opened.hears} numbers a word, and {base.name} says {said}. Give the super-resolution stage that belongs to this base.")
        base.upscaler = opened
    elif base.upscaler.folder != folder:
        raise UserError(f"{name}: the base has another super-resolution stage already, {base.upscaler.name}. A run has one.")
    return base.upscaler
