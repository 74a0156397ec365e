"""Pictures as a checkpoint's card wants them: of the base, and where the card names a super-resolution stage, enlarged by it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from PIL import Image

from ..model.base import Base
from ..model.cascade import attached_upscaler
from ..model.trajectory import enlarge, sample


def drawn(base: Base, prompts: Sequence[str], seeds: Sequence[int], wanted: Mapping[str, Any], negative: str = "") -> Iterator[Image.Image]:
    """One picture for each prompt and its seed. wanted: a card's "sampling" """
    small = sample(base, prompts, seeds, wanted["steps"], wanted["guidance_scale"], negative, wanted["eta"], wanted["sampler"])
    return enlarged(base, small, prompts, seeds, wanted, negative)


def enlarged(
    base: Base, pictures: Iterable[Image.Image], prompts: Sequence[str], seeds: Sequence[int], wanted: Mapping[str, Any], negative: str = ""
) -> Iterator[Image.Image]:  # fmt: skip
    """The pictures through the super-resolution stage, if one is wanted."""
    how = wanted.get("upscaler")
    if not how:
        return iter(pictures)
    upscaler = attached_upscaler(base, how["name"])
    return enlarge(upscaler, pictures, prompts, seeds, how["steps"], how["guidance_scale"], how["noise_level"], negative)


def picture_size(base: Base, wanted: Mapping[str, Any]) -> int:
    """Width and height in pixels of what `drawn` gives."""
    how = wanted.get("upscaler")
    return attached_upscaler(base, how["name"]).resolution if how else base.resolution
