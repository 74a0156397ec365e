"""The denoising walk backwards: the noise from which a picture would have been drawn.

DDIM inversion (Song et al. 2020, arXiv 2010.02502, section 4.3). A step of the sampler is affine in its latents and the network's output, x' = a x + b f(x, t), with a and b read from the
sampler itself, so any schedule, spacing and prediction type will do. Backwards x = (x' - b f(x, t)) / a has x on both sides: DDIM inversion puts x' in its place on
the right; iterating towards the fixed point (Pan et al. 2023, arXiv 2309.04907; Garibi et al. 2024, arXiv 2403.14602) makes the way back the way there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .base import Base, Conditioning


@torch.no_grad()
def inverted(base: Base, latents: Tensor, said: Conditioning, steps: int, first: int = 0, refinements: int = 0) -> list[Tensor]:
    """The latents before each step of a walk from `first` on without classifier-free guidance, and after the last: [steps - first + 1] of [b, c, h, w].

    latents      of the picture
    said         its prompt: what is there
    refinements  times that each step is solved again with its own result; each costs a pass
    """
    sampler = base.sampler()
    sampler.register_to_config(clip_sample=False, thresholding=False)  # which no step could be led back through
    sampler.set_timesteps(steps)
    path = [latents]
    for t in reversed(sampler.timesteps[first:]):
        kept, drawn = _affine(sampler, t)
        after = before = path[-1]
        if abs(kept) > 1e-6:  # else nothing of the latents is left by this step: they stay as they are
            for _ in range(1 + refinements):
                before = (after - drawn * base.predict(before, t.to(base.device).expand(len(before)), said).float()) / kept
        path.append(before)
    return path[::-1]


def _affine(sampler: Any, t: Tensor) -> tuple[float, float]:
    """How much of the latents and of the network's output a step hands on."""
    nothing, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    return float(sampler.step(nothing, t, one).prev_sample), float(sampler.step(one, t, nothing).prev_sample)
