"""Checkpoints as drawings: scores over the steps, and likeness against obedience with a picture of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from likeness.evaluation.operating_points import Choice, Point
from likeness.evaluation.statistics import Estimate
from likeness.report.plots import COLOURS, LOSS_WIDTH, Axis, fraction, horizontal_tick, short, svg, ticks

LEFT, RIGHT, TOP, BOTTOM = 58, LOSS_WIDTH - 14, 14, 258
THUMB = 84  # in the drawing's units
SCORES = {"likeness (DINO)": "subject", "obedience (CLIP-T)": "prompt", "F1": "f1"}  # fields of a Point


@dataclass(frozen=True)
class Spot:
    """A point of the front plot: its means, what is said of it, its label, how it is marked."""

    point: Point
    said: str
    label: str
    look: str  # classes of the style sheet
    picture: str | None  # data URI

    def drawn(self, x: float, y: float) -> Markup:
        shown = Markup("")
        if self.picture:
            left, top = min(max(x - THUMB / 2, LEFT), RIGHT - THUMB), y - THUMB - 14 if y - THUMB - 14 > 0 else y + 14
            shown = Markup('<image href="{}" x="{:.1f}" y="{:.1f}" width="{}" height="{}"/>').format(self.picture, left, top, THUMB, THUMB)
        label = Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(x, y + 22, self.label)
        return Markup(
            '<g class="point {}" tabindex="0" role="img" aria-label="{}"><title>{}</title><circle class="dot" cx="{:.1f}" cy="{:.1f}" r="{}"/>{}{}</g>'
        ).format(self.look, self.said, self.said, x, y, 8 if "chosen" in self.look.split() else 5, label, shown)


def scores_of(points: Sequence[Point]) -> dict[str, list[tuple[int, Estimate]]]:
    """Likeness, obedience and F1 of a run's checkpoints, by step."""
    return {title: [(point.step, getattr(point, field)) for point in points] for title, field in SCORES.items()}


def score_curves(curves: Mapping[str, Sequence[tuple[int, Estimate]]], what: str = "scores", colours: Sequence[int] | None = None) -> Markup:
    """Each score over the steps, with its interval as a band; a curve of one point is a dot. None empty. colours: by number; default 0, 1, …"""
    x, bottom_ticks = _steps_axis([step for found in curves.values() for step, _ in found])
    y, parts = _value_axis([estimate for found in curves.values() for _, estimate in found])
    parts += bottom_ticks
    for number, (title, found) in zip(colours or range(len(curves)), curves.items()):
        upper = [(x(step), y(e.high)) for step, e in found if e.high is not None]
        lower = [(x(step), y(e.low)) for step, e in found if e.low is not None]
        band = Markup('<polygon class="band" points="{}"/>').format(_path([*upper, *reversed(lower)])) if upper else Markup("")
        dots = Markup("").join(Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(x(step), y(e.value)) for step, e in found)
        line = Markup('<polyline points="{}"/>').format(_path([(x(step), y(e.value)) for step, e in found]))
        parts.append(Markup('<g class="c{}"><title>{}</title>{}{}{}</g>').format(number % COLOURS, title, band, line, dots))
    return svg(LOSS_WIDTH, BOTTOM + 48, f"{what} over steps: {', '.join(curves)}", parts)


def spots_of(choice: Choice, pictures: Mapping[int, str]) -> list[Spot]:
    """A run's checkpoints, the chosen one and the front marked. pictures: of steps, as data URIs"""
    return [
        Spot(
            point, f"step {point.step}: likeness {point.subject}, obedience {point.prompt}, F1 {point.f1}", str(point.step),
            "c0 chosen" if point.step == choice.step else "c1" if point.best else "c3", pictures.get(point.step),
        )
        for point in choice.points
    ]  # fmt: skip


def front_plot(spots: Sequence[Spot], label: str) -> Markup:
    """Likeness to the right, obedience upwards: every checkpoint a point, those that none beats joined; its picture appears on it."""
    x_low, x_high = _span([spot.point.subject for spot in spots])
    y, parts = _value_axis([spot.point.prompt for spot in spots])

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * fraction(value, x_low, x_high)

    for tick in ticks(x_low, x_high, 6, inside=True):
        parts.append(Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x(tick), BOTTOM + 20, short(tick)))
    parts.append(Markup('<text class="tick" x="{}" y="{}" text-anchor="end">likeness (DINO) →</text>').format(RIGHT, BOTTOM + 40))
    parts.append(Markup('<text class="tick" x="{}" y="{}">↑ obedience (CLIP-T)</text>').format(LEFT + 4, TOP))
    places = [(x(spot.point.subject.value), y(spot.point.prompt.value)) for spot in spots]
    parts.append(
        Markup('<g class="front"><polyline points="{}"/></g>').format(_path(sorted(at for at, spot in zip(places, spots) if spot.point.best)))
    )
    drawn = [spot.drawn(*at) for at, spot in zip(places, spots)]
    return svg(LOSS_WIDTH, BOTTOM + 48, label, parts + drawn, role="group")


def _steps_axis(steps: Sequence[int]) -> tuple[Axis, list[Markup]]:
    def x(step: float) -> float:
        return LEFT + (RIGHT - LEFT) * fraction(step, min(steps), max(steps))

    marks = [
        Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x(tick), BOTTOM + 20, short(tick))
        for tick in ticks(min(steps), max(steps), 6, inside=True)
    ]
    return x, [*marks, Markup('<text class="tick" x="{}" y="{}" text-anchor="end">step</text>').format(RIGHT, BOTTOM + 40)]


def _value_axis(estimates: Sequence[Estimate]) -> tuple[Axis, list[Markup]]:
    low, high = _span(estimates)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * fraction(value, low, high)

    return y, [horizontal_tick(y(tick), LEFT, RIGHT, short(tick)) for tick in ticks(low, high, inside=True)]


def _span(estimates: Sequence[Estimate]) -> tuple[float, float]:
    ends = [end for e in estimates for end in (e.value, e.low, e.high) if end is not None]
    margin = 0.06 * (max(ends) - min(ends)) or 0.05
    return min(ends) - margin, max(ends) + margin


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
