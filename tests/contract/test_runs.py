"""Laws 5 and 6: a run is a function of its recipe, also when it was stopped or killed on the way."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from likeness.files.recipe import write_recipe
from likeness.files.run_folder import RunFolder
from likeness.workflow.branching import branch
from likeness.workflow.fitting import fit, resume
from likeness.workflow.progress import Silent
from likeness.workflow.stack import method_class, stage_types

LONG = {"steps": 60, "checkpoints": tuple(range(4, 60, 4))}


def test_same_seed_same_run(method, prediction, fitted, observed):
    """Law 5."""
    assert observed(fitted(method, prediction=prediction)) == observed(fitted(method, prediction=prediction))


def test_another_seed_is_another_run(method, fitted, observed):
    assert observed(fitted(method)) != observed(fitted(method, seed=1))


def test_previews_change_no_weight(method, fitted, observed):
    """Law 5."""
    plain, watched = observed(fitted(method)), observed(fitted(method, previews=(1, 2, 3)))
    assert len(watched) > len(plain)
    assert all(watched[name] == content for name, content in plain.items() if name.endswith(".safetensors") or name == "journal")


@pytest.mark.parametrize("step", [1, 2, 4])
def test_resumed_run_equals_uninterrupted(method, prediction, step, recipe_of, paused, tmp_path, observed):
    """Law 6, stopped by a signal: two of four steps end where a checkpoint is."""
    recipe = recipe_of(method, prediction=prediction, steps=5, checkpoints=(2, 4))
    whole = fit(recipe, tmp_path / "whole", Silent())
    run = paused(recipe, tmp_path / "stopped", step)
    assert run.record().status == "paused" and len(run.journal()) == step
    resume(run, Silent())
    assert run.record().status == "finished"
    equals_uninterrupted(run, whole, observed)


def test_stopped_while_class_pictures_are_drawn(method, recipe_of, paused, tmp_path, observed, monkeypatch):
    if "class_pictures" not in method_class(method).Spec.model_fields:
        pytest.skip("has no class pictures")
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path / "cache"))
    recipe = recipe_of(method, class_pictures=12)
    run = paused(recipe, tmp_path / "stopped", 8, "class pictures")
    assert run.record().status == "paused" and run.journal() == []
    assert len(list((tmp_path / "cache").rglob("*.png"))) == 8
    resume(run, Silent())
    equals_uninterrupted(run, fit(recipe, tmp_path / "whole", Silent()), observed)


def equals_uninterrupted(run: RunFolder, whole: RunFolder, observed: Callable) -> None:
    """Every byte that the uninterrupted run has; being stopped may have left a checkpoint and a resume state more."""
    left, right = observed(run), observed(whole)
    newest = f"resume/{whole.latest('resume').step:06d}"  # type: ignore[union-attr]
    wanted = {name for name in right if not name.startswith("resume") or name.startswith(newest)}
    assert {name for name in wanted if left.get(name) != right[name]} == set()


def test_a_continued_run_equals_the_longer_one(method, recipe_of, tmp_path, observed):
    """Branching with nothing changed but the number of steps adds nothing of its own."""
    short = fit(recipe_of(method, steps=3), tmp_path / "runs", Silent())
    child = branch(short, {"steps": 6}, Silent())
    whole = fit(recipe_of(method, steps=6, checkpoints=(3,)), tmp_path / "whole", Silent())
    left, right = observed(child), observed(whole)
    weights = [name for name in right if name.endswith(".safetensors")]
    assert len(weights) == 4 and [name for name in weights if left[name] != right[name]] == []
    assert left["journal"] == right["journal"]


def killed(command: list[str], parent: Path, after: int) -> RunFolder:
    """Run a command and kill -9 it once the journal has `after` lines."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen([sys.executable, "-m", "likeness.cli", *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while process.poll() is None:
        journals = list(parent.glob("*/journal.jsonl"))
        if journals and journals[0].read_bytes().count(b"\n") >= after:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    output = process.communicate()[0].decode()
    assert process.returncode == -signal.SIGKILL, output
    (path,) = parent.iterdir()
    return RunFolder.open(path)


def kill_and_resume(recipe, tmp_path: Path, moments: list[int], observed: Callable, likeness: Callable) -> None:
    (tmp_path / "recipe.toml").write_text(write_recipe(recipe))
    parent = tmp_path / "killed"
    first, *later = moments
    run = killed(["train", "--recipe", str(tmp_path / "recipe.toml"), "--runs", str(parent)], parent, first)
    assert run.status() == "interrupted"
    for moment in later:
        killed(["resume", str(run.path)], parent, moment)
    assert likeness("resume", run.path) == 0
    assert run.record().status == "finished"
    equals_uninterrupted(run, fit(recipe, tmp_path / "whole", Silent()), observed)


def test_killed_run_equals_uninterrupted(method, recipe_of, tmp_path, observed, likeness):
    """Law 6: kill -9 at two random moments of a real process; `likeness resume` goes on each time."""
    moments = [random.randrange(2, 25), random.randrange(26, 50)]
    print("killed after steps", moments)
    kill_and_resume(recipe_of(method, **LONG), tmp_path, moments, observed, likeness)


@pytest.mark.slow
def test_twenty_kills_change_nothing(method, recipe_of, tmp_path, observed, likeness):
    """T16."""
    moments = sorted(random.sample(range(1, 400), 20))
    print("killed after steps", moments)
    recipe = recipe_of(method, steps=420, checkpoints=tuple(range(2, 420, 2)))
    kill_and_resume(recipe, tmp_path, moments, observed, likeness)


def test_the_recipe_of_a_run_reproduces_it(method, fitted, tmp_path, observed):
    run = fitted(method)
    again = fit(run.recipe(stage_types()), tmp_path / "again", Silent())
    assert observed(again) == observed(run)
