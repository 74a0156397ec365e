"""--until-settled: a run ends where its checkpoints get no better; it is else the run that it would have been, stopped or not."""

from __future__ import annotations

import pytest

from likeness.evaluation.loading import EMBEDDED
from likeness.evaluation.options import Encoders
from likeness.evaluation.statistics import f1
from likeness.files.errors import UserError
from likeness.files.recipe import Settle
from likeness.files.run_folder import RunFolder
from likeness.workflow import settling, stack
from likeness.workflow.branching import branch
from likeness.workflow.choosing import choose
from likeness.workflow.fitting import fit, resume
from likeness.workflow.generating import NEW_SCENES
from likeness.workflow.progress import Silent

JUDGES = {"clip": str(EMBEDDED / "clip"), "dino": str(EMBEDDED / "dino")}
STEPS = 10


@pytest.fixture(autouse=True)
def few_sampling_steps(monkeypatch):
    monkeypatch.setattr(stack, "SAMPLING", {**stack.SAMPLING, "steps": 2, "guidance_scale": 2.0})


@pytest.fixture
def recipe(quick_recipe):
    return quick_recipe(steps=STEPS, checkpoints=tuple(range(1, STEPS)), prior_weight=0.0, learning_rate=1e-2)


@pytest.fixture
def watched(recipe):
    return recipe.model_copy(update={"settle": Settle(after=2, **JUDGES)})


def weights(run: RunFolder, step: int) -> bytes:
    return (run.checkpoint(step).path / "0-dreambooth.safetensors").read_bytes()


def pictures(run: RunFolder) -> list[tuple[str, int, bytes]]:
    from PIL import Image

    return [(p.settings.prompt, p.labels["checkpoint"], Image.open(p.path).tobytes()) for p in run.pictures() if p.labels["model"] == "personalized"]


def where_it_settles(lines: list[dict], after: int) -> int:
    """By hand: the first step that is `after` checkpoints behind the highest F1 of the means so far."""
    of_step = {step: [line for line in lines if line["step"] == step] for step in sorted({line["step"] for line in lines})}
    so_far: dict[int, float] = {}
    for step, found in of_step.items():
        so_far[step] = f1(*(sum(line[name] for line in found) / len(found) for name in ("clip_t_class", "dino")))
        best = max(so_far, key=lambda each: so_far[each])
        if sum(each > best for each in so_far) >= after:
            return step
    return max(of_step)


def test_it_ends_where_the_f1_stops_rising_and_is_the_same_run_until_there(recipe, watched, tmp_path):
    whole, ended = fit(recipe, tmp_path / "whole", Silent()), fit(watched, tmp_path / "ended", Silent())
    choose(whole, NEW_SCENES, settling.SEEDS, Silent(), Encoders(clip=JUDGES["clip"], dino=JUDGES["dino"]))
    scores, reason = whole.scores(), ended.record().exit_reason
    assert scores and reason
    last = where_it_settles(scores["each"], after=2)
    assert [c.step for c in ended.checkpoints()] == list(range(1, last + 1)) and 3 <= last < STEPS
    assert f"settled after step {last}" in reason and ended.record().status == "finished"
    assert all(weights(ended, step) == weights(whole, step) for step in range(1, last + 1))
    drawn = pictures(ended)
    assert len(drawn) == 8 * last and set(drawn) == {one for one in pictures(whole) if one[1] <= last}


@pytest.mark.parametrize("step", [1, 2])
def test_a_run_that_was_stopped_settles_where_it_would_have(watched, paused, tmp_path, step):
    whole = fit(watched, tmp_path / "whole", Silent())
    run = paused(watched, tmp_path / "stopped", step)
    assert run.record().status == "paused"
    resume(run, Silent())
    assert run.record().exit_reason == whole.record().exit_reason and pictures(run) == pictures(whole)
    assert weights(run, run.checkpoints()[-1].step) == weights(whole, whole.checkpoints()[-1].step)


def test_killed_between_a_checkpoint_and_its_judgement(watched, tmp_path, monkeypatch):
    whole = fit(watched, tmp_path / "whole", Silent())
    last = whole.checkpoints()[-1].step
    judge = settling.Settling.at

    def killed(self, step, methods):
        if step == last:
            raise KeyboardInterrupt
        return judge(self, step, methods)

    monkeypatch.setattr(settling.Settling, "at", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(watched, tmp_path / "killed", Silent())
    monkeypatch.setattr(settling.Settling, "at", judge)
    run = RunFolder.open(next((tmp_path / "killed").iterdir()))
    resume(run, Silent())
    assert run.record().exit_reason == whole.record().exit_reason and pictures(run) == pictures(whole)
    assert len(run.journal()) == last


def test_a_settled_run_is_finished_and_can_be_continued(watched, tmp_path):
    run = fit(watched, tmp_path, Silent())
    with pytest.raises(UserError, match="is finished .settled after step .*likeness continue"):
        resume(run, Silent())
    child = branch(run, {}, Silent())
    assert child.record().status == "finished" and len(child.journal()) > len(run.journal())


def test_what_cannot_be_judged_is_said_before_anything_is_loaded(recipe, tmp_path):
    with pytest.raises(UserError, match="settle: the embedded judges know the toybox alone"):
        fit(recipe.model_copy(update={"settle": Settle(after=1)}), tmp_path, Silent())
    assert not list(tmp_path.iterdir())


def test_too_few_checkpoints_to_settle_are_refused():
    from likeness.workflow.recipes import recipe_for

    biscuit = {"photos": "toybox:biscuit"}
    with pytest.raises(UserError, match="the last stage keeps 3. Ask for more"):
        recipe_for("lora", {"checkpoints": [1, 2]}, biscuit, settle={"after": 2})
    with pytest.raises(UserError, match="unknown option 'untl' in settle"):
        recipe_for("lora", {"checkpoints": [1, 2]}, biscuit, settle={"after": 1, "untl": 2})
    assert recipe_for("lora", {"checkpoints": [1, 2]}, biscuit, settle={"after": 1}).settle == Settle(after=1)
