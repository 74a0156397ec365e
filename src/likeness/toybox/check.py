"""How good a base and judges are, on pictures that none of them ever saw: `likeness pretrain --check`.

Real renders stand beside generated pictures, so a judge's own mistakes are not charged to the base.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..evaluation.aesthetic import AestheticHead, load_aesthetic_head
from ..evaluation.encoders import CLIP, DINO
from ..evaluation.loading import EMBEDDED, load_clip, load_dino
from ..evaluation.statistics import Estimate, bootstrap, bootstrap_of, share, wilson
from ..model.base import Base
from ..model.cascade import Upscaler
from ..model.folder import TOYBOX_UPSCALER
from ..model.trajectory import enlarge, sample
from ..world.captions import article
from ..world.contexts import CONTEXTS
from ..world.drawing import draw
from ..world.random_scenes import random_light, random_placement
from ..world.scene import STYLES, Scene
from . import data, models
from .aesthetic_training import spoilt
from .asked_scenes import dressed_scenes, held_out_scenes, pair_scenes, plain_look
from .individuals import SEED, families, named_among_others, told_apart
from .judge_training import UNSEEN
from .questions import QUESTIONS, Answer
from .upscaler_training import LEVEL, STEPS, psnr
from .variety import seed_cast, seed_tint, variety

PICTURES = 512  # that the base draws for each of eight questions
RENDERS = 2048  # that the judges are asked about
ENLARGED = 128  # that the second stage is shown
EACH = 8  # pictures of a prompt, where it is asked how they differ
SAME_PROMPTS = 16  # for which each seed draws


@dataclass(frozen=True)
class Measured:
    """A line of the check: what, its value, and what a good base or judge reaches (None: the figure is to be known, not reached)."""

    what: str
    estimate: Estimate
    bar: tuple[float, float] | None = None  # from, to

    def __str__(self) -> str:
        if self.bar is None:
            return f"{self.what:76} {self.estimate}"
        low, high = self.bar
        wanted = f"{low:g} to {high:g}" if high < np.inf and low > 0 else f"at most {high:g}" if high < np.inf else f"{low:g}"
        return f"{self.what:76} {self.estimate}  bar {wanted}: {self.verdict}"

    @property
    def verdict(self) -> str:
        """Reached or not as far as the whole interval says so, else open; empty without a bar."""
        if self.bar is None:
            return ""
        (low, high), value = self.bar, self.estimate
        least, most = (value.value if end is None else end for end in (value.low, value.high))
        return "reached" if low <= least and most <= high else "NOT reached" if most < low or high < least else "open: the interval holds it"


def at_least(bar: float) -> tuple[float, float]:
    return bar, np.inf


def named(clip: CLIP, pictures: np.ndarray, texts: list[list[str]]) -> np.ndarray:
    """Zero-shot: which of its own texts each picture is nearest to. pictures [n, d]; returns [n] indices."""
    flat = sorted({t for row in texts for t in row})
    known = dict(zip(flat, clip.texts(flat)))
    return np.array([int(np.argmax(np.stack([known[t] for t in row]) @ picture)) for picture, row in zip(pictures, texts)])


def right(clip: CLIP, images: Sequence[Image.Image], question: str, truths: Sequence[Answer]) -> list[bool]:
    """Of which pictures the judge gives the true answer, told all but the last field: a dog's colour among the colours of dogs.

    truths   one for each picture, in the order of the question's fields; of a pair nothing is told, and which of the two is named first makes no difference
    """
    asked, seen = QUESTIONS[question], clip.pictures(images)
    if question == "pair":
        pairs = list(asked.texts)
        given = [tuple(sorted(pairs[n])) for n in named(clip, seen, [list(asked.texts.values())] * len(truths))]
        return [answer == tuple(sorted(truth)) for answer, truth in zip(given, truths)]
    choices = [asked.among(*truth[:-1]) for truth in truths]
    given = [list(c)[n] for c, n in zip(choices, named(clip, seen, [list(c.values()) for c in choices]))]
    return [answer == truth[-1] for answer, truth in zip(given, truths)]


def answered(clip: CLIP, images: Sequence[Image.Image], question: str, truths: Sequence[Answer], prompts: Sequence[str] | None = None) -> Estimate:
    """Share of pictures in which the judge gives the true answer; over prompts that they were drawn for, since pictures of one are right or wrong together."""
    hits = right(clip, images, question, truths)
    return share(hits, prompts) if prompts else wilson(sum(hits), len(hits))


def facts(scenes: Sequence[Scene], question: str) -> list[Answer]:
    return [QUESTIONS[question].answer(data.truth_of(scene)) for scene in scenes]


@torch.no_grad()
def reconstruction(base: Base, images: list[Image.Image]) -> Estimate:
    """Peak signal-to-noise ratio of the VAE in decibels, a picture at a time."""
    return bootstrap([psnr(through(base, image), image) for image in images])


def through(base: Base, image: Image.Image) -> Image.Image:
    """A picture as the autoencoder gives it back."""
    return base.decode(base.moments([image])[0])[0]


@torch.no_grad()
def sharpened(upscaler: Upscaler, small: Sequence[Image.Image], truth: Sequence[Image.Image]) -> Estimate:
    """By how many decibels the second stage brings small pictures nearer to the large truth than bicubic interpolation does, a picture at a time."""
    enlargements = enlarge(upscaler, small, [""] * len(small), range(len(small)), STEPS, 1.0, LEVEL)
    return bootstrap([psnr(large, true) - psnr(image.resize(true.size, Image.Resampling.BICUBIC), true) for large, image, true in zip(enlargements, small, truth)])


def reads_spoiling(head: AestheticHead, clip: CLIP, images: Sequence[Image.Image]) -> Estimate:
    """Correlation of the judge's marks with the true ones, of renders spoilt in the ways that it learned."""
    rng = np.random.default_rng((SEED, 5))
    pictures, marks = zip(*(spoilt(image, rng) for image in images))
    given, true = (each - np.mean(each) for each in (head.scores(clip.pictures(pictures)), np.array(marks)))
    return bootstrap_of(_correlation, [given, true, given * true, given**2, true**2])


def _correlation(given, true, products, given_squared, true_squared):
    """Of means."""
    return (products - given * true) / np.sqrt((given_squared - given**2) * (true_squared - true**2))


Note = Callable[..., None]  # what, estimate, bar


def check(say: Callable[[str], None], made: Mapping[str, Path] = {}, drawn: Callable[[], None] = lambda: None) -> list[Measured]:
    """Measure base, second stage and judges, and say it line by line; some fifty minutes of one CPU core, nearly all of them the base's.

    made   folders that `likeness pretrain` made, by "base", "upscaler" and "judges": what is named is measured, by or with the embedded where something is not. None: the embedded, all
    drawn  told of every picture that the base has drawn, of 8 × PICTURES
    """
    rows: list[Measured] = []

    def note(what: str, estimate: Estimate, bar: tuple[float, float] | None = None) -> None:
        rows.append(Measured(what, estimate, bar))
        say(str(rows[-1]))

    folder = made.get("judges", EMBEDDED)
    clip = load_clip(folder / "clip")
    head = load_aesthetic_head(folder / "aesthetic.safetensors", clip)
    dinos = {"judge of individuals": load_dino(folder / "dino"), "examiner": load_dino(folder / "examiner")}
    base = Base.open(str(made.get("base", "toybox")))
    if "judges" in made or not made:
        check_judges(note, clip, head, dinos)
    if "base" in made or not made:
        check_base(note, base, clip, head, dinos["judge of individuals"], drawn)
    if "upscaler" in made or not made:
        check_upscaler(note, Upscaler(made.get("upscaler", TOYBOX_UPSCALER), "toybox"), base)
    return rows


def check_judges(note: Note, clip: CLIP, head: AestheticHead, dinos: dict[str, DINO]) -> None:
    rng = np.random.default_rng((SEED, 8))
    plain, dressed, pairs = ([scene for scene, _ in of(RENDERS)] for of in (held_out_scenes, dressed_scenes, pair_scenes))
    painted = [replace(s, style=str(style)) for s, style in zip(plain, rng.choice(STYLES, len(plain)))]
    real = [draw(s, models.SIZE) for s in plain]
    for question, bar in (("class", 0.98), ("context", 0.97), ("colour", 0.95)):
        note(f"judge on real renders: {question}", answered(clip, real, question, facts(plain, question)), at_least(bar))
    for question, shown, bar in (("accessory", dressed, at_least(0.95)), ("style", painted, at_least(0.97)), ("pair", pairs, None)):
        note(f"judge on real renders: {question}", answered(clip, [draw(s, models.SIZE) for s in shown], question, facts(shown, question)), bar)
    note("judge of looks: correlation with how much real renders are spoilt", reads_spoiling(head, clip, real))
    note("judge of looks: its marks of real renders, 1 to 10", bootstrap(head.scores(clip.pictures(real))))
    for name, dino in dinos.items():
        found = families(dino)
        sets = {"": found}
        if name == "examiner":
            sets = {", classes it saw": [f for f in found if f.noun not in UNSEEN], f", {', '.join(UNSEEN)}, which it never saw": [f for f in found if f.noun in UNSEEN]}
        for which, kept in sets.items():
            other, twin = told_apart(kept)
            note(f"{name}: same against another of its class, AUC{which}", other, at_least(0.97))
            note(f"{name}: same against a twin by words, AUC{which}", twin)
    for name, estimate in zip(dinos, named_among_others(list(dinos.values()))):
        note(f"{name}: names an individual among ten others of the same words", estimate, at_least(0.90))


def check_base(note: Note, base: Base, clip: CLIP, head: AestheticHead, dino: DINO, drawn: Callable[[], None]) -> None:
    def generated(texts: Sequence[str], seeds: Sequence[int] | None = None, **otherwise: float) -> list[Image.Image]:
        made = []
        for image in sample(base, texts, list(seeds or range(len(texts))), **{**base.advice["sampling"], **otherwise}):
            made.append(image)
            drawn()
        return made

    scenes, prompts = zip(*held_out_scenes(PICTURES))
    note("VAE: dB on renders it never saw", reconstruction(base, [draw(s, models.SIZE) for s in scenes]), at_least(28))
    shown, whole = generated(prompts), np.ones(PICTURES, dtype=bool)
    for question, bar in (("class", 0.95), ("context", 0.95), ("colour", 0.90)):
        hits = right(clip, shown, question, facts(scenes, question))
        whole &= hits
        note(f"base on held-out combinations: {question}", share(hits, prompts), at_least(bar))
    note("base on held-out combinations: all three in one picture", share(whole, prompts))
    note("base on held-out combinations: marks of its pictures by the judge of looks", bootstrap(head.scores(clip.pictures(shown))))
    for question, of, what, bar in (("accessory", dressed_scenes, "accessory", 0.85), ("pair", pair_scenes, "both things of a two-thing prompt", 0.75)):
        held, asked = zip(*of(PICTURES))
        note(f"base on held-out combinations: {what}", answered(clip, generated(asked), question, facts(held, question), asked), at_least(bar))
    plainly = [f"a photo of {' next to '.join(article(o.appearance.class_noun) for o in s.objects)} {CONTEXTS[s.context].words}" for s in held]
    note("base: both things, where no colour is asked", answered(clip, generated(plainly), "pair", facts(held, "pair"), plainly))
    note("base: spread of a prompt's pictures, as a share of the world's", spread_of(dino, generated, PICTURES // EACH), (0.9, 1.1))
    note("base without guidance: spread", spread_of(dino, partial(generated, guidance_scale=1.0), PICTURES // EACH))
    unguided = generated(prompts, guidance_scale=1.0)
    note("base without guidance: class", answered(clip, unguided, "class", facts(scenes, "class"), prompts))
    seeds = PICTURES // SAME_PROMPTS
    alike, lit = by_seed(generated, seeds), by_light(seeds)
    note("base: what the seed decides of the border's colour (intraclass correlation)", seed_cast(alike), (0, 0.1))
    note("real renders where the seed decides the light of all prompts: the same", seed_cast(lit))
    note("base: levels of 255 by which the seed moves that colour beyond brightness", seed_tint(alike), (0, 1))
    note("real renders where the seed decides the light of all prompts: the same levels", seed_tint(lit))


def check_upscaler(note: Note, upscaler: Upscaler, base: Base) -> None:
    truth = [draw(scene, 2 * models.SIZE) for scene, _ in held_out_scenes(ENLARGED)]
    small = [picture.resize((models.SIZE, models.SIZE), Image.Resampling.BOX) for picture in truth]
    note("second stage: dB above bicubic on renders it never saw", sharpened(upscaler, small, truth))
    note("second stage: the same where they passed the base's autoencoder", sharpened(upscaler, [through(base, picture) for picture in small], truth))


Generate = Callable[[list[str], Sequence[int] | None], list[Image.Image]]


def spread_of(dino: DINO, generate: Generate, prompts: int, seed: int = SEED) -> Estimate:
    rng = np.random.default_rng((seed, 4))
    asked = list(held_out_scenes(prompts, seed))
    drawn = generate([prompt for _, prompt in asked for _ in range(EACH)], None)
    real = []
    for scene, _ in asked:
        look = scene.objects[0].appearance
        row = [random_placement(rng, plain_look(rng, look.class_noun, look.colour), 0.5 + rng.uniform(-0.1, 0.1), rng.uniform(0.56, 0.74)) for _ in range(EACH)]
        real.append([draw(Scene((placed,), scene.context, seed=int(rng.integers(2**31)), **random_light(rng)), models.SIZE) for placed in row])
    return variety(dino, [drawn[k * EACH : (k + 1) * EACH] for k in range(prompts)], real)


def by_seed(generate: Generate, seeds: int, seed: int = SEED) -> list[list[Image.Image]]:
    """Pictures of the same prompts from each seed: [seeds][prompts]"""
    prompts = [prompt for _, prompt in held_out_scenes(SAME_PROMPTS, seed)]
    drawn = generate([prompt for _ in range(seeds) for prompt in prompts], [seed for seed in range(seeds) for _ in prompts])
    return [drawn[k * len(prompts) : (k + 1) * len(prompts)] for k in range(seeds)]


def by_light(seeds: int) -> list[list[Image.Image]]:
    """Renders in which a seed decides the light and nothing else: what one noise that gives one light to all prompts would look like."""
    rows = []
    for seed in range(seeds):
        light = random_light(np.random.default_rng((SEED, 6, seed)))
        chance = np.random.default_rng((SEED, 7, seed))
        rows.append([draw(replace(scene, seed=int(chance.integers(2**31)), **light), models.SIZE) for scene, _ in held_out_scenes(SAME_PROMPTS)])
    return rows
