"""Which pictures stand beside each other: base and personalized, one prompt over the checkpoints, one prompt by several runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from likeness.evaluation.metrics import near_copies, thumbnail
from likeness.report.embedding import opened
from likeness.report.reading import Drawn, Preview, Run

MOST_PHOTOS, MOST_PROMPTS, MOST_SEEDS, MOST_STEPS, MOST_COPIES = 12, 30, 4, 12, 24


@dataclass(frozen=True)
class PromptRow:
    """The pictures of one prompt, of the base and of the personalized model, by seed."""

    prompt: str
    base_prompt: str
    base: list[Drawn]
    personalized: list[Drawn]


@dataclass(frozen=True)
class StepRow:
    """One prompt and seed, by the checkpoints of a run; None where one did not draw it."""

    prompt: str
    seed: int
    pictures: list[Drawn | None]


@dataclass(frozen=True)
class RunsRow:
    """One class prompt and seed, of the base and by run; None where one did not draw it."""

    prompt: str
    seed: int
    base: Drawn | None
    pictures: list[Drawn | None]


def prompt_rows(drawn: Sequence[Drawn]) -> list[PromptRow]:
    """Base and personalized pictures side by side where they share the class prompt; the last checkpoint speaks."""
    last = last_checkpoint(drawn)
    rows = []
    for class_prompt in dict.fromkeys(picture.class_prompt for picture in drawn):
        same = [picture for picture in drawn if picture.class_prompt == class_prompt]
        personalized = [picture for picture in same if picture.personalized and picture.checkpoint == last]
        base = [picture for picture in same if not picture.personalized]
        if base or personalized:
            prompt = (personalized or base)[0].prompt
            rows.append(PromptRow(prompt, base[0].prompt if base else prompt, _by_seed(base), _by_seed(personalized)))
    return rows


def step_rows(drawn: Sequence[Drawn], most: int) -> tuple[list[int], list[StepRow]]:
    """The checkpoints and, for each prompt, its lowest seed by checkpoint; nothing where no prompt was drawn by two.

    most  rows; prompts that more checkpoints drew come first
    """
    own = [picture for picture in drawn if picture.personalized]
    steps = evenly(sorted({picture.checkpoint for picture in own}))
    found: dict[tuple[str, int], dict[int, Drawn]] = {}
    for picture in own:
        found.setdefault((picture.prompt, picture.seed), {}).setdefault(picture.checkpoint, picture)
    rows: dict[str, StepRow] = {}
    for (prompt, seed), by_step in sorted(found.items(), key=lambda item: (-len(item[1]), item[0][1])):
        rows.setdefault(prompt, StepRow(prompt, seed, [by_step.get(step) for step in steps]))
    shared = [row for row in rows.values() if sum(picture is not None for picture in row.pictures) > 1][:most]
    return (steps, shared) if shared else ([], [])


def runs_rows(runs: Sequence[Run], most_prompts: int, most_seeds: int) -> list[RunsRow]:
    """For each class prompt and seed the base's picture and each run's, of its last checkpoint; what more runs and the base drew comes first."""
    last = [last_checkpoint(run.drawn) for run in runs]
    base = {(p.class_prompt, p.seed): p for run in reversed(runs) for p in run.drawn if not p.personalized}
    own = [{(p.class_prompt, p.seed): p for p in run.drawn if p.personalized and p.checkpoint == step} for run, step in zip(runs, last)]
    count = {key: sum(key in pictures for pictures in own) for pictures in own for key in pictures}
    order = {prompt: place for place, prompt in enumerate(dict.fromkeys(prompt for prompt, _ in count))}
    rows: dict[str, list[RunsRow]] = {}
    for prompt, seed in sorted(count, key=lambda key: (-count[key], key not in base, order[key[0]], key[1])):
        rows.setdefault(prompt, []).append(RunsRow(prompt, seed, base.get((prompt, seed)), [pictures.get((prompt, seed)) for pictures in own]))
    return [row for same in list(rows.values())[:most_prompts] for row in same[:most_seeds]]


def preview_steps(previews: Sequence[Preview]) -> dict[int, list[Preview]]:
    """Up to MOST_STEPS steps, evenly over the run with both ends, each with its first pictures."""
    steps = evenly(sorted({preview.step for preview in previews}))
    of_step = {step: [preview for preview in previews if preview.step == step] for step in steps}
    return {step: sorted(found, key=lambda preview: preview.index)[:MOST_SEEDS] for step, found in of_step.items()}


def copies_of(run: Run) -> list[tuple[Drawn, Path]]:
    """All pictures of the last checkpoint that are a photo over again, each with that photo; a page shows MOST_COPIES of them."""
    last = last_checkpoint(run.drawn)
    own = [(one, thumbnail(image)) for one in run.drawn if one.personalized and one.checkpoint == last and (image := opened(one.path))]
    photos = [(path, thumbnail(image)) for path in run.photos if (image := opened(path))]
    found = near_copies(np.array([small for _, small in own]), np.array([small for _, small in photos]))
    return [(own[picture][0], photos[photo][0]) for picture, photo in found]


def last_checkpoint(drawn: Sequence[Drawn]) -> int:
    return max((picture.checkpoint for picture in drawn if picture.personalized), default=0)


def evenly(steps: list[int]) -> list[int]:
    """At most MOST_STEPS of them, with both ends."""
    if len(steps) <= MOST_STEPS:
        return steps
    return [steps[round(i * (len(steps) - 1) / (MOST_STEPS - 1))] for i in range(MOST_STEPS)]


def _by_seed(drawn: list[Drawn]) -> list[Drawn]:
    return sorted(drawn, key=lambda picture: picture.seed)[:MOST_SEEDS]
