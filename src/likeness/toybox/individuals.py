"""How well a judge tells individuals apart, on look-alikes that nothing was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..evaluation import metrics
from ..evaluation.encoders import DINO
from ..evaluation.statistics import Estimate, auc, bootstrap
from ..world.classes import CLASSES
from ..world.drawing import draw
from ..world.random_scenes import NAMED_CONTEXTS, random_appearance
from ..world.subjects import DISTRACTORS, NamedSubject, distractors, photo_scenes
from . import data, models

SEED = 20_261  # of the pictures measured on: no training set has it, and nothing was chosen on them
FAMILIES = 256  # of look-alikes, sixteen pictures each
NAMED = 128  # individuals that are to be named among DISTRACTORS, in four pictures each


@dataclass(frozen=True)
class Family:
    """Cosines between the pictures of four individuals that share all words: of one, of two, and of one to other families of the class."""

    noun: str
    same: np.ndarray
    twins: np.ndarray
    others: np.ndarray  # empty where the class has no other family here


def families(dino: DINO) -> list[Family]:
    """What a judge of individuals sees in look-alikes that nothing was trained on."""
    scenes, people = zip(*(data.judges_scene(SEED, k) for k in range(FAMILIES * data.TWINS * data.PHOTOS)))
    vectors = dino.pictures([draw(s, models.SIZE) for s in scenes])
    people, nouns = np.array(people), np.array([s.objects[0].appearance.class_noun for s in scenes])
    found = []
    for number in range(FAMILIES):
        mine = np.flatnonzero(people // data.TWINS == number)
        noun = str(nouns[mine[0]])
        others = np.flatnonzero((nouns == noun) & (people // data.TWINS != number))
        cosines, same = vectors[mine] @ vectors[mine].T, people[mine][:, None] == people[mine]
        upper = np.triu(np.ones_like(cosines, dtype=bool), 1)
        found.append(Family(noun, cosines[upper & same], cosines[upper & ~same], (vectors[mine] @ vectors[others].T).ravel()))
    return found


def told_apart(found: Sequence[Family]) -> tuple[Estimate, Estimate]:
    """How often one individual in two scenes has a higher cosine than an individual has to another of its class, and to a twin by words: one threshold for all families."""
    compared = [family for family in found if len(family.others)]
    return auc([f.same for f in compared], [f.others for f in compared]), auc([f.same for f in found], [f.twins for f in found])


def named_among_others(dinos: Sequence[DINO]) -> list[Estimate]:
    """For each judge: the share of true pictures in new scenes in which an individual nobody trained on is named among ten others of the same words."""
    rng = np.random.default_rng((SEED, 3))
    right: list[list[float]] = [[] for _ in dinos]
    for n in range(NAMED):
        individual = NamedSubject(f"check {n}", random_appearance(rng, str(rng.choice(list(CLASSES)))), False)
        people = [individual.appearance, *distractors(individual, DISTRACTORS)]
        photos = [[draw(s, models.SIZE) for s in photo_scenes(one, 5, SEED + 100 * n + k)] for k, one in enumerate(people)]
        scenes = photo_scenes(individual.appearance, 4, SEED + 100 * n + 99, tuple(map(str, rng.permutation(NAMED_CONTEXTS)[:4])))
        for hits, dino in zip(right, dinos):
            seen = dino.pictures([draw(s, models.SIZE) for s in scenes])
            hits.append(float((metrics.identify(seen, [dino.pictures(p) for p in photos]) == 0).mean()))
    return [bootstrap(hits) for hits in right]
