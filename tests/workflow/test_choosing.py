"""choose: the pictures that are missing, their scores, a checkpoint and its reason; and it says what it needs."""

from __future__ import annotations

import pytest

from likeness.files.errors import UserError
from likeness.workflow.choosing import choose, table
from likeness.workflow.fitting import fit
from likeness.workflow.generating import steps_to_draw
from likeness.workflow.progress import Silent
from likeness.workflow.recipes import recipe_for


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    recipe = recipe_for("textual_inversion", {"steps": 2, "checkpoints": (1,), "batch_size": 1}, subject={"photos": "toybox:biscuit"}, seed=0)
    return fit(recipe, tmp_path_factory.mktemp("runs"), Silent())


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


def test_one_checkpoint_leaves_nothing_to_choose(quick_recipe, tmp_path):
    alone = fit(quick_recipe(steps=1), tmp_path, Silent())
    with pytest.raises(UserError, match="only the checkpoint of step 1, so there is nothing to choose"):
        choose(alone, (), [0], Silent())


def test_checkpoints_are_named_by_step_or_all(run):
    assert (steps_to_draw(run, None), steps_to_draw(run, "all"), steps_to_draw(run, "1,2")) == ([None], [1, 2], [1, 2])
    with pytest.raises(UserError, match="This run has 1, 2"):
        steps_to_draw(run, "last")
