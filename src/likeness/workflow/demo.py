"""The first run: a bundled subject from photos to page; and a toybox's subject drawn in a scene."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from ..files.errors import UserError
from ..files.picture import safe_name, save_picture
from ..files.prompts import said
from ..report.page import write_report
from ..world.drawing import draw
from ..world.subjects import known_prompts, photos_of, seed_of
from .evaluating import evaluate
from .fitting import fit
from .generating import NEW_SCENES, generate
from .photos import TOYBOX, toybox_subject
from .progress import Progress
from .recipes import recipe_for
from .score_table import table


def demo(runs: Path, subject: str, seed: int, progress: Progress) -> Path:
    """Train, generate in four new scenes at twice the base's size, evaluate, write the page; its path."""
    began = time.monotonic()
    named = toybox_subject(TOYBOX + subject)
    assert named
    progress.say(f"The base knows {named.class_noun}s, but not {named.name}: {named.describable} is all that words can say. Now it learns from photos.")
    recipe = recipe_for("dreambooth", {"previews": (50, 100, 200)}, subject={"photos": TOYBOX + subject}, seed=seed)
    run = fit(recipe, runs, progress, name=f"demo-{subject}")
    generate(run, NEW_SCENES, range(4), progress, upscaler="toybox")
    progress.say(table(evaluate(run, progress)))
    page = write_report(run.path)
    progress.say(f"done in {time.monotonic() - began:.0f} s")
    return page


def draw_subject(name: str, templates: Sequence[str], out: Path, size: int, seeds: Sequence[int]) -> list[Path]:
    """A named subject's photos as PNG files, or the truth of the prompts that the world knows."""
    subject = toybox_subject(TOYBOX + name)
    assert subject
    known = {p.template: p for p in known_prompts(subject.class_noun)}
    if unknown := [t for t in templates if t not in known]:
        raise UserError(f"the world cannot draw {unknown[0]!r}. For a {subject.class_noun} it knows: {'; '.join(known)}.")
    scenes = [(f"{name}-{n:02d}", scene) for n, scene in enumerate(photos_of(subject))]
    if templates:
        scenes = [
            (f"{safe_name(said(t, name))}-{seed}", known[t].scene(subject.appearance, seed_of(f"draw/{t}/{seed}"))) for t in templates for seed in seeds
        ]
    paths = []
    for title, scene in scenes:
        save_picture(draw(scene, size), out / f"{title}.png", generated=False)
        paths.append(out / f"{title}.png")
    return paths
