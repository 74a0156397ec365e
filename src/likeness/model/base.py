"""The pretrained model: prompts to conditioning, pictures to latents, latents to predictions and back to pictures.

Methods meet every family at these verbs. `Base` is Stable Diffusion 1.x and 2.x; `sdxl.py` says what SDXL does otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, LCMScheduler, UNet2DConditionModel
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from ..files.errors import UserError
from . import tokens
from .folder import advice, classes_of, find_base, fingerprint

transformers_logging.disable_progress_bar()  # "Loading weights" would run over our own lines


@dataclass(frozen=True)
class Conditioning:
    """What the denoiser is told of its prompts; opaque to methods.

    states  [b, tokens, width]
    pooled  [b, width] where the family has it: one vector for a whole prompt
    frames  [b, 4]: height and width of the picture's file, and the top and left of what is seen of it; None: whole pictures
    guidance  [b]: the guidance scale that a distilled network is to draw as; None: it is not told
    """

    states: Tensor
    pooled: Tensor | None = None
    frames: Tensor | None = None
    guidance: Tensor | None = None

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, rows: Any) -> Conditioning:
        columns = (getattr(self, field.name) for field in fields(Conditioning))
        return Conditioning(*(None if column is None else column[rows] for column in columns))  # type: ignore[arg-type]

    @staticmethod
    def cat(parts: Sequence[Conditioning]) -> Conditioning:
        columns = [[getattr(part, field.name) for part in parts] for field in fields(Conditioning)]
        return Conditioning(*(None if column[0] is None else torch.cat(column) for column in columns))  # type: ignore[arg-type]


class Base:
    """A Stable Diffusion 1.x or 2.x pipeline. Its networks are frozen until a method says which parameters it trains."""

    TEXT: dict[str, Any] = {"text_encoder": CLIPTextModel}  # part: class; its tokenizer lies in "tokenizer…"

    def __init__(self, folder: Path, name: str, device: str = "cpu"):
        self.folder, self.name, self.device = folder, name, torch.device(device)
        self.hash = fingerprint(folder)
        self.beneath = ""  # what finished stages have made part of it, as a digest: a base with a LoRA draws other class pictures
        self.words: dict[str, tuple[int, ...]] = {}  # new words and the ids of their rows, the same in every text encoder
        try:
            self.unet = _load(UNet2DConditionModel, folder / "unet")
            self.vae = _load(AutoencoderKL, folder / "vae")
            self.text_encoders = {part: _load(kind, folder / part) for part, kind in self.TEXT.items()}
            self.tokenizers = [
                CLIPTokenizer.from_pretrained(folder / part.replace("text_encoder", "tokenizer"), local_files_only=True) for part in self.TEXT
            ]
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
        folder = find_base(name)
        if "text_encoder_2" in classes_of(folder):
            from .sdxl import SDXL

            return SDXL(folder, name, device)
        return Base(folder, name, device)

    @property
    def networks(self) -> tuple[torch.nn.Module, ...]:
        return self.unet, self.vae, *self.text_encoders.values()

    @property
    def tokenizer(self) -> CLIPTokenizer:
        return self.tokenizers[0]

    def spare_memory(self, text_encoders: bool) -> None:
        """Compute activations of the U-Net, and of the text encoders if they are trained, twice instead of keeping them."""
        self.unet.enable_gradient_checkpointing()
        if text_encoders:
            for network in self.text_encoders.values():
                network.gradient_checkpointing_enable()
                network.train()  # or transformers keeps the activations all the same; CLIP has no dropout

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

    def few_step_sampler(self) -> LCMScheduler:
        """A scheduler of latent consistency models over the base's own noise schedule, for networks distilled to draw in few steps."""
        return LCMScheduler.from_config(self.scheduler.config, clip_sample=False)  # type: ignore[return-value]

    def sampler(self) -> DDIMScheduler:
        """A DDIM scheduler over the base's own noise schedule."""
        if isinstance(self.scheduler, DDIMScheduler):
            return DDIMScheduler.from_config(self.scheduler.config)  # type: ignore[return-value]
        return DDIMScheduler.from_config(self.scheduler.config, clip_sample=False)  # type: ignore[return-value]

    def add_word(self, word: str, initializer: str, vectors: int) -> dict[str, torch.nn.Parameter]:
        """Rows of a new word, [vectors, width] for each text encoder. They begin as those of the initializer, or, where a stage beneath
        has taught the word, as it left them, however many they are."""
        tokens.check_word(word)
        vectors = len(self.words.get(word, range(vectors)))
        rows = {}
        for (part, network), tokenizer in zip(self.text_encoders.items(), self.tokenizers):
            table = network.get_input_embeddings()
            if not isinstance(table, tokens.WordTable):
                table = tokens.WordTable(table)
                network.set_input_embeddings(table)
            first = table.size
            begin = self.words.get(word) or tokens.pieces(tokenizer, initializer)
            if not begin:
                raise UserError(f"initializer {initializer!r}: holds no word. Give one that is near the subject, such as its class noun.")
            rows[part] = table.add(begin, vectors)
        self.words[word] = tuple(range(first, first + vectors))
        return rows

    def token_ids(self, prompts: Sequence[str], number: int = 0) -> Tensor:
        """The prompts as text encoder `number` reads them, new words as all of their rows."""
        return tokens.read_all(self.tokenizers[number], prompts, self.words).to(self.device)

    def condition(self, prompts: Sequence[str]) -> Conditioning:
        """Encode prompts; gradients flow to what is trained of the text encoder."""
        return Conditioning(self.text_encoders["text_encoder"](self.token_ids(prompts)).last_hidden_state)

    def cut_off(self, prompt: str) -> str:
        """The end of a prompt that the text encoder will not read; empty if it reads all."""
        limit = self.tokenizer.model_max_length - 2
        ids = tokens.read(self.tokenizer, prompt, self.words)
        words = {n: word for word, rows in self.words.items() for n in rows}
        return " ".join(dict.fromkeys(words.get(n) or str(self.tokenizer.decode([n])).strip() for n in ids[limit:]))

    @torch.no_grad()
    def moments(self, pictures: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the pictures' latents, each [n, c, h, w], scaled by the VAE factor."""
        posteriors = [self.vae.encode(self._pixels(p)).latent_dist for p in pictures]  # type: ignore[union-attr]
        factor = self.vae.config.scaling_factor
        return torch.cat([p.mean for p in posteriors]) * factor, torch.cat([p.std for p in posteriors]) * factor

    def predict(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The denoiser's output, in the base's own prediction type. latents [b, c, h, w], timesteps [b]"""
        return self.unet(latents, timesteps, conditioning.states, timestep_cond=self._guidance(conditioning)).sample

    def _guidance(self, conditioning: Conditioning) -> Tensor | None:
        if conditioning.guidance is None or not self.unet.config.time_cond_proj_dim:
            return None
        return guidance_embedding(conditioning.guidance.to(self.device), self.unet.config.time_cond_proj_dim)

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


def guidance_embedding(scales: Tensor, width: int) -> Tensor:
    """w = scale - 1 as sines and cosines of 1000 w, [b, width], float32: what a distilled network is told of guidance (Meng et al. 2023, arXiv 2210.03142)."""
    half = width // 2
    frequencies = torch.exp(torch.arange(half, dtype=torch.float32, device=scales.device) * -(math.log(10000.0) / (half - 1)))
    angles = 1000.0 * (scales.float() - 1)[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _load(network: Any, folder: Path) -> Any:
    """A network from safetensors, in float32."""
    return network.from_pretrained(folder, use_safetensors=True, local_files_only=True, torch_dtype=torch.float32)
