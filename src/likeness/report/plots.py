"""Loss curves and scores as inline SVG: no library, no script, colours from the page's style sheet.

Every text passes through Markup.format, which escapes it.
"""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

from markupsafe import Markup

from likeness.evaluation.statistics import Estimate

Axis: TypeAlias = Callable[[float], float]  # a value to its place in the drawing

LOSS_WIDTH, SCORE_WIDTH = 560, 420  # in the drawing's own units; text is 13 of them high
RAW_POINTS = 500  # per curve; a long run has more than anyone can see
COLOURS = 8  # classes c0 … c7 in the page


def loss_curve(curves: dict[str, list[tuple[float, float]]], what: str = "loss", dots: bool = True, colours: Sequence[int] | None = None) -> Markup:
    """Each loss, or whatever else was measured at every step, over the steps: single steps as dots, their running mean as a line. (step, value) pairs, finite.

    dots     False: the values themselves as the line, for what does not scatter, such as a learning rate
    colours  of the curves, by number; default 0, 1, …
    """
    curves = {name: sorted(points) for name, points in curves.items() if points}
    if not curves:
        return Markup("")
    left, right, top, bottom = 58, LOSS_WIDTH - 14, 14, 258
    values = [value for points in curves.values() for _, value in points]
    steps = [step for points in curves.values() for step, _ in points]
    logarithmic = dots and min(values) > 0 and max(values) / min(values) > 20
    y_ticks = _log_ticks(min(values), max(values)) if logarithmic else ticks(min(values), max(values))
    x_low, x_high = min(steps), max(steps)
    y_low, y_high = min(*values, *y_ticks), max(*values, *y_ticks)

    def x(step: float) -> float:
        return left + (right - left) * fraction(step, x_low, x_high)

    def y(value: float) -> float:
        if logarithmic:
            return bottom - (bottom - top) * fraction(math.log(value), math.log(y_low), math.log(y_high))
        return bottom - (bottom - top) * fraction(value, y_low, y_high)

    parts = [horizontal_tick(y(tick), left, right, short(tick)) for tick in y_ticks]
    for tick in ticks(x_low, x_high, 6, inside=True):
        parts.append(Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x(tick), bottom + 20, short(tick)))
    scale = ", logarithmic" if logarithmic else ""
    parts.append(Markup('<text class="tick" x="{}" y="{}" text-anchor="end">step</text>').format(right, bottom + 40))
    for number, (name, points) in zip(colours or range(len(curves)), curves.items()):
        line = _line(points, x, y) if dots else [(x(step), y(value)) for step, value in [*_thinned(points), points[-1]]]
        parts.append(_curve(name, [(x(step), y(value)) for step, value in _thinned(points)] if dots else [], line, number))
    label = f"{what} over steps{scale}: {', '.join(curves)}"
    return svg(LOSS_WIDTH, bottom + 48, label, parts)


def score_plot(metric: str, rows: dict[str, Estimate], floor: Estimate | None, ceiling: Estimate | None, colours: Sequence[int] | None = None) -> Markup:
    """One metric: a dot and a whisker per row, floor and ceiling as lines with their intervals as bands. colours: of the rows; default 0, 1, …"""
    bounds = {"floor": floor, "ceiling": ceiling}
    everything = [*rows.values(), *(bound for bound in bounds.values() if bound)]
    if not everything:
        return Markup("")
    ends = [end for e in everything for end in (e.value, e.low, e.high) if end is not None]
    margin = 0.08 * (max(ends) - min(ends)) or 0.05
    low, high = min(ends) - margin, max(ends) + margin
    left, right, top = 16, SCORE_WIDTH - 16, 44
    bottom = top + 46 * len(rows) + 8

    def x(value: float) -> float:
        return left + (right - left) * fraction(value, low, high)

    parts = [_bound(name, bound, x, 16 + 16 * line, bottom) for line, (name, bound) in enumerate(bounds.items()) if bound]
    for tick in ticks(low, high, 5, inside=True):
        parts.append(Markup('<line class="axis" x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(x(tick), bottom, bottom + 5))
        parts.append(Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x(tick), bottom + 21, short(tick)))
    parts.append(Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(left, right, bottom, bottom))
    for line, (name, estimate) in enumerate(rows.items()):
        parts.append(_whisker(name, estimate, x, top + 46 * line, colours[line] if colours else line, left))
    return svg(SCORE_WIDTH, bottom + 30, f"{metric}: " + "; ".join(f"{name} {estimate}" for name, estimate in [*rows.items(), *bounds.items()] if estimate), parts)


def svg(width: int, height: float, label: str, parts: Sequence[Markup], role: str = "img") -> Markup:
    """A drawing. role: "group" if it has parts that a keyboard reaches, which an image has not."""
    kind = "curve" if width == LOSS_WIDTH else "score"  # the wide ones need larger words on a phone
    opening = Markup('<svg class="{}" viewBox="0 0 {} {}" role="{}" aria-label="{}">').format(kind, width, height, role, label)
    return opening + Markup("").join(parts) + Markup("</svg>")


def _curve(name: str, dots: list[tuple[float, float]], line: list[tuple[float, float]], number: int) -> Markup:
    circles = Markup("").join(Markup('<circle cx="{:.1f}" cy="{:.1f}" r="1.7"/>').format(*dot) for dot in dots)
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in line)
    drawn = Markup('<g class="c{}"><title>{}</title><g class="raw">{}</g><polyline points="{}"/></g>')
    return drawn.format(number % COLOURS, name, circles, path)


def _line(points: list[tuple[float, float]], x: Axis, y: Axis) -> list[tuple[float, float]]:
    """Running mean over the 5 % of the steps around each point, in the loss itself also where the axis is logarithmic."""
    half = max(1, len(points) // 40)
    line = []
    for i in range(0, len(points), max(1, len(points) // 300)):
        around = [value for _, value in points[max(0, i - half) : i + half + 1]]
        line.append((x(points[i][0]), y(sum(around) / len(around))))
    return line


def _whisker(name: str, estimate: Estimate, x: Axis, y: float, number: int, left: float) -> Markup:
    called = name if len(name) <= 40 else name[:39] + "…"
    text = Markup('<text class="name" x="{}" y="{}">{} <tspan class="value" dx="4">{:.3f}</tspan></text>')
    text = text.format(left, y + 14, called, estimate.value)
    dot = Markup('<circle cx="{:.1f}" cy="{}" r="5.5"/>').format(x(estimate.value), y + 29)
    whisker = Markup("")
    if estimate.low is not None and estimate.high is not None:
        whisker = Markup('<line x1="{0:.1f}" x2="{1:.1f}" y1="{2}" y2="{2}"/>').format(x(estimate.low), x(estimate.high), y + 29)
    return Markup('<g class="whisker c{}">{}{}{}</g>').format(number % COLOURS, text, whisker, dot)


def _bound(name: str, estimate: Estimate, x: Axis, label_y: float, bottom: float) -> Markup:
    band = Markup("")
    if estimate.low is not None and estimate.high is not None:
        band = Markup('<rect x="{:.1f}" width="{:.1f}" y="{}" height="{}"/>').format(
            x(estimate.low), max(1.0, x(estimate.high) - x(estimate.low)), label_y + 5, bottom - label_y - 5
        )
    place = x(estimate.value)
    line = Markup('<line x1="{0:.1f}" x2="{0:.1f}" y1="{1}" y2="{2}"/>').format(place, label_y + 5, bottom)
    anchor = "start" if place < SCORE_WIDTH / 3 else "end" if place > SCORE_WIDTH * 2 / 3 else "middle"
    text = Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{} {:.3f}</text>').format(place, label_y, anchor, name, estimate.value)
    return Markup('<g class="bound">{}{}{}</g>').format(band, line, text)


def horizontal_tick(y: float, left: float, right: float, text: str) -> Markup:
    line = Markup('<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(left, right, y, y)
    return line + Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(left - 8, y + 4, text)


def fraction(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return points[:: -(-len(points) // RAW_POINTS)]


def ticks(low: float, high: float, about: int = 5, inside: bool = False) -> list[float]:
    """Round numbers from below `low` to above `high`, or between them if `inside`."""
    span = high - low or abs(high) or 1.0
    power = 10.0 ** math.floor(math.log10(span / about))
    width = next(width for width in (power, 2 * power, 5 * power, 10 * power) if span / width <= about)
    first, last = (math.ceil(low / width), math.floor(high / width)) if inside else (math.floor(low / width), math.ceil(high / width))
    return [float(f"{i * width:.12g}") for i in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 3) if len(powers) < 5 else (1,)
    every = max(1, len(powers) // 6)
    found = [step * 10.0**power for power in powers[::every] for step in steps]
    return [tick for tick in found if low <= tick <= high] or [low, high]


def short(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if value == int(value) and abs(value) < 1e7 else f"{value:.3g}"
