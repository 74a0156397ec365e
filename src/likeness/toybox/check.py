"""How good the embedded base and judges are, on pictures that none of them ever saw: `likeness pretrain --check`.

Real renders stand beside generated pictures, so a judge's own mistakes are not charged to the base.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..evaluation.encoders import CLIP, DINO, load_clip, load_dino
from ..evaluation.statistics import Estimate, auc, bootstrap, wilson
from ..model.base import Base
from ..model.trajectory import sample
from ..world.accessories import ACCESSORIES
from ..world.captions import accessory_words, article, described
from ..world.classes import CLASSES, LIVE_CLASSES
from ..world.contexts import CONTEXTS
from ..world.drawing import draw
from ..world.random_scenes import NAMED_CONTEXTS, held_out, random_appearance, random_light, random_placement
from ..world.scene import COLOURS, STYLES, Scene
from ..world.subjects import near_named
from . import data

JUDGES = Path(__file__).parent / "judges"
PICTURES = 512
SEED = 20_260  # of the pictures measured on: no training set has it
BARS = {"VAE, dB": 28.0, "class": 0.95, "context": 0.95, "colour": 0.90}  # what a good base reaches


def held_out_scenes(count: int) -> Iterator[tuple[Scene, str]]:
    """Scenes of combinations that no training set holds, and the prompt that says class, colour and context."""
    rng = np.random.default_rng((SEED, 0))
    combinations = [(n, c, k) for n in CLASSES for c in COLOURS for k in NAMED_CONTEXTS if held_out(n, c, k)]
    made = 0
    while made < count:
        noun, colour, context = combinations[int(rng.integers(len(combinations)))]
        appearance = replace(random_appearance(rng, noun), colour=colour, pattern="plain")
        if near_named(appearance) or len({appearance.colour, appearance.second, appearance.accent}) < 3:
            continue
        placed = random_placement(rng, appearance, 0.5 + rng.uniform(-0.1, 0.1), rng.uniform(0.56, 0.74))
        scene = Scene((placed,), context, seed=int(rng.integers(2**31)), **random_light(rng))
        yield scene, f"a photo of {article(described(noun, colour, noun))} {CONTEXTS[context].words}"
        made += 1


def named(clip: CLIP, pictures: np.ndarray, texts: list[list[str]]) -> np.ndarray:
    """Zero-shot: which of its own texts each picture is nearest to. pictures [n, d]; returns [n] indices."""
    flat = sorted({t for row in texts for t in row})
    known = dict(zip(flat, clip.texts(flat)))
    return np.array([int(np.argmax(np.stack([known[t] for t in row]) @ picture)) for picture, row in zip(pictures, texts)])


def right(clip: CLIP, images: list[Image.Image], scenes: list[Scene]) -> dict[str, Estimate]:
    """Shares of pictures in which the judge sees the scene's class, context and colour."""
    seen = clip.pictures(images)
    nouns, colours, contexts = list(CLASSES), list(COLOURS), list(NAMED_CONTEXTS)
    facts = [(s.objects[0].appearance.class_noun, s.objects[0].appearance.colour, s.context) for s in scenes]
    asked = {
        "class": ([[f"a photo of {article(n)}" for n in nouns]] * len(facts), [nouns.index(n) for n, _, _ in facts]),
        "context": ([[f"{article(n)} {CONTEXTS[c].words}" for c in contexts] for n, _, _ in facts], [contexts.index(c) for _, _, c in facts]),
        "colour": ([[f"a photo of {article(described(n, c, n))}" for c in colours] for n, _, _ in facts], [colours.index(c) for _, c, _ in facts]),
    }
    return {what: wilson(int((named(clip, seen, texts) == truth).sum()), len(facts)) for what, (texts, truth) in asked.items()}


def worn(clip: CLIP, images: list[Image.Image], nouns: list[str], truth: list[str]) -> Estimate:
    """Share of pictures in which the judge names the accessory."""
    words = list(ACCESSORIES)
    answers = named(clip, clip.pictures(images), [[f"{article(n)} {accessory_words(w)}" for w in words] for n in nouns])
    return wilson(int((answers == [words.index(w) for w in truth]).sum()), len(truth))


def styled(clip: CLIP, images: list[Image.Image], truth: list[str]) -> Estimate:
    """Share of pictures in which the judge names the style."""
    texts = ["a photo of {}", "a watercolour painting of {}", "a pencil drawing of {}", "pixel art of {}", "an oil painting of {}"]
    answers = named(clip, clip.pictures(images), [[t.format("something") for t in texts]] * len(images))
    return wilson(int((answers == [STYLES.index(s) for s in truth]).sum()), len(truth))


def same_or_other(dino: DINO) -> dict[str, Estimate]:
    """AUC of cosines: the same individual in two scenes against another of its class, and against a twin by words."""
    scenes, people = zip(*(data.judges_scene(SEED, k) for k in range(PICTURES)))
    vectors = dino.pictures([draw(s, 64) for s in scenes])
    cosines, people = vectors @ vectors.T, np.array(people)
    nouns = np.array([s.objects[0].appearance.class_noun for s in scenes])
    upper = np.triu(np.ones_like(cosines, dtype=bool), 1)
    same = upper & (people[:, None] == people)
    twins = upper & ~same & (people[:, None] // data.TWINS == people // data.TWINS)
    others = upper & ~same & ~twins & (nouns[:, None] == nouns)
    return {
        "same individual against another of its class, AUC": auc(cosines[same], cosines[others]),
        "same individual against a twin by words, AUC": auc(cosines[same], cosines[twins]),
    }


@torch.no_grad()
def reconstruction(base: Base, images: list[Image.Image]) -> Estimate:
    """Peak signal-to-noise ratio of the VAE in decibels, a picture at a time."""
    ratios = []
    for image in images:
        mean, _ = base.moments([image])
        error = np.asarray(base.decode(mean)[0], np.float64) - np.asarray(image, np.float64)
        ratios.append(10 * np.log10(255**2 / np.square(error).mean()))
    return bootstrap(ratios)


def check(say: Callable[[str], None], pictures: int = PICTURES) -> dict[str, Estimate]:
    """Measure everything and say it line by line; about ten minutes on two CPU cores."""
    base, clip, dino = Base.open("toybox"), load_clip(JUDGES / "clip"), load_dino(JUDGES / "dino")
    rows: dict[str, Estimate] = {}

    def note(what: str, estimate: Estimate, bar: float | None = None) -> None:
        rows[what] = estimate
        say(f"{what:72} {estimate}" + (f"  bar {bar}" if bar else ""))

    scenes, prompts = (list(column) for column in zip(*held_out_scenes(pictures)))
    real = [draw(s, base.resolution) for s in scenes]
    note("VAE: dB on renders it never saw", reconstruction(base, real), BARS["VAE, dB"])
    for what, estimate in right(clip, real, scenes).items():
        note(f"judge on real renders: {what}", estimate)
    rng = np.random.default_rng((SEED, 1))
    dressed = [replace(s, objects=(replace(s.objects[0], accessory=str(a)),)) for s, a in zip(scenes, rng.choice(list(ACCESSORIES), len(scenes)))]
    dressed = [s for s in dressed if s.objects[0].appearance.class_noun in LIVE_CLASSES]
    nouns, accessories = [s.objects[0].appearance.class_noun for s in dressed], [s.objects[0].accessory for s in dressed]
    note("judge on real renders: accessory", worn(clip, [draw(s, 64) for s in dressed], nouns, accessories))
    painted = [replace(s, style=str(style)) for s, style in zip(scenes, rng.choice(STYLES, len(scenes)))]
    note("judge on real renders: style", styled(clip, [draw(s, 64) for s in painted], [s.style for s in painted]))
    for what, estimate in same_or_other(dino).items():
        note(f"judge on real renders: {what}", estimate)
    steps, guidance = base.advice["sampling"]["steps"], base.advice["sampling"]["guidance_scale"]
    drawn = list(sample(base, prompts, list(range(len(prompts))), steps, guidance))
    for what, estimate in right(clip, drawn, scenes).items():
        note(f"base on held-out combinations: {what}", estimate, BARS[what])
    asked = [f"a photo of {article(n)} {accessory_words(a)}" for n, a in zip(nouns, accessories)]
    note("base: accessory", worn(clip, list(sample(base, asked, list(range(len(asked))), steps, guidance)), nouns, accessories))
    return rows
