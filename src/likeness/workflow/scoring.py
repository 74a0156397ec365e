"""Scores of pictures, whoever drew them: likeness to the subject, to the prompt, sameness, copies; with intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..evaluation import metrics
from ..evaluation.encoders import CLIP, DINO, EMBEDDED, EncoderError, load_clip, load_dino
from ..evaluation.statistics import Estimate, bootstrap
from ..files.errors import UserError
from ..files.picture import is_black

WorldQuestions = Callable[[np.ndarray, np.ndarray, list[str]], dict[str, Estimate]]  # what can be asked where the truth is known: vectors of DINO and CLIP, prompts


@dataclass(frozen=True)
class Judges:
    """The encoders that pictures are scored with."""

    clip: CLIP
    dino: DINO


def open_judges(base: str, clip: str | None = None, dino: str | None = None) -> Judges:
    """The toybox's own judges for the toybox; for other bases the encoders that are named."""
    if base != "toybox" and not (clip and dino):
        raise UserError(
            f"evaluate: the embedded judges know the toybox alone, and this run's base is {base}. Name encoders as folders or hub ids: "
            "--clip openai/clip-vit-base-patch32 --dino facebook/dino-vits16"
        )
    try:
        return Judges(load_clip(clip or EMBEDDED / "clip"), load_dino(dino or EMBEDDED / "dino"))
    except EncoderError as problem:
        raise UserError(str(problem)) from None


@dataclass(frozen=True)
class References:
    """A subject's photos as the judges see them, [m, d] each."""

    dino: np.ndarray
    clip: np.ndarray

    @classmethod
    def of(cls, images: Sequence[Image.Image], judges: Judges) -> References:
        return cls(judges.dino.pictures(images), judges.clip.pictures(images))


@dataclass(frozen=True)
class Seen:
    """Pictures, what they were asked for, with the class noun and as typed, and what the judges see in them."""

    names: list[str]
    images: list[Image.Image]
    class_prompts: list[str]
    prompts: list[str]
    dino: np.ndarray
    clip: np.ndarray

    @classmethod
    def of(cls, names: list[str], images: list[Image.Image], class_prompts: list[str], prompts: list[str], judges: Judges) -> Seen:
        return cls(names, images, class_prompts, prompts, judges.dino.pictures(images), judges.clip.pictures(images))

    @property
    def blank(self) -> int:
        return sum(map(is_black, self.images))

    def rows(self, wanted: Sequence[int]) -> Seen:
        lists = ([column[n] for n in wanted] for column in (self.names, self.images, self.class_prompts, self.prompts))
        return Seen(*lists, self.dino[wanted], self.clip[wanted])  # type: ignore[arg-type]


def scores_of(seen: Seen, judges: Judges, references: References, world: WorldQuestions | None = None) -> dict[str, Any]:
    """Means with intervals over prompts, of all that can be asked of the pictures."""
    prompts = seen.class_prompts
    scores = {
        "dino": bootstrap(metrics.subject_similarity_mean(seen.dino, references.dino), prompts),
        "dino_max": bootstrap(metrics.subject_similarity_max(seen.dino, references.dino), prompts),
        "clip_i": bootstrap(metrics.subject_similarity_mean(seen.clip, references.clip), prompts),
        "clip_t_class": bootstrap(metrics.prompt_similarity(seen.clip, judges.clip.texts(prompts)), prompts),
        "clip_t": bootstrap(metrics.prompt_similarity(seen.clip, judges.clip.texts(seen.prompts)), prompts),
    }
    if sameness := _sameness(seen.dino, prompts):
        scores["diversity"] = bootstrap(sameness)
    if world:
        scores |= world(seen.dino, seen.clip, prompts)
    return {name: asdict(estimate) for name, estimate in scores.items()}


def copied(seen: Seen, photos: Sequence[tuple[str, Image.Image]]) -> list[str]:
    """A remark that names each picture which is a photo over again."""
    found = metrics.near_copies(seen.images, [image for _, image in photos])
    if not found:
        return []
    named = ", ".join(f"{seen.names[picture]} ({photos[photo][0]})" for picture, photo in found[:8])
    return [f"{len(found)} of {len(seen.images)} pictures are a photo over again, so they show memory and no new scene: {named}{', …' * (len(found) > 8)}."]


def _sameness(vectors: np.ndarray, prompts: list[str]) -> list[float]:
    """Mean pairwise cosine of each prompt's pictures; of prompts with at least two."""
    rows = defaultdict(list)
    for n, prompt in enumerate(prompts):
        rows[prompt].append(n)
    return [metrics.diversity(vectors[r]) for r in rows.values() if len(r) > 1]


def photos_against_photos(references: References) -> list[dict[str, Any]]:
    """The ceiling of photographs: each against the others."""
    if len(references.dino) < 2:
        return []
    scores = {}
    for name, vectors in (("dino", references.dino), ("clip_i", references.clip)):
        each = [float(metrics.subject_similarity_mean(vectors[n : n + 1], np.delete(vectors, n, 0))[0]) for n in range(len(vectors))]
        scores[name] = asdict(bootstrap(each))
    return [{"name": "ceiling: each photo against the others", "scores": scores}]
