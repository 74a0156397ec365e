"""Latents that the model as it is draws of prompts: what a student learns from, where there is no data set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from ..files.atomic import write_bytes
from ..model.base import Base
from ..model.memory import in_batches
from ..model.trajectory import BATCH, initial_latents, walk
from .method import chance
from .prior import cache_folder


@torch.no_grad()
def drawn_latents(
    base: Base, prompts: Sequence[str], steps: int, guidance_scale: float, seed: int, drawn: Callable[[int, int], None] | None = None
) -> Tensor:  # fmt: skip
    """One picture's latents for each prompt, [n, c, h, w] float32, number k from the seed (seed, k). Kept in the cache, so a stopped run goes on.

    drawn  hears (done, of how many)
    """
    what = json.dumps([base.drawn_with, prompts, steps, guidance_scale, seed])
    folder = cache_folder() / "drawn-latents" / hashlib.sha256(what.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    parts = []

    def walked(numbers: range) -> Tensor:
        asked = [prompts[k] for k in numbers]
        latents = initial_latents(base, [chance(seed, "drawn", k) for k in numbers])
        for step in walk(base, latents, base.condition(asked), base.condition([""] * len(asked)), steps, guidance_scale):
            latents = step.latents
        return latents.cpu()

    for first in range(0, len(prompts), BATCH):
        kept = folder / f"{first:05d}.safetensors"
        if (latents := _whole(kept)) is None:
            latents = torch.stack([*in_batches(len(prompts[first : first + BATCH]), BATCH, lambda rows: [*walked(range(first + rows.start, first + rows.stop))])])  # noqa: B023
            write_bytes(kept, save({"latents": latents.contiguous()}))
            if drawn:
                drawn(first + len(latents), len(prompts))
        parts.append(latents.to(base.device))
    return torch.cat(parts)


def _whole(path: Path) -> Tensor | None:
    try:
        return load_file(path)["latents"]
    except (SafetensorError, OSError, KeyError):
        return None
