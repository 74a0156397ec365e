"""choose: the pictures that are missing, their scores, a checkpoint and its reason; and it says what it needs."""

from __future__ import annotations

import pytest

from likeness.files.errors import UserError
from likeness.sampling.options import Blend
from likeness.workflow.choosing import choose, table
from likeness.workflow.evaluating import evaluate
from likeness.workflow.fitting import fit
from likeness.workflow.generating import generate, jobs_for, steps_to_draw
from likeness.workflow.progress import Silent
from likeness.workflow.recipes import recipe_for


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    recipe = recipe_for("textual_inversion", {"steps": 2, "checkpoints": (1,), "batch_size": 1}, subject={"photos": "toybox:biscuit"}, seed=0)
    return fit(recipe, tmp_path_factory.mktemp("runs"), Silent())


@pytest.fixture
def run_of_one(tmp_path):
    return fit(recipe_for("textual_inversion", {"steps": 1, "batch_size": 1}, subject={"photos": "toybox:biscuit"}, seed=0), tmp_path, Silent())


def test_every_checkpoint_is_drawn_scored_and_one_chosen(run):
    choice = choose(run, ["a {} in the snow"], [0], Silent())
    assert [point.step for point in choice.points] == [1, 2] and choice.step in (1, 2)
    assert sorted(p.labels["checkpoint"] for p in run.pictures()) == [0, 1, 2]
    scores = run.scores()
    assert [line["step"] for line in scores["each"]] == [1, 2]
    assert scores["rows"][0]["scores"]["dino"]["value"] == pytest.approx(scores["each"][1]["dino"])
    said = table(choice)
    assert "take this" in said and choice.reason in said
    before = [p.path.stat().st_mtime_ns for p in run.pictures()]
    assert choose(run, (), [0], Silent()) == choice  # of the prompts that it has; nothing is drawn again
    assert [p.path.stat().st_mtime_ns for p in run.pictures()] == before


def test_what_was_drawn_otherwise_changes_no_choice_and_has_a_row_of_its_own(run):
    choice = choose(run, ["a {} in the snow"], [0], Silent())
    for steps in (1, 2):
        generate(run, ["a {} in the snow"], [0], Silent(), step=2, steps=steps, beside_base=False)
    assert choose(run, ["a {} in the snow"], [0], Silent()) == choice
    scores = run.scores()
    assert [line["step"] for line in scores["each"]] == [1, 2]
    assert {"personalized", "personalized, 1 step", "personalized, 2 steps"} <= {row["name"] for row in scores["rows"]}


def test_who_always_draws_otherwise_still_has_scores_and_is_told(run_of_one):
    generate(run_of_one, ["a {} in the snow"], [0], Silent(), steps=1, beside_base=False)
    scores = evaluate(run_of_one, Silent())
    assert scores["rows"][0]["name"] == "personalized" and any("would draw them: 1 step." in remark for remark in scores["remarks"])


def test_each_way_of_blending_is_a_row(run):
    for alpha in (0.1, 0.5):
        generate(run, ["a {} in the snow"], [0], Silent(), step=2, steps=1, guide=1, how=Blend(alpha=alpha), beside_base=False)
    generate(run, ["a {} in the snow"], [0], Silent(), beside_base=False)
    names = [row["name"] for row in evaluate(run, Silent())["rows"]]
    assert "blended, alpha 0.1, 1 step" in names and "blended, alpha 0.5, 1 step" in names


def test_one_checkpoint_leaves_nothing_to_choose(quick_recipe, tmp_path):
    alone = fit(quick_recipe(steps=1), tmp_path, Silent())
    with pytest.raises(UserError, match="only the checkpoint of step 1, so there is nothing to choose"):
        choose(alone, (), [0], Silent())


def test_an_identifier_that_begins_with_a_vowel_changes_no_prompt_of_the_class(tmp_path):
    """The base is asked for "a dog", never for "an dog", also where a prompt is typed whole."""
    (job,) = jobs_for(["an ohwx dog in the snow"], [{"called": "ohwx dog", "class_noun": "dog"}], [0])
    assert (job.prompt, job.class_prompt) == ("an ohwx dog in the snow", "a dog in the snow")
    subject = {"photos": "toybox:biscuit", "identifier": "ohwx"}
    run = fit(recipe_for("lora", {"steps": 2, "checkpoints": (1,), "batch_size": 1, "rank": 1}, subject=subject, seed=0), tmp_path, Silent())
    generate(run, ["a {} in the snow"], [0], Silent(), beside_base=False)
    assert [point.step for point in choose(run, (), [0], Silent()).points] == [1, 2]


def test_checkpoints_are_named_by_step_or_all(run):
    assert (steps_to_draw(run, None), steps_to_draw(run, "all"), steps_to_draw(run, "1,2")) == ([None], [1, 2], [1, 2])
    with pytest.raises(UserError, match="This run has 1, 2"):
        steps_to_draw(run, "last")
    with pytest.raises(UserError, match="no checkpoint of step 9"):  # before the first is drawn
        steps_to_draw(run, "1,9")


def test_a_last_checkpoint_that_was_drawn_otherwise_speaks_for_itself(tmp_path):
    """What an earlier one drew as its card wants takes its name from no one."""
    run = fit(recipe_for("textual_inversion", {"steps": 2, "checkpoints": (1,), "batch_size": 1}, subject={"photos": "toybox:biscuit"}, seed=0), tmp_path, Silent())
    generate(run, ["a {} in the snow"], [0], Silent(), step=1, beside_base=False)
    generate(run, ["a {} in the snow"], [0], Silent(), steps=1, beside_base=False)
    scores = evaluate(run, Silent())
    assert scores["rows"][0]["name"] == "personalized" and [line["step"] for line in scores["each"]] == [2]
