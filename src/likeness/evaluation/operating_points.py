"""Which checkpoint: each one's likeness and obedience on the same prompts and noise, their front, and the one to take.

Early checkpoints follow the prompt and miss the subject, late ones the reverse. As DreamBlend does (arXiv 2411.19390), a checkpoint is
chosen by the F1 of the two means; which others cannot be told from it is said beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .statistics import Estimate, bootstrap, bootstrap_of, f1

SUBJECT, PROMPT = "dino", "clip_t_class"  # of a scored picture


@dataclass(frozen=True)
class Point:
    """A checkpoint's means over the pictures that all checkpoints have."""

    step: int
    subject: Estimate
    prompt: Estimate
    f1: Estimate
    best: bool  # whether no other checkpoint is at least as good in both means and better in one


@dataclass(frozen=True)
class Choice:
    """The checkpoint to take, those that cannot be told from it, and the ends: what is least learned, what most."""

    step: int
    alike: tuple[int, ...]
    underfit: int
    overfit: int
    points: tuple[Point, ...]

    @property
    def reason(self) -> str:
        chosen = next(point for point in self.points if point.step == self.step)
        others = [point for point in self.points if point.step != self.step]
        said = f"checkpoint {self.step}: the highest F1 of likeness and obedience, {chosen.f1}, on {chosen.f1.n} prompt{'s' * (chosen.f1.n > 1)}"
        singly = "; each was compared by itself, and of many some seem clear by chance" if len(others) > 1 and len(self.alike) < len(others) else ""
        if not self.alike:
            return f"{said}; clearly above the other{'s' * (len(others) > 1)}{singly}"
        named = ", ".join(map(str, self.alike))
        return f"{said}; no clear winner over {'all others' if len(self.alike) == len(others) else named}{singly}"


def choose_checkpoint(pictures: Sequence[dict[str, Any]]) -> Choice | None:
    """The choice among the checkpoints of scored pictures; None where there are not two with a picture in common.

    pictures   one line each: step, prompt (with the class noun), seed, and the cosines SUBJECT and PROMPT
    """
    by_step: dict[int, dict[tuple[str, int], tuple[float, float]]] = {}
    for line in pictures:
        by_step.setdefault(line["step"], {})[line["prompt"], line["seed"]] = line[SUBJECT], line[PROMPT]
    shared = sorted(set.intersection(*map(set, by_step.values()))) if by_step else []
    if len(by_step) < 2 or not shared:
        return None
    prompts = [prompt for prompt, _ in shared]
    steps = sorted(by_step)
    columns = {step: np.array([by_step[step][key] for key in shared]).T for step in steps}  # [2, pictures]
    front = {steps[n] for n in pareto_front(np.stack([columns[step].mean(axis=1) for step in steps]))}
    points = tuple(_point(step, columns[step], prompts, step in front) for step in steps)
    top = max(points, key=lambda point: point.f1.value)
    alike = tuple(step for step in steps if step != top.step and not _clear(columns[top.step], columns[step], prompts))
    return Choice(
        top.step, alike, underfit=max(points, key=lambda p: p.prompt.value).step, overfit=max(points, key=lambda p: p.subject.value).step, points=points,
    )  # fmt: skip


def _point(step: int, columns: np.ndarray, prompts: list[str], best: bool) -> Point:
    subject, prompt = (bootstrap(column, prompts) for column in columns)
    return Point(step, subject, prompt, bootstrap_of(f1, list(columns), prompts), best)


def f1_difference(first: np.ndarray, second: np.ndarray, prompts: Sequence[str]) -> Estimate:
    """F1 of the first's means less the second's, paired on the same pictures. first, second: likeness and obedience, [2, pictures]"""
    return bootstrap_of(lambda a, b, c, d: f1(a, b) - f1(c, d), [*first, *second], prompts)


def _clear(first: np.ndarray, second: np.ndarray, prompts: list[str]) -> bool:
    """Whether the F1 of the first is higher and the interval of their difference, on the same pictures, without 0."""
    difference = f1_difference(first, second, prompts)
    return difference.low is not None and difference.low > 0


def pareto_front(points: np.ndarray) -> np.ndarray:
    """Indices of the points that no other one beats: nowhere lower and somewhere higher. [n, k] -> [front], ascending"""
    points = np.asarray(points, dtype=np.float64)
    at_least = (points[:, None] >= points[None]).all(axis=2)  # [i, j]: i is nowhere below j
    above = (points[:, None] > points[None]).any(axis=2)
    return np.flatnonzero(~(at_least & above).any(axis=0))
