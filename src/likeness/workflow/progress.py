"""What a person sees while work is done: a bar with the time that is left, or one plain line every so often."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

LINES = 20  # plain lines that a long task prints at most, beside its first and last


class Task:
    """One thing that is counted up to a total."""

    def __init__(self, title: str, total: int, show, live: bool = False, done: int = 0):
        self.title, self.total, self.done, self.begun_at, self._show, self._live = title, total, done, done, show, live

    def advance(self, count: int = 1, note: str = "") -> None:
        self.done += count
        self._show(self, note)

    def note(self, text: str) -> None:
        """Say what is going on between two counts, where there is a bar; a log has its lines."""
        if self._live:
            self._show(self, text)

    def at(self, done: int, total: int) -> None:
        """Set, for work that reports where it is."""
        self.total = total
        self.advance(done - self.done)


class Progress:
    """Bars with ETA on a terminal; elsewhere plain lines, so that a log stays readable."""

    def __init__(self, console: Console | None = None):
        self.console = console or Console(stderr=True, highlight=False)

    def say(self, line: str) -> None:
        self.console.print(line, markup=False, emoji=False, soft_wrap=True)

    @contextmanager
    def task(self, title: str, total: int, done: int = 0) -> Iterator[Task]:
        """done: what was done before, at another time, which says nothing of how long the rest takes."""
        if self.console.is_terminal:
            with self._bars() as bars:
                bar = bars.add_task(title, total=total, completed=done, note="")
                yield Task(title, total, lambda task, note: bars.update(bar, completed=task.done, total=task.total, note=note), live=True, done=done)
        else:
            yield Task(title, total, self._liner(time.monotonic()), done=done)

    def _bars(self) -> Bars:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
                   TimeRemainingColumn(), TextColumn("{task.fields[note]}"))  # fmt: skip
        return Bars(*columns, console=self.console)

    def _liner(self, began: float):
        def show(task: Task, note: str) -> None:
            every = max(1, task.total // LINES)
            now = task.done - task.begun_at
            if task.done % every and task.done != task.total and now != 1:
                return
            left = (time.monotonic() - began) / max(1, now) * (task.total - task.done)
            self.say(f"{task.title}: {task.done} of {task.total}" + (f", {note}" if note else "") + f", {left:.0f} s left")

        return show


class Silent(Progress):
    """For notebooks, tests and workers."""

    def __init__(self) -> None:
        super().__init__(Console(file=sys.stderr, quiet=True))
