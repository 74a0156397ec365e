"""Pictures of the class, drawn by the frozen base: what prior preservation holds the model to.

They are kept in a cache that all runs share, one folder for each (base as it is configured, prompt, sampler, seed): thirty subjects of
ten classes need ten sets. A set is completed when more are asked for. PNG, since JPEG's artefacts would be learned.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from ..files.errors import UserError
from ..files.picture import Settings, is_black, safe_name, save_picture
from ..model.base import Base
from ..model.trajectory import BATCH, sample
from .method import chance


def cache_folder() -> Path:
    """$LIKENESS_CACHE, or likeness/ in the user's cache folder; a temporary one where no home can be written."""
    if chosen := os.environ.get("LIKENESS_CACHE"):
        return Path(chosen)
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path(os.path.expanduser("~")) / ".cache") / "likeness"
    try:
        home.mkdir(parents=True, exist_ok=True)
        (home / ".writable").touch()
        return home
    except OSError:
        import tempfile

        return Path(tempfile.gettempdir()) / f"likeness-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"


def class_pictures(
    base: Base, prompt: str, count: int, steps: int, guidance_scale: float, seed: int, drawn: Callable[[int, int], None] | None = None
) -> list[Image.Image]:  # fmt: skip
    """`count` pictures of a class prompt, those that are missing drawn now. `drawn(done, count)` hears of progress.

    Picture k has the seed (seed, k) and does not depend on how many are asked for. A black picture, as a safety checker
    leaves, is drawn again with another seed and never trained on; UserError if three in a row come out black.
    """
    what = f"{base.drawn_with}/{prompt}/DDIM/{steps}/{guidance_scale}/{seed}"
    folder = cache_folder() / "class-pictures" / f"{safe_name(prompt)}-{hashlib.sha256(what.encode()).hexdigest()[:12]}"
    pictures: list[Image.Image | None] = [_whole(folder / f"{k:04d}.png") for k in range(count)]
    # Whole batches are drawn anew where one picture is missing: a picture's last bits depend on its batch.
    for first in range(0, count, BATCH):
        if all(picture is not None for picture in pictures[first : first + BATCH]):
            continue
        for k, (drawn_from, picture) in enumerate(_batch(base, prompt, first, steps, guidance_scale, seed), first):
            settings = Settings(
                prompt=prompt, steps=steps, sampler="DDIM", guidance_scale=guidance_scale, seed=drawn_from, model=base.name,
                width=picture.width, height=picture.height, model_hash=base.hash,
            )  # fmt: skip
            save_picture(picture, folder / f"{k:04d}.png", settings)
            if k < count:
                pictures[k] = picture
        if drawn:
            drawn(min(first + BATCH, count), count)
    return [picture for picture in pictures if picture is not None]


def _batch(base: Base, prompt: str, first: int, steps: int, guidance_scale: float, seed: int) -> list[tuple[int, Image.Image]]:
    """The pictures from number `first` on, each with the seed of its noise."""
    for attempt in range(3):
        seeds = [chance(seed, k, attempt) for k in range(first, first + BATCH)]
        pictures = list(sample(base, [prompt] * BATCH, seeds, steps, guidance_scale))
        if not any(is_black(picture) for picture in pictures):
            return list(zip(seeds, pictures))
    raise UserError(f"class pictures: {base.name} draws black pictures for {prompt!r}. Use another --class-noun or --base.")


def _whole(path: Path) -> Image.Image | None:
    """A cached picture, unless it is missing, damaged or black."""
    try:
        picture = Image.open(path).convert("RGB")
    except (OSError, SyntaxError):
        return None
    return None if is_black(picture) else picture
