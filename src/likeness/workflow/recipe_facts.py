"""What a recipe is, in the words of a table: what it trains, and how several subjects come into one picture with it.

What refuses a recipe asks here too, so that no table promises what a command would not do.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..files.recipe import Recipe, Stage


def facts_in_words(recipe: Recipe) -> dict[str, str]:
    """What run.json keeps of a recipe for pages, which do not know the methods."""
    return {"trains": ", then ".join(stage.trains() for stage in recipe.stages), "several_subjects": ", ".join(several_subjects(recipe)) or "no"}


def several_subjects(recipe: Recipe) -> list[str]:
    """How it can be: trained together by one recipe, merged afterwards (likeness merge), added while drawing (likeness generate --with)."""
    ways = {"together": not alone(recipe), "merged": can_be_merged(recipe), "added": can_be_added(recipe.stages)}
    return [way for way, possible in ways.items() if possible]


def alone(recipe: Recipe) -> list[str]:
    """The methods of its stages that teach one subject only."""
    return [stage.method for stage in recipe.stages if not stage.several]


def can_be_merged(recipe: Recipe) -> bool:
    """Whether its keys and values can be one run with another's: Custom Diffusion alone, of one subject."""
    (first, *more) = recipe.stages
    return not (recipe.others or more) and first.method == "custom_diffusion" and getattr(first, "trained", "") == "kv"


def can_be_added(stages: Sequence[Stage]) -> bool:
    """Whether it can be added to what another run has learned."""
    return is_one_lora([stage.method for stage in stages]) and not any(map(sets_lengths, stages))


def is_one_lora(methods: Sequence[str]) -> bool:
    """With or without a new word beneath it."""
    return set(methods) <= {"lora", "textual_inversion"} and methods.count("lora") == 1


def sets_lengths(stage: Stage) -> bool:
    """A DoRA sets the length of weights and adds nothing."""
    return getattr(stage, "dora", False)
