"""The grid recipes x subjects x seeds, in which only missing cells run, and one table at its end: a comparison of methods, or a whole benchmark.

Beside the recipes stand other people's pictures, if they are given, and what anything can be measured against: real pictures, and, where the world can
draw them, the truth and look-alikes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..evaluation.statistics import mean_of
from ..files.atomic import write_json
from ..files.errors import UserError
from ..files.run_folder import RunFolder
from ..report.facts import cost_of, training_seconds
from .cells import Cell, helpers, values_of, work
from .foreign import kinds_in, scores_of_theirs, theirs
from .grid import Asked, cells_of, photos_and_noun, prompts_of
from .looking import open_judges
from .photos import gather_all
from .progress import Progress
from .recipe_facts import facts_in_words
from .stack import stage_types

SCORES = ("named", "dino", "dinov2", "clip_i", "placed", "clip_t_class", "clip_t", "diversity", "lpips", "perceptual", "entanglement", "aesthetic")
BY_KIND = ("dino", "clip_i", "clip_t_class")
BOUNDS = {"real": "real pictures", "ceiling": "truth", "floor": "look-alikes"}
COSTS = ("parameters", "bytes", "train_seconds", "picture_seconds", "peak_bytes")
FACTS = ("trains", "several_subjects")


def compare(asked: Asked, parent: Path, progress: Progress, workers: int = 1) -> dict[str, Any]:
    """Run the missing cells and write compare.json beside them: for each recipe what it costs and how it scores, over subjects and seeds.

    workers  processes that share the cells, this one among them
    """
    if bool(asked.encoders.clip) != bool(asked.encoders.dino):
        raise UserError("compare: give both encoders, --clip and --dino, or none for the embedded judges of the toybox.")
    judges = open_judges(asked.base, asked.encoders).names  # or a grid on another base would end at its first score
    cells = cells_of(asked)
    for cell in {(cell.subject, cell.asked.subject.class_photos): cell for cell in cells}.values():  # a folder that is none ends here, not after the subjects before it
        gather_all(cell.asked)
    others = [(subject, theirs(name, path, *photos_and_noun(subject), asked.drawing)) for name, path in asked.folders for subject in asked.subjects]
    prompts = prompts_of(asked)  # before anything is trained: a number that there is not ends here
    lines: dict[str, dict[str, Any]] = {}
    sides: dict[str, int] = {}  # of the runs' copies of a subject's photos: likeness in one table is to the same photos
    with helpers(workers - 1, cells, parent, asked.encoders) as own, progress.task("cells", len(cells) + len(others)) as task:
        began = time.monotonic()

        def done(cell: Cell, run: RunFolder) -> None:
            lines[cell.name] = _line(cell, run)
            sides[cell.subject] = max((photo.image.width for photo in run.photos() if photo.image), default=0)
            task.advance(note=f"{cell.name}, {time.monotonic() - began:.0f} s")

        if cells:
            work(cells, parent, asked.encoders, done, progress.say, own)
        foreign = []
        for subject, other in others:  # called as the cells call it
            foreign.append(_line_of(other.system, subject, scores_of_theirs(other, parent, asked.encoders, sides.get(subject))["rows"], other.class_noun, "pictures"))
            task.advance(note=f"{other.system}, {other.subject}")
    found = [*(lines[cell.name] for cell in cells), *foreign]
    names = dict.fromkeys(line["recipe"] for line in found)
    rows = [_row(name, [line for line in found if line["recipe"] == name]) for name in names]
    drawn = {"benchmark": asked.drawing.benchmark, "pictures": len(asked.drawing.seeds), "prompts": prompts}
    bounds = [row for kind, title in BOUNDS.items() if (row := _bound(kind, title, found))]
    whole = {"base": asked.base, "encoders": judges, **drawn, "cells": found, "rows": rows, "bounds": bounds}
    write_json(parent / "compare.json", whole)
    return whole


def _line(cell: Cell, run: RunFolder) -> dict[str, Any]:
    """What a cell trained, what it cost and what its pictures scored."""
    facts, kept = facts_in_words(run.recipe(stage_types())), run.record().model_dump()
    if any(kept.get(name) != words for name, words in facts.items()):  # a run of before they were kept
        run.update(**facts)
    cost = cost_of(run.path)
    line = _line_of(cell.recipe, cell.subject, (run.scores() or {})["rows"], cell.class_noun, "personalized")
    return line | {
        "seed": cell.seed, "run": run.name, "trains": cost.trains, "parameters": cost.parameters, "bytes": cost.stored, "train_seconds": training_seconds(run.path),
        "peak_bytes": cost.peak_bytes, "sampling": cost.sampling, "picture_seconds": cost.picture_seconds, "several_subjects": cost.several_subjects,
    }  # fmt: skip


def _line_of(recipe: str, subject: str, rows: list[dict[str, Any]], class_noun: str, name: str) -> dict[str, Any]:
    """The scores of a row and of the bounds beside it."""
    by_name = {row["name"]: row["scores"] for row in rows}

    def bound(starts: str) -> dict[str, float]:
        return values_of(next((scores for title, scores in by_name.items() if title.startswith(starts)), {}), SCORES)

    photographs = bound("ceiling: each photo")
    return {
        "recipe": recipe, "subject": subject, "seed": None, **dict.fromkeys((*FACTS, *COSTS)), "sampling": [], "scores": values_of(by_name[name], SCORES),
        "kinds": {kind: values_of(scores, BY_KIND) for kind, scores in kinds_in(rows, name, class_noun).items()},
        "floor": bound("floor"), "ceiling": {} if photographs else bound("ceiling"), "real": photographs or bound("real pictures"),
    }  # fmt: skip


def _row(recipe: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over a recipe's cells; intervals over subjects."""
    row: dict[str, Any] = {"recipe": recipe, "cells": len(lines), "subjects": len({line["subject"] for line in lines})}
    for what in COSTS:
        known = [line[what] for line in lines if line[what] is not None]
        row[what] = sum(known) / len(known) if known else None
    for what in FACTS:
        row[what] = "; ".join(dict.fromkeys(line[what] for line in lines if line[what])) or None
    ways = [way for line in lines for way in line["sampling"]]
    row["sampling"] = [way for n, way in enumerate(ways) if way not in ways[:n]]
    kinds = dict.fromkeys(kind for line in lines for kind in line["kinds"])
    row["kinds"] = {kind: _means(BY_KIND, [(line["kinds"].get(kind, {}), line["subject"]) for line in lines]) for kind in kinds}
    return row | _means(SCORES, [(line["scores"], line["subject"]) for line in lines])


def _bound(kind: str, title: str, lines: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What pictures can be measured against, once for each subject."""
    of_subject = {line["subject"]: line[kind] for line in lines if line[kind]}
    if not of_subject:
        return None
    return {"recipe": title, "subjects": len(of_subject), **_means(SCORES, [(values, subject) for subject, values in of_subject.items()])}


def _means(scores: Sequence[str], values: list[tuple[dict[str, float], str]]) -> dict[str, Any]:
    means = {}
    for score in scores:
        known = [(of[score], subject) for of, subject in values if score in of]
        means[score] = vars(mean_of(score, [value for value, _ in known], [subject for _, subject in known])) if known else None
    return means
