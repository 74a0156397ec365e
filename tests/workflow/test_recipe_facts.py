"""What tables say of a recipe: the words of every method, of every packaged recipe, and how several subjects come together."""

from __future__ import annotations

from typing import ClassVar

import pytest

from likeness.files.recipe import recipe_from_dict
from likeness.files.stage import Stage
from likeness.methods import packaged_recipes
from likeness.workflow.recipe_facts import facts_in_words, several_subjects
from likeness.workflow.recipes import packaged_recipe
from likeness.workflow.stack import stage_types

TEXT_TOO = {"train_text_encoder": True}
WORDS = [
    ("dreambooth", {}, "U-Net"), ("dreambooth", TEXT_TOO, "U-Net + text encoder"),
    ("lora", {"rank": 8}, "rank-8 adapters"), ("lora", {"dora": True, **TEXT_TOO}, "rank-4 DoRA adapters, text encoder too"),
    ("lora", {"rank": 2, "targets": "everything"}, "rank-2 adapters of everything"),
    ("textual_inversion", {}, "1 vector"), ("textual_inversion", {"vectors": 4}, "4 vectors"),
    ("custom_diffusion", {}, "keys and values + word"), ("custom_diffusion", {"trained": "all"}, "cross-attention + word"),
    ("super_resolution", {}, "second stage's U-Net"),
    ("lcm", {"rank": 32}, "student: rank-32 adapters"), ("lcm", {"student": "full"}, "student: U-Net"),
    ("ddpo", {}, "rank-4 adapters by reward"), ("ddpo", {"trained": "full"}, "U-Net by reward"),
]  # fmt: skip
OF_RECIPES = {
    **dict.fromkeys(("balanced", "underfit", "face", "monster_toy"), "U-Net + text encoder"), "overfit": "U-Net",
    "cascade": "U-Net, then second stage's U-Net", "few_steps": "U-Net, then student: rank-32 adapters", "two_stage": "1 vector, then U-Net",
    "rewarded": "rank-8 adapters of everything, then rank-4 adapters by reward",
}  # fmt: skip


def recipe(*stages: dict, others: int = 0):
    subjects = [{"photos": "toybox:biscuit", "class_noun": "dog", "identifier": f"s{n}"} for n in range(1 + others)]
    return recipe_from_dict({"subject": subjects[0], "others": subjects[1:], "stages": list(stages)}, stage_types())


@pytest.mark.parametrize(("method", "options", "words"), WORDS)
def test_a_method_says_what_it_trains(method, options, words):
    assert facts_in_words(recipe({"method": method, **options}))["trains"] == words


def test_two_subjects_have_two_words():
    assert facts_in_words(recipe({"method": "custom_diffusion"}, others=1))["trains"] == "keys and values + 2 words"


def test_every_packaged_recipe_says_what_it_trains():
    said = {name: facts_in_words(packaged_recipe(name, {"photos": "toybox:biscuit"}))["trains"] for name in packaged_recipes()}
    assert said == OF_RECIPES


def test_a_method_that_declares_nothing_is_called_by_its_name():
    class Spec(Stage):
        method: ClassVar[str] = "of_tomorrow"

    assert Spec().trains() == "of tomorrow"


@pytest.mark.parametrize(
    ("stages", "ways"),
    [
        (("dreambooth",), ["together"]), (("lora",), ["together", "added"]), (("textual_inversion",), []), (("custom_diffusion",), ["together", "merged"]),
        (("textual_inversion", "lora"), ["added"]), (("textual_inversion", "dreambooth"), []), (("lora", "ddpo"), []), (("custom_diffusion", "lcm"), ["together"]),
    ],
)  # fmt: skip
def test_several_subjects_come_together_as_the_commands_allow(stages, ways):
    """Added is what generate --with takes, merged what likeness merge takes, together what a recipe of several subjects takes."""
    assert several_subjects(recipe(*({"method": method} for method in stages))) == ways


def test_options_may_forbid_it():
    assert several_subjects(recipe({"method": "lora", "dora": True})) == ["together"]
    assert several_subjects(recipe({"method": "custom_diffusion", "trained": "all"})) == ["together"]
    assert facts_in_words(recipe({"method": "textual_inversion"}))["several_subjects"] == "no"
