"""CLIP, DINO and DINOv2: pictures and texts as vectors of unit length.

Their cosines are every similarity that the package reports: CLIP (Radford et al. 2021), DINO (Caron et al. 2021),
DINOv2 (Oquab et al. 2023). What a reader would get wrong:

- scores of two encoders, or of one encoder behind two preprocessings, are not comparable; `.name` states both, and which weights a local folder had
- a DINO vector is the CLS token after the last norm; the pooler of ViTModel is random in DINO's files. A network of convolutions
  (DINO was published with a ResNet, and the toybox's judges are one and a RegNet) is read at its pooled output
- a CLIP text is read at its end token: the last one that is no padding. Neither the config's id for it (wrong in old
  files) nor the first such token will do, since padding and unknown letters may have the same id
"""

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import (
    CLIPModel,
    CLIPTokenizer,
    RegNetModel,
    ResNetModel,
    VisionTextDualEncoderModel,
)

from ..files.errors import UserError
from .preprocessing import ImageProcessor, preparation, prepared

CONVOLUTIONAL: dict[str, type[ResNetModel] | type[RegNetModel]] = {"resnet": ResNetModel, "regnet": RegNetModel}
BATCH = 32
MAPS = 4


class EncoderError(UserError):
    """A folder or hub id that is not the encoder it was asked to be."""


class Encoder:
    """A network that sees pictures, each prepared as its processor says."""

    width: Any  # of a vector, in numbers

    def __init__(self, model: Any, processor: ImageProcessor, name: str):
        self.model = model.eval().requires_grad_(False)  # Any: the dual encoder's annotations say that its parts may be None
        self.processor = processor
        self.name = name

    def pictures(self, pictures: Sequence[Image.Image]) -> np.ndarray:
        """Each picture as a vector. returns [n, d], float32, unit length."""
        return unit([self.embed(self.pixels(batch)) for batch in _batches(pictures)], self.width, self.name)

    @property
    def preparation(self) -> str:
        """What is done to a picture first. Encoders of one preparation are shown the same pixels, which are then made once."""
        return preparation(self.processor)

    def pixels(self, batch: Sequence[Image.Image]) -> Tensor:
        """What the network is shown of pictures. [n, 3, h, w]"""
        return _pixels(self.processor, batch, self.model.device)

    def embed(self, pixels: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, d], not yet of unit length."""
        raise NotImplementedError


class CLIP(Encoder):
    """Pictures and texts in one space."""

    def __init__(self, model: CLIPModel | VisionTextDualEncoderModel, tokenizer: CLIPTokenizer, processor: ImageProcessor, name: str):
        super().__init__(model, processor, name)
        self.tokenizer = tokenizer
        config: Any = model.config
        self.width: int = config.projection_dim
        self.text_limit: int = min(tokenizer.model_max_length, config.text_config.max_position_embeddings)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Each text as a vector; one that is too long is cut, with a warning that names what was lost.

        returns  [m, d], float32, unit length
        """
        for text in texts:
            self._warn_of_what_is_cut(text)
        vectors = [self._texts(batch) for batch in _batches(texts)]
        return unit(vectors, self.width, self.name)

    @torch.no_grad()
    def embed(self, pixels: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, d], not yet of unit length."""
        return self.model.visual_projection(self.model.vision_model(pixel_values=pixels).pooler_output.flatten(1))

    @torch.no_grad()
    def _texts(self, batch: Sequence[str]) -> Tensor:
        tokens = self.tokenizer(
            list(batch), padding=True, padding_side="right", truncation=True, max_length=self.text_limit, return_tensors="pt"
        )
        words, mask = tokens["input_ids"].to(self.model.device), tokens["attention_mask"].to(self.model.device)
        ends = torch.arange(len(words)), mask.sum(dim=1) - 1
        if (words[ends] != self.tokenizer.eos_token_id).any():
            raise EncoderError(f"{self.name}: its tokenizer ends no text with {self.tokenizer.eos_token!r}, where CLIP reads it")
        states = self.model.text_model(input_ids=words, attention_mask=mask).last_hidden_state  # [m, tokens, width]
        return self.model.text_projection(states[ends])

    def _warn_of_what_is_cut(self, text: str) -> None:
        room = self.text_limit - 2  # the start and the end token
        words = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        if len(words) > room:
            lost = self.tokenizer.decode(words[room:])
            message = f"{self.name} reads {room} tokens and this text has {len(words)}: it does not see {lost!r}"
            warnings.warn(message, stacklevel=3)


class DINO(Encoder):
    """Pictures by what they show, without words: DINO or DINOv2."""

    @property
    def width(self) -> int:
        config: Any = self.model.config
        return config.hidden_sizes[-1] if self._convolutional else config.hidden_size

    @property
    def _convolutional(self) -> bool:
        return self.model.config.model_type in CONVOLUTIONAL

    def embed(self, pixels: Tensor) -> Tensor:
        """[n, 3, h, w] -> [n, d], not yet of unit length."""
        return self._read(self._seen(pixels))

    def embed_with_maps(self, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The same, and the feature maps of up to four levels on the way: [n, c, h, w] of a network of convolutions, [n, positions, c] of a ViT."""
        seen = self._seen(pixels, output_hidden_states=True)
        if self._convolutional:
            return self._read(seen), list(seen.hidden_states[1:])[-MAPS:]
        layers = len(seen.hidden_states) - 1
        chosen = sorted({max(1, round(layers * n / MAPS)) for n in range(1, MAPS + 1)})
        return self._read(seen), [seen.hidden_states[n][:, 1:] for n in chosen]  # 0 is CLS, which has no place

    @torch.no_grad()
    def _seen(self, pixels: Tensor, **options: Any) -> Any:
        return self.model(pixel_values=pixels, **options)

    def _read(self, seen: Any) -> Tensor:
        return seen.pooler_output.flatten(1) if self._convolutional else seen.last_hidden_state[:, 0]  # CLS; both ViTs end in their norm


def unit(batches: list[Tensor], width: int, name: str) -> np.ndarray:
    """Vectors of a network as rows of unit length; EncoderError where one is not finite."""
    if not batches:
        return np.zeros((0, width), dtype=np.float32)
    vectors = torch.cat(batches).float()
    if not torch.isfinite(vectors).all():
        raise EncoderError(f"{name}: a vector is not finite; the weights are broken")
    return torch.nn.functional.normalize(vectors, dim=-1).cpu().numpy()


def _batches(things: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(things), BATCH):
        yield things[start : start + BATCH]


def _pixels(processor: ImageProcessor, pictures: Sequence[Image.Image], device: torch.device) -> Tensor:
    return torch.from_numpy(np.stack([prepared(processor, picture) for picture in pictures])).to(device)
