"""The pictures that the toybox is trained on, rendered once and kept in shards that a stopped run finds again.

Scene k of a set depends on (seed, set, k) alone, so any number of workers draws the same pictures. The base and
the judges have sets of their own: no judge has seen a picture that the base learned from, nor the reverse.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..world.captions import caption
from ..world.drawing import draw
from ..world.random_scenes import calmed, random_appearance, random_scene
from ..world.scene import Scene
from ..world.subjects import admissible, near_named

SHARD = 1000
CAPTIONS = 3  # phrasings kept of each scene
SETS = {"base": 1, "judges": 2, "check": 3, "examiner": 4, "large": 5, "words": 6}
ALONE = ("base", "large", "words")  # sets of scenes that stand alone; those of the judges of individuals hold individuals
PAIRS, DRAWINGS = 0.25, 0.25  # shares: what the world shows seldom the base would blend, and the judge of words call something else
TWINS = 4  # in the judges' sets: individuals that share all nameable features, drawn PHOTOS times each
PHOTOS = 4
FIELDS = ("class", "colour", "pattern", "context", "accessory", "style", "view", "edit", "expression", "second class")


def truth_of(scene: Scene) -> dict[str, str]:
    """What is true of a scene in the vocabulary of `Caption.names`."""
    first = scene.objects[0]
    a = first.appearance
    return {
        "class": a.class_noun, "colour": a.colour, "pattern": a.pattern, "context": scene.context, "accessory": first.accessory,
        "style": scene.style, "view": first.view, "edit": first.edit, "expression": first.expression,
        "second class": scene.objects[1].appearance.class_noun if len(scene.objects) == 2 else "none",
    }  # fmt: skip


def base_scene(seed: int, k: int, kind: str = "base") -> Scene:
    rng = np.random.default_rng((seed, SETS[kind], k))
    while True:
        scene = random_scene(rng, pairs=PAIRS, drawings=DRAWINGS) if kind == "words" else calmed(rng, random_scene(rng, pairs=PAIRS))
        if admissible(scene):
            return scene


def judges_scene(seed: int, k: int, kind: str = "judges") -> tuple[Scene, int]:
    """Scene k of a judges' set and the number of the individual in it: PHOTOS scenes each, TWINS individuals a family."""
    individual = k // PHOTOS
    family = np.random.default_rng((seed, SETS[kind], 0, individual // TWINS))
    twins = []
    noun = random_scene(family).objects[0].appearance.class_noun
    first = random_appearance(family, noun)
    while len(twins) < TWINS:
        twin = replace(random_appearance(family, noun), colour=first.colour, pattern=first.pattern)
        if not near_named(twin) and len({twin.colour, twin.second, twin.accent}) == 3:
            twins.append(twin)
        elif near_named(replace(twin, emblem="?")):  # the family's words may be a named subject's: try others
            first = random_appearance(family, noun)
            twins.clear()
    appearance = twins[individual % TWINS]
    rng = np.random.default_rng((seed, SETS[kind], 1, k))
    while True:
        scene = random_scene(rng, noun)
        objects = tuple(replace(o, appearance=appearance) if n == 0 else o for n, o in enumerate(scene.objects))
        scene = replace(scene, objects=objects)
        if admissible(scene):
            return scene, individual


@dataclass(frozen=True)
class Pictures:
    """A rendered set: pictures uint8 [n, size, size, 3] (memory-mapped), captions, what they name, what is true."""

    pictures: list[np.ndarray]
    captions: list[list[str]]
    names: list[list[dict[str, str]]]
    truths: list[dict[str, str]]
    individuals: np.ndarray

    def __len__(self) -> int:
        return len(self.captions)

    def take(self, indices: np.ndarray) -> np.ndarray:
        return np.stack([self.pictures[k // SHARD][k % SHARD] for k in indices])


def render(folder: Path, kind: str, count: int, size: int, seed: int, workers: int) -> None:
    """Draw the shards of a set that are missing; `count` is rounded up to whole shards."""
    folder.mkdir(parents=True, exist_ok=True)
    shards = [k for k in range(-(-count // SHARD)) if not (folder / f"{kind}-{k:03d}.json").exists()]
    jobs = [(folder, kind, k, size, seed) for k in shards]
    if not jobs:
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for done, k in enumerate(pool.imap_unordered(_render_shard, jobs), 1):
            print(f"render {kind}: shard {k} drawn, {done} of {len(jobs)}", flush=True)


def _render_shard(job: tuple[Path, str, int, int, int]) -> int:
    folder, kind, shard, size, seed = job
    if hasattr(os, "nice"):
        os.nice(max(0, 10 - os.nice(0)))  # a worker draws many shards
    pictures = np.empty((SHARD, size, size, 3), np.uint8)
    captions, names, truths, individuals = [], [], [], []
    for row in range(SHARD):
        k = shard * SHARD + row
        scene, individual = (base_scene(seed, k, kind), k) if kind in ALONE else judges_scene(seed, k, kind)
        pictures[row] = np.asarray(draw(scene, size))
        rng = np.random.default_rng((seed, SETS[kind], 2, k))
        said = [caption(scene, rng) for _ in range(CAPTIONS)]
        captions.append([c.text for c in said])
        names.append([c.names for c in said])
        truths.append(truth_of(scene))
        individuals.append(individual)
    np.save(folder / f"{kind}-{shard:03d}.npy", pictures)
    facts = {"captions": captions, "names": names, "truths": truths, "individuals": individuals}
    unfinished = folder / f"{kind}-{shard:03d}.json.part"
    unfinished.write_text(json.dumps(facts))
    unfinished.replace(folder / f"{kind}-{shard:03d}.json")
    return shard


def read(folder: Path, kind: str, count: int) -> Pictures:
    pictures, captions, names, truths, individuals = [], [], [], [], []
    for shard in range(-(-count // SHARD)):
        facts = json.loads((folder / f"{kind}-{shard:03d}.json").read_text())
        pictures.append(np.load(folder / f"{kind}-{shard:03d}.npy", mmap_mode="r"))
        captions += facts["captions"]
        names += facts["names"]
        truths += facts["truths"]
        individuals += facts["individuals"]
    return Pictures(pictures, captions, names, truths, np.asarray(individuals))


def caption_labels(names: Iterable[dict[str, str]]) -> tuple[np.ndarray, dict[str, list[str]]]:
    """What captions say as numbers [n, fields]: 0 where a field is not named. And the values that the numbers stand for."""
    rows = list(names)
    values = {f: sorted({r[f] for r in rows if f in r}) for f in FIELDS}
    index = {f: {v: n + 1 for n, v in enumerate(vs)} for f, vs in values.items()}
    return np.array([[index[f].get(r.get(f, ""), 0) for f in FIELDS] for r in rows]), values
