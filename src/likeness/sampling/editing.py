"""A real picture edited: its subject's class becomes the subject, "cat" -> "cat*", and its layout stays.

The editing of DreamBlend (arXiv 2411.19390, figure 8). The photo is led back to noise by the base, with a prompt that says what is there; the run's checkpoint draws from that noise
with a prompt that says its subject, and its attention is guided by that of the base along the way back. That way is kept, so the reference is the photo's own and no
second drawing of it. Words that both prompts have are compared: those that the target adds have no place in the source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

import torch
from PIL import Image
from torch import Tensor

from ..model.attention import watched
from ..model.base import Base
from ..model.inversion import inverted
from .options import Blend, Edit
from .steering import Maps, Prompts, Words, steered, watch_of


@dataclass(frozen=True)
class Asked:
    """What the photo shows, and what it is to show."""

    source: str
    target: str
    negative: str = ""


def edited(source: Base, edit: Base, photo: Image.Image, asked: Asked, steps: int, guidance_scale: float, way: Edit, how: Blend) -> Image.Image:
    """The photo with the edit model's subject. `photo` has the base's size."""
    latents, _ = source.moments([photo])
    with torch.no_grad():
        said = source.condition([asked.source])
    first = way.first(steps)
    path = inverted(source, latents, said, steps, first, way.refinements)
    references = _maps_along(source, path, asked.source, steps, first, how)
    words = shared_words(source, edit, asked)
    *_, last = steered(edit, Prompts([asked.target], asked.negative), path[0], steps, guidance_scale, how, references, first=first, words=words)
    return edit.decode(last.latents)[0]


def redrawn(base: Base, photo: Image.Image, prompt: str, steps: int, way: Edit) -> Image.Image:
    """The photo led back to noise and drawn again with the same prompt and no guidance: what of it the way there and back keeps."""
    latents, _ = base.moments([photo])
    with torch.no_grad():
        said = base.condition([prompt])
    first = way.first(steps)
    path = inverted(base, latents, said, steps, first, way.refinements)
    *_, last = steered(base, Prompts([prompt]), path[0], steps, 1.0, Blend(alpha=0), iter(()), first=first)
    return base.decode(last.latents)[0]


def _maps_along(base: Base, path: list[Tensor], prompt: str, steps: int, first: int, how: Blend) -> Iterator[Maps]:
    """What the base attends to before each step of a way that is known."""
    watch, walked = watch_of(base, how), steps - first
    with torch.no_grad():
        said = base.condition([prompt])
    sampler = base.sampler()
    sampler.set_timesteps(steps)
    for index, t in enumerate(sampler.timesteps[first : first + how.guided(walked)]):
        wanted = watch if how.strength(index, walked) else None
        with torch.no_grad(), watched(base.unet, wanted) as maps:
            if wanted:
                base.predict(path[index], t.to(base.device).expand(1), said)
        yield maps


def shared_words(source: Base, edit: Base, asked: Asked) -> Words:
    """Columns of tokens that both prompts have in the same order, ends and padding too: (of the source, of the target)."""
    ids = source.token_ids([asked.source])[0].tolist(), edit.token_ids([asked.target])[0].tolist()
    blocks = SequenceMatcher(None, *ids, autojunk=False).get_matching_blocks()
    return [block.a + n for block in blocks for n in range(block.size)], [block.b + n for block in blocks for n in range(block.size)]
