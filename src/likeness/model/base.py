"""The pretrained model: prompts to conditioning, pictures to latents, latents to predictions and back to pictures.

The only file that knows which networks a Stable Diffusion pipeline is made of. Methods meet it at these verbs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from ..files.errors import UserError
from .folder import advice, classes_of, find_base, fingerprint

transformers_logging.disable_progress_bar()  # "Loading weights" would run over our own lines


@dataclass(frozen=True)
class Conditioning:
    """What the denoiser is told of its prompts; opaque to methods. states [b, tokens, width]"""

    states: Tensor

    def __getitem__(self, rows: Any) -> Conditioning:
        return Conditioning(self.states[rows])

    @staticmethod
    def cat(parts: Sequence[Conditioning]) -> Conditioning:
        return Conditioning(torch.cat([p.states for p in parts]))


class Base:
    """A Stable Diffusion 1.x or 2.x pipeline. Its networks are frozen until a method says which parameters it trains."""

    def __init__(self, folder: Path, name: str, device: str = "cpu"):
        self.folder, self.name, self.device = folder, name, torch.device(device)
        self.hash = fingerprint(folder)
        try:
            self.unet = _load(UNet2DConditionModel, folder / "unet")
            self.vae = _load(AutoencoderKL, folder / "vae")
            self.text_encoder = _load(CLIPTextModel, folder / "text_encoder")
            self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
            scheduler_class = getattr(diffusers, classes_of(folder)["scheduler"][1])  # one of folder.SCHEDULERS
            self.scheduler = scheduler_class.from_pretrained(folder / "scheduler", local_files_only=True)
        except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as problem:
            line = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
            raise UserError(f"{folder}: its files cannot be read ({line}). They may be incomplete; copy or download the folder again.") from None
        for network in self.networks:
            network.to(self.device).eval().requires_grad_(False)

    @classmethod
    def open(cls, name: str, device: str = "cpu") -> Base:
        """A base by name: "toybox", a local folder, or a hub id. Raises UserError before anything is loaded."""
        return cls(find_base(name), name, device)

    @property
    def networks(self) -> tuple[torch.nn.Module, ...]:
        return self.unet, self.vae, self.text_encoder

    @property
    def advice(self) -> dict[str, dict[str, Any]]:
        """Options that suit this base, per method; "sampling" for its pictures."""
        return advice(self.folder)

    @property
    def pixels_per_latent(self) -> int:
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    @property
    def resolution(self) -> int:
        """Width and height in pixels that the base was trained at."""
        return self.unet.config.sample_size * self.pixels_per_latent

    @property
    def prediction_type(self) -> str:
        """epsilon | v_prediction | sample: read from the base's own scheduler, never assumed."""
        return self.scheduler.config.prediction_type

    @property
    def alphas_cumprod(self) -> Tensor:
        """ᾱ_t, float32 [timesteps]; float32 always: bf16 rounds the first steps' noise to zero."""
        return self.scheduler.alphas_cumprod.float()

    def sampler(self) -> DDIMScheduler:
        """A DDIM scheduler over the base's own noise schedule."""
        if isinstance(self.scheduler, DDIMScheduler):
            return DDIMScheduler.from_config(self.scheduler.config)  # type: ignore[return-value]
        return DDIMScheduler.from_config(self.scheduler.config, clip_sample=False)  # type: ignore[return-value]

    def token_ids(self, prompts: Sequence[str]) -> Tensor:
        encoded = self.tokenizer(list(prompts), padding="max_length", truncation=True, return_tensors="pt")
        return encoded.input_ids.to(self.device)

    def condition(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts; gradients flow to the text encoder if it is being trained."""
        return Conditioning(self.text_encoder(self.token_ids(prompts)).last_hidden_state)

    def cut_off(self, prompt: str) -> str:
        """The end of a prompt that the text encoder will not read; empty if it reads all."""
        limit = self.tokenizer.model_max_length
        ids = self.tokenizer(prompt, truncation=False, add_special_tokens=False).input_ids
        return self.tokenizer.decode(ids[limit - 2 :]).strip() if len(ids) > limit - 2 else ""

    @torch.no_grad()
    def moments(self, pictures: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the pictures' latents, each [n, c, h, w], scaled by the VAE factor."""
        posteriors = [self.vae.encode(self._pixels(p)).latent_dist for p in pictures]  # type: ignore[union-attr]
        factor = self.vae.config.scaling_factor
        return torch.cat([p.mean for p in posteriors]) * factor, torch.cat([p.std for p in posteriors]) * factor

    def predict(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The denoiser's output, in the base's own prediction type. latents [b, c, h, w], timesteps [b]"""
        return self.unet(latents, timesteps, conditioning.states).sample

    @torch.no_grad()
    def decode(self, latents: Tensor) -> list[Image.Image]:
        """Pictures of latents; one at a time, so that a picture does not depend on its neighbours in the batch."""
        return [self._picture(z[None]) for z in latents]

    def _pixels(self, picture: Image.Image) -> Tensor:
        values = torch.from_numpy(np.array(picture.convert("RGB"))).to(self.device)
        return values.permute(2, 0, 1)[None].float() / 127.5 - 1

    def _picture(self, latent: Tensor) -> Image.Image:
        decoded = self.vae.decode(latent / self.vae.config.scaling_factor).sample  # type: ignore[union-attr]
        values = ((decoded[0].float().clamp(-1, 1) + 1) * 127.5).round().nan_to_num(0).byte()
        return Image.fromarray(values.permute(1, 2, 0).cpu().numpy())


def _load(network: Any, folder: Path) -> Any:
    """A network from safetensors, in float32."""
    return network.from_pretrained(folder, use_safetensors=True, local_files_only=True, torch_dtype=torch.float32)
