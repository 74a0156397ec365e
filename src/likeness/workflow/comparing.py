"""The grid recipes x subjects x seeds, in which only missing cells run, and one table at its end: a comparison of methods, or a whole benchmark.

Beside the recipes stand other people's pictures, if they are given, and what anything can be measured against: real pictures, and, where the world can
draw them, the truth and look-alikes.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from ..evaluation.benchmark import DREAMBENCH_SUBJECTS
from ..evaluation.options import Encoders
from ..evaluation.statistics import Estimate, bootstrap, paired_difference
from ..files.atomic import write_json
from ..files.errors import UserError, did_you_mean
from ..files.picture import safe_name
from ..files.prompts import said
from ..files.recipe import continued_in, recipe_from_dict, stages_in
from ..files.run_folder import RunFolder
from ..methods import METHODS, packaged_recipes, packaged_sweeps
from ..world.subjects import OPEN_SUBJECTS, SUBJECTS
from .cells import Cell, Drawing, helpers, values_of, work
from .foreign import kinds_in, scores_of_theirs, theirs
from .generating import checkpoint_of
from .looking import open_judges
from .photos import toybox_subject
from .progress import Progress
from .recipes import expanded, packaged_continuations, packaged_recipe, recipe_for
from .score_table import aligned
from .stack import stage_types

SCORES = {
    "named": "named", "dino": "DINO", "dinov2": "DINOv2", "clip_i": "CLIP-I", "placed": "placed", "clip_t_class": "CLIP-T", "clip_t": "CLIP-T as typed", "diversity": "sameness",
    "lpips": "LPIPS", "perceptual": "variety (stand-in)", "entanglement": "entangled", "aesthetic": "aesthetic",
}  # fmt: skip
BY_KIND = {"dino": "DINO", "clip_i": "CLIP-I", "clip_t_class": "CLIP-T"}
BOUNDS = {"real": "real pictures", "ceiling": "truth", "floor": "look-alikes"}
COSTS = ("parameters", "bytes", "train_seconds", "picture_seconds", "peak_bytes")


@dataclass(frozen=True)
class Asked:
    """A grid: recipes (methods, with options if wanted: lora:rank=2,alpha=4; packaged recipes and sweeps; TOML files of either), subjects (toybox:NAME, or FOLDER=class noun) and seeds."""

    recipes: Sequence[str]
    subjects: Sequence[str]
    seeds: Sequence[int] = (0,)
    base: str = "toybox"
    drawing: Drawing = Drawing()
    encoders: Encoders = Encoders()
    folders: Sequence[tuple[str, Path]] = ()  # other people's pictures: a name, and a folder with one for each subject


def compare(asked: Asked, parent: Path, progress: Progress, workers: int = 1) -> dict[str, Any]:
    """Run the missing cells and write compare.json beside them: for each recipe what it costs and how it scores, over subjects and seeds.

    workers  processes that share the cells, this one among them
    """
    if bool(asked.encoders.clip) != bool(asked.encoders.dino):
        raise UserError("compare: give both encoders, --clip and --dino, or none for the embedded judges of the toybox.")
    judges = open_judges(asked.base, asked.encoders).names  # or a grid on another base would end at its first score
    cells = [_cell(recipe, subject, seed, asked, settings) for recipe, settings in expanded(asked.recipes).items() for subject in asked.subjects for seed in asked.seeds]
    others = [theirs(name, path, *_photos_and_noun(subject), asked.drawing) for name, path in asked.folders for subject in asked.subjects]
    prompts = _prompts(asked)  # before anything is trained: a number that there is not ends here
    lines: dict[str, dict[str, Any]] = {}
    with helpers(workers - 1, cells, parent, asked.encoders), progress.task("cells", len(cells) + len(others)) as task:
        began = time.monotonic()

        def done(cell: Cell, run: RunFolder) -> None:
            lines[cell.name] = _line(cell, run)
            task.advance(note=f"{cell.name}, {time.monotonic() - began:.0f} s")

        if cells:
            work(cells, parent, asked.encoders, done)
        foreign = []
        for other in others:
            foreign.append(_line_of(other.system, other.subject, scores_of_theirs(other, parent, asked.encoders)["rows"], other.class_noun, "pictures"))
            task.advance(note=f"{other.system}, {other.subject}")
    found = [*(lines[cell.name] for cell in cells), *foreign]
    names = dict.fromkeys(line["recipe"] for line in found)
    rows = [_row(name, [line for line in found if line["recipe"] == name]) for name in names]
    drawn = {"benchmark": asked.drawing.benchmark, "pictures": len(asked.drawing.seeds), "prompts": prompts}
    bounds = [row for kind, title in BOUNDS.items() if (row := _bound(kind, title, found))]
    whole = {"base": asked.base, "encoders": judges, **drawn, "cells": found, "rows": rows, "bounds": bounds}
    write_json(parent / "compare.json", whole)
    return whole


def subjects_of(benchmark: str | None, named: str, data: Path | None, held_out: bool) -> list[str]:
    """Subjects as a grid wants them, from "all" or their names: of a local copy of DreamBench's folder, or of the toybox."""
    if benchmark == "dreambench" and data is None:
        raise UserError("--benchmark dreambench: needs --data, a local copy of the folder with a folder of photos for each subject (github.com/google/dreambooth, dataset).")
    if data is not None:
        there = {name: noun for name, noun in DREAMBENCH_SUBJECTS.items() if (data / name).is_dir()}
        if not there:
            raise UserError(f"--data {data}: holds none of DreamBench's folders ({', '.join(list(DREAMBENCH_SUBJECTS)[:3])}, …).")
        chosen = list(there) if named == "all" else named.split(",")
        if missing := [name for name in chosen if name not in there]:
            raise UserError(f"--subjects {missing[0]}: is not in {data}; {did_you_mean(missing[0], there)}.")
        return [f"{data / name}={there[name]}" for name in chosen]
    if named == "all":
        return [f"toybox:{s.name}" for s in (SUBJECTS.values() if held_out else OPEN_SUBJECTS)]
    chosen = [f"toybox:{name}" if name in SUBJECTS else name for name in named.split(",")]
    kept = [toy.name for name in chosen if benchmark and (toy := toybox_subject(name.partition("=")[0])) and toy.held_out]
    if kept and not held_out:
        raise UserError(f"--subjects {kept[0]}: is held out for a last measurement. Add --held-out if this is it.")
    return chosen


def _prompts(asked: Asked) -> dict[str, list[str]]:
    """What each subject's pictures were asked for, in the order of the numbers."""
    found = {}
    for subject in asked.subjects:
        photos, noun = _photos_and_noun(subject)
        found[subject] = [said(template, noun) for template in asked.drawing.templates(noun, toybox_subject(photos) is not None)]
    return found


def _photos_and_noun(subject: str) -> tuple[str, str]:
    photos, _, noun = subject.partition("=")
    known = toybox_subject(photos)
    if not noun and known is None:
        raise UserError(f"--subjects {subject}: what is it? Write {subject}=dog, with its class noun.")
    return photos, noun or (known.class_noun if known else "")


def _title(recipe: str) -> str:
    return Path(recipe).stem if recipe.endswith(".toml") else recipe


def _cell(recipe: str, subject: str, seed: int, grid: Asked, settings: Mapping[str, Any]) -> Cell:
    photos, noun = _photos_and_noun(subject)
    about: dict[str, Any] = {"photos": photos, "class_noun": noun}
    continued: list[dict[str, Any]] = []
    if recipe.endswith(".toml"):
        asked = recipe_from_dict({"base": grid.base, "seed": seed, "subject": about, "stages": stages_in(Path(recipe))}, stage_types())
        continued = continued_in(Path(recipe))
    elif recipe in packaged_recipes():
        asked, continued = packaged_recipe(recipe, about, grid.base, seed=seed), packaged_continuations(recipe, grid.base)
    elif recipe.partition(":")[0] in packaged_recipes():
        raise UserError(f"{recipe}: a recipe of several stages takes no options here. Copy it (likeness recipes {recipe.partition(':')[0]} > mine.toml), change it, and give the file.")
    elif (method := recipe.partition(":")[0]) in METHODS:
        asked = recipe_for(method, _options(recipe), about, grid.base, settings, seed=seed)
    else:
        raise UserError(f"no recipe {recipe!r}: {did_you_mean(recipe, [*METHODS, *packaged_recipes(), *packaged_sweeps()])}, or give a TOML file.")
    name = safe_name(f"{_title(recipe)}-{Path(photos.removeprefix('toybox:')).stem}-{seed}")
    return Cell(name, _title(recipe), subject, seed, asked, grid.drawing, tuple(continued))


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


def _line(cell: Cell, run: RunFolder) -> dict[str, Any]:
    """What a cell cost and what its pictures scored."""
    record: dict[str, Any] = run.record().model_dump()
    layers = sorted(checkpoint_of(run).path.glob("*.safetensors"))
    line = _line_of(cell.recipe, cell.subject, (run.scores() or {})["rows"], cell.class_noun, "personalized")
    return line | {
        "seed": cell.seed, "run": run.name, "parameters": sum(map(_numbers, layers)), "bytes": sum(path.stat().st_size for path in layers),
        "train_seconds": record["seconds"], "picture_seconds": record.get("picture_seconds"), "peak_bytes": record["peak_bytes"],
    }  # fmt: skip


def _line_of(recipe: str, subject: str, rows: list[dict[str, Any]], class_noun: str, name: str) -> dict[str, Any]:
    """The scores of a row and of the bounds beside it."""
    by_name = {row["name"]: row["scores"] for row in rows}

    def bound(starts: str) -> dict[str, float]:
        return values_of(next((scores for title, scores in by_name.items() if title.startswith(starts)), {}), list(SCORES))

    photographs = bound("ceiling: each photo")
    return {
        "recipe": recipe, "subject": subject, "seed": None, **dict.fromkeys(COSTS), "scores": values_of(by_name[name], list(SCORES)),
        "kinds": {kind: values_of(scores, list(BY_KIND)) for kind, scores in kinds_in(rows, name, class_noun).items()},
        "floor": bound("floor"), "ceiling": {} if photographs else bound("ceiling"), "real": photographs or bound("real pictures"),
    }  # fmt: skip


def _numbers(path: Path) -> int:
    with safe_open(path, "pt") as file:
        return sum(math.prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118


def _row(recipe: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over a recipe's cells; intervals over subjects."""
    row: dict[str, Any] = {"recipe": recipe, "cells": len(lines), "subjects": len({line["subject"] for line in lines})}
    for what in COSTS:
        known = [line[what] for line in lines if line[what] is not None]
        row[what] = sum(known) / len(known) if known else None
    kinds = dict.fromkeys(kind for line in lines for kind in line["kinds"])
    row["kinds"] = {kind: _means(BY_KIND, [(line["kinds"].get(kind, {}), line["subject"]) for line in lines]) for kind in kinds}
    return row | _means(SCORES, [(line["scores"], line["subject"]) for line in lines])


def _bound(kind: str, title: str, lines: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What pictures can be measured against, once for each subject."""
    of_subject = {line["subject"]: line[kind] for line in lines if line[kind]}
    if not of_subject:
        return None
    return {"recipe": title, "subjects": len(of_subject), **_means(SCORES, [(values, subject) for subject, values in of_subject.items()])}


def _means(scores: Sequence[str] | dict[str, str], values: list[tuple[dict[str, float], str]]) -> dict[str, Any]:
    means = {}
    for score in scores:
        known = [(of[score], subject) for of, subject in values if score in of]
        means[score] = vars(bootstrap([value for value, _ in known], [subject for _, subject in known])) if known else None
    return means


def table(found: dict[str, Any]) -> str:
    """The rows as text, scores with their intervals over subjects; then applications, and differences."""
    shown = {score: title for score, title in SCORES.items() if any(row[score] for row in (*found["rows"], *found["bounds"]))}
    body = [["recipe", "subjects", "trained", "stored", "train s", "s/picture", "peak GiB", *shown.values()]]
    for row in (*found["rows"], *found["bounds"]):
        body.append([row["recipe"], str(row["subjects"]), *_costs(row), *(_estimate(row[score]) for score in shown)])
    kinds = [["recipe, application", *BY_KIND.values()]]
    for row in found["rows"]:
        kinds += [[f"{row['recipe']}, {kind}", *(_estimate(of[score]) for score in BY_KIND)] for kind, of in row["kinds"].items()]
    judged = [f"{kind}: {name}" for kind, name in found["encoders"].items()]
    return "\n".join([*aligned(body), *(aligned(kinds) if len(kinds) > 1 else []), *_differences(found), *judged])


def _estimate(estimate: dict[str, Any] | None) -> str:
    return str(Estimate(**estimate)) if estimate else "n/a"


def _costs(row: dict[str, Any]) -> list[str]:
    """Empty where nothing was trained here."""
    if row.get("parameters") is None:
        return [""] * len(COSTS)
    seconds = "n/a" if row["picture_seconds"] is None else f"{row['picture_seconds']:.2f}"
    return [f"{row['parameters']:,.0f}", f"{row['bytes'] / 2**20:.2f} MiB", f"{row['train_seconds']:.0f}", seconds, f"{row['peak_bytes'] / 2**30:.2f}"]


def _differences(found: dict[str, Any]) -> list[str]:
    """Each recipe against the first, paired on subjects and seeds."""
    by_recipe: dict[str, dict[tuple, dict[str, float]]] = {}
    for line in found["cells"]:
        by_recipe.setdefault(line["recipe"], {})[line["subject"], line["seed"]] = line["scores"]
    first, *others = by_recipe.items() or [("", {})]
    said = []
    for name, scores in others:
        for score, title in (("dino", "DINO"), ("clip_t_class", "CLIP-T")):
            shared = [key for key in scores if score in scores[key] and score in first[1].get(key, {})]
            if shared:
                values = ([cells[key][score] for key in shared] for cells in (scores, first[1]))
                difference = paired_difference(*values, groups=[subject for subject, _ in shared], names=(name, first[0]))
                said.append(f"{name} less {first[0]}, {title}: {difference.difference}, {difference.verdict}")
    return said

