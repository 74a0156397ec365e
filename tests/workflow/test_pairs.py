"""Two subjects in one picture: the judge finds both in true renders, and neither in pictures of others."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from likeness.files.picture import Settings
from likeness.files.recipe import recipe_from_dict
from likeness.workflow.evaluating import evaluate
from likeness.workflow.fitting import fit
from likeness.workflow.looking import open_judges
from likeness.workflow.pairs import _drawn, _scores, halves
from likeness.workflow.progress import Silent
from likeness.workflow.stack import stage_types
from likeness.workflow.truth import pair_candidates
from likeness.world.drawing import draw
from likeness.world.subjects import SUBJECTS, distractors, pair_scene, photos_of

PROMPTS = ["a dog next to a backpack in the jungle", "a dog next to a backpack on the beach", "a dog next to a backpack"]


@pytest.fixture(scope="module")
def judges():
    return open_judges("toybox")


@pytest.fixture(scope="module")
def candidates(judges):
    return who("biscuit", "daypack", judges)


def who(first: str, second: str, judges) -> list:
    pair = SUBJECTS[first], SUBJECTS[second]
    return pair_candidates(pair, judges, [judges.dino.pictures([draw(scene, 64) for scene in photos_of(one)]) for one in pair])


def shares(pictures, candidates, judges) -> list[float]:
    return [round(value["value"], 2) for value in _scores(pictures, [str(n) for n in range(len(pictures))], candidates, judges.dino).values()]


def test_truth_floor_and_what_lies_between(judges, candidates):
    biscuit, daypack = SUBJECTS["biscuit"], SUBJECTS["daypack"]
    other = distractors(daypack, 1)[0]
    assert min(shares(_drawn([biscuit.appearance], [daypack.appearance], PROMPTS), candidates, judges)) >= 0.8
    both, first, second = shares(_drawn([biscuit.appearance], [other], PROMPTS), candidates, judges)
    assert both <= 0.2 and first >= 0.8 and second <= 0.3
    both, first, second = shares(_drawn([biscuit.appearance], [biscuit.appearance], PROMPTS), candidates, judges)
    assert both <= 0.2 and first >= 0.8  # the same one twice is not both


@pytest.mark.parametrize(("there", "missing"), [("pepper", "bruno"), ("bruno", "pepper"), ("gizmo", "bolt"), ("biscuit", "bruno")])
def test_one_of_a_class_twice_is_not_both(there, missing, judges):
    """The usual failure of teaching two."""
    look = SUBJECTS[there].appearance
    both, _, second = shares(_drawn([look], [look], PROMPTS), who(there, missing, judges), judges)
    assert both <= 0.1 and second <= 0.1
    whole = shares(_drawn([look], [SUBJECTS[missing].appearance], PROMPTS), who(there, missing, judges), judges)
    assert whole[0] >= 0.7


def test_a_half_is_a_square_of_its_side():
    left, right = halves(Image.fromarray(np.tile(np.arange(64, dtype=np.uint8), (64, 1))))
    assert left.size == right.size == (64, 64)
    assert np.asarray(left).max() <= 39 and np.asarray(right).min() >= 25


def test_a_run_of_two_subjects_is_scored_on_pictures_of_both(tmp_path):
    recipe = recipe_from_dict({
        "subject": {"photos": "toybox:biscuit", "class_noun": "dog", "identifier": "one"},
        "others": [{"photos": "toybox:daypack", "class_noun": "backpack", "identifier": "two"}],
        "stages": [{"method": "custom_diffusion", "steps": 1, "prior_weight": 0.0, "augmentation": False}],
    }, stage_types())  # fmt: skip
    run = fit(recipe, tmp_path, Silent())
    settings = Settings(prompt="", steps=1, sampler="DDIM", guidance_scale=1.0, seed=0, model="toybox", width=64, height=64)
    biscuit, daypack = SUBJECTS["biscuit"].appearance, SUBJECTS["daypack"].appearance
    for seed in range(12):
        labels = {"class_prompt": "a dog next to a backpack on the beach", "checkpoint": 1}
        truth = draw(pair_scene(biscuit, daypack, "beach", seed), 64)
        said = "a <one> dog next to a <two> backpack on the beach"
        run.add_picture(truth, settings.model_copy(update={"prompt": said}), labels | {"model": "personalized"})
        alone = {"class_prompt": "a dog in the jungle", "checkpoint": 1, "model": "personalized"}
        run.add_picture(draw(photos_of(SUBJECTS["biscuit"])[0], 64), settings.model_copy(update={"prompt": "a <one> dog in the jungle"}), alone)
    rows = {row["name"]: row["scores"] for row in evaluate(run, Silent())["rows"]}
    assert rows["personalized, both subjects"]["both"]["value"] >= 0.7 and rows["floor: two others of the same words"]["both"]["value"] < 0.5
    assert rows["personalized"]["named"]["n"] == 1  # one prompt: the pictures of both are not asked who alone they show
