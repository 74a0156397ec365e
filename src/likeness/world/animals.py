"""The animals: dog, cat and rabbit, seen from the front (they sit) or from the side (they stand), looking right.

Object coordinates: x and y in [-1, 1], y downwards, feet at y = 1. Heads and eyes are far too large, as in cartoons:
at 64 pixels a figure is 40 pixels tall and must still have a face. What the six shape numbers mean stands in each
figure's docstring; the same numbers drive both views, which is what makes them the same individual.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from .anchors import FigureAnchors
from .canvas import RGB, Paint, Pen, Point, darker, lighter, mix, smooth
from .parts import INK, ROSE, WHITE, Outline, blob, draw_eye, eye_places, limb, part, rim_of
from .scene import Look

Tail = Callable[[float, float], None]  # draws at the tail's root


def dog(pen: Pen, look: Look, view: str) -> FigureAnchors:
    """Shape: ears short and pricked to long and hanging, head size, girth, snout length, tail length and curl, legs."""
    ears, head, girth, snout, tail, legs = look.shape
    side, r = view == "side", 0.43 + 0.11 * head
    heading, length = (-2.3, 0.35 + 0.5 * tail) if side else (-0.5, 0.45 + 0.4 * tail)
    curl = (1 if side else -1) * 2.6 * tail
    anchors = _trunk(pen, look, side, r, girth, legs, lambda x, y: _tail(pen, look, x, y, heading, length, curl, 0.09))
    x, y, r = anchors.head
    paint = darker(look.second, 0.12)
    if side:
        pricked = [(-0.75, -0.5), (-0.6, -1.5), (-0.2, -1.25), (0.2, -0.7)]
        hanging = [(-0.3, -0.75), (-0.85, 0.1), (-0.65, 0.95), (-0.1, 0.25)]
    else:
        pricked = [(0.25, -0.8), (0.8, -1.45), (1.0, -0.95), (0.85, -0.35)]
        hanging = [(0.6, -0.85), (1.3, -0.1), (1.2, 0.95), (0.75, 0.3)]
    ear = _blend(pricked, hanging, ears)
    if ears < 0.4:
        _ears(pen, x, y, r, ear, paint, side)
    blob(pen, x, y, r * (1 if side else 1.06), r, look.body)
    if side:
        reach = 0.18 + 0.44 * snout
        blob(pen, x + (0.6 + 0.5 * reach) * r, y + 0.32 * r, (0.4 + 0.5 * reach) * r, 0.34 * r, look.second)
        pen.ellipse(x + (0.95 + reach) * r, y + 0.12 * r, 0.19 * r, 0.17 * r, INK)
        pen.line([(x + 0.65 * r, y + 0.47 * r), (x + (0.8 + reach) * r, y + 0.43 * r)], 0.035, INK)
    else:
        long = 0.34 + 0.26 * snout
        blob(pen, x, y + 0.45 * r, (0.36 + 0.2 * snout) * r, long * r, look.second)
        pen.ellipse(x, y + (0.5 - 0.6 * long) * r, 0.2 * r, 0.15 * r, INK)
        _muzzle_lines(pen, x, y + (0.55 - 0.2 * long) * r, 0.22 * r)
    eyes = eye_places(x, y - 0.16 * r, r, side)
    for u, v in eyes:
        draw_eye(pen, u, v, 0.26 * r, (88, 52, 30))
    if ears >= 0.4:
        _ears(pen, x, y, r, ear, paint, side)
    return replace(anchors, eyes=eyes)


def cat(pen: Pen, look: Look, view: str) -> FigureAnchors:
    """Shape: ear height, head size and width, girth, cheek size, tail length and curl, legs. The eyes are the accent."""
    ears, head, girth, cheeks, tail, legs = look.shape
    side, r = view == "side", 0.42 + 0.09 * head
    heading, length = (-2.0, 0.6 + 0.6 * tail) if side else (-0.1, 0.5 + 0.55 * tail)
    curl = (2.6 if side else -2.9) * (0.25 + 0.75 * tail)
    anchors = _trunk(pen, look, side, r, girth, legs, lambda x, y: _tail(pen, look, x, y, heading, length, curl, 0.07))
    x, y, r = anchors.head
    tip = 1.1 + 0.52 * ears
    ear = [(-0.75, -0.5), (-0.55, -tip), (0.1, -0.85)] if side else [(0.2, -0.85), (0.8, -tip), (1.0, -0.3)]
    for m in (1,) if side else (1, -1):
        outline = [(x + m * u * r, y + v * r) for u, v in ear]
        part(pen, outline, look.body)
        pen.polygon(_shrunk(outline, 0.5), mix(look.second, ROSE, 0.5))
    blob(pen, x, y, r * (1.0 if side else 1.05 + 0.17 * head), r * 0.93, look.body)
    fur = lighter(look.second, 0.15)
    puff = (0.18 + 0.22 * cheeks) * r
    if side:
        blob(pen, x + 0.85 * r, y + 0.35 * r, puff * 1.35, puff, fur)
        pen.ellipse(x + 0.85 * r + puff * 1.1, y + 0.2 * r, 0.12 * r, 0.1 * r, ROSE)
        pen.line([(x + 0.7 * r, y + 0.42 * r), (x + 0.85 * r + puff, y + 0.42 * r)], 0.03, INK)
        starts = [(x + 0.65 * r, -1)]
    else:
        for m in (-1, 1):
            pen.ellipse(x + m * 0.85 * puff, y + 0.45 * r, puff * 1.15, puff, fur)
        pen.polygon([(x - 0.14 * r, y + 0.2 * r), (x + 0.14 * r, y + 0.2 * r), (x, y + 0.36 * r)], ROSE)
        _muzzle_lines(pen, x, y + 0.36 * r, 0.2 * r)
        starts = [(x - 0.6 * r, -1), (x + 0.6 * r, 1)]
    for u, m in starts:
        for k in (-1, 1):
            ends = [(u, y + (0.45 + 0.05 * k) * r), (u + m * 0.68 * r, y + (0.42 + 0.17 * k) * r)]
            pen.line(ends, 0.022, rim_of(look.colour))
    eyes = eye_places(x, y - 0.12 * r, r, side)
    for u, v in eyes:
        draw_eye(pen, u, v, 0.275 * r, lighter(look.accent, 0.2), slit=True)
    return replace(anchors, eyes=eyes)


def rabbit(pen: Pen, look: Look, view: str) -> FigureAnchors:
    """Shape: ear length, head size, girth, ears upright to lop, tail and foot size, legs."""
    length, head, girth, lop, tail, legs = look.shape
    side, r = view == "side", 0.4 + 0.1 * head
    size = 0.13 + 0.1 * tail

    def puff(x: float, y: float) -> None:
        blob(pen, x - (0.04 if side else -0.06), y, size, size, lighter(look.second, 0.25))

    anchors = _trunk(pen, look, side, r, girth, legs, puff, foot=0.04 + 0.14 * tail, low=0.17)
    x, y, r = anchors.head
    inner = mix(look.second, ROSE, 0.45)
    reach, droop = 0.54 + 0.4 * length, 2.9 * lop

    def ear(m: int, x: float, heading: float, paint: Paint) -> None:
        path = _arc(x, y - 0.62 * r, heading, reach, m * droop)
        limb(pen, path, 0.13, 0.12, paint)
        limb(pen, path[1:-1], 0.055, 0.05, inner, rim=False)

    def pair() -> None:
        for m in (1, -1):
            ear(m, x + m * 0.42 * r, -math.pi / 2 + 0.22 * m, look.body)

    if side:
        ear(-1, x, -1.45, darker(look.colour, 0.25))
    elif lop < 0.45:
        pair()
    blob(pen, x, y, r * 1.04, r * 0.96, look.body)
    if side:
        blob(pen, x + 0.8 * r, y + 0.34 * r, 0.36 * r, 0.3 * r, look.second)
        pen.ellipse(x + 1.1 * r, y + 0.18 * r, 0.13 * r, 0.11 * r, ROSE)
        pen.rectangle(x + 0.88 * r, y + 0.48 * r, x + 1.04 * r, y + 0.72 * r, WHITE)
        ear(-1, x - 0.3 * r, -1.9, look.body)
    else:
        for m in (-1, 1):
            pen.ellipse(x + m * 0.24 * r, y + 0.42 * r, 0.3 * r, 0.25 * r, look.second)
        pen.rectangle(x - 0.14 * r, y + 0.52 * r, x + 0.14 * r, y + 0.84 * r, WHITE, 0.03)
        pen.line([(x, y + 0.4 * r), (x, y + 0.8 * r)], 0.02, INK)
        pen.ellipse(x, y + 0.28 * r, 0.16 * r, 0.12 * r, ROSE)
        if lop >= 0.45:
            pair()
    eyes = eye_places(x, y - 0.14 * r, r, side)
    for u, v in eyes:
        draw_eye(pen, u, v, 0.27 * r, (70, 40, 44))
    return replace(anchors, eyes=eyes)


def _trunk(
    pen: Pen, look: Look, side: bool, r: float, girth: float, legs: float, tail: Tail, foot: float = 0.0, low: float = 0.0
) -> FigureAnchors:  # fmt: skip
    """Everything of an animal but its head, which belongs at the anchors' `head`, and its eyes."""
    return (_standing if side else _sitting)(pen, look, r, girth, legs, tail, foot, low)


def _sitting(pen: Pen, look: Look, r: float, girth: float, legs: float, tail: Tail, foot: float, low: float) -> FigureAnchors:
    w, top = 0.3 + 0.3 * girth, 0.13 - 0.15 * legs + low
    tail(w + 0.05, 0.72)
    half = [(0.55 * w, top), (0.85 * w, 0.4 + 0.3 * top), (w, 0.72), (0.8 * w, 0.96)]
    part(pen, smooth([(0, top - 0.1), *half, *[(-x, y) for x, y in reversed(half)]], 4), look.body)
    for m in (-1, 1):
        blob(pen, m * (w - 0.02), 0.72, 0.19, 0.22, look.body)
        blob(pen, m * (w + 0.06), 0.91, 0.17 + foot, 0.09 + 0.2 * foot, look.second)
    pen.ellipse(0, top + 0.26, 0.6 * w, 0.26, look.second)
    hip = top + 0.42 - 0.06 * legs
    for m in (-1, 1):
        limb(pen, [(m * 0.15, hip), (m * 0.15, 0.92)], 0.105, 0.095, look.body)
        blob(pen, m * 0.15, 0.93, 0.13, 0.075, look.second)
    y = top - 0.78 * r
    _collar(pen, look.accent, 0, top + 0.05, 0.52 * w + 0.08)
    sleeves = tuple(((m * 0.15, hip), (m * 0.15, 0.74)) for m in (-1, 1))
    torso = (-w, top, w, 0.72)
    neck = (0, top + 0.13, 0.52 * w + 0.1)
    return FigureAnchors(head=(0, y, r), eyes=(), neck=neck, torso=torso, sleeves=sleeves, emblem=(0, top + 0.32, 0.165))


def _standing(pen: Pen, look: Look, r: float, girth: float, legs: float, tail: Tail, foot: float, low: float) -> FigureAnchors:
    r, length, depth = 0.92 * r, 0.26 + 0.26 * legs, 0.23 + 0.11 * girth
    middle = 1 - length - 0.8 * depth
    x, y = 0.31, middle - depth - 0.5 * r + 0.04 + 0.3 * low
    tail(-0.66, middle - 0.1)
    far = darker(look.colour, 0.3)  # flat: a second texture would double the time of the whole figure
    for u in (-0.38, 0.36):
        limb(pen, [(u, middle), (u, 0.9)], 0.11, 0.09, far)
        blob(pen, u + 0.03, 0.92, 0.12, 0.07, darker(look.second, 0.25))
    back = [(-0.72, middle), (-0.5, middle - depth), (0.15, middle - 0.9 * depth), (0.2, y), (0.46, y)]
    belly = [(0.56, middle + 0.3 * depth), (0.3, middle + depth), (-0.2, middle + 0.85 * depth), (-0.58, middle + 0.9 * depth)]
    part(pen, smooth([*back, *belly], 4), look.body)
    pen.ellipse(-0.02, middle + 0.72 * depth, 0.34, 0.2 * depth, look.second)
    for u in (-0.56, 0.2):
        limb(pen, [(u, middle + 0.3 * depth), (u, 0.91)], 0.13, 0.1, look.body)
        blob(pen, u + 0.04 + foot * (u < 0), 0.925, 0.13 + foot * (u < 0), 0.075, look.second)
    pen.ellipse(-0.5, middle + 0.1 * depth, 0.22, 0.95 * depth, look.body)
    _collar(pen, look.accent, x - 0.03, y + 0.92 * r, 0.26)
    sleeves = (((0.2, middle + 0.4 * depth), (0.2, 0.78)),)
    torso = (-0.55, middle - depth, 0.54, middle + 0.92 * depth)
    neck = (x - 0.03, y + 1.02 * r, 0.28)
    return FigureAnchors(head=(x, y, r), eyes=(), neck=neck, torso=torso, sleeves=sleeves, emblem=(-0.18, middle - 0.05, 0.17))


def _muzzle_lines(pen: Pen, x: float, y: float, half: float) -> None:
    pen.line([(x - half, y + 0.8 * half), (x - 0.5 * half, y + 1.1 * half), (x, y + 0.7 * half)], 0.03, INK)
    pen.line([(x + half, y + 0.8 * half), (x + 0.5 * half, y + 1.1 * half), (x, y + 0.7 * half), (x, y)], 0.03, INK)


def _ears(pen: Pen, x: float, y: float, r: float, ear: Outline, paint: Paint, side: bool) -> None:
    """One ear from the side, two from the front. ear: the outline in head radii, from the head's centre."""
    for m in (1,) if side else (1, -1):
        part(pen, smooth([(x + m * u * r, y + v * r) for u, v in ear]), paint)


def _tail(pen: Pen, look: Look, x: float, y: float, heading: float, length: float, curl: float, thick: float) -> None:
    """A tail from its root at (x, y); heading and curl (the turn along its length) in radians, clockwise from the right."""
    path = _arc(x, y, heading, length, curl)
    limb(pen, path, thick, 0.75 * thick, look.body)
    limb(pen, path[-3:], 0.8 * thick, 0.7 * thick, look.second, rim=False)


def _arc(x: float, y: float, heading: float, length: float, curl: float) -> list[Point]:
    """Nine points along a path from (x, y) that turns evenly by `curl` in all."""
    path = [(x, y)]
    for k in range(8):
        angle = heading + curl * k / 7
        path.append((path[-1][0] + length / 8 * math.cos(angle), path[-1][1] + length / 8 * math.sin(angle)))
    return path


def _collar(pen: Pen, colour: RGB, x: float, y: float, half: float) -> None:
    blob(pen, x, y, half, 0.1, colour)


def _blend(a: Outline, b: Outline, share: float) -> list[Point]:
    return [(p[0] + (q[0] - p[0]) * share, p[1] + (q[1] - p[1]) * share) for p, q in zip(a, b)]


def _shrunk(outline: Outline, share: float) -> list[Point]:
    """The outline drawn together towards its middle."""
    x, y = (sum(p[k] for p in outline) / len(outline) for k in (0, 1))
    return [(x + (u - x) * share, y + (v - y) * share) for u, v in outline]
