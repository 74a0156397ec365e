"""Separately trained Custom Diffusion concepts in one set of keys and values, without training.

Kumari et al. 2022, arXiv 2212.04488, section 3.2 and appendix A: the least change on ordinary words under which every concept's own words have the keys
and values that its own training gave them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Residuals:
    """How well a merge did: both relative to the size of what they compare, 0 is perfect."""

    concepts: float  # what the concepts' words get, against what they should get
    ordinary: float  # how far ordinary words' keys and values moved


def merge(before: Sequence[Tensor], wanted: Sequence[Tensor], words: Tensor, ordinary: Tensor) -> tuple[list[Tensor], Residuals]:
    """The merged weights: Ŵ = W + (Vᵀ - W Cᵀ)(d Cᵀ)⁻¹ d with d = C (RᵀR)⁻¹; closed form of min ‖(Ŵ - W) Rᵀ‖ subject to Ŵ Cᵀ = Vᵀ.

    before    the base's weights W, each [out, width]
    wanted    for each of them V [n, out]: the concepts' own keys or values of their words
    words     C [n, width]: encodings of the concepts' words; rows that are alike are used once
    ordinary  R [m, width]: encodings of ordinary captions' tokens
    All in float64; the two factors are the same for every weight and are computed once.
    """
    kept = _apart(words.double())
    c, r = words.double()[kept], ordinary.double()
    gram = r.T @ r
    gram += 1e-10 * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    d = torch.linalg.solve(gram, c.T).T
    update = torch.linalg.solve(d @ c.T, d)
    merged, concepts, moved = [], [0.0, 0.0], [0.0, 0.0]
    for weight, values in zip(before, wanted):
        old, v = weight.double(), values.double()[kept]
        new = old + (v.T - old @ c.T) @ update
        for sums, difference, whole in ((concepts, new @ c.T - v.T, v), (moved, (new - old) @ r.T, old @ r.T)):
            sums[0] += difference.square().sum().item()
            sums[1] += whole.square().sum().item()
        merged.append(new.to(weight))
    return merged, Residuals((concepts[0] / concepts[1]) ** 0.5, (moved[0] / moved[1]) ** 0.5)


def _apart(rows: Tensor) -> list[int]:
    """Rows without those that are nearly one kept before: with both, the constraints would contradict each other in their last digits."""
    kept: list[int] = []
    for n, row in enumerate(rows):
        if all((row - rows[k]).norm() > 1e-3 * row.norm() for k in kept):
            kept.append(n)
    return kept
