"""What a grid was asked for, as its cells: recipes x subjects x seeds."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..evaluation.benchmark import DREAMBENCH_SUBJECTS
from ..evaluation.options import Encoders
from ..files.errors import UserError, did_you_mean
from ..files.picture import safe_name
from ..files.prompts import said
from ..files.recipe import content_of, continued_in, recipe_from_dict, stages_in
from ..files.typed import typed
from ..methods import METHODS, packaged_recipes, packaged_sweeps
from ..world.subjects import OPEN_SUBJECTS, SUBJECTS
from .cells import Cell, Drawing
from .photos import title_of, toybox_subject
from .recipes import expanded, packaged_continuations, packaged_recipe, recipe_for
from .stack import stage_types

LONGEST_NAME = 50  # of a cell; run folders are cut at 60


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


def cells_of(asked: Asked) -> list[Cell]:
    """Every recipe on every subject with every seed; what is asked twice, once. UserError for two cells of one name, which would be one run."""
    recipes, subjects, seeds = expanded(asked.recipes).items(), dict.fromkeys(asked.subjects), dict.fromkeys(asked.seeds)
    cells: dict[str, Cell] = {}
    for cell in (_cell(recipe, subject, seed, asked, settings) for recipe, settings in recipes for subject in subjects for seed in seeds):
        if known := cells.get(cell.name):
            one, other = (known.subject, cell.subject) if known.subject != cell.subject else (known.recipe, cell.recipe)
            raise UserError(f"compare: {one} and {other} would both be called {cell.name}. Rename a folder or file, so that their last names differ.")
        cells[cell.name] = cell
    return list(cells.values())


def prompts_of(asked: Asked) -> dict[str, list[str]]:
    """What each subject's pictures were asked for, in the order of the numbers."""
    found = {}
    for subject in asked.subjects:
        photos, noun = photos_and_noun(subject)
        found[subject] = [said(template, noun) for template in asked.drawing.templates(noun, toybox_subject(photos) is not None)]
    return found


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
            raise UserError(f"--subjects {missing[0]}: is not in {data}; {did_you_mean(missing[0], there)}")
        return [f"{data / name}={there[name]}" for name in chosen]
    if named == "all":
        return [f"toybox:{s.name}" for s in (SUBJECTS.values() if held_out else OPEN_SUBJECTS)]
    chosen = [f"toybox:{name}" if name in SUBJECTS else name for name in named.split(",")]
    kept = [toy.name for name in chosen if benchmark and (toy := toybox_subject(name.partition("=")[0])) and toy.held_out]
    if kept and not held_out:
        raise UserError(f"--subjects {kept[0]}: is held out for a last measurement. Add --held-out if this is it.")
    return chosen


def photos_and_noun(subject: str) -> tuple[str, str]:
    photos, _, noun = subject.rpartition("=") if "=" in subject else (subject, "", "")
    known = toybox_subject(photos)
    if not noun and known is None:
        raise UserError(f"--subjects {subject}: what is it? Write {subject}=dog, with its class noun.")
    return photos, noun or (known.class_noun if known else "")


def _cell(recipe: str, subject: str, seed: int, grid: Asked, settings: Mapping[str, Any]) -> Cell:
    photos, noun = photos_and_noun(subject)
    about: dict[str, Any] = {"photos": photos, "class_noun": noun}
    continued: list[dict[str, Any]] = []
    if recipe.endswith(".toml"):
        about |= _of_file(recipe, noun, grid.base)
        own = {key: value for key, value in content_of(Path(recipe)).items() if key in ("resolution", "threads", "settle")}
        asked = recipe_from_dict({**own, "base": grid.base, "seed": seed, "subject": about, "stages": stages_in(Path(recipe))}, stage_types())
        continued = continued_in(Path(recipe))
    elif recipe in packaged_recipes():
        asked, continued = packaged_recipe(recipe, about, grid.base, seed=seed), packaged_continuations(recipe, grid.base)
    elif recipe.partition(":")[0] in packaged_recipes():
        raise UserError(f"{recipe}: a recipe of several stages takes no options here. Copy it (likeness recipes {recipe.partition(':')[0]} --base {typed(grid.base)} > mine.toml), change it, and give the file.")
    elif (method := recipe.partition(":")[0]) in METHODS:
        asked = recipe_for(method, _options(recipe), about, grid.base, settings, seed=seed)
    else:
        raise UserError(f"no recipe {recipe!r}: {did_you_mean(recipe, [*METHODS, *packaged_recipes(), *packaged_sweeps()])} Or give a TOML file.")
    return Cell(_name(f"{_title(recipe)}-{title_of(photos)}-{seed}"), _title(recipe), subject, seed, asked, grid.drawing, tuple(continued))


def _of_file(recipe: str, class_noun: str, base: str) -> dict[str, Any]:
    """What a file says of its subject beside photos and noun, which are the grid's; UserError for what a grid cannot do as the file has it."""
    content = content_of(Path(recipe))
    subject = content.get("subject", {})
    if (own := content.get("base", base)) != base and os.path.realpath(own) != os.path.realpath(base):
        raise UserError(f"{recipe}: is for the base {own}, and this grid's is {base}. Compare on --base {typed(own)}, or write {base} into it, with settings that suit it.")
    if "others" in content:
        raise UserError(f"{recipe}: teaches several subjects together, and a cell of a grid is of one. Leave [[others]] out.")
    if "class_photos" in subject and subject.get("class_noun", class_noun) != class_noun:
        raise UserError(f"{recipe}: its class photos show a {subject['class_noun']}, and this subject is a {class_noun}. Compare it on subjects of its class.")
    return {key: subject[key] for key in ("identifier", "class_photos") if key in subject}


def _name(text: str) -> str:
    """Of a cell's folder: short enough that what is added ("-continued", a time) is never cut off, and its own however long the text, and in whatever script."""
    name = safe_name(text, 200)
    return name if len(name) <= LONGEST_NAME and text.isascii() else f"{name[: LONGEST_NAME - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _title(recipe: str) -> str:
    return Path(recipe).stem if recipe.endswith(".toml") else recipe


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
