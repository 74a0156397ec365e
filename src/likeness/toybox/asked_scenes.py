"""The scenes that the check asks about, each with its prompt: combinations that no training set holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from ..world.accessories import ACCESSORIES
from ..world.captions import accessory_words, article, described
from ..world.classes import CLASSES, LIVE_CLASSES
from ..world.contexts import CONTEXTS
from ..world.random_scenes import NAMED_CONTEXTS, held_out, random_appearance, random_light, random_placement, side_by_side
from ..world.scene import COLOURS, Appearance, Scene
from ..world.subjects import near_named
from .individuals import SEED


def held_out_scenes(count: int, seed: int = SEED, nouns: Sequence[str] = tuple(CLASSES)) -> Iterator[tuple[Scene, str]]:
    """Scenes of combinations that no training set holds, and the prompt that says class, colour and context."""
    rng = np.random.default_rng((seed, 0))
    combinations = [(n, c, k) for n in CLASSES for c in COLOURS for k in NAMED_CONTEXTS if n in nouns and held_out(n, c, k)]
    made = 0
    while made < count:
        noun, colour, context = combinations[int(rng.integers(len(combinations)))]
        appearance = plain_look(rng, noun, colour)
        if near_named(appearance) or len({appearance.colour, appearance.second, appearance.accent}) < 3:
            continue
        placed = random_placement(rng, appearance, 0.5 + rng.uniform(-0.1, 0.1), rng.uniform(0.56, 0.74))
        scene = Scene((placed,), context, seed=int(rng.integers(2**31)), **random_light(rng))
        yield scene, f"a photo of {coloured(appearance)} {CONTEXTS[context].words}"
        made += 1


def plain_look(rng: np.random.Generator, noun: str, colour: str) -> Appearance:
    return replace(random_appearance(rng, noun), colour=colour, pattern="plain")


def coloured(look: Appearance) -> str:
    return article(described(look.class_noun, look.colour, look.class_noun))


def dressed_scenes(count: int) -> Iterator[tuple[Scene, str]]:
    """Those of living things, with an accessory that the prompt says too."""
    rng = np.random.default_rng((SEED, 1))
    for scene, _ in held_out_scenes(count, nouns=LIVE_CLASSES):
        placed = replace(scene.objects[0], accessory=str(rng.choice(list(ACCESSORIES))))
        yield replace(scene, objects=(placed,)), f"a photo of {coloured(placed.appearance)} {accessory_words(placed.accessory)} {CONTEXTS[scene.context].words}"


def pair_scenes(count: int) -> Iterator[tuple[Scene, str]]:
    """Two things of two classes side by side, both of colours that no training set shows of them in that place, and the prompt that says both."""
    rng = np.random.default_rng((SEED, 2))
    combinations = {k: [(n, c) for n in CLASSES for c in COLOURS if held_out(n, c, k)] for k in NAMED_CONTEXTS}
    places = [k for k, found in combinations.items() if len({noun for noun, _ in found}) > 1]
    for _ in range(count):
        context = str(rng.choice(places))
        found = combinations[context]
        first = found[int(rng.integers(len(found)))]
        others = [pair for pair in found if pair[0] != first[0]]
        looks = [plain_look(rng, *pair) for pair in (first, others[int(rng.integers(len(others)))])]
        scene = Scene(side_by_side(rng, *looks), context, seed=int(rng.integers(2**31)), **random_light(rng))
        yield scene, f"a photo of {coloured(looks[0])} next to {coloured(looks[1])} {CONTEXTS[context].words}"
