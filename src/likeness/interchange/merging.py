"""Separately trained Custom Diffusion concepts in one set of keys and values, without training.

Kumari et al. 2022, arXiv 2212.04488, section 3.2 and appendix A: the least change on ordinary words under which every concept's own words have the keys
and values that its own training gave them; kept from going farther than the trainings went.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

SLACK = 0.1  # of a word's own constraint, where the exact solution is given up: words that two trainings began alike ask for what no matrix can give
SPREADS = (1e-10, 1e-2, 1e-1, 1.0, 10.0, 100.0)  # how much any change costs, beside what it does to ordinary words


@dataclass(frozen=True)
class Residuals:
    """How a merge did, relative to the size of what is compared; 0 is perfect."""

    concepts: float  # what the concepts' words get, against what they should get
    ordinary: float  # how far ordinary words' keys and values moved
    exact: bool  # the concepts' words get just what they should, but for rounding


def merge(before: Sequence[Tensor], wanted: Sequence[Tensor], words: Tensor, ordinary: Tensor, farthest: float = math.inf) -> tuple[list[Tensor], Residuals]:
    """The merged weights, of min ‖(Ŵ - W) Rᵀ‖ subject to Ŵ Cᵀ = Vᵀ: in closed form Ŵ = W + (Vᵀ - W Cᵀ)(d Cᵀ)⁻¹ d with d = C (RᵀR)⁻¹.

    before    the base's weights W, each [out, width]
    wanted    for each of them V [n, out]: the concepts' own keys or values of their words
    words     C [n, width]: encodings of the concepts' words
    ordinary  R [m, width]: encodings of ordinary captions' tokens
    farthest  Frobenius norm that all changes together may have
    The paper's solution has no such bound, and where encodings of two concepts' words are nearly one and ask for different values, or R spans less than there are
    dimensions, it moves without one: pictures are noise. Beyond `farthest` every change is paid for too (a ridge, as little of SPREADS as will do, or else the last), and constraints have slack. In float64, on the CPU.
    """
    c, r, old, v = words.double().cpu(), ordinary.double().cpu(), [weight.double().cpu() for weight in before], [values.double().cpu() for values in wanted]
    gram, one = r.T @ r, torch.eye(r.shape[1], dtype=torch.float64)
    for spread in SPREADS:
        d = torch.linalg.solve(gram + spread * gram.diagonal().mean() * one, c.T).T
        within = d @ c.T
        if spread > SPREADS[0]:
            within += SLACK * within.diagonal().mean() * torch.eye(len(within), dtype=torch.float64)
        update = torch.linalg.lstsq(within, d, driver="gelsd", rcond=1e-9).solution
        changes = [(values.T - weight @ c.T) @ update for weight, values in zip(old, v)]
        if sum(change.square().sum() for change in changes) <= farthest**2:
            break
    merged = [weight + change for weight, change in zip(old, changes)]
    concepts = _relative((new @ c.T - values.T, values) for new, values in zip(merged, v))
    moved = _relative((change @ r.T, weight @ r.T) for change, weight in zip(changes, old))
    return [new.to(weight) for new, weight in zip(merged, before)], Residuals(concepts, moved, spread == SPREADS[0])


def _relative(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    """The norm of all differences over that of what they are differences of."""
    squares = [(difference.square().sum().item(), whole.square().sum().item()) for difference, whole in pairs]
    off, whole = map(sum, zip(*squares))
    return (off / whole) ** 0.5
