"""Scenes by chance: the distribution that the base and the judges learn, and the combinations kept from them."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import TypedDict

import numpy as np

from .accessories import ACCESSORIES
from .classes import CLASSES
from .contexts import CONTEXTS
from .scene import COLOURS, EMBLEMS, EXPRESSIONS, PATTERNS, SHAPE_PARAMETERS, STYLES, VIEWS, Appearance, Placed, Scene

PLAIN_CONTEXT = "studio"
NEUTRALS = ("white", "grey", "black", "brown")
NAMED_CONTEXTS = tuple(key for key in CONTEXTS if key != PLAIN_CONTEXT)


def held_out(class_noun: str, colour: str, context: str) -> bool:
    """Whether a combination never enters a training set: one in sixteen, so that generalization can be tested."""
    return context != PLAIN_CONTEXT and zlib.crc32(f"{class_noun}/{colour}/{context}".encode()) % 16 == 0


def shows_held_out(scene: Scene) -> bool:
    return any(held_out(o.appearance.class_noun, o.appearance.colour, scene.context) for o in scene.objects)


def random_appearance(rng: np.random.Generator, class_noun: str) -> Appearance:
    colour, second, accent = rng.choice(list(COLOURS), size=3, replace=False)
    pattern = "plain" if rng.random() < 0.5 else rng.choice(PATTERNS[1:])
    emblem = "none" if rng.random() < 0.3 else rng.choice(EMBLEMS[1:])
    return Appearance(
        class_noun, str(colour), str(second), str(accent), str(pattern), str(emblem),
        shape=tuple(rng.random(SHAPE_PARAMETERS).round(3).tolist()),
        tint=tuple(rng.uniform(-1, 1, 3).round(3).tolist()),  # type: ignore[arg-type]
        period=round(float(rng.random()), 3),
        angle=round(float(rng.random()), 3),
    )  # fmt: skip


def random_placement(rng: np.random.Generator, appearance: Appearance, x: float, size: float) -> Placed:
    """Where and how an object stands; what it wears and does is left to the caller."""
    return Placed(
        appearance,
        view=str(rng.choice(VIEWS)),
        mirrored=bool(rng.random() < 0.5),
        x=round(x, 3),
        size=round(size, 3),
        depth=round(float(rng.uniform(0.2, 1.0)), 3),
        tilt=round(float(rng.normal(0, 0.04)), 3),
    )


def calmed(rng: np.random.Generator, scene: Scene) -> Scene:
    """A scene nearer to the middle of the distribution: mostly plain things in one colour and a neutral one, mostly centred and upright.

    What no word says must be decided by the noise. The less of it there is, the sooner a small base draws whole things.
    """
    return replace(scene, objects=tuple(_calmed(rng, placed, len(scene.objects) == 1) for placed in scene.objects))


def _calmed(rng: np.random.Generator, placed: Placed, alone: bool) -> Placed:
    look = placed.appearance
    if rng.random() < 0.6:
        second, accent = rng.choice([c for c in NEUTRALS if c != look.colour], size=2, replace=False)
        look = replace(look, second=str(second), accent=str(accent))
    if rng.random() < 0.5:
        look = replace(look, pattern="plain")
    if rng.random() < 0.5:
        look = replace(look, emblem="none")
    look = replace(look, shape=tuple(round(0.5 + 0.6 * (s - 0.5), 3) for s in look.shape))
    x, size = (0.5 + 0.6 * (placed.x - 0.5), 0.65 + 0.7 * (placed.size - 0.65)) if alone else (placed.x, placed.size)
    return replace(placed, appearance=look, x=round(x, 3), size=round(size, 3), tilt=round(placed.tilt / 2, 3))


class Light(TypedDict):
    light: float
    brightness: float


def random_light(rng: np.random.Generator) -> Light:
    return {"light": round(float(rng.uniform(-1, 1)), 3), "brightness": round(float(rng.uniform(0.72, 1.15)), 3)}


def side_by_side(rng: np.random.Generator, first: Appearance, other: Appearance) -> tuple[Placed, ...]:
    """What is named first stands on the left: words decide it, and no small network has to break a tie by the noise."""
    return tuple(random_placement(rng, a, x + rng.uniform(-0.03, 0.03), rng.uniform(0.42, 0.5)) for a, x in ((first, 0.28), (other, 0.72)))


def random_scene(rng: np.random.Generator, class_noun: str | None = None, pairs: float = 0.1, drawings: float = 0.15) -> Scene:
    """A scene of the world. Held-out combinations and named subjects' neighbours are left to `admissible`.

    pairs, drawings  shares of the scenes that show two things, and of those in another style than a photo's
    """
    noun = class_noun or str(rng.choice(list(CLASSES)))
    context = PLAIN_CONTEXT if rng.random() < 0.12 else str(rng.choice(NAMED_CONTEXTS))
    style = "photo" if rng.random() < 1 - drawings else str(rng.choice(STYLES[1:]))
    first = random_appearance(rng, noun)
    if rng.random() < pairs:
        other = random_appearance(rng, str(rng.choice([n for n in CLASSES if n != noun])))
        objects = side_by_side(rng, first, other)
    else:
        objects = (random_placement(rng, first, 0.5 + rng.uniform(-0.12, 0.12), rng.uniform(0.54, 0.76)),)
    dressed = []
    for placed in objects:
        chance = rng.random()
        if CLASSES[placed.appearance.class_noun].live and chance < 0.4:
            placed = replace(placed, accessory=str(rng.choice(list(ACCESSORIES))))
        elif chance > 0.94:
            placed = replace(placed, edit=str(rng.choice(["shiny", "wet", "cube"])))
        if placed.appearance.class_noun == "person":
            placed = replace(placed, expression=str(rng.choice(EXPRESSIONS)))
        dressed.append(placed)
    return Scene(tuple(dressed), context, style, seed=int(rng.integers(2**31)), **random_light(rng))
