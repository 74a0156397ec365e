"""T17: a signal while pictures are drawn or scored leaves what is done, says how to go on, and has an exit code of its own."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

import pytest
from PIL import Image

from likeness.files.run_folder import RunFolder
from likeness.workflow.evaluating import evaluate
from likeness.workflow.fitting import fit, resume
from likeness.workflow.generating import generate
from likeness.workflow.progress import Silent
from likeness.workflow.stopping import Stopped


class SignalAfter(Silent):
    """A person who stops the first task once so much of it is done."""

    def __init__(self, done: int, number: signal.Signals):
        super().__init__()
        self.done, self.number = done, number

    @contextmanager
    def task(self, title, total, done=0):
        with super().task(title, total, done) as task:
            task._show = lambda task, note: os.kill(os.getpid(), self.number) if task.done == self.done else None
            yield task


def content(run: RunFolder) -> list[bytes]:
    return [Image.open(p.path).tobytes() for p in run.pictures()]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)])
def test_drawing_that_was_stopped_goes_on_and_ends_the_same(number, code, quick_recipe, tmp_path):
    asked = (["a {} on the beach", "a {} in the snow", "a {}"], range(4))
    whole, run = (fit(quick_recipe(), tmp_path / name, Silent()) for name in ("whole", "stopped"))
    generate(whole, *asked, Silent(), steps=2, beside_base=False)
    with pytest.raises(Stopped, match="after 8 of 12 pictures. The same command draws the rest") as stopped:
        generate(run, *asked, SignalAfter(3, number), steps=2, beside_base=False)
    assert stopped.value.exit_code == code and len(run.pictures()) == 8
    generate(run, *asked, Silent(), steps=2, beside_base=False)
    assert content(run) == content(whole)


def test_scoring_that_was_stopped_leaves_the_scores_of_before(tmp_path):
    from likeness.workflow.recipes import recipe_for

    options = {"steps": 1, "batch_size": 1}
    run = fit(recipe_for("dreambooth", options, subject={"photos": "toybox:biscuit"}), tmp_path, Silent())
    generate(run, ["a {}"], [0], Silent(), steps=1)
    with pytest.raises(Stopped, match="Begin again: likeness evaluate"):
        evaluate(run, SignalAfter(1, signal.SIGTERM))
    assert run.scores() is None
    evaluate(run, Silent())
    assert run.scores()


def test_a_signal_in_the_last_step_of_a_stage_stops_before_the_next(quick_recipe, tmp_path):
    """Where two stages meet nothing is half done, and the resumed run ends as the one that was not stopped."""
    one = quick_recipe(steps=2, prior_weight=0.0)
    recipe = one.model_copy(update={"stages": (*one.stages, *one.stages)})
    with pytest.raises(Stopped, match="after step 2"):
        fit(recipe, tmp_path / "stopped", SignalAfter(2, signal.SIGTERM))
    run = RunFolder.open(next((tmp_path / "stopped").iterdir()))
    assert run.record().status == "paused" and len(run.journal()) == 2
    resume(run, Silent())
    whole = fit(recipe, tmp_path / "whole", Silent())
    assert [line["losses"] for line in run.journal()] == [line["losses"] for line in whole.journal()]
