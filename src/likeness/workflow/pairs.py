"""Pictures of two toybox subjects together: are both there, and is each itself?

Two objects stand side by side, so in each half of a picture the judge is asked who it is: one subject, the other, or one of ten others of whom the
same words are true. Truth and floor are asked in the same way: both subjects as the world draws them, and two others of the same words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import cycle
from typing import Any

import numpy as np
from PIL import Image

from ..evaluation import metrics
from ..evaluation.encoders import DINO
from ..evaluation.statistics import share
from ..world.contexts import CONTEXTS
from ..world.drawing import draw
from ..world.random_scenes import PLAIN_CONTEXT
from ..world.scene import Appearance
from ..world.subjects import NamedSubject, lookalikes, pair_scene, seed_of

SIDE, TOP = 0.6, 0.3  # of the square that is looked at in each half, and where it begins: shares of the picture
TRUE_PICTURES = 4  # of each prompt


def pair_rows(
    shown: dict[str, tuple[list[Image.Image], list[str]]], subjects: tuple[NamedSubject, NamedSubject], candidates: Sequence[list[np.ndarray]], dino: DINO
) -> list[dict[str, Any]]:  # fmt: skip
    """Rows of scores: the pictures of each kind, then floor and ceiling for the prompts' places.

    shown       of each kind the pictures and the prompt of each
    candidates  of each subject: vectors of its photos, then those of others; see pair_candidates
    """
    first, second = subjects
    asked = sorted({prompt for _, prompts in shown.values() for prompt in prompts})
    others = [lookalikes(subject, len(asked)) for subject in subjects]
    of_true = [prompt for prompt in asked for _ in range(TRUE_PICTURES)]
    sets = {f"{kind}, both subjects": of for kind, of in shown.items()}
    sets["floor: two others of the same words"] = _drawn(others[0], others[1], asked), of_true
    sets["ceiling: both true subjects"] = _drawn([first.appearance], [second.appearance], asked), of_true
    return [{"name": name, "scores": _scores(pictures, prompts, candidates, dino)} for name, (pictures, prompts) in sets.items() if pictures]


def present(pictures: Sequence[Image.Image], candidates: Sequence[list[np.ndarray]], dino: DINO) -> np.ndarray:
    """Which half shows which subject: [pictures, halves, subjects], true where it is likelier than all others of its class."""
    seen = dino.pictures([half for picture in pictures for half in halves(picture)])
    return np.stack([metrics.identify(seen, each) == 0 for each in candidates], axis=-1).reshape(len(pictures), 2, len(candidates))


def halves(picture: Image.Image) -> tuple[Image.Image, Image.Image]:
    side, top = round(SIDE * picture.width), round(TOP * picture.height)
    places = ((0, top), (picture.width - side, top))
    left, right = (picture.crop((x, y, x + side, y + side)).resize(picture.size, Image.Resampling.BICUBIC) for x, y in places)
    return left, right


def _scores(pictures: Sequence[Image.Image], prompts: Sequence[str], candidates: Sequence[list[np.ndarray]], dino: DINO) -> dict[str, Any]:
    found = present(pictures, candidates, dino)
    both = (found[:, 0, 0] & found[:, 1, 1]) | (found[:, 0, 1] & found[:, 1, 0])
    counts = {"both": both, "first": found[:, :, 0].any(1), "second": found[:, :, 1].any(1)}
    return {name: asdict(share(yes, prompts)) for name, yes in counts.items()}


def _drawn(firsts: Sequence[Appearance], seconds: Sequence[Appearance], prompts: Sequence[str]) -> list[Image.Image]:
    """Each prompt shows the next of the first ones and of the second ones."""
    pictures = []
    for prompt, first, second in zip(prompts, cycle(firsts), cycle(seconds)):
        place = next((name for name, context in CONTEXTS.items() if context.words in prompt), PLAIN_CONTEXT)
        pictures += [draw(pair_scene(first, second, place, seed_of(f"pair/{prompt}/{n}")), 64) for n in range(TRUE_PICTURES)]
    return pictures
