"""What can be asked of pictures where the world knows the truth: who it is, where it is, and what floor and ceiling are.

The ceiling is the true subject in the asked scene, the floor are others of whom the same words are true, in every prompt another one: how alike one look-alike happens to be says little.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np
from PIL import Image

from ..evaluation import metrics
from ..evaluation.statistics import Estimate, share
from ..files.prompts import said
from ..world.captions import article
from ..world.contexts import CONTEXTS
from ..world.drawing import draw
from ..world.random_scenes import NAMED_CONTEXTS
from ..world.scene import Appearance
from ..world.subjects import DISTRACTORS, NamedSubject, distractors, known_prompts, lookalikes, photo_scenes, prompts_for, seed_of
from .looking import Asked, Judges, References, look
from .scoring import photos_against_photos, scores_of

OF_NO_SCENE = ("dino", "dino_max", "dinov2", "clip_i", "clip_i_max", "aesthetic", "named")  # scores that no scene has to be asked for


@dataclass(frozen=True)
class WorldScores:
    """What can be asked of pictures of a toybox subject, since the world knows who it is and what each prompt shows."""

    subject: NamedSubject
    candidates: list[np.ndarray]  # from candidates_for
    judges: Judges

    def __call__(self, seen: np.ndarray, shown: np.ndarray, prompts: list[str]) -> dict[str, Estimate]:
        """Shares of pictures in which the subject is named among others, and in which the asked place is recognized.

        seen, shown  vectors of DINO and CLIP, [n, d]; prompts: with the class noun
        """
        named = metrics.identify(seen, self.candidates) == 0
        noun = self.subject.class_noun
        places = {said(p.template, noun): p.context for p in prompts_for(noun) if p.kind == "recontextualization"}
        asked = [n for n, prompt in enumerate(prompts) if prompt in places]
        found = {"named": share(named, prompts)}
        if asked:
            words = self.judges.texts([f"{article(noun)} {CONTEXTS[place].words}" for place in NAMED_CONTEXTS])
            likest = (shown[asked] @ words.T).argmax(axis=1)
            right = [NAMED_CONTEXTS[place] == places[prompts[n]] for n, place in zip(asked, likest)]
            found["placed"] = share(right, [prompts[n] for n in asked])
        return found


def pair_candidates(subjects: tuple[NamedSubject, NamedSubject], judges: Judges, photos: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """For each of two subjects who it could be: itself, ten others, and the other of the two, or one that is there twice could pass for both."""
    return [[*candidates_for(subject, judges, mine), other] for subject, mine, other in zip(subjects, photos, reversed(photos))]


def candidates_for(subject: NamedSubject, judges: Judges, references: np.ndarray, size: int = 64) -> list[np.ndarray]:
    """The subject's photos first, then those of ten others of its class of whom the same words are true."""
    others = distractors(subject, DISTRACTORS)
    seed = seed_of(f"candidates/{subject.name}")
    return [references, *(judges.dino.pictures(_photographed(other, seed + n, size)) for n, other in enumerate(others))]


def _photographed(appearance: Appearance, seed: int, size: int) -> list[Image.Image]:
    return [draw(scene, size) for scene in photo_scenes(appearance, 5, seed)]


def bounds(world: WorldScores | None, class_prompts: set[str], judges: Judges, references: References, kinds: Mapping[str, str], size: int = 64) -> list[dict[str, Any]]:
    """Floor and ceiling rows, as far as they can be had: of the prompts that the world can draw; if it can draw none, of likeness alone, in scenes of its own."""
    if world is None:
        return photos_against_photos(references)
    rows, subject, known = [], world.subject, _drawable(world, class_prompts)
    asked_for = sorted(known or class_prompts)
    people = {
        "floor: others of whom the same words are true": lookalikes(subject, len(asked_for)),
        "ceiling: the true subject in the asked scenes": [subject.appearance],
    }
    for name, individuals in people.items():
        images, prompts = true_pictures(subject.class_noun, individuals, asked_for, size=size)
        asked = [Asked("", prompt, prompt, n) for n, prompt in enumerate(prompts)]
        scores = scores_of(look(asked, images, judges), judges, references, world, kinds)
        del scores["clip_t"]  # nobody typed these prompts
        rows.append({"name": name, "scores": scores if known else {score: found for score, found in scores.items() if score in OF_NO_SCENE}})
    return rows + photos_against_photos(references, "real pictures: each photo against the others")


def bounds_remarks(world: WorldScores | None, class_prompts: set[str]) -> list[str]:
    """What floor and ceiling are of, where it is not all that was asked for."""
    known = len(_drawable(world, class_prompts)) if world else len(class_prompts)
    if known == len(class_prompts):
        return []
    if not known:
        return ["Floor and ceiling: the world can draw none of these prompts, so they are of likeness alone, in scenes of its own."]
    return [f"Floor and ceiling are of {known} of the {len(class_prompts)} prompts, those that the world can draw; the other rows are of all."]


def _drawable(world: WorldScores, class_prompts: set[str]) -> set[str]:
    return class_prompts & {said(p.template, world.subject.class_noun) for p in known_prompts(world.subject.class_noun)}


def true_pictures(class_noun: str, individuals: Sequence[Appearance], class_prompts: list[str], each: int = 4, size: int = 64) -> tuple[list[Image.Image], list[str]]:
    """What individuals look like in the scenes of the prompts that the world knows; elsewhere in their photos' scenes. Each prompt shows the next of them."""
    known = {said(p.template, class_noun): p for p in known_prompts(class_noun)}
    images, prompts = [], []
    for prompt, appearance in zip(class_prompts, cycle(individuals)):
        for n in range(each):
            seed = seed_of(f"truth/{prompt}/{n}")
            scene = known[prompt].scene(appearance, seed) if prompt in known else photo_scenes(appearance, 1, seed)[0]
            images.append(draw(scene, size))
            prompts.append(prompt)
    return images, prompts
