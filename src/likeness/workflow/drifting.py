"""What training did to what it should have left alone: other things, and the class of the subject, drawn before and after from the same noise.

Drift is 1 - cosine to the base's picture. PRES is DreamBooth's (arXiv 2208.12242, section 4.4): how much pictures of the class look like the subject's photos, lower
is better. Realism, where the world can draw the class: the cosine of each picture to the likest of many true ones, as a manifold's neighbours are used
by Kynkäänniemi et al. (arXiv 1904.06991); blurred or broken pictures are near to none. The row of true pictures is its ceiling.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..evaluation import metrics
from ..evaluation.statistics import Estimate, bootstrap, relative_change
from ..files.run_folder import SavedPicture
from ..world.classes import CLASSES
from ..world.drawing import draw
from ..world.random_scenes import random_appearance
from ..world.subjects import photo_scenes, seed_of
from .looking import Asked, Judges, References, Seen, look, seen_of
from .scoring import paired, written

TRUE_PICTURES = 200  # of the class, each of another individual
ASIDE = 40  # of them, to say how near true pictures are to other true ones


def drift_rows(saved: Sequence[SavedPicture], judges: Judges, references: References, toybox_class: str | None) -> list[dict[str, Any]]:
    """Rows of scores for the pictures of a run's drift shelf.

    toybox_class  a class that the world can draw; None where no true pictures can be had
    """
    seen = {(about, kind): seen_of([p for p in saved if p.labels["about"] == about and p.labels["model"] == kind], judges)
            for about in ("unrelated", "class") for kind in ("personalized", "base")}  # fmt: skip
    rows = []
    if moved := _moved(seen["unrelated", "personalized"], seen["unrelated", "base"], judges, by_prompt=True):
        rows.append({"name": "other things", "scores": written(moved)})
    if len(seen["class", "personalized"].asked):
        everything = _true_class(toybox_class, judges) if toybox_class in CLASSES else None
        aside, true = (everything.rows(range(ASIDE)), everything.rows(range(ASIDE, TRUE_PICTURES))) if everything else (None, None)  # as many to be near to, whoever is asked about
        moved = _moved(seen["class", "personalized"], seen["class", "base"], judges, by_prompt=False)
        rows.append({"name": "the class alone", "scores": written({**_of_class(seen["class", "personalized"], judges, references, true), **moved})})
        if len(seen["class", "base"].asked):
            rows.append({"name": "the class alone, by the base", "scores": written(_of_class(seen["class", "base"], judges, references, true))})
        if aside:
            rows.append({"name": "the class alone, true pictures", "scores": written(_of_class(aside, judges, references, true, prompt=False))})
    return rows


def _moved(after: Seen, before: Seen, judges: Judges, by_prompt: bool) -> dict[str, Estimate]:
    mine, theirs = paired(after, before)
    if not mine:
        return {}
    prompts = [after.class_prompts[n] for n in mine]
    groups = prompts if by_prompt else None  # pictures of one prompt from independent noise are observations of their own
    texts = judges.texts(prompts)
    shown, was = (metrics.prompt_similarity(vectors, texts) for vectors in (after.clip[mine], before.clip[theirs]))
    return {
        "drift": bootstrap(metrics.drift(after.dino[mine], before.dino[theirs]), groups), "drift_clip": bootstrap(metrics.drift(after.clip[mine], before.clip[theirs]), groups),
        "clip_t": bootstrap(shown, groups), "clip_t_change": relative_change(shown, was, groups),
    }  # fmt: skip


def _of_class(seen: Seen, judges: Judges, references: References, true: Seen | None, prompt: bool = True) -> dict[str, Estimate]:
    found = {"pres": bootstrap(metrics.subject_similarity_mean(seen.dino, references.dino))}
    if prompt:
        found["clip_t"] = bootstrap(metrics.prompt_similarity(seen.clip, judges.texts(seen.class_prompts)))
    if len(seen.asked) > 1:
        found["diversity"] = Estimate(metrics.diversity(seen.dino), None, None, 1)
        found[judges.distance] = Estimate(next(iter(seen.apart.values())), None, None, 1)
    if true is not None:
        found["realism"] = bootstrap(metrics.subject_similarity_max(seen.dino, true.dino))
    return found


def _true_class(noun: str | None, judges: Judges) -> Seen:
    images = [_portrait(str(noun), n) for n in range(TRUE_PICTURES)]
    asked = [Asked("", str(noun), "", n, step=int(n < ASIDE)) for n in range(TRUE_PICTURES)]
    return look(asked, images, judges)


def _portrait(noun: str, number: int) -> Image.Image:
    """A photograph of some individual of the class, anywhere that photographs are taken."""
    seed = seed_of(f"class/{noun}/{number}")
    rng = np.random.default_rng(seed)
    return draw(photo_scenes(random_appearance(rng, noun), 1 + int(rng.integers(2)), seed)[-1], 64)
