"""What a log says of the time that is left."""

from __future__ import annotations

import io

from rich.console import Console

from likeness.workflow import progress
from likeness.workflow.progress import Progress


def lines_of(monkeypatch, done: int, total: int) -> list[str]:
    """A second for each step."""
    now, text = [0.0], io.StringIO()
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Progress(Console(file=text)).task("training", total, done=done) as task:
        for _ in range(done, total):
            now[0] += 1.0
            task.advance()
    return text.getvalue().splitlines()


def test_the_time_that_is_left_is_of_what_is_left(monkeypatch):
    assert lines_of(monkeypatch, 0, 4) == [f"training: {n} of 4, {4 - n} s left" for n in (1, 2, 3, 4)]


def test_what_was_done_before_says_nothing_of_it(monkeypatch):
    assert lines_of(monkeypatch, 500, 503) == ["training: 501 of 503, 2 s left", "training: 503 of 503, 0 s left"]


def test_a_name_between_colons_stays_as_it_is():
    text = io.StringIO()
    Progress(Console(file=text)).say("photos/:dog:/one.png")
    assert text.getvalue() == "photos/:dog:/one.png\n"
