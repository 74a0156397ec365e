"""DreamBlend: an overfit checkpoint draws the subject, guided by the cross-attention of an underfit one, which knows where things belong.

Ram et al. 2024, arXiv 2411.19390, algorithm 1. Both start from the same noise. Before each of its steps the edit model's latents are moved so that its
cross-attention maps come nearer to those of the guidance model at that step: l <- l - α ∇ₗ Σ |A_ref - A|, on the conditional branch alone.

The paper leaves open how R is summed, on which layers, how large α is and for how long. Here: summed over pixels and words and layers, meant over heads; maps of up to
`largest` pixels a side; α falls or stays (`schedule`) and ends after `until` of the steps. The two models go in lock-step, so one step's maps are kept; the pass for
the gradient ends after the last layer that is asked; where α is 0 there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from PIL import Image
from torch import Tensor

from ..model.attention import watched
from ..model.base import Base
from ..model.denoiser import Conditioning
from ..model.trajectory import BATCH, guided, initial_latents
from .options import Blend


def blend(
    guide: Base, edit: Base, prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance_scale: float, how: Blend, negative: str = ""
) -> Iterator[Image.Image]:  # fmt: skip
    """One picture for each prompt and its seed. Prompts must be read as the same tokens by both models: maps are compared word by word."""
    for first in range(0, len(prompts), BATCH):
        rows = slice(first, first + BATCH)
        yield from edit.decode(blended_latents(guide, edit, prompts[rows], initial_latents(edit, seeds[rows]), steps, guidance_scale, how, negative))


def blended_latents(
    guide: Base, edit: Base, prompts: Sequence[str], latents: Tensor, steps: int, guidance_scale: float, how: Blend, negative: str = ""
) -> Tensor:  # fmt: skip
    """The edit model's latents after its last step, [b, c, h, w]."""
    models = (guide, edit)
    with torch.no_grad():
        said = [Conditioning.cat([model.condition([negative] * len(prompts)), model.condition(prompts)]) for model in models]
    samplers = [model.sampler() for model in models]
    for sampler in samplers:
        sampler.set_timesteps(steps)
    asked = slice(len(prompts), None)  # of the two halves of a guided pass, the one that heard the prompt
    guiding = latents
    for index, t in enumerate(samplers[0].timesteps):
        alpha = how.strength(index, steps)
        if any(how.strength(later, steps) for later in range(index, steps)):  # the guidance model is needed no longer than it guides
            with torch.no_grad(), watched(guide.unet, how.largest if alpha else 0, asked) as reference:
                guiding = samplers[0].step(guided(guide, guiding, t, said[0], guidance_scale).float(), t, guiding).prev_sample  # type: ignore[union-attr]
            if alpha:
                latents = latents - alpha * _gradient(edit, latents, t, said[1][asked], reference.seen, how)
        with torch.no_grad():
            latents = samplers[1].step(guided(edit, latents, t, said[1], guidance_scale).float(), t, latents).prev_sample  # type: ignore[union-attr]
    return latents


def _gradient(model: Base, latents: Tensor, t: Tensor, said: Conditioning, reference: dict[str, Tensor], how: Blend) -> Tensor:
    """∇ₗ R. Rows of the batch do not touch each other, so the sum over them has each one's own gradient."""
    moved = latents.detach().requires_grad_(True)
    with torch.enable_grad():
        with watched(model.unet, how.largest, until=list(reference)[-1]) as maps:
            model.predict(moved, t.to(model.device).expand(len(moved)), said)
        distance = torch.zeros((), device=moved.device)
        for layer, wanted in reference.items():
            difference = (maps.seen[layer] - wanted).float()
            summed = difference.abs() if how.norm == "l1" else difference.square()
            distance = distance + summed.mean(1).sum()  # over heads, then pixels, words and pictures
    return torch.autograd.grad(distance, moved)[0]
