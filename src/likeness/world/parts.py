"""The parts that figures are put together from: limbs, blobs, outlines with a rim, eyes.

A part stays apart from what it touches by a rim in a darker tone of its own paint.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .canvas import RGB, Paint, Pen, Point, Texture, darker, lighter

Outline = Sequence[Point]
INK: RGB = (32, 26, 30)
WHITE: RGB = (252, 252, 250)
ROSE: RGB = (232, 120, 130)
RIM = 0.035  # width of the line around a part: 0.7 pixel in a 64-pixel picture


def part(pen: Pen, outline: Outline, paint: Paint) -> None:
    """A filled outline with a rim."""
    pen.line([*outline, outline[0]], 2 * RIM, rim_of(paint))
    pen.polygon(outline, paint)


def blob(pen: Pen, x: float, y: float, rx: float, ry: float, paint: Paint) -> None:
    """An ellipse with a rim, so that it stays apart from what it touches."""
    pen.ellipse(x, y, rx + RIM, ry + RIM, rim_of(paint))
    pen.ellipse(x, y, rx, ry, paint)


def limb(pen: Pen, path: Outline, first: float, last: float, paint: Paint, rim: bool = True) -> None:
    """A rounded stroke along the path, its half width going from `first` to `last`."""
    n = len(path)
    left, right = [], []
    for k, (x, y) in enumerate(path):
        (ax, ay), (bx, by) = path[max(k - 1, 0)], path[min(k + 1, n - 1)]
        away, w = math.hypot(bx - ax, by - ay) or 1.0, first + (last - first) * k / (n - 1)
        nx, ny = -(by - ay) / away * w, (bx - ax) / away * w
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    (px, py), (ex, ey) = path[-2], path[-1]
    heading = math.atan2(ey - py, ex - px)
    turns = [heading + math.pi * (0.5 - k / 6) for k in range(1, 6)]
    cap = [(ex + last * math.cos(t), ey + last * math.sin(t)) for t in turns]
    outline = left + cap + right[::-1]
    part(pen, outline, paint) if rim else pen.polygon(outline, paint)


def rim_of(paint: Paint) -> RGB:
    """The colour of a part's edge: darker than the part, but lighter than a part that is nearly black."""
    colour = paint.ground if isinstance(paint, Texture) else paint
    return lighter(colour, 0.28) if sum(colour) < 200 else darker(colour, 0.42)


def eye_places(x: float, y: float, r: float, side: bool) -> tuple[Point, ...]:
    return ((x + 0.4 * r, y),) if side else ((x - 0.42 * r, y), (x + 0.42 * r, y))


def draw_eye(pen: Pen, x: float, y: float, r: float, iris: RGB, slit: bool = False) -> None:
    pen.ellipse(x, y, r + 0.03, 1.12 * r + 0.03, INK)
    pen.ellipse(x, y, r, 1.12 * r, WHITE)
    pen.ellipse(x, y + 0.1 * r, 0.78 * r, 0.88 * r, iris)
    pen.ellipse(x, y + 0.12 * r, (0.34 if slit else 0.55) * r, 0.7 * r, INK)
    pen.ellipse(x + 0.22 * r, y - 0.35 * r, 0.26 * r, 0.26 * r, WHITE)
