"""What is asked of a run: a subject or several, one base, and the stages that follow each other. TOML on disk.

The methods declare the options of their stages; this file does not know them, it is handed their classes. Reading what was
written gives an equal recipe. Every mistake becomes one line that names the place and the nearest key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import BaseModel, Field, SerializeAsAny, ValidationError, model_validator

from .errors import UserError, did_you_mean
from .stage import Options, Stage

Model = TypeVar("Model", bound=BaseModel)


class SubjectSpec(Options):
    """Whom or what the photos show."""

    photos: Path = Field(description="Folder of photos, a zip of them, or one photo, as given; a run keeps its own copies.")
    class_noun: str = Field(min_length=1, description="What the subject is, in a word that the base knows: dog, backpack.")
    identifier: str = Field(
        default="sks", min_length=1,
        description="The word that names the subject in prompts. Default from the DreamBooth repositories.",
    )  # fmt: skip
    class_photos: Path | None = Field(
        default=None,
        description="Folder of real pictures of the class for prior preservation, captioned by the texts that lie beside them. Default: the base draws its own.",
    )


class Settle(Options):
    """When a run ends before its last step: what its checkpoints are judged by while it trains."""

    after: int = Field(
        ge=1, le=1000,
        description="Kept checkpoints in a row without a higher F1 of likeness and obedience, after which the last stage ends. Each draws eight pictures and is scored while training.",
    )  # fmt: skip
    clip: str | None = Field(default=None, min_length=1, description="CLIP encoder that scores them: folder or hub id. Default: the toybox's own judge, for the toybox alone.")
    dino: str | None = Field(default=None, min_length=1, description="DINO encoder that scores them: folder or hub id. Default: the toybox's own judge, for the toybox alone.")


class Recipe(Options):
    """All that a run is asked to do."""

    base: str = Field(default="toybox", min_length=1, description="The pretrained model: toybox, a local folder or a hub id.")
    seed: int = Field(default=0, ge=0, le=2**63 - 1, description="Same seed, same run. Default: 0.")
    threads: int | None = Field(
        default=None, ge=1, le=1024,
        description="CPU threads; another number may change the last bits of a result. Default: what torch chooses.",
    )  # fmt: skip
    resolution: int | None = Field(
        default=None, ge=8, le=4096, multiple_of=8,
        description="Width and height in pixels that photos are trained at. Default: what the base was trained at.",
    )  # fmt: skip
    subject: SubjectSpec = Field(description="A table [subject] with photos and class_noun.")
    others: tuple[SubjectSpec, ...] = Field(default=(), description="Further subjects that are learned together with the first, each with its own identifier. Default: none.")
    settle: Settle | None = Field(default=None, description="A table [settle] that ends the run when its checkpoints get no better. Default: it trains to its last step.")
    stages: tuple[SerializeAsAny[Stage], ...] = Field(
        min_length=1, description="The stages, in order; each stands on those before it."
    )

    @property
    def subjects(self) -> tuple[SubjectSpec, ...]:
        return self.subject, *self.others

    @model_validator(mode="after")
    def _told_apart(self) -> Recipe:
        identifiers = [subject.identifier for subject in self.subjects]
        if len(set(identifiers)) < len(identifiers):
            raise ValueError(f"two subjects have the identifier {max(identifiers, key=identifiers.count)!r}; give each its own")
        return self

    @model_validator(mode="after")
    def _enough_to_settle(self) -> Recipe:
        kept = len(self.stages[-1].checkpoint_steps)
        if self.settle and kept < self.settle.after + 2:
            raise ValueError(
                f"cannot settle: {self.settle.after} checkpoints must pass without a better one before the last, and the last stage keeps {kept}. Ask for more, such as --checkpoints {evenly(self.stages[-1].steps, self.settle.after + 2)}"
            )
        return self


def evenly(steps: int, count: int = 5) -> str:
    """So many checkpoints over a stage of so many steps, as --checkpoints takes them: "50-250:50"."""
    each = max(1, steps // count)
    return f"{each}-{each * (steps // each)}:{each}"


def read_recipe(path: Path, stage_types: Mapping[str, type[Stage]]) -> Recipe:
    """Read a TOML recipe, but for how it is continued. Raises UserError."""
    content = {key: value for key, value in content_of(path).items() if key != "continued"}
    try:
        return recipe_from_dict(content, stage_types)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def stages_in(path: Path) -> list[dict[str, Any]]:
    """The tables of the stages of a recipe, with or without a subject. Raises UserError."""
    stages = content_of(path).get("stages")
    if not isinstance(stages, list):
        raise UserError(f"{path}: has no stages. Add a [[stages]] table with a method.")
    return stages


def continued_in(path: Path) -> list[dict[str, Any]]:
    """How a recipe goes on after its stages: for each child run the options of the last stage that change. Raises UserError."""
    continued = content_of(path).get("continued", [])
    if not isinstance(continued, list) or not all(isinstance(changes, dict) for changes in continued):
        raise UserError(f"{path}: continued must be tables. Write [[continued]] and the options that change.")
    return continued


def content_of(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises UserError."""
    text = _text_of(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = "" if "at line" in str(error) else f" (line {text.count(chr(10)) + 1})"
        raise UserError(f"{path}: not valid TOML: {error}{where}") from error


def recipe_from_dict(content: Mapping[str, Any], stage_types: Mapping[str, type[Stage]]) -> Recipe:
    """Build a recipe from plain tables; each stage names its `method`. Raises UserError."""
    tables = content.get("stages", [])
    if not isinstance(tables, list | tuple) or not tables:
        raise UserError("the recipe has no stages. Add a [[stages]] table with a method.")
    subjects = [subject for subject in (content.get("subject"), *_tables(content.get("others"))) if isinstance(subject, Mapping)]
    stages = [_stage(table, number, stage_types, subjects) for number, table in enumerate(tables, start=1)]
    return _validated(Recipe, {**content, "stages": stages}, "the recipe")


def recipe_to_dict(recipe: Recipe) -> dict[str, Any]:
    """Plain tables, every option written out but those that are None."""
    content = recipe.model_dump(mode="json", exclude_none=True)
    for table, stage in zip(content["stages"], recipe.stages, strict=True):
        table["method"] = stage.method
    content["stages"] = [{"method": table.pop("method"), **table} for table in content["stages"]]
    return content


def write_recipe(recipe: Recipe, continued: Sequence[Mapping[str, Any]] = ()) -> str:
    """The recipe as TOML, and how it is continued. Without an empty list of others, beside which no table [[others]] could be written."""
    content = {name: value for name, value in recipe_to_dict(recipe).items() if name != "others" or value}
    return tomli_w.dumps({**content, **({"continued": [dict(changes) for changes in continued]} if continued else {})})


def changed(old: Recipe, new: Recipe) -> dict[str, tuple[Any, Any]]:
    """What differs, old and new, by dotted name: {"stages.0.steps": (400, 800)}. None: it was not there."""
    before, after = flat_of(recipe_to_dict(old)), flat_of(recipe_to_dict(new))
    names = sorted(before.keys() | after.keys())
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}. Check the path of the recipe.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file in UTF-8. Save it as UTF-8 and try again.") from error


def _tables(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _stage(table: Any, number: int, stage_types: Mapping[str, type[Stage]], subjects: list[Mapping[str, Any]]) -> Stage:
    if not isinstance(table, Mapping) or "method" not in table:
        raise UserError(f"stage {number} names no method; known: {', '.join(sorted(stage_types))}")
    method = str(table["method"])
    if method not in stage_types:
        raise UserError(f"unknown method {method!r} in stage {number}: {did_you_mean(method, stage_types)}")
    options = {name: value for name, value in table.items() if name != "method"}
    if subjects:
        options = stage_types[method].completed(options, *map(dict, subjects))
    place = f"stage {number} ({method})"
    stage = _validated(stage_types[method], options, place)
    return _validated(stage_types[method], stage.model_dump(), place)  # once more, with its defaults as if they had been typed


def _validated(model: type[Model], content: Mapping[str, Any], place: str) -> Model:
    try:
        return model.model_validate(dict(content))
    except ValidationError as error:
        raise UserError(_explained(error.errors()[0], model, place)) from error


def _explained(problem: Any, model: type[BaseModel], place: str) -> str:
    *outer, key = [str(part) for part in problem["loc"]] or [""]
    if outer and outer[0] == "subject":
        model, place, outer = SubjectSpec, "subject", outer[1:]
    if outer and outer[0] == "settle":
        model, place, outer = Settle, "settle", outer[1:]
    if len(outer) > 1 and outer[0] == "others":
        model, place, outer = SubjectSpec, f"the other subject {int(outer[1]) + 1}", outer[2:]
    if problem["type"] == "extra_forbidden":
        return f"unknown option {key!r} in {place}: {did_you_mean(key, model.model_fields)}"
    if problem["type"] == "missing":
        return f"{place} needs {key!r}: {(model.model_fields[key].description or '').rstrip('.')}"
    says = re.sub(r"^Value error, ", "", problem["msg"]).replace("Input should be", "must be")
    if not key:
        return f"{place}: {says}"
    return f"{'.'.join([*outer, key])} = {problem['input']!r} in {place}: {says}"


def flat_of(content: Any, name: str = "") -> dict[str, Any]:
    """What a recipe holds by dotted names: {"stages.0.steps": 250}."""
    if isinstance(content, dict):
        entries = content.items()
    elif isinstance(content, list) and any(isinstance(entry, dict) for entry in content):
        entries = enumerate(content)
    else:
        return {name: content}
    return {key: value for part, entry in entries for key, value in flat_of(entry, f"{name}.{part}".lstrip(".")).items()}
