"""Pictures as the judges see them, each read once: vectors, feature maps summed by prompt, thumbnails, and whether there is anything to see.

While the networks look at one batch a thread reads and prepares the next, so that scoring takes hardly longer than the networks themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..evaluation import metrics
from ..evaluation.aesthetic import AestheticHead, aesthetic_head
from ..evaluation.encoders import BATCH, CLIP, DINO, unit
from ..evaluation.loading import EMBEDDED, load_clip, load_dino
from ..evaluation.memory import keep_freed_memory
from ..evaluation.options import Encoders
from ..evaluation.perceptual import LPIPS, Spread, load_lpips, unit_maps
from ..evaluation.preprocessing import prepared
from ..files.decoding import Unreadable, decode
from ..files.errors import UserError
from ..files.picture import is_black
from ..files.run_folder import SavedPicture
from .stack import device_for

ENOUGH = 4096  # pixels a side: a large photograph is not reduced before an encoder's own preprocessing sees it


@dataclass(frozen=True)
class Judges:
    """The encoders that pictures are scored with."""

    clip: CLIP
    dino: DINO
    dinov2: DINO | None = None
    lpips: LPIPS | None = None
    aesthetic: AestheticHead | None = None
    _read: dict[tuple[str, ...], np.ndarray] = field(default_factory=dict, init=False, repr=False, compare=False)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """CLIP's vector for each text, [n, d]. Rows of scores ask for the same ones again and again; CLIP reads each once."""
        distinct = tuple(dict.fromkeys(texts))
        if distinct not in self._read:  # by all of them: what is read beside a text changes the last bits of its vector
            self._read[distinct] = self.clip.texts(distinct)
        rows = {text: n for n, text in enumerate(distinct)}
        return self._read[distinct][[rows[text] for text in texts]]

    @property
    def distance(self) -> str:
        """The score that says how far apart a prompt's pictures look: LPIPS where its weights are given, else a stand-in with a name of its own."""
        return "lpips" if self.lpips else "perceptual"

    @property
    def names(self) -> dict[str, str]:
        """What each is and how pictures are prepared for it, to stand beside its numbers."""
        given = {"clip": self.clip, "dino": self.dino, "dinov2": self.dinov2, "lpips": self.lpips, "aesthetic": self.aesthetic}
        names = {kind: judge.name for kind, judge in given.items() if judge}
        return names if self.lpips else {**names, "perceptual": f"stand-in for LPIPS (1 - cosine of feature maps): {self.dino.name}"}


def open_judges(base: str, encoders: Encoders = Encoders()) -> Judges:
    """The toybox's own judges for the toybox; for other bases the encoders that are named. DINOv2 and LPIPS only where they are named."""
    if base != "toybox" and not (encoders.clip and encoders.dino):
        raise UserError(
            f"evaluate: the embedded judges know the toybox alone, and this run's base is {base}. Name encoders as folders or hub ids: "
            "--clip openai/clip-vit-base-patch32 --dino facebook/dino-vits16"
        )
    if encoders.lpips and not encoders.lpips.exists():
        raise UserError(f"--lpips {encoders.lpips}: no such file or folder. Give AlexNet's weights and LPIPS's alex.pth, or leave it out for a stand-in.")
    if encoders.aesthetic_head and not encoders.aesthetic_head.is_file():
        raise UserError(f"--aesthetic-head {encoders.aesthetic_head}: no such file. Give a linear head on the CLIP encoder's vectors, such as LAION's, or leave it out.")
    device = device_for()
    clip = load_clip(encoders.clip or EMBEDDED / "clip", device)
    return Judges(
        clip, load_dino(encoders.dino or EMBEDDED / "dino", device=device), load_dino(encoders.dinov2, device=device) if encoders.dinov2 else None,
        load_lpips(encoders.lpips, device) if encoders.lpips else None, aesthetic_head(encoders.aesthetic_head, clip, not encoders.clip),
    )  # fmt: skip


@dataclass(frozen=True)
class References:
    """A subject's photos as the judges see them, [m, d] each."""

    dino: np.ndarray
    clip: np.ndarray
    dinov2: np.ndarray | None = None

    @classmethod
    def of(cls, images: Sequence[Image.Image], judges: Judges) -> References:
        return cls(judges.dino.pictures(images), judges.clip.pictures(images), judges.dinov2.pictures(images) if judges.dinov2 else None)


@dataclass(frozen=True)
class Asked:
    """What a picture was asked for: with the class noun, and as typed. `seed` and `step` tell pictures of one prompt apart."""

    name: str
    class_prompt: str
    prompt: str
    seed: int = 0
    step: int = 0

    @property
    def group(self) -> Hashable:
        return self.class_prompt, self.step


@dataclass(frozen=True)
class Seen:
    """Pictures, what they were asked for, and what the judges see in them."""

    asked: list[Asked]
    dino: np.ndarray
    clip: np.ndarray
    dinov2: np.ndarray | None
    thumbnails: np.ndarray  # metrics.thumbnail of each
    black: np.ndarray  # [n], all pixels 0, as a safety checker leaves them
    constant: np.ndarray  # [n], another colour all over, as broken numbers leave them
    apart: dict[Hashable, float]  # mean perceptual distance over the pairs of a group

    @property
    def class_prompts(self) -> list[str]:
        return [one.class_prompt for one in self.asked]

    def rows(self, wanted: Sequence[int]) -> Seen:
        """Some of the pictures; of a group, all or none."""
        asked = [self.asked[n] for n in wanted]
        groups = {one.group for one in asked}
        of = list(wanted)
        return Seen(
            asked, self.dino[of], self.clip[of], None if self.dinov2 is None else self.dinov2[of], self.thumbnails[of], self.black[of], self.constant[of],
            {group: value for group, value in self.apart.items() if group in groups},
        )  # fmt: skip


def look(asked: Sequence[Asked], pictures: Sequence[Path | Image.Image], judges: Judges, seen: Callable[[int], None] = lambda done: None) -> Seen:
    """Show pictures to the judges. `seen(done)` hears of progress; UserError names a file that cannot be read."""
    keep_freed_memory()
    encoders = {"dino": judges.dino, "clip": judges.clip, **({"dinov2": judges.dinov2} if judges.dinov2 else {})}
    vectors: dict[str, list[Any]] = {name: [] for name in encoders}
    small, black, constant = [], [], []
    spread = Spread([one.group for one in asked])
    for rows, batch in _prepared(pictures, judges):
        for name, encoder in encoders.items():
            if name == "dino" and judges.lpips is None:
                found, maps = encoder.embed_with_maps(batch.pixels[name])
                features = unit_maps(maps)
            else:
                found = encoder.embed(batch.pixels[name])
            vectors[name].append(found)
        spread.add([one.group for one in asked[rows]], judges.lpips.features(batch.pixels["lpips"]) if judges.lpips else features)
        small.append(batch.thumbnails)
        black += batch.black
        constant += batch.constant
        seen(rows.stop)
    known = {name: unit(vectors[name], encoder.width, encoder.name) for name, encoder in encoders.items()}
    return Seen(
        list(asked), known["dino"], known["clip"], known.get("dinov2"), np.concatenate(small or [np.zeros((0, 24, 24, 3))]),
        np.array(black, bool), np.array(constant, bool), spread.means,
    )  # fmt: skip


def seen_of(saved: Sequence[SavedPicture], judges: Judges) -> Seen:
    """Saved pictures as the judges see them."""
    asked = [Asked(p.path.name, p.labels["class_prompt"], p.settings.prompt, p.settings.seed, p.labels.get("checkpoint", 0)) for p in saved]
    return look(asked, [p.path for p in saved], judges)


@dataclass(frozen=True)
class _Prepared:
    pixels: dict[str, Any]
    thumbnails: np.ndarray
    black: list[bool]
    constant: list[bool]


def _prepared(pictures: Sequence[Path | Image.Image], judges: Judges) -> Iterator[tuple[slice, _Prepared]]:
    """Batches that are ready for the networks, one ahead of them. Each picture is read once, and one after the other, since large ones need much memory."""
    encoders = {name: encoder for name, encoder in (("dino", judges.dino), ("clip", judges.clip), ("dinov2", judges.dinov2)) if encoder}
    first_of = {name: next(other for other in encoders if encoders[other].preparation == encoder.preparation) for name, encoder in encoders.items()}
    processors = {name: encoders[name].processor for name in set(first_of.values())}

    def prepare(rows: slice) -> _Prepared:
        made: dict[str, list[np.ndarray]] = {name: [] for name in processors}
        lpips, small, black, constant = [], [], [], []
        for picture in pictures[rows]:
            image = read(picture)
            for name, processor in processors.items():
                made[name].append(prepared(processor, image))
            if judges.lpips:
                lpips.append(judges.lpips.pixels([image]))
            small.append(metrics.shrunk(image))
            blank = metrics.is_blank(image)
            black.append(blank and is_black(image))
            constant.append(blank and not black[-1])
        joined = {name: torch.from_numpy(np.stack(each)) for name, each in made.items()}
        pixels = {name: joined[first].to(encoders[name].model.device) for name, first in first_of.items()} | ({"lpips": torch.cat(lpips)} if lpips else {})
        return _Prepared(pixels, metrics.standardized(np.stack(small)), black, constant)

    parts = [slice(first, min(first + BATCH, len(pictures))) for first in range(0, len(pictures), BATCH)]
    with ThreadPoolExecutor(1) as thread:
        ready = thread.submit(prepare, parts[0]) if parts else None
        for rows, following in zip(parts, [*parts[1:], None]):
            assert ready
            batch = ready.result()
            ready = thread.submit(prepare, following) if following else None
            yield rows, batch


def read(picture: Path | Image.Image) -> Image.Image:
    """A picture, RGB and upright; UserError for a file that is none."""
    if isinstance(picture, Image.Image):
        return picture.convert("RGB")
    try:
        return decode(picture, ENOUGH).image
    except Unreadable as problem:
        raise UserError(f"{picture}: {problem}. Take it out of the folder, or mend it.") from None
