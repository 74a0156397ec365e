"""What a run trains and takes, as its files say it."""

from __future__ import annotations

import json
from pathlib import Path

from likeness.report.facts import cost_of, training_seconds

from .conftest import write_lines


def line(file: str, steps: int, scale: float, model: str = "personalized", **labels: object) -> dict:
    return {"file": file, "settings": {"steps": steps, "guidance_scale": scale}, "labels": {"model": model, **labels}}


def test_sampling_and_seconds_are_of_the_scored_way_of_drawing(tmp_path: Path):
    lines = [line("a", 25, 4.0, seconds=2.0), line("b", 25, 4.0, seconds=0.0), line("c", 4, 4.0, seconds=0.1), line("d", 50, 4.0, model="base", seconds=9.0)]
    write_lines(tmp_path / "pictures" / "index.jsonl", lines)
    both = cost_of(tmp_path)
    assert both.words()["steps × guidance"] == "25 × 4, 4 × 4" and both.picture_seconds == (2.0 + 0.0 + 0.1) / 3
    (tmp_path / "scores.json").write_text(json.dumps({"each": [{"file": "b"}, "damaged"]}))
    assert cost_of(tmp_path).sampling == [{"steps": 25, "guidance_scale": 4.0}] and cost_of(tmp_path).picture_seconds == 1.0


def test_an_older_runs_seconds_are_believed_where_all_was_drawn_in_one_way(tmp_path: Path):
    (tmp_path / "run.json").write_text(json.dumps({"picture_seconds": 0.25}))
    assert cost_of(tmp_path).picture_seconds is None
    write_lines(tmp_path / "pictures" / "index.jsonl", [line("a", 25, 4.0), line("b", 25, 4.0)])
    assert cost_of(tmp_path).words()["a picture"] == "0.25 s"
    write_lines(tmp_path / "pictures" / "index.jsonl", [line("a", 25, 4.0), line("b", 4, 4.0)])
    assert cost_of(tmp_path).picture_seconds is None


def test_no_guidance_is_said_so(tmp_path: Path):
    write_lines(tmp_path / "pictures" / "index.jsonl", [line("a", 4, 1.0)])
    assert cost_of(tmp_path).words()["steps × guidance"] == "4, no guidance"


def test_a_run_that_says_nothing_has_nothing(tmp_path: Path):
    assert set(cost_of(tmp_path).words().values()) == {""}


def test_training_includes_what_a_run_goes_on_from(tmp_path: Path):
    for name, about in (("first", {"seconds": 60}), ("second", {"seconds": 30, "lineage": {"run": "first", "step": 5}}), ("alone", {"seconds": 30, "lineage": {"run": "gone"}})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(json.dumps(about))
    assert [training_seconds(tmp_path / name) for name in ("first", "second", "alone", "nowhere")] == [60, 90, 30, None]
