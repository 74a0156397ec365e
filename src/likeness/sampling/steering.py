"""A walk whose latents are moved so that its cross-attention comes nearer to that of another walk: l <- l - α ∇ₗ Σ |A_ref - A|.

Ram et al. 2024, arXiv 2411.19390, algorithm 1, lines 13 to 19. The paper leaves open how R is summed, on which layers, how large α is and for how long. Here: summed over
pixels, words and layers and meant over heads, as pix2pix-zero does; on the conditional branch alone; the rest is `Blend`.

The other walk is a generator, so the two go in lock-step and one step's maps are kept. The pass for the gradient ends after the last layer that is asked; where α is 0
there is none, and nothing is asked of the other walk any more once no step is left that it guides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..files.errors import UserError
from ..model.attention import Watch, coarsest, watched
from ..model.base import Base, Conditioning
from ..model.trajectory import Sampler, Step, guided
from .options import Blend

LARGEST = 16  # pixels a side of the maps that guide, where nothing is said: Attend-and-Excite (arXiv 2301.13826), for latents of 64
SHARE = 4  # and of larger latents one pixel of so many a side, as diffusers' pipeline of it

Maps = dict[str, Tensor]  # layer -> [b, heads, pixels, words]
Words = tuple[list[int], list[int]]  # columns of the reference's maps and of one's own that mean the same word


@dataclass(frozen=True)
class Prompts:
    """What is asked for and what is not, a line for each picture."""

    asked: Sequence[str]
    negative: str = ""

    def condition(self, base: Base) -> Conditioning:
        """The negative prompts, then the prompts."""
        return Conditioning.cat([base.condition([self.negative] * len(self.asked)), base.condition(self.asked)])


def watch_of(base: Base, how: Blend) -> Watch:
    """Which maps guide; raises UserError where a base has none such."""
    side = base.resolution // base.pixels_per_latent
    least = coarsest(base.unet, side)
    if how.largest is not None and how.largest < least:
        raise UserError(f"--blend.largest {how.largest}: the coarsest cross-attention of {base.name} has {least} pixels a side. Give {least} or more.")
    return Watch(how.largest or max(LARGEST, least, -(-side // SHARE)), ("down_blocks", "mid_block") if how.layers == "encoder" else ("",))


def steered(
    base: Base, prompts: Prompts, latents: Tensor, steps: int, guidance_scale: float, how: Blend, references: Iterator[Maps], *,
    first: int = 0, words: Words | None = None, eta: float = 0.0, seeds: Sequence[int] = (),
) -> Iterator[Step]:  # fmt: skip
    """The walk, step by step.

    references  the other walk's maps of each step up to the last that is guided, from `first` on; {} where α is 0
    first       the step that the latents stand before; shares of the walk, as α's end, count from it
    words       which columns of the maps are compared; None: all, the prompts being read as the same tokens
    eta, seeds  see `Sampler`
    """
    watch = watch_of(base, how)
    with torch.no_grad():
        told = prompts.condition(base)
    sampler = Sampler(base, steps, eta, seeds)
    for index, t in list(enumerate(sampler.timesteps))[first:]:
        reference = next(references, {})
        if alpha := how.strength(index - first, steps - first):
            latents = latents - alpha * _gradient(base, latents, t, told[len(prompts.asked) :], reference, watch, how, words)
        with torch.no_grad():
            latents = sampler.step(guided(base, latents, t, told, guidance_scale), t, latents)
        yield Step(index, int(t), latents)


def _gradient(base: Base, latents: Tensor, t: Tensor, said: Conditioning, reference: Maps, watch: Watch, how: Blend, words: Words | None) -> Tensor:
    """∇ₗ R. Rows of the batch do not touch each other, so the sum over them has each one's own gradient."""
    moved = latents.detach().requires_grad_(True)
    with torch.enable_grad():
        with watched(base.unet, watch, until=list(reference)[-1]) as maps:
            base.predict(moved, t.to(base.device).expand(len(moved)), said)
        distance = torch.zeros((), device=moved.device)
        for layer, wanted in reference.items():
            own = maps[layer]
            if words is not None:
                wanted, own = wanted[..., words[0]], own[..., words[1]]
            difference = (own - wanted).float()
            summed = difference.abs() if how.norm == "l1" else difference.square()
            distance = distance + summed.mean(1).sum()  # over heads, then pixels, words and pictures
    return torch.autograd.grad(distance, moved)[0]
