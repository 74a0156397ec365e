"""Captions name only what is true, and say what they name."""

from __future__ import annotations

import numpy as np
import pytest

from likeness.evaluation.benchmark import DREAMBENCH_LIVE_PROMPTS, DREAMBENCH_OBJECT_PROMPTS
from likeness.toybox.data import truth_of
from likeness.world.accessories import ACCESSORIES
from likeness.world.captions import EDIT_WORDS, STYLE_TEMPLATES, Caption, accessory_words, article, caption
from likeness.world.contexts import CONTEXTS
from likeness.world.random_scenes import random_scene
from likeness.world.scene import Scene


@pytest.fixture(scope="module")
def captioned() -> list[tuple[Scene, Caption]]:
    scenes = [random_scene(np.random.default_rng((3, k))) for k in range(3000)]
    return [(scene, caption(scene, np.random.default_rng((4, k)))) for k, scene in enumerate(scenes)]


def test_everything_named_is_true(captioned):
    for scene, said in captioned:
        true = truth_of(scene)
        if len(scene.objects) == 2:
            true["second colour"] = scene.objects[1].appearance.colour
        assert said.names.items() <= true.items(), (said, true)


def test_everything_named_is_said(captioned):
    for _, said in captioned:
        words = {
            "colour": said.names.get("colour"), "pattern": said.names.get("pattern"), "expression": said.names.get("expression"),
            "edit": EDIT_WORDS.get(said.names.get("edit", "")), "context": CONTEXTS[said.names.get("context", "studio")].words,
            "accessory": accessory_words(said.names["accessory"]) if "accessory" in said.names else None, "view": said.names.get("view"),
        }  # fmt: skip
        assert all(word in said.text for word in words.values() if word), said


def test_a_style_that_is_named_is_said(captioned):
    for _, said in captioned:
        style = said.names.get("style", "photo")
        if style != "photo":
            pieces = [template.replace("{}", "").strip() for template in STYLE_TEMPLATES[style]]
            assert any(piece in said.text for piece in pieces), said


def test_every_field_is_named_sometimes_and_left_out_sometimes(captioned):
    for field in ("colour", "pattern", "context", "accessory", "style", "view", "edit", "expression"):
        share = np.mean([field in said.names for _, said in captioned])
        assert 0 < share < 1, field


def test_same_chance_same_words():
    scene = random_scene(np.random.default_rng(5))
    assert caption(scene, np.random.default_rng(6)) == caption(scene, np.random.default_rng(6))


@pytest.mark.parametrize("prompt", sorted({*DREAMBENCH_OBJECT_PROMPTS, *DREAMBENCH_LIVE_PROMPTS}))
def test_the_world_has_the_words_of_dreambench(prompt):
    """Contexts, accessories and property words, letter for letter."""
    rest = prompt.removeprefix("a {} ")
    if rest == prompt:
        assert prompt.removeprefix("a ").removesuffix(" {}") in EDIT_WORDS.values()
    else:
        known = [context.words for context in CONTEXTS.values()] + [accessory_words(worn) for worn in ACCESSORIES]
        assert rest in known


def test_articles():
    assert [article(word) for word in ("orange dog", "dog", "alarm clock")] == ["an orange dog", "a dog", "an alarm clock"]
