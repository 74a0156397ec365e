"""What Stable Diffusion XL does otherwise: two text encoders, a pooled vector, and the sizes that a picture is told.

Podell et al. 2023, arXiv 2307.01952, as diffusers runs it. The pooled vector is read where the prompt ends, by the end's own
id: an id that is merely the highest would be that of a new word (transformers#21029).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from .base import Base
from .denoiser import Conditioning


class SDXL(Base):
    """A Stable Diffusion XL pipeline."""

    TEXT = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
    STEPS_OFFSET = None

    def __init__(self, folder: Path, name: str, device: str = "cpu"):
        super().__init__(folder, name, device)
        self.text_encoders["text_encoder_2"].text_model.eos_token_id = self.tokenizers[1].eos_token_id
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        self.silent = index.get("force_zeros_for_empty_prompt", True)  # as diffusers' pipeline, whose default that is

    @property
    def latent_scale(self) -> tuple[Any, Any]:
        """Where the autoencoder says mean and deviation of its latents, they are brought to 0 and 1 first, as in diffusers' pipeline."""
        means, deviations = (getattr(self.vae.config, name, None) for name in ("latents_mean", "latents_std"))
        if means is None or deviations is None:
            return super().latent_scale
        shift, deviation = (torch.tensor(values, device=self.device).view(1, -1, 1, 1) for values in (means, deviations))
        return shift, self.vae.config.scaling_factor / deviation

    def condition(self, prompts: Sequence[str]) -> Conditioning:
        """The last but one layer of both encoders, side by side, and the second's pooled vector. The empty prompt is all zeros, unless the pipeline says otherwise."""
        outputs = [network(self.token_ids(prompts, n), output_hidden_states=True) for n, network in enumerate(self.text_encoders.values())]
        said = torch.tensor([prompt != "" or not self.silent for prompt in prompts], device=self.device)
        states = torch.cat([output.hidden_states[-2] for output in outputs], dim=-1)
        return Conditioning(states * said[:, None, None], outputs[1].text_embeds * said[:, None])

    def predict(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """Every picture is told the size of its file, where it was cut, and its own size; one that is drawn, that it is whole."""
        height, width = (side * self.pixels_per_latent for side in latents.shape[-2:])
        whole = torch.tensor([[height, width, 0, 0]], device=latents.device).expand(len(latents), 4)
        frames = whole if conditioning.frames is None else conditioning.frames.to(latents.device)
        told = {"text_embeds": conditioning.pooled, "time_ids": torch.cat([frames, whole[:, :2]], dim=1).float()}
        return self.unet(latents, timesteps, conditioning.states, timestep_cond=self._guidance(conditioning), added_cond_kwargs=told).sample
