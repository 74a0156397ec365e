"""The pretrained model: prompts to conditioning, pictures to latents, latents to predictions and back to pictures.

Methods meet every family at these verbs. `Base` is Stable Diffusion 1.x and 2.x; `sdxl.py` and `deepfloyd.py` say what those do otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer
from transformers.utils import logging as transformers_logging

from ..files.errors import UserError
from . import tokens
from .denoiser import Conditioning, Denoiser, guidance_embedding, picture_of, pixels_of
from .folder import advice, classes_of, configured, find_base, fingerprint, variant_of

transformers_logging.disable_progress_bar()  # "Loading weights" would run over our own lines


NOISE = {"num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type", "steps_offset"}  # settings of a scheduler


class Base(Denoiser):
    """A Stable Diffusion 1.x or 2.x pipeline. Its networks are frozen until a method says which parameters it trains."""

    PICTURES: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}  # part: class
    TEXT: dict[str, Any] = {"text_encoder": CLIPTextModel}  # likewise; its tokenizer lies in "tokenizer…"
    TOKENIZER: Any = CLIPTokenizer
    STEPS_OFFSET: int | None = 1  # as diffusers' pipeline of the family sets it, whatever an old folder says; None: the folder's own

    vae: Any
    upscaler: Any = None  # model.cascade.Upscaler, where one was asked for

    def __init__(self, folder: Path, name: str, device: str = "cpu"):
        self.folder, self.name, self.device = folder, name, torch.device(device)
        self.hash, self.configured = fingerprint(folder), configured(folder)
        self.beneath = ""  # what finished stages have made part of it, as a digest: a base with a LoRA draws other class pictures
        self.words: dict[str, tuple[int, ...]] = {}  # new words and the ids of their rows, the same in every text encoder
        with readable(folder):
            for part, kind in self.PICTURES.items():
                setattr(self, part, load_network(kind, folder / part))
            self.text_encoders = {part: self._text_encoder(kind, folder / part) for part, kind in self.TEXT.items()}
            self.tokenizers = [
                self.TOKENIZER.from_pretrained(folder / part.replace("text_encoder", "tokenizer"), local_files_only=True) for part in self.TEXT
            ]
            self.scheduler = load_scheduler(folder)
        if self.STEPS_OFFSET is not None and "steps_offset" in self.scheduler.config:
            self.scheduler.register_to_config(steps_offset=self.STEPS_OFFSET)
        for network in self.networks:
            network.to(self.device).eval().requires_grad_(False)

    @classmethod
    def open(cls, name: str, device: str = "cpu") -> Base:
        """A base by name: "toybox", a local folder, or a hub id. Raises UserError before anything is loaded."""
        folder = find_base(name)
        classes = classes_of(folder)
        if "text_encoder_2" in classes:
            from .sdxl import SDXL

            return SDXL(folder, name, device)
        if "vae" not in classes:
            from .deepfloyd import DeepFloyd

            return DeepFloyd(folder, name, device)
        return Base(folder, name, device)

    def _text_encoder(self, kind: Any, folder: Path) -> Any:
        return load_network(kind, folder)

    @property
    def parts(self) -> dict[str, nn.Module]:
        """Every network, by the name of its folder."""
        of_pictures = {part: getattr(self, part) for part in self.PICTURES}
        return {**of_pictures, **self.text_encoders, **({"upscaler": self.upscaler.unet} if self.upscaler else {})}

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        return tuple(self.parts.values())

    @property
    def tokenizer(self) -> Any:
        return self.tokenizers[0]

    def spare_memory(self, text_encoders: bool) -> None:
        """Compute activations of the U-Net, and of the text encoders if they are trained, twice instead of keeping them."""
        self.unet.enable_gradient_checkpointing()
        if text_encoders:
            for network in self.text_encoders.values():
                network.gradient_checkpointing_enable()
                network.train()  # or transformers keeps the activations all the same; CLIP has no dropout

    def keep_activations(self) -> None:
        """No longer compute them twice, as a stage before may have asked."""
        for unet in (self.unet, *([self.upscaler.unet] if self.upscaler else [])):
            unet.disable_gradient_checkpointing()
        for network in self.text_encoders.values():
            if network.training:
                network.gradient_checkpointing_disable()
                network.eval()

    @property
    def drawn_with(self) -> str:
        """What names all that its pictures follow from: the key of what is drawn once and kept."""
        return f"{self.hash}{self.beneath}/{self.configured}"

    @property
    def advice(self) -> dict[str, dict[str, Any]]:
        """Options that suit this base, per method; "sampling" for its pictures."""
        return advice(self.folder)

    @property
    def pixels_per_latent(self) -> int:
        return 2 ** (len(self.vae.config.block_out_channels) - 1)

    def check_word(self, word: str) -> None:
        """Refuse what cannot be a new word here; raises UserError."""
        tokens.check_word(word, self.tokenizers)

    def pieces(self, initializer: str) -> list[str]:
        """What the tokenizer makes of an initializer; UserError where that is nothing."""
        if not (ids := tokens.pieces(self.tokenizer, initializer)):
            raise UserError(f"initializer {initializer!r}: holds no word. Give one that is near the subject, such as its class noun.")
        return [str(self.tokenizer.decode([n])).strip() for n in ids]

    def add_word(self, word: str, initializer: str, vectors: int) -> dict[str, torch.nn.Parameter]:
        """Rows of a new word, [vectors, width] for each text encoder. They begin as those of the initializer, or, where a stage beneath
        has taught the word, as it left them, however many they are."""
        self.check_word(word)
        if word not in self.words:
            self.pieces(initializer)
        vectors = len(self.words.get(word, range(vectors)))
        rows = {}
        for (part, network), tokenizer in zip(self.text_encoders.items(), self.tokenizers):
            table = network.get_input_embeddings()
            if not isinstance(table, tokens.WordTable):
                table = tokens.WordTable(table)
                network.set_input_embeddings(table)
            first = table.size
            rows[part] = table.add(self.words.get(word) or tokens.pieces(tokenizer, initializer), vectors)
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

    @property
    def latent_scale(self) -> tuple[Any, Any]:
        """What is taken from the autoencoder's latents, and what they are then multiplied by."""
        return 0.0, self.vae.config.scaling_factor

    @torch.no_grad()
    def moments(self, pictures: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of the pictures' latents, each [n, c, h, w], scaled as the denoiser sees them."""
        posteriors = [self.vae.encode(pixels_of(p).to(self.device)).latent_dist for p in pictures]  # type: ignore[union-attr]
        shift, factor = self.latent_scale
        return (torch.cat([p.mean for p in posteriors]) - shift) * factor, torch.cat([p.std for p in posteriors]) * factor

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

    def _picture(self, latent: Tensor) -> Image.Image:
        shift, factor = self.latent_scale
        return picture_of(self.vae.decode(latent / factor + shift).sample[0])


@contextmanager
def readable(folder: Path) -> Iterator[None]:
    """What a library says of a file that it cannot read, as one line that a person can mend."""
    try:
        yield
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as problem:
        line = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
        raise UserError(f"{folder}: its files cannot be read ({line}). They may be incomplete; copy or download the folder again.") from None


def load_network(network: Any, folder: Path, **options: Any) -> Any:
    """A network from safetensors, in float32; of a folder that has only half precision's variant, from that."""
    return network.from_pretrained(folder, variant=variant_of(folder), use_safetensors=True, local_files_only=True, torch_dtype=torch.float32, **options)


def load_scheduler(folder: Path, part: str = "scheduler") -> Any:
    """Of the class that the folder names: one of folder.SCHEDULERS, or the folder would have been refused.

    What the folder leaves out of its noise schedule is that class's own default from here on: made into another class, as for drawing, it would get the other's.
    """
    scheduler = getattr(diffusers, classes_of(folder)[part][1]).from_pretrained(folder / part, local_files_only=True)
    left_out = scheduler.config.get("_use_default_values", [])
    scheduler.register_to_config(_use_default_values=[name for name in left_out if name not in NOISE])
    return scheduler
