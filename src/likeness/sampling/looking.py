"""Where a walk looks for each word of its prompt: cross-attention maps, step by step.

As in Attend-and-Excite (arXiv 2301.13826) and Prompt-to-Prompt (arXiv 2208.01626): the mean over heads and over the layers of one size, of the half that heard the
prompt. The size is the finest that `watch_of` lets through: 16 x 16 on Stable Diffusion.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..model import tokens
from ..model.attention import watched
from ..model.base import Base
from ..model.trajectory import Step
from .options import Blend
from .steering import watch_of


@dataclass(frozen=True)
class Looked:
    """A walk's end and its maps."""

    latents: Tensor  # [b, c, h, w]
    maps: np.ndarray  # [steps, b, words, height, width]; a word's share of each pixel's attention


def words_of(base: Base, prompt: str) -> list[tuple[str, list[int]]]:
    """A prompt's words and their columns in the maps."""
    return tokens.places(base.tokenizer, prompt, base.words)


def looked(base: Base, walk: Iterator[Step], prompt: str, pictures: int) -> Looked:
    """Follow a walk that draws one prompt several times with classifier-free guidance, or without, and keep its maps."""
    columns = [where for _, where in words_of(base, prompt)]
    watch, maps, latents = watch_of(base, Blend()), [], None
    while True:
        with torch.no_grad(), watched(base.unet, watch, slice(-pictures, None)) as seen:
            step = next(walk, None)
        if step is None:
            break
        finest = max(one.shape[2] for one in seen.values())
        layers = torch.stack([one.float().mean(1) for one in seen.values() if one.shape[2] == finest]).mean(0)  # [b, pixels, tokens]
        words = torch.stack([layers[..., where].sum(-1) for where in columns], 1)  # [b, words, pixels]
        height, width = _sides(finest, step.latents)
        maps.append(words.unflatten(2, (height, width)).cpu().numpy())
        latents = step.latents
    assert latents is not None
    return Looked(latents, np.stack(maps))


def _sides(pixels: int, latents: Tensor) -> tuple[int, int]:
    """Height and width of maps of so many pixels, by the latents' own."""
    shrunk = round((latents.shape[-2] * latents.shape[-1] / pixels) ** 0.5)
    return -(-latents.shape[-2] // shrunk), -(-latents.shape[-1] // shrunk)
