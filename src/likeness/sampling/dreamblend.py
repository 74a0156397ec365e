"""DreamBlend: an overfit checkpoint draws the subject, guided by the cross-attention of an underfit one, which knows where things belong.

Ram et al. 2024, arXiv 2411.19390, algorithm 1. Both start from the same noise. Before each of its steps the edit model's latents are moved so that its
cross-attention maps come nearer to those of the guidance model at that step (`steering.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from PIL import Image
from torch import Tensor

from ..model.attention import watched
from ..model.base import Base
from ..model.memory import in_batches
from ..model.trajectory import BATCH, Sampler, Step, guided, initial_latents
from .options import Blend
from .steering import Maps, Prompts, steered, watch_of


def blend(
    guide: Base, edit: Base, prompts: Sequence[str], seeds: Sequence[int], steps: int, guidance_scale: float, how: Blend, negative: str = "", eta: float = 0.0
) -> Iterator[Image.Image]:  # fmt: skip
    """One picture for each prompt and its seed. Prompts must be read as the same tokens by both models: maps are compared word by word."""

    def batch(rows: slice) -> list[Image.Image]:
        latents = initial_latents(edit, seeds[rows])
        return edit.decode(blended_latents(guide, edit, Prompts(prompts[rows], negative), latents, steps, guidance_scale, how, eta, seeds[rows]))

    return in_batches(len(prompts), BATCH, batch)


def blended_latents(
    guide: Base, edit: Base, prompts: Prompts, latents: Tensor, steps: int, guidance_scale: float, how: Blend, eta: float = 0.0, seeds: Sequence[int] = ()
) -> Tensor:  # fmt: skip
    """The edit model's latents after its last step, [b, c, h, w]."""
    *_, last = blended_walk(guide, edit, prompts, latents, steps, guidance_scale, how, eta, seeds)
    return last.latents


def blended_walk(
    guide: Base, edit: Base, prompts: Prompts, latents: Tensor, steps: int, guidance_scale: float, how: Blend, eta: float = 0.0, seeds: Sequence[int] = ()
) -> Iterator[Step]:  # fmt: skip
    """The edit model's walk, the guidance model's in lock-step beneath it. With eta (see `Sampler`) both are given the same noise on their way; the paper has none."""
    references = guiding_walk(guide, prompts, latents, steps, guidance_scale, how, eta, seeds)
    return steered(edit, prompts, latents, steps, guidance_scale, how, references, eta=eta, seeds=seeds)


def guiding_walk(
    guide: Base, prompts: Prompts, latents: Tensor, steps: int, guidance_scale: float, how: Blend, eta: float = 0.0, seeds: Sequence[int] = ()
) -> Iterator[Maps]:  # fmt: skip
    """The maps of each step of the guidance model's plain walk, as far as one of them guides: lines 5 to 9 of the algorithm."""
    watch = watch_of(guide, how)
    with torch.no_grad():
        told = prompts.condition(guide)
    asked = slice(len(prompts.asked), None)  # of the two halves of a guided pass, the one that heard the prompt
    sampler = Sampler(guide, steps, eta, seeds)
    for index, t in enumerate(sampler.timesteps[: how.guided(steps)]):
        wanted = watch if how.strength(index, steps) else None
        with torch.no_grad(), watched(guide.unet, wanted, asked) as maps:
            latents = sampler.step(guided(guide, latents, t, told, guidance_scale), t, latents)
        yield maps
