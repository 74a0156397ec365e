"""A run's checkpoints as drawings: scores over the steps, and likeness against obedience with a picture of each."""

from __future__ import annotations

from markupsafe import Markup

from likeness.evaluation.operating_points import Choice, Point
from likeness.evaluation.statistics import Estimate
from likeness.report.plots import LOSS_WIDTH, Axis, fraction, horizontal_tick, short, svg, ticks

LEFT, RIGHT, TOP, BOTTOM = 58, LOSS_WIDTH - 14, 14, 258
THUMB = 84  # in the drawing's units
SCORES = (("likeness (DINO)", "subject"), ("obedience (CLIP-T)", "prompt"), ("F1", "f1"))


def score_curves(points: tuple[Point, ...]) -> Markup:
    """Likeness, obedience and F1 over the steps, each with its interval as a band."""
    x, bottom_ticks = _steps_axis(points)
    y, parts = _value_axis([getattr(point, name) for point in points for _, name in SCORES])
    parts += bottom_ticks
    for number, (title, name) in enumerate(SCORES):
        found: list[Estimate] = [getattr(point, name) for point in points]
        places = [x(point.step) for point in points]
        upper = [(place, y(e.high)) for place, e in zip(places, found) if e.high is not None]
        lower = [(place, y(e.low)) for place, e in zip(places, found) if e.low is not None]
        band = Markup('<polygon class="band" points="{}"/>').format(_path([*upper, *reversed(lower)])) if upper else Markup("")
        dots = Markup("").join(Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(place, y(e.value)) for place, e in zip(places, found))
        line = Markup('<polyline points="{}"/>').format(_path([(place, y(e.value)) for place, e in zip(places, found)]))
        parts.append(Markup('<g class="c{}"><title>{}</title>{}{}{}</g>').format(number, title, band, line, dots))
    return svg(LOSS_WIDTH, BOTTOM + 48, "scores over steps: likeness, obedience, F1", parts)


def front_plot(choice: Choice, pictures: dict[int, str]) -> Markup:
    """Likeness to the right, obedience upwards: every checkpoint a point, those that none beats joined; its picture appears on it.

    pictures  of steps, as data URIs
    """
    points = choice.points
    x_low, x_high = _span([point.subject for point in points])
    y, parts = _value_axis([point.prompt for point in points])

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * fraction(value, x_low, x_high)

    for tick in ticks(x_low, x_high, 6, inside=True):
        parts.append(Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x(tick), BOTTOM + 20, short(tick)))
    parts.append(Markup('<text class="tick" x="{}" y="{}" text-anchor="end">likeness (DINO) →</text>').format(RIGHT, BOTTOM + 40))
    parts.append(Markup('<text class="tick" x="{}" y="{}">↑ obedience (CLIP-T)</text>').format(LEFT + 4, TOP))
    front = sorted((x(point.subject.value), y(point.prompt.value)) for point in points if point.best)
    parts.append(Markup('<g class="c1"><polyline points="{}"/></g>').format(_path(front)))
    drawn = [_point(point, x(point.subject.value), y(point.prompt.value), point.step == choice.step, pictures.get(point.step)) for point in points]
    return svg(LOSS_WIDTH, BOTTOM + 48, f"likeness against obedience of {len(points)} checkpoints; {choice.reason}", parts + drawn)


def _point(point: Point, x: float, y: float, chosen: bool, picture: str | None) -> Markup:
    shown = Markup("")
    if picture:
        left, top = min(max(x - THUMB / 2, LEFT), RIGHT - THUMB), y - THUMB - 14 if y - THUMB - 14 > 0 else y + 14
        shown = Markup('<image href="{}" x="{:.1f}" y="{:.1f}" width="{}" height="{}"/>').format(picture, left, top, THUMB, THUMB)
    said = f"step {point.step}: likeness {point.subject}, obedience {point.prompt}, F1 {point.f1}"
    label = Markup('<text class="tick" x="{:.1f}" y="{:.1f}" text-anchor="middle">{}</text>').format(x, y + 22, point.step)
    return Markup('<g class="point {}" tabindex="0"><title>{}</title><circle class="dot" cx="{:.1f}" cy="{:.1f}" r="{}"/>{}{}</g>').format(
        "c0 chosen" if chosen else "c1" if point.best else "c3", said, x, y, 8 if chosen else 5, label, shown
    )


def _steps_axis(points: tuple[Point, ...]) -> tuple[Axis, list[Markup]]:
    steps = [point.step for point in points]

    def x(step: float) -> float:
        return LEFT + (RIGHT - LEFT) * fraction(step, min(steps), max(steps))

    marks = [
        Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x(tick), BOTTOM + 20, short(tick))
        for tick in ticks(min(steps), max(steps), 6, inside=True)
    ]
    return x, [*marks, Markup('<text class="tick" x="{}" y="{}" text-anchor="end">step</text>').format(RIGHT, BOTTOM + 40)]


def _value_axis(estimates: list[Estimate]) -> tuple[Axis, list[Markup]]:
    low, high = _span(estimates)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * fraction(value, low, high)

    return y, [horizontal_tick(y(tick), LEFT, RIGHT, short(tick)) for tick in ticks(low, high, inside=True)]


def _span(estimates: list[Estimate]) -> tuple[float, float]:
    ends = [end for e in estimates for end in (e.value, e.low, e.high) if end is not None]
    margin = 0.06 * (max(ends) - min(ends)) or 0.05
    return min(ends) - margin, max(ends) + margin


def _path(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
