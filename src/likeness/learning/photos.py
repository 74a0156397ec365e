"""Endless, reproducible draws from a set of pictures, with what is constant computed once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from ..model.denoiser import Denoiser
from .method import chance


def order(count: int, first: int, wanted: int, *what: object) -> list[int]:
    """Rows `first` to `first + wanted` of an endless sequence of shuffled rounds over `count` pictures.

    A pure function of its arguments: a resumed run draws what the uninterrupted one would have drawn.
    """
    rounds: dict[int, list[int]] = {}
    rows = []
    for place in range(first, first + wanted):
        turn, row = divmod(place, count)
        if turn not in rounds:
            generator = torch.Generator().manual_seed(chance("order", turn, *what))
            rounds[turn] = torch.randperm(count, generator=generator).tolist()
        rows.append(rounds[turn][row])
    return rows


class LatentPictures:
    """Pictures as latents. The VAE's moments are exact for square pictures, so they are computed once; a fresh latent
    is drawn from them at every use (mean + std·ε), which is the distribution of encoding anew."""

    def __init__(self, base: Denoiser, pictures: Sequence[Image.Image], cached: bool = True):
        self.base, self.pictures = base, list(pictures)
        self.moments = base.moments(self.pictures) if cached else None

    def __len__(self) -> int:
        return len(self.pictures)

    def draw(self, rows: Sequence[int], generator: torch.Generator) -> Tensor:
        """Latents [len(rows), c, h, w], float32."""
        mean, std = self.base.moments([self.pictures[r] for r in rows]) if self.moments is None else (m[list(rows)] for m in self.moments)
        return mean + std * torch.randn(mean.shape, generator=generator).to(mean)
