"""What a scene says is what its picture shows: the same scene the same bytes, another word another picture."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from likeness.world.accessories import ACCESSORIES
from likeness.world.classes import CLASSES, LIVE_CLASSES
from likeness.world.contexts import CONTEXTS
from likeness.world.drawing import draw
from likeness.world.random_scenes import random_appearance, random_scene
from likeness.world.scene import EDITS, EXPRESSIONS, STYLES, VIEWS, Appearance, Placed, Scene

SAMPLING = 5.0  # mean difference of 255: 3.7 at worst in forty scenes, 32 between the two nearest of them


def appearance_of(class_noun: str, seed: int = 0) -> Appearance:
    return random_appearance(np.random.default_rng((seed, 7)), class_noun)


def alone(class_noun: str = "dog", context: str = "studio", style: str = "photo", seed: int = 0, **placed: str) -> Scene:
    return Scene((Placed(appearance_of(class_noun), **placed),), context, style, seed=seed)  # type: ignore[arg-type]


def digest(scene: Scene, size: int = 32) -> str:
    return hashlib.sha256(draw(scene, size).tobytes()).hexdigest()


def all_differ(scenes: dict[str, Scene]) -> bool:
    return len({digest(scene) for scene in scenes.values()}) == len(scenes)


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    """Eighty scenes of the training distribution, all styles among them."""
    drawn = [random_scene(np.random.default_rng(k)) for k in range(80)]
    assert {scene.style for scene in drawn} == set(STYLES)
    return drawn


def test_same_scene_same_bytes(scenes):
    assert all(draw(scene, 64).tobytes() == draw(scene, 64).tobytes() for scene in scenes[:12])


@pytest.mark.parametrize("context", CONTEXTS)
def test_another_seed_is_another_place(context):
    assert digest(alone(context=context, seed=1)) != digest(alone(context=context, seed=2))


def test_twice_the_size_is_the_same_picture_up_to_sampling(scenes):
    for scene in scenes:
        small, large = (np.asarray(image, np.float32) for image in (draw(scene, 64), draw(scene, 128).reduce(2)))
        assert np.abs(small - large).mean() < SAMPLING, scene


def test_every_class_and_view_draws_its_own():
    assert all_differ({f"{noun} {view}": alone(noun, view=view) for noun in CLASSES for view in VIEWS})


def test_every_context_draws_its_own():
    assert all_differ({context: alone(context=context) for context in CONTEXTS})


@pytest.mark.parametrize("class_noun", LIVE_CLASSES)
@pytest.mark.parametrize("view", VIEWS)
def test_every_accessory_draws_its_own(class_noun, view):
    assert all_differ({worn: alone(class_noun, view=view, accessory=worn) for worn in ("none", *ACCESSORIES)})


def test_objects_wear_nothing():
    with pytest.raises(AssertionError, match="a teapot wears nothing"):
        draw(alone("teapot", accessory="red hat"), 32)


@pytest.mark.parametrize("class_noun", ["dog", "teapot"])
def test_every_edit_draws_its_own(class_noun):
    plain = replace(appearance_of(class_noun), colour="green")
    assert all_differ({edit: Scene((Placed(plain, edit=edit),), "studio") for edit in EDITS})


@pytest.mark.parametrize("view", VIEWS)
def test_every_expression_draws_its_own(view):
    assert all_differ({expression: alone("person", view=view, expression=expression) for expression in EXPRESSIONS})


def test_every_style_draws_its_own():
    assert all_differ({style: alone(context="jungle", style=style) for style in STYLES})


@pytest.mark.parametrize("field", ["second", "accent", "emblem", "shape", "tint", "period", "angle"])
@pytest.mark.parametrize("class_noun", CLASSES)
def test_what_no_word_names_is_seen(class_noun, field):
    """These make an individual: were one of them not drawn, no method could learn it."""
    here = replace(appearance_of(class_noun), pattern="striped", emblem="star", second="blue", accent="white", colour="red")
    other = {"second": "green", "accent": "black", "emblem": "none", "shape": tuple(1 - s for s in here.shape), "tint": (1.0, 1.0, -1.0)}
    there = replace(here, **{field: other.get(field, 1 - getattr(here, field) if field in ("period", "angle") else None)})
    assert digest(Scene((Placed(here),), "studio"), 64) != digest(Scene((Placed(there),), "studio"), 64)
