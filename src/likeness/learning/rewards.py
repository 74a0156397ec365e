"""What DDPO maximises: numbers for pictures, by name or from other packages, added with weights.

A reward is a function of pictures and of their prompts (with the class noun in place of the subject's name) that returns one number for each; another
package offers one by an entry point in the group `likeness.rewards`. What rewards is no judge of what it rewarded: a report says so.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
from PIL import Image

from ..evaluation import metrics
from ..evaluation.aesthetic import AestheticHead, aesthetic_head
from ..evaluation.encoders import CLIP, DINO, EncoderError
from ..evaluation.loading import EMBEDDED, load_clip, load_dino
from ..evaluation.statistics import f1
from ..files.errors import UserError, did_you_mean

Reward = Callable[[Sequence[Image.Image], Sequence[str]], Sequence[float] | np.ndarray]
JPEG_QUALITY = 95  # of ddpo-pytorch's rewards
SCORED = {"clip_t": ("clip_t", "clip_t_class"), "subject": ("dino",), "f1": ("dino", "clip_t", "clip_t_class"), "aesthetic": ("aesthetic",)}  # scores that a reward is the teacher of


@dataclass(frozen=True)
class Rewarding:
    """What built-in rewards need: the subject's photos, and encoders as folders or hub ids (none: the embedded judges of the toybox)."""

    photos: Sequence[Image.Image] = ()
    clip_source: str | None = None
    dino_source: str | None = None
    aesthetic_head: Path | None = None
    device: str = "cpu"

    @cached_property
    def clip(self) -> CLIP:
        return self._opened(load_clip, self.clip_source or EMBEDDED / "clip")

    @cached_property
    def dino(self) -> DINO:
        return self._opened(load_dino, self.dino_source or EMBEDDED / "dino")

    @cached_property
    def references(self) -> np.ndarray:
        return self.dino.pictures(self.photos)

    def _opened(self, load: Callable, source: str | Path):
        try:
            return load(source, device=self.device)
        except EncoderError as problem:
            raise UserError(f"rewards: {problem}") from None

    @cached_property
    def head(self) -> AestheticHead:
        try:
            head = aesthetic_head(self.aesthetic_head, self.clip, embedded=not self.clip_source)
        except EncoderError as problem:
            raise UserError(f"rewards: {problem}") from None
        if head is None:
            raise UserError("rewards: aesthetic needs --aesthetic-head, the file of LAION's linear head (sac+logos+ava1-l14-linearMSE), beside --reward-clip, the CLIP it was trained on.")
        return head

    def clip_t(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> np.ndarray:
        """Cosine of picture and prompt."""
        return metrics.prompt_similarity(self.clip.pictures(pictures), self.clip.texts(prompts))

    def subject(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> np.ndarray:
        """Mean cosine to the subject's photos."""
        return metrics.subject_similarity_mean(self.dino.pictures(pictures), self.references)

    def f1(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> np.ndarray:
        """Harmonic mean of the two, picture by picture; 0 where one is not positive."""
        return f1(self.clip_t(pictures, prompts), self.subject(pictures, prompts))

    def compressible(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> np.ndarray:
        """Minus the kilobytes of the picture as JPEG."""
        return -_kilobytes(pictures)

    def incompressible(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> np.ndarray:
        """Kilobytes of the picture as JPEG."""
        return _kilobytes(pictures)

    def aesthetic(self, pictures: Sequence[Image.Image], prompts: Sequence[str]) -> np.ndarray:
        """How good the picture looks, about 1 to 10, by a linear head on CLIP's vectors."""
        return self.head.scores(self.clip.pictures(pictures))


NEEDS = {"clip_t": ("clip",), "subject": ("dino",), "f1": ("clip", "dino"), "aesthetic": ("clip", "head")}  # parts of Rewarding
USUAL = {"clip": "openai/clip-vit-base-patch32", "dino": "facebook/dino-vits16"}
BUILT_IN = ("clip_t", "subject", "f1", "compressible", "incompressible", "aesthetic")


def parse(asked: Sequence[str]) -> list[tuple[str, float]]:
    """("clip_t", "subject:0.5") as names and weights; UserError for a name that nothing offers."""
    known = [*BUILT_IN, *(found.name for found in entry_points(group="likeness.rewards"))]
    parsed = []
    for text in asked:
        name, colon, number = text.partition(":")
        try:
            weight = float(number) if colon else 1.0
            if not math.isfinite(weight):
                raise ValueError
        except ValueError:
            raise UserError(f"rewards: {text!r} must be a name, or a name and a weight such as subject:0.5.") from None
        if name not in known:
            raise UserError(f"rewards: no {name!r}; {did_you_mean(name, known)}")
        parsed.append((name, weight))
    return parsed


def check_rewards(asked: Sequence[str], rewarding: Rewarding, base: str) -> None:
    """Open what the built-in rewards look through, before hours of training; raises UserError where it is not there, or knows another world than `base`."""
    needed = {part for name, _ in parse(asked) for part in NEEDS.get(name, ())}
    missing = [f"--reward-{kind} {usual}" for kind, usual in USUAL.items() if kind in needed and not getattr(rewarding, f"{kind}_source")]
    if base != "toybox" and missing:
        raise UserError(f"rewards: the embedded judges know the toybox alone, and the base is {base}. Name encoders as folders or hub ids: {' '.join(missing)}")
    for part in sorted(needed):
        getattr(rewarding, part)


def reward_of(asked: Sequence[str], rewarding: Rewarding) -> Callable[[Sequence[Image.Image], Sequence[str]], np.ndarray]:
    """The weighted sum of the rewards that are named."""
    offered = {found.name: found for found in entry_points(group="likeness.rewards")}
    parts = [(getattr(rewarding, name) if name in BUILT_IN else offered[name].load(), weight) for name, weight in parse(asked)]

    def reward(pictures: Sequence[Image.Image], prompts: Sequence[str]) -> np.ndarray:
        total = np.zeros(len(pictures))
        for part, weight in parts:
            values = np.asarray(part(pictures, prompts), dtype=np.float64)
            if values.shape != (len(pictures),) or not np.isfinite(values).all():
                raise UserError(f"rewards: a reward must return a finite number for each of {len(pictures)} pictures; this one returned {values!r:.80}")
            total += weight * values
        return total

    return reward


def _kilobytes(pictures: Sequence[Image.Image]) -> np.ndarray:
    sizes = []
    for picture in pictures:
        written = io.BytesIO()
        picture.save(written, "JPEG", quality=JPEG_QUALITY)
        sizes.append(written.tell() / 1000)
    return np.array(sizes)
