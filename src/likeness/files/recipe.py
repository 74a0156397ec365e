"""What is asked of a run: one subject, one base, and the stages that follow each other. TOML on disk.

The methods declare the options of their stages; this file does not know them, it is handed their classes. Reading what was
written gives an equal recipe. Every mistake becomes one line that names the place and the nearest key.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from .errors import UserError, did_you_mean

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Model = TypeVar("Model", bound=BaseModel)
SCHEDULES = {"dreamblend": "5-50:5,75-1000:25"}  # the 48 operating points of DreamBlend (arXiv 2411.19390), for 1000 steps
NUMBERS = (int, float, int | None, float | None)


class Options(BaseModel):
    """Frozen options. TOML has no null, so an option that may be None must be None by default."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_are_not_switches(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation in NUMBERS:
            raise ValueError("must be a number")  # pydantic takes true for 1
        return value


class Stage(Options):
    """One training stage: the options that the one training loop reads. A method's own options are added in a subclass."""

    method: ClassVar[str]
    decides: ClassVar[tuple[str, ...]] = ()  # options that say what is trained: they stay as they are where a run goes on
    new_words: ClassVar[bool] = False  # whether it gives subjects words of their own, so that the identifier is not read as ordinary text

    steps: int = Field(
        default=400, ge=1, le=10_000_000,
        description="Optimizer steps of this stage. Default from the dog example of diffusers' DreamBooth script.",
    )  # fmt: skip
    learning_rate: float = Field(
        default=5e-6, gt=0, le=1,
        description="Step size of AdamW after the warm-up. Default from DreamBooth on Stable Diffusion.",
    )  # fmt: skip
    learning_rate_schedule: Literal["constant", "cosine", "linear", "plateau"] = Field(
        default="constant",
        description="The learning rate after the warm-up: stays, or falls to 0 at the last step; plateau stays and falls in the last quarter (arXiv 2404.06395). Default from diffusers.",
    )
    warmup_steps: int = Field(
        default=0, ge=0,
        description="Optimizer steps in which the learning rate rises linearly from 0. Default from diffusers' examples.",
    )  # fmt: skip
    batch_size: int = Field(
        default=1, ge=1, le=4096,
        description="Photos in one forward pass; more needs more memory. Default from DreamBooth.",
    )  # fmt: skip
    gradient_accumulation: int = Field(
        default=1, ge=1, le=4096,
        description="Forward passes averaged into one step: a larger batch in the same memory. Default: 1, none.",
    )  # fmt: skip
    weight_decay: float = Field(
        default=1e-2, ge=0, le=1,
        description="AdamW's decay of what is trained, a share of the learning rate a step. Default from PyTorch and diffusers.",
    )  # fmt: skip
    max_gradient_norm: float = Field(
        default=1.0, gt=0,
        description="Gradients longer than this (L2 norm) are shortened to it. Default from diffusers.",
    )  # fmt: skip
    mixed_precision: Literal["no", "bf16"] = Field(
        default="no",
        description="Number type inside the networks; losses and weights stay float32. fp16 is left out: its gradients need scaling. Default: no, exact on every machine.",
    )
    checkpoints: tuple[int, ...] = Field(
        default=(),
        description="Steps of this stage after which a checkpoint is kept, such as 50,100-400:100, or dreamblend (5-50:5,75-1000:25); the last step always is one. Default: only the last.",
    )
    save_every: int = Field(
        default=250, ge=1,
        description="Optimizer steps between the states kept to resume from after a crash; the newest two stay. Default: minutes of a GPU's work.",
    )  # fmt: skip
    previews: tuple[int, ...] = Field(
        default=(),
        description="Steps of this stage after which preview pictures are drawn; they change no weight. Default: none.",
    )

    several: ClassVar[bool] = True  # whether it tells several subjects apart

    @classmethod
    def completed(cls, options: dict[str, Any], *subjects: dict[str, Any]) -> dict[str, Any]:
        """The options of a recipe's stage, with what follows from its subjects where that was left open."""
        return options

    def trained_numbers(self, unet: int, text: int) -> int:
        """About how many numbers it trains, of those that U-Net and text encoders have; 0: few beside them."""
        return 0

    def photo_size(self, of_base: int) -> int:
        """Width and height in pixels of the photos that it learns from, where the base's stages learn from those of `of_base`."""
        return of_base

    @property
    def checkpoint_steps(self) -> tuple[int, ...]:
        """`checkpoints` and the last step."""
        return tuple(sorted({*self.checkpoints, self.steps}))

    @field_validator("checkpoints", "previews", mode="before")
    @classmethod
    def _apart(cls, steps: Any) -> Any:
        """On a command line "100,200" is two steps, and "100-400:100" four."""
        words = [steps] if isinstance(steps, str) else steps
        if not isinstance(words, list | tuple):
            return words
        return [n for word in words for n in (_steps_in(word) if isinstance(word, str) else [word])]

    @field_validator("checkpoints", "previews")
    @classmethod
    def _in_order(cls, steps: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(steps)))

    @model_validator(mode="after")
    def _within_the_stage(self) -> Stage:
        if "steps" not in self.model_fields_set:  # a command line's options, to which the base's advice is still to come
            return self
        if self.warmup_steps > self.steps:
            raise ValueError(f"warmup_steps: {self.warmup_steps} is more than all {self.steps} steps")
        for name, chosen in (("checkpoints", self.checkpoints), ("previews", self.previews)):
            outside = [step for step in chosen if not 1 <= step <= self.steps]
            if outside:
                raise ValueError(f"{name}: {outside[0]} is no step of this stage, they are 1 to {self.steps}")
        return self


def _steps_in(text: str) -> list[Any]:
    """What is no number stays as it is, for pydantic to complain of."""
    steps: list[Any] = []
    for part in SCHEDULES.get(text, text).split(","):
        found = re.fullmatch(r"\s*(\d+)-(\d+):(\d+)\s*", part)
        first, last, every = map(int, found.groups()) if found else (0, 0, 0)
        steps += range(first, last + 1, every) if every and last <= 10**6 else [part]
    return steps


class SubjectSpec(Options):
    """Whom or what the photos show."""

    photos: Path = Field(description="Folder of photos, or one photo, as given; a run keeps its own copies.")
    class_noun: str = Field(min_length=1, description="What the subject is, in a word that the base knows: dog, backpack.")
    identifier: str = Field(
        default="sks", min_length=1,
        description="The word that names the subject in prompts. Default from the DreamBooth repositories.",
    )  # fmt: skip
    class_photos: Path | None = Field(
        default=None,
        description="Folder of real pictures of the class for prior preservation, captioned by the texts that lie beside them. Default: the base draws its own.",
    )


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


def read_recipe(path: Path, stage_types: Mapping[str, type[Stage]]) -> Recipe:
    """Read a TOML recipe. Raises UserError."""
    content = _content_of(path)
    try:
        return recipe_from_dict(content, stage_types)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def stages_in(path: Path) -> list[dict[str, Any]]:
    """The tables of the stages of a recipe, with or without a subject. Raises UserError."""
    stages = _content_of(path).get("stages")
    if not isinstance(stages, list):
        raise UserError(f"{path}: has no stages. Add a [[stages]] table with a method.")
    return stages


def _content_of(path: Path) -> dict[str, Any]:
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


def write_recipe(recipe: Recipe) -> str:
    """The recipe as TOML."""
    return tomli_w.dumps(recipe_to_dict(recipe))


def changed(old: Recipe, new: Recipe) -> dict[str, tuple[Any, Any]]:
    """What differs, old and new, by dotted name: {"stages.0.steps": (400, 800)}. None: it was not there."""
    before, after = _flat(recipe_to_dict(old)), _flat(recipe_to_dict(new))
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


def _flat(content: Any, name: str = "") -> dict[str, Any]:
    if isinstance(content, dict):
        entries = content.items()
    elif isinstance(content, list) and any(isinstance(entry, dict) for entry in content):
        entries = enumerate(content)
    else:
        return {name: content}
    return {key: value for part, entry in entries for key, value in _flat(entry, f"{name}.{part}".lstrip(".")).items()}
