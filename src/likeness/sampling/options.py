"""Options of ways to draw, apart from what draws: reading them loads no torch."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from ..files.recipe import Options


class Blend(Options):
    """How strongly, where and for how long another walk's attention guides."""

    alpha: float = Field(default=0.3, ge=0, le=1000, description="α: how far latents move against the gradient. The paper gives none; default: looked at on two toybox subjects, where blends in all layers are not told apart (docs/results.md).")
    schedule: Literal["constant", "linear", "sqrt"] = Field(default="constant", description="α over the steps: stays, falls to 0, or falls slowly first (sqrt). The paper says nothing of a fall.")
    until: float = Field(default=0.5, ge=0, le=1, description="Share of the steps that are guided, from the first on. The paper: all, 1. Default from Attend-and-Excite: the first half, in which the layout is settled.")
    largest: int | None = Field(default=None, ge=1, le=256, description="Maps of up to so many pixels a side guide: coarse ones hold the layout. Default: as Attend-and-Excite 16 for pictures of 512 pixels, and in proportion for larger; or where a base has none so coarse, its coarsest.")
    layers: Literal["all", "encoder"] = Field(default="all", description="Maps of all layers of that size, or of the way down and the middle alone, which takes a third or more off what guiding costs.")
    norm: Literal["l1", "l2"] = Field(default="l1", description="Difference of maps: absolute as in the paper, or squared as pix2pix-zero.")

    def strength(self, index: int, steps: int) -> float:
        """α of step `index`, from 0."""
        if index >= self.until * steps:
            return 0.0
        left = 1 - index / steps
        return self.alpha * {"constant": 1.0, "linear": left, "sqrt": math.sqrt(left)}[self.schedule]

    def guided(self, steps: int) -> int:
        """How many steps from the first on it takes until none is guided any more."""
        return max((index + 1 for index in range(steps) if self.strength(index, steps)), default=0)


class Edit(Options):
    """How far a photo is led back to noise before it is drawn anew, and how exactly."""

    strength: float = Field(default=0.8, gt=0, le=1, description="Share of the steps that are drawn anew: little keeps the photo, 1 keeps of it what its noise and attention hold.")
    refinements: int = Field(default=2, ge=0, le=50, description="Times that each step back is solved again, so that the way there is the way back (arXiv 2309.04907); 0 is plain DDIM inversion.")

    def first(self, steps: int) -> int:
        """The step that drawing begins with."""
        return steps - max(1, round(self.strength * steps))
