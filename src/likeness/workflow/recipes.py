"""From what a person typed to a whole recipe: the base's own advice fills what was left open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files.errors import UserError
from ..files.recipe import Recipe, Stage, content_of, continued_in, recipe_from_dict, stages_in
from ..methods import packaged_recipes, packaged_sweeps
from ..model.folder import advice, advised, find_base
from .photos import toybox_subject
from .stack import stage_types


def recipe_for(
    method: str, chosen: Mapping[str, Any], subject: Mapping[str, Any], base: str = "toybox", settings: Mapping[str, Any] | None = None, **rest: Any
) -> Recipe:  # fmt: skip
    """A recipe of one stage. Options come from `chosen`, else from the base's advice for the method, else from a study's `settings`, else from the spec."""
    recipe = _recipe([{"method": method, **(settings or {}), **advised(find_base(base), method, chosen)}], subject, base, rest)
    check_read(recipe.stages[-1], chosen)
    if subject.get("class_photos") and (unread := [name for name in recipe.stages[-1].drawn_without_class_photos if name in chosen]):
        raise UserError(f"--{unread[0].replace('_', '-')}: the class photos are learned, and none is drawn. Leave it or --class-photos out.")
    return recipe


def check_read(stage: Stage, chosen: Mapping[str, Any]) -> None:
    """Refuse options that somebody chose and nothing reads; raises UserError."""
    for name, why in stage.unread().items():
        if name in chosen:
            raise UserError(f"--{name.replace('_', '-')}: {why}, or leave it out.")


def packaged_recipe(name: str, subject: Mapping[str, Any], base: str = "toybox", **rest: Any) -> Recipe:
    """A recipe that the package carries, for one's own subject. The base's advice for it has a table for each stage."""
    stages = stages_in(packaged_recipes()[name])
    if "identifier" in subject:  # whoever names the subject has the word called so
        stages = [{key: value for key, value in stage.items() if key != "word"} for stage in stages]
    advised = advice(find_base(base)).get(name, [{}] * len(stages))
    return _recipe([{**stage, **better} for stage, better in zip(stages, advised, strict=True)], subject, base, rest)


def packaged_continuations(name: str, base: str = "toybox") -> list[dict[str, Any]]:
    """How a packaged recipe goes on, with the base's advice for that: a table for each child run, under the recipe's name and "continued"."""
    continued = continued_in(packaged_recipes()[name])
    advised = advice(find_base(base)).get(f"{name} continued", [{}] * len(continued))
    return [{**changes, **better} for changes, better in zip(continued, advised, strict=True)]


def _recipe(stages: Sequence[Mapping[str, Any]], subject: Mapping[str, Any], base: str, rest: Mapping[str, Any]) -> Recipe:
    known = toybox_subject(subject["photos"])
    noun = subject.get("class_noun") or (known and known.class_noun)
    if not noun and all(stage.get("use_captions") for stage in stages):  # a style: what is shown stands in the captions
        noun = "picture"
    if not noun:
        raise UserError(f"{subject['photos']}: say what it shows with --class-noun, in a word that the base knows: dog, backpack, person.")
    given = {k: v for k, v in rest.items() if v is not None}
    return recipe_from_dict({"base": base, **given, "subject": {**subject, "class_noun": noun}, "stages": stages}, stage_types())


def expanded(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Recipes by name, each with the settings that its sweep keeps alike: a sweep of the package, or a TOML file with `recipes`, stands for all of its own."""
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        path = packaged_sweeps().get(name) or (Path(name) if name.endswith(".toml") else None)
        content = content_of(path) if path else {}
        if "recipes" not in content:
            found[name] = {}
            continue
        asked, settings = content["recipes"], content.get("settings", {})
        if not isinstance(asked, list) or not asked or not all(isinstance(one, str) for one in asked) or not isinstance(settings, dict):
            raise UserError(f'{path}: is no sweep. Write recipes = ["lora:rank=2", "lora:rank=8"], and a table [settings] for what all share.')
        found |= {one: settings for one in asked}
    return found
