"""Options of ways to draw, apart from what draws: reading them loads no torch."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from ..files.recipe import Options


class Blend(Options):
    """How strongly, where and for how long the guidance model's attention guides."""

    alpha: float = Field(default=0.1, ge=0, le=1000, description="α: how far latents move against the gradient. Default of pix2pix-zero, whose sum it shares.")
    schedule: Literal["constant", "linear", "sqrt"] = Field(default="constant", description="α over the steps: stays, falls to 0, or falls slowly first (sqrt). The paper says nothing of a fall.")
    largest: int = Field(default=16, ge=1, le=256, description="Maps of up to so many pixels a side guide: coarse ones hold the layout.")
    until: float = Field(default=1.0, ge=0, le=1, description="Share of the steps that are guided, from the first on. The paper: all.")
    norm: Literal["l1", "l2"] = Field(default="l1", description="Difference of maps: absolute as in the paper, or squared.")

    def strength(self, index: int, steps: int) -> float:
        """α of step `index`, from 0."""
        if index >= self.until * steps:
            return 0.0
        left = 1 - index / steps
        return self.alpha * {"constant": 1.0, "linear": left, "sqrt": math.sqrt(left)}[self.schedule]
