"""ToyBench: thirty subjects, twenty-five prompts, and what is kept from base and judges."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from likeness.toybox.data import base_scene, judges_scene
from likeness.world.captions import EDIT_WORDS, accessory_words
from likeness.world.classes import CLASSES, LIVE_CLASSES
from likeness.world.contexts import CONTEXTS
from likeness.world.random_scenes import NAMED_CONTEXTS, held_out
from likeness.world.scene import COLOURS, EMBLEMS, PATTERNS, Scene
from likeness.world.subjects import (
    NEAR,
    OPEN_SUBJECTS,
    SUBJECTS,
    admissible,
    differences,
    distractors,
    known_prompts,
    photos_of,
    prompts_for,
)


@pytest.fixture(scope="module")
def trained_on() -> list[Scene]:
    """What the base and the judges are shown: two thousand scenes of each set."""
    return [base_scene(0, k) for k in range(2000)] + [judges_scene(0, k)[0] for k in range(2000)]


def test_thirty_subjects_of_which_ten_are_held_out():
    assert len(SUBJECTS) == 30 and len(OPEN_SUBJECTS) == 20
    assert sum(subject.held_out for subject in SUBJECTS.values()) == 10
    assert {subject.class_noun for subject in SUBJECTS.values()} == set(CLASSES) - {"boot"}


@pytest.mark.parametrize("name", SUBJECTS)
def test_four_to_six_photos_from_both_sides(name):
    photos = photos_of(SUBJECTS[name])
    assert 4 <= len(photos) <= 6
    assert {photo.objects[0].view for photo in photos} == {"front", "side"}
    assert all(photo.objects[0].appearance == SUBJECTS[name].appearance for photo in photos)
    assert all((photo.objects[0].accessory, photo.objects[0].edit, photo.style) == ("none", "none", "photo") for photo in photos)


def test_no_training_scene_is_near_a_named_subject(trained_on):
    """Near: of the five features that have names, at most NEAR differ. Every object of every scene is farther."""
    seen = {placed.appearance for scene in trained_on for placed in scene.objects}
    assert min(differences(a, s.appearance) for a in seen for s in SUBJECTS.values()) > NEAR


def test_no_training_scene_shows_a_held_out_combination(trained_on):
    shown = {(p.appearance.class_noun, p.appearance.colour, scene.context) for scene in trained_on for p in scene.objects}
    assert not any(held_out(*combination) for combination in shown)


def test_a_sixteenth_of_the_combinations_is_held_out_in_every_class():
    kept = Counter(noun for noun in CLASSES for colour in COLOURS for context in NAMED_CONTEXTS if held_out(noun, colour, context))
    assert set(kept) == set(CLASSES)
    count = len(CLASSES) * len(COLOURS) * len(NAMED_CONTEXTS)
    assert abs(sum(kept.values()) / count - 1 / 16) < 4 * (1 / 16 * 15 / 16 / count) ** 0.5  # four standard deviations


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_subject_and_its_neighbours_are_not_admissible(name):
    photo = photos_of(SUBJECTS[name])[0]
    here = photo.objects[0]
    others = {
        "colour": next(c for c in COLOURS if c not in (here.appearance.colour, here.appearance.second, here.appearance.accent)),
        "pattern": next(p for p in PATTERNS if p != here.appearance.pattern),
        "emblem": next(e for e in EMBLEMS if e != here.appearance.emblem),
    }
    pairs = [{}, *({a: others[a], b: others[b]} for a in others for b in others)]
    for changes in pairs:
        neighbour = replace(here.appearance, shape=(0.5,) * 6, **changes)
        assert not admissible(replace(photo, context="studio", objects=(replace(here, appearance=neighbour),)))


def test_differences_count_the_named_features():
    biscuit = SUBJECTS["biscuit"].appearance
    assert differences(biscuit, biscuit) == 0
    assert differences(biscuit, replace(biscuit, shape=(0.0,) * 6, tint=(1.0, 1.0, 1.0), period=0.0, angle=0.0)) == 0
    assert differences(biscuit, replace(biscuit, colour="?", emblem="?")) == 2
    assert differences(biscuit, replace(biscuit, class_noun="cat")) == 6


@pytest.mark.parametrize("class_noun", CLASSES)
def test_twenty_five_prompts_a_class(class_noun):
    templates = [prompt.template for prompt in prompts_for(class_noun)]
    assert len(templates) == len(set(templates)) == 25
    assert all(template.count("{}") == 1 for template in templates)
    worn = {prompt.accessory for prompt in prompts_for(class_noun)} - {"none"}
    assert bool(worn) == (class_noun in LIVE_CLASSES)


@pytest.mark.parametrize("name", ["biscuit", "earl"])
def test_the_truth_of_a_prompt_is_what_it_says(name):
    subject = SUBJECTS[name]
    for prompt in prompts_for(subject.class_noun):
        scene = prompt.scene(subject.appearance, seed=3)
        (shown,) = scene.objects
        assert shown.appearance == subject.appearance
        says = {
            "context": CONTEXTS[scene.context].words, "accessory": accessory_words(shown.accessory) if shown.accessory != "none" else "",
            "edit": EDIT_WORDS.get(shown.edit, ""), "style": "" if scene.style == "photo" else scene.style.split()[0],
            "view": shown.view if prompt.view else "",
        }  # fmt: skip
        assert all(words in prompt.template for words in says.values()), (prompt, says)
        assert sum(bool(words) for words in says.values()) == 1, (prompt, says)
        assert prompt.scene(subject.appearance, seed=3) == scene != prompt.scene(subject.appearance, seed=4)


@pytest.mark.parametrize("name", SUBJECTS)
def test_distractors_share_the_words_and_not_the_looks(name):
    subject = SUBJECTS[name]
    for other in distractors(subject, 10):
        assert (other.class_noun, other.colour, other.pattern) == (subject.class_noun, subject.appearance.colour, subject.appearance.pattern)
        assert differences(other, subject.appearance) >= 2


def test_judges_see_individuals_four_times_and_in_families_of_four():
    scenes = [judges_scene(0, k) for k in range(32)]
    assert [individual for _, individual in scenes] == list(np.arange(32) // 4)
    looks = [scene.objects[0].appearance for scene, _ in scenes]
    assert all(len(set(looks[k : k + 4])) == 1 for k in range(0, 32, 4))
    for family in (looks[:16:4], looks[16::4]):
        assert len(set(family)) == 4
        assert len({(a.class_noun, a.colour, a.pattern) for a in family}) == 1


@pytest.mark.parametrize("class_noun", ["dog", "backpack", "person"])
def test_the_world_draws_its_every_place_and_the_benchmark_stays_as_it_is(class_noun):
    known = {prompt.template: prompt for prompt in known_prompts(class_noun)}
    assert known["a {} on the beach"].context == "beach" and len(known) == len(known_prompts(class_noun))
    assert {place.words for place in CONTEXTS.values()} - {""} <= {template.removeprefix("a {} ") for template in known}
    assert len(prompts_for(class_noun)) == 25
