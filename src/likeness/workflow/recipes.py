"""From what a person typed to a whole recipe: the base's own advice fills what was left open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..files.errors import UserError
from ..files.recipe import Recipe, recipe_from_dict
from ..model.folder import advice, find_base
from .photos import toybox_subject
from .stack import stage_types


def recipe_for(method: str, chosen: Mapping[str, Any], subject: Mapping[str, Any], base: str = "toybox", **rest: Any) -> Recipe:
    """A recipe of one stage. Options come from `chosen`, else from the base's advice for the method, else from the spec."""
    known = toybox_subject(subject["photos"])
    noun = subject.get("class_noun") or (known and known.class_noun)
    if not noun:
        raise UserError(f"{subject['photos']}: say what it shows with --class-noun, in a word that the base knows: dog, backpack, person.")
    stage = {"method": method, **advice(find_base(base)).get(method, {}), **chosen}
    given = {k: v for k, v in rest.items() if v is not None}
    return recipe_from_dict({"base": base, **given, "subject": {**subject, "class_noun": noun}, "stages": [stage]}, stage_types())
