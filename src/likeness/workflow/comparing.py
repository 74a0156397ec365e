"""The grid recipes x subjects x seeds, in which only missing cells run, and one table at its end.

A cell is an ordinary run: train, generate, evaluate. It is found again by its name and its recipe; a cell whose recipe has changed is another cell.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from ..evaluation.options import Encoders
from ..evaluation.statistics import Estimate, bootstrap, paired_difference
from ..files.atomic import write_json
from ..files.errors import UserError, did_you_mean
from ..files.picture import safe_name
from ..files.recipe import Recipe, changed, recipe_from_dict, stages_in
from ..files.run_folder import RunFolder
from ..learning.training import forget_peak
from ..methods import METHODS, packaged_recipes
from ..world.subjects import prompts_for
from .demo import NEW_SCENES
from .evaluating import evaluate
from .fitting import fit, resume
from .generating import checkpoint_of, generate
from .looking import open_judges
from .photos import toybox_subject
from .progress import Progress, Silent
from .recipes import packaged_recipe, recipe_for
from .stack import stage_types

PROMPTS, PICTURES = 10, 2  # of the benchmark's recontextualization prompts, and pictures of each
SCORES = {"named": "named", "dino": "DINO", "placed": "placed", "clip_t_class": "CLIP-T", "diversity": "sameness"}

COSTS = ("parameters", "bytes", "train_seconds", "picture_seconds", "peak_bytes")


@dataclass(frozen=True)
class Cell:
    """One recipe, one subject, one seed."""

    name: str
    recipe: str
    subject: str
    seed: int
    asked: Recipe


def compare(
    recipes: Sequence[str], subjects: Sequence[str], seeds: Sequence[int], parent: Path, progress: Progress, base: str = "toybox",
    clip: str | None = None, dino: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Run the missing cells and write compare.json beside them: for each recipe what it costs and how it scores, over subjects and seeds.

    recipes   methods, with options if wanted (lora:rank=2,alpha=4), packaged recipes, or TOML files with stages
    subjects  toybox:NAME, or FOLDER=class noun
    """
    open_judges(base, Encoders(clip=clip, dino=dino))  # or a grid on another base would end at its first score
    cells = [_cell(recipe, subject, seed, base) for recipe in recipes for subject in subjects for seed in seeds]
    with progress.task("cells", len(cells)) as task:
        lines = []
        for cell in cells:
            began = time.monotonic()
            lines.append(_line(cell, _run(cell, parent, clip, dino)))
            task.advance(note=f"{cell.name}, {time.monotonic() - began:.0f} s")
    rows = [_row(recipe, [line for line in lines if line["recipe"] == _title(recipe)]) for recipe in recipes]
    found = {"base": base, "prompts": PROMPTS, "pictures": PICTURES, "cells": lines, "rows": rows}
    write_json(parent / "compare.json", found)
    return found


def _title(recipe: str) -> str:
    return Path(recipe).stem if recipe.endswith(".toml") else recipe


def _cell(recipe: str, subject: str, seed: int, base: str) -> Cell:
    photos, _, noun = subject.partition("=")
    about = {"photos": photos, "class_noun": noun or None}
    if recipe.endswith(".toml"):
        known = toybox_subject(photos)
        about["class_noun"] = noun or (known.class_noun if known else None)
        asked = recipe_from_dict({"base": base, "seed": seed, "subject": about, "stages": stages_in(Path(recipe))}, stage_types())
    elif recipe in packaged_recipes():
        asked = packaged_recipe(recipe, about, base, seed=seed)
    elif recipe.partition(":")[0] in packaged_recipes():
        raise UserError(f"{recipe}: a recipe of several stages takes no options here. Copy it (likeness recipes {recipe.partition(':')[0]} > mine.toml), change it, and give the file.")
    elif (method := recipe.partition(":")[0]) in METHODS:
        asked = recipe_for(method, _options(recipe), about, base, seed=seed)
    else:
        raise UserError(f"no recipe {recipe!r}: {did_you_mean(recipe, [*METHODS, *packaged_recipes()])}, or give a TOML file.")
    return Cell(safe_name(f"{_title(recipe)}-{Path(photos.removeprefix('toybox:')).stem}-{seed}"), _title(recipe), subject, seed, asked)


def _options(recipe: str) -> dict[str, Any]:
    """ "lora:rank=2,alpha=4" -> {"rank": 2, "alpha": 4}"""
    options = {}
    for part in filter(None, re.split(r",(?![^\[]*\])", recipe.partition(":")[2])):  # a comma in brackets parts a list
        name, equals, value = part.partition("=")
        if not equals:
            raise UserError(f"{recipe}: {part!r} is no option; write it as lora:rank=2,alpha=4.")
        try:
            options[name.strip().replace("-", "_")] = json.loads(value)
        except ValueError:
            options[name.strip().replace("-", "_")] = value
    return options


def _run(cell: Cell, parent: Path, clip: str | None, dino: str | None) -> RunFolder:
    """The cell's run, trained, drawn and scored as far as it is not."""
    run = _found(cell, parent)
    forget_peak()
    if run is None:
        run = fit(cell.asked, parent, Silent(), name=cell.name)
    elif run.record().status != "finished":
        resume(run, Silent())
    if run.scores() is None:
        generate(run, _prompts(cell), range(PICTURES), Silent(), beside_base=False)
        evaluate(run, Silent(), Encoders(clip=clip, dino=dino))
    return run


def _found(cell: Cell, parent: Path) -> RunFolder | None:
    for path in sorted(parent.glob(f"{cell.name}-*/run.json")):
        run = RunFolder.open(path.parent)
        if run.begun and run.holder() is None and not changed(run.recipe(stage_types()), cell.asked):
            return run
    return None


def _prompts(cell: Cell) -> Sequence[str]:
    if toybox_subject(cell.asked.subject.photos) is None:
        return NEW_SCENES
    return [p.template for p in prompts_for(cell.asked.subject.class_noun) if p.kind == "recontextualization"][:PROMPTS]


def _line(cell: Cell, run: RunFolder) -> dict[str, Any]:
    """What a cell cost and what its pictures scored."""
    record: dict[str, Any] = run.record().model_dump()
    rows = {row["name"].partition(":")[0]: row["scores"] for row in (run.scores() or {})["rows"]}
    layers = sorted(checkpoint_of(run).path.glob("*.safetensors"))
    return {
        "recipe": cell.recipe, "subject": cell.subject, "seed": cell.seed, "parameters": sum(map(_numbers, layers)),
        "bytes": sum(path.stat().st_size for path in layers), "train_seconds": record["seconds"], "picture_seconds": record.get("picture_seconds"),
        "peak_bytes": record["peak_bytes"], "scores": _values(rows["personalized"]),
        "floor": _values(rows.get("floor", {})), "ceiling": _values(rows.get("ceiling", {})),
    }  # fmt: skip


def _values(scores: dict[str, Any]) -> dict[str, float]:
    return {name: scores[name]["value"] for name in SCORES if name in scores}


def _numbers(path: Path) -> int:
    with safe_open(path, "pt") as file:
        return sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118


def _row(recipe: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over a recipe's cells; intervals over subjects."""
    people = [line["subject"] for line in lines]
    row: dict[str, Any] = {"recipe": _title(recipe), "cells": len(lines), "subjects": len(set(people))}
    for what in COSTS:
        known = [line[what] for line in lines if line[what] is not None]
        row[what] = sum(known) / len(known) if known else None
    for score in SCORES:
        values = [(line["scores"][score], line["subject"]) for line in lines if score in line["scores"]]
        row[score] = vars(bootstrap([v for v, _ in values], [s for _, s in values])) if values else None
    return row


def table(found: dict[str, Any]) -> str:
    """The rows as text, scores with their intervals over subjects."""
    head = ["recipe", "subjects", "trained", "stored", "train s", "s/picture", "peak GiB", *SCORES.values()]
    body = [head]
    for row in found["rows"]:
        scores = [str(Estimate(**row[score])) if row[score] else "n/a" for score in SCORES]
        seconds = "n/a" if row["picture_seconds"] is None else f"{row['picture_seconds']:.2f}"
        body.append([
            row["recipe"], str(row["subjects"]), f"{row['parameters']:,.0f}", f"{row['bytes'] / 2**20:.2f} MiB", f"{row['train_seconds']:.0f}", seconds,
            f"{row['peak_bytes'] / 2**30:.2f}", *scores,
        ])  # fmt: skip
    widths = [max(len(line[n]) for line in body) for n in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in body]
    return "\n".join([*lines, *_differences(found)])


def _differences(found: dict[str, Any]) -> list[str]:
    """Each recipe against the first, paired on subjects and seeds."""
    by_recipe: dict[str, dict[tuple, dict[str, float]]] = {}
    for line in found["cells"]:
        by_recipe.setdefault(line["recipe"], {})[line["subject"], line["seed"]] = line["scores"]
    first, *others = by_recipe.items()
    said = []
    for name, scores in others:
        for score, title in (("dino", "DINO"), ("clip_t_class", "CLIP-T")):
            shared = [key for key in scores if score in scores[key] and score in first[1].get(key, {})]
            if shared:
                values = ([cells[key][score] for key in shared] for cells in (scores, first[1]))
                difference = paired_difference(*values, groups=[subject for subject, _ in shared], names=(name, first[0]))
                said.append(f"{name} less {first[0]}, {title}: {difference.difference}, {difference.verdict}")
    return said

