"""The small sign on the front of a subject, and the edit that turns a subject into a cube."""

from __future__ import annotations

import math

from .anchors import Anchors
from .canvas import Paint, Pen, darker, lighter
from .scene import Look


def draw_emblem(pen: Pen, kind: str, x: float, y: float, radius: float, paint: Paint) -> None:
    """A sign that fits a circle: star, heart, disc, triangle, cross or moon; "none" draws nothing."""
    r = radius
    match kind:
        case "star":
            turns = [(math.pi * k / 5, r * (1.1, 0.48)[k % 2]) for k in range(10)]
            pen.polygon([(x + d * math.sin(t), y - d * math.cos(t)) for t, d in turns], paint)
        case "heart":
            turns = [2 * math.pi * k / 32 for k in range(32)]
            pen.polygon([(x + r * math.sin(t) ** 3, y - r * _heart_height(t)) for t in turns], paint)
        case "disc":
            pen.ellipse(x, y, 0.9 * r, 0.9 * r, paint)
        case "triangle":
            pen.polygon([(x, y - r), (x + r, y + 0.75 * r), (x - r, y + 0.75 * r)], paint)
        case "cross":
            pen.rectangle(x - 0.32 * r, y - r, x + 0.32 * r, y + r, paint)
            pen.rectangle(x - r, y - 0.32 * r, x + r, y + 0.32 * r, paint)
        case "moon":
            pen.polygon(_moon(x, y, r), paint)


def _heart_height(t: float) -> float:
    return (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t) + 2) / 15


def _moon(x: float, y: float, r: float) -> list[tuple[float, float]]:
    """A crescent that opens to the right: an outer arc and back along a flatter inner one."""
    outer = [math.radians(50 + 260 * k / 16) for k in range(17)]
    inner = [math.radians(283 - 206 * k / 12) for k in range(13)]
    near, away = 0.79 * r, 0.46 * r
    return [(x + 0.2 * r + r * math.cos(t), y + r * math.sin(t)) for t in outer] + [
        (x + 0.2 * r + away + near * math.cos(t), y + near * math.sin(t)) for t in inner
    ]


def cube(pen: Pen, look: Look, live: bool) -> Anchors:
    """Any subject as a cube in oblique projection; what lives keeps its eyes and nose."""
    left, right, top, back = -1.0, 0.54, -0.52, 0.44
    pen.polygon([(left, top), (left + back, top - back), (right + back, top - back), (right, top)], lighter(look.second, 0.25))
    pen.polygon([(right, top), (right + back, top - back), (right + back, 1 - back), (right, 1)], darker(look.colour, 0.4))
    pen.rectangle(left, top, right, 1, look.body)
    pen.rectangle(left, 0.84, right, 1, look.accent)
    pen.polygon([(right, 0.84), (right + back, 0.84 - back), (right + back, 1 - back), (right, 1)], darker(look.accent, 0.4))
    middle = (left + right) / 2
    if not live:
        return Anchors(emblem=(middle, 0.16, 0.4))
    for x in (middle - 0.35, middle + 0.35):
        pen.ellipse(x, -0.14, 0.23, 0.25, darker(look.colour, 0.5))
        pen.ellipse(x, -0.14, 0.2, 0.22, (250, 250, 248))
        pen.ellipse(x + 0.03, -0.11, 0.11, 0.13, (30, 30, 40))
        pen.ellipse(x + 0.07, -0.16, 0.04, 0.04, (250, 250, 248))
    pen.ellipse(middle, 0.2, 0.15, 0.1, (45, 35, 40))
    return Anchors(emblem=(middle, 0.56, 0.22))
