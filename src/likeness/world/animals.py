"""The figures: dog, cat, rabbit and person, seen from the front (animals sit) or from the side, looking right.

Object coordinates: x and y in [-1, 1], y downwards, feet at y = 1. Heads and eyes are far too large, as in cartoons:
at 64 pixels a figure is 40 pixels tall and must still have a face. What the six shape numbers mean stands in each
figure's docstring; the same numbers drive both views, which is what makes them the same individual.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .anchors import Anchors
from .canvas import RGB, Paint, Pen, Point, Texture, darker, lighter, mix, smooth
from .scene import Look

Outline = Sequence[Point]
INK: RGB = (32, 26, 30)
WHITE: RGB = (252, 252, 250)
ROSE: RGB = (232, 120, 130)
RIM = 0.035  # width of the line around a part: 0.7 pixel in a 64-pixel picture
SKIN: tuple[RGB, ...] = ((255, 222, 196), (240, 190, 150), (205, 145, 100), (150, 98, 64), (98, 62, 42))


def dog(pen: Pen, look: Look, view: str) -> Anchors:
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
    _blob(pen, x, y, r * (1 if side else 1.06), r, look.body)
    if side:
        reach = 0.18 + 0.44 * snout
        _blob(pen, x + (0.6 + 0.5 * reach) * r, y + 0.32 * r, (0.4 + 0.5 * reach) * r, 0.34 * r, look.second)
        pen.ellipse(x + (0.95 + reach) * r, y + 0.12 * r, 0.19 * r, 0.17 * r, INK)
        pen.line([(x + 0.65 * r, y + 0.47 * r), (x + (0.8 + reach) * r, y + 0.43 * r)], 0.035, INK)
    else:
        long = 0.34 + 0.26 * snout
        _blob(pen, x, y + 0.45 * r, (0.36 + 0.2 * snout) * r, long * r, look.second)
        pen.ellipse(x, y + (0.5 - 0.6 * long) * r, 0.2 * r, 0.15 * r, INK)
        _muzzle_lines(pen, x, y + (0.55 - 0.2 * long) * r, 0.22 * r)
    eyes = _eyes(x, y - 0.16 * r, r, side)
    for u, v in eyes:
        _eye(pen, u, v, 0.26 * r, (88, 52, 30))
    if ears >= 0.4:
        _ears(pen, x, y, r, ear, paint, side)
    return _with_eyes(anchors, eyes)


def cat(pen: Pen, look: Look, view: str) -> Anchors:
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
        _part(pen, outline, look.body)
        pen.polygon(_shrunk(outline, 0.5), mix(look.second, ROSE, 0.5))
    _blob(pen, x, y, r * (1.0 if side else 1.05 + 0.17 * head), r * 0.93, look.body)
    fur = lighter(look.second, 0.15)
    puff = (0.18 + 0.22 * cheeks) * r
    if side:
        _blob(pen, x + 0.85 * r, y + 0.35 * r, puff * 1.35, puff, fur)
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
            pen.line(ends, 0.022, _rim(look.colour))
    eyes = _eyes(x, y - 0.12 * r, r, side)
    for u, v in eyes:
        _eye(pen, u, v, 0.275 * r, lighter(look.accent, 0.2), slit=True)
    return _with_eyes(anchors, eyes)


def rabbit(pen: Pen, look: Look, view: str) -> Anchors:
    """Shape: ear length, head size, girth, ears upright to lop, tail and foot size, legs."""
    length, head, girth, lop, tail, legs = look.shape
    side, r = view == "side", 0.4 + 0.1 * head
    size = 0.13 + 0.1 * tail

    def puff(x: float, y: float) -> None:
        _blob(pen, x - (0.04 if side else -0.06), y, size, size, lighter(look.second, 0.25))

    anchors = _trunk(pen, look, side, r, girth, legs, puff, foot=0.04 + 0.14 * tail, low=0.17)
    x, y, r = anchors.head
    inner = mix(look.second, ROSE, 0.45)
    reach, droop = 0.54 + 0.4 * length, 2.9 * lop

    def ear(m: int, x: float, heading: float, paint: Paint) -> None:
        path = _arc(x, y - 0.62 * r, heading, reach, m * droop)
        _limb(pen, path, 0.13, 0.12, paint)
        _limb(pen, path[1:-1], 0.055, 0.05, inner, rim=False)

    def pair() -> None:
        for m in (1, -1):
            ear(m, x + m * 0.42 * r, -math.pi / 2 + 0.22 * m, look.body)

    if side:
        ear(-1, x, -1.45, darker(look.colour, 0.25))
    elif lop < 0.45:
        pair()
    _blob(pen, x, y, r * 1.04, r * 0.96, look.body)
    if side:
        _blob(pen, x + 0.8 * r, y + 0.34 * r, 0.36 * r, 0.3 * r, look.second)
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
    eyes = _eyes(x, y - 0.14 * r, r, side)
    for u, v in eyes:
        _eye(pen, u, v, 0.27 * r, (70, 40, 44))
    return _with_eyes(anchors, eyes)


def person(pen: Pen, look: Look, view: str) -> Anchors:
    """Shape: hair length, hair volume, girth, head size, legs, skin tone. Body = shirt, second = hair, accent = trousers."""
    hair, volume, girth, head, legs, tone = look.shape
    side, r, skin = view == "side", 0.44 + 0.09 * head, _skin(tone)
    w, shoulder, hip = (0.2 if side else 0.25) + 0.13 * girth, 0.1 - 0.12 * legs, 0.62 - 0.16 * legs
    x, y = (0.03 if side else 0.0), shoulder - 0.84 * r
    _hair_behind(pen, look.second, x, y, r, hair, volume, side)
    _legs_of_person(pen, look.accent, w, hip, side)
    _part(pen, smooth([(-w * 0.75, shoulder - 0.02), (w * 0.75, shoulder - 0.02), (w, shoulder + 0.12), (w, hip), (w * 0.8, hip + 0.1), (-w * 0.8, hip + 0.1), (-w, hip), (-w, shoulder + 0.12)], 4), look.body)  # fmt: skip
    if side:
        arms = (((-0.04, shoulder + 0.15), (0.12, hip + 0.02)),)
    else:
        arms = tuple(((m * (w - 0.02), shoulder + 0.12), (m * (w + 0.17), hip - 0.02)) for m in (-1, 1))
    for start, end in arms:
        _blob(pen, end[0] + 0.25 * (end[0] - start[0]), end[1] + 0.07, 0.09, 0.09, skin)
        _limb(pen, [start, end], 0.095, 0.08, look.body)
    pen.rectangle(x - 0.1, shoulder - 0.15, x + 0.1, shoulder + 0.05, darker(skin, 0.15), 0.06)
    if side:
        _blob(pen, x + 0.97 * r, y + 0.2 * r, 0.2 * r, 0.15 * r, skin)
    else:
        _blob(pen, x - r, y + 0.12 * r, 0.14 * r, 0.19 * r, skin), _blob(pen, x + r, y + 0.12 * r, 0.14 * r, 0.19 * r, skin)
    _blob(pen, x, y, r, r, skin)
    if side:
        pen.ellipse(x + 0.94 * r, y + 0.2 * r, 0.19 * r, 0.13 * r, skin)
        _blob(pen, x - 0.12 * r, y + 0.2 * r, 0.13 * r, 0.19 * r, skin)
    eyes = _eyes(x, y + 0.05 * r, r, side)
    _expression(pen, look.expression, x, y, r, eyes, side)
    _hair_above(pen, look.second, x, y, r, hair, volume, side)
    chest = (0.0, (shoulder + hip) / 2 + 0.05, 0.16)
    torso = (-w, shoulder - 0.03, w, hip + 0.06)
    return Anchors((x, y, r), eyes, (x, shoulder + 0.06, 0.8 * w), torso, arms, None if side else chest)


def _trunk(pen: Pen, look: Look, side: bool, r: float, girth: float, legs: float, tail, foot=0.0, low=0.0) -> Anchors:
    """Everything of an animal but its head, which belongs at the anchors' `head`. tail(x, y) draws at the tail's root."""
    return (_standing if side else _sitting)(pen, look, r, girth, legs, tail, foot, low)


def _sitting(pen: Pen, look: Look, r: float, girth: float, legs: float, tail, foot: float, low: float) -> Anchors:
    w, top = 0.3 + 0.3 * girth, 0.13 - 0.15 * legs + low
    tail(w + 0.05, 0.72)
    half = [(0.55 * w, top), (0.85 * w, 0.4 + 0.3 * top), (w, 0.72), (0.8 * w, 0.96)]
    _part(pen, smooth([(0, top - 0.1), *half, *[(-x, y) for x, y in reversed(half)]], 4), look.body)
    for m in (-1, 1):
        _blob(pen, m * (w - 0.02), 0.72, 0.19, 0.22, look.body)
        _blob(pen, m * (w + 0.06), 0.91, 0.17 + foot, 0.09 + 0.2 * foot, look.second)
    pen.ellipse(0, top + 0.26, 0.6 * w, 0.26, look.second)
    hip = top + 0.42 - 0.06 * legs
    for m in (-1, 1):
        _limb(pen, [(m * 0.15, hip), (m * 0.15, 0.92)], 0.105, 0.095, look.body)
        _blob(pen, m * 0.15, 0.93, 0.13, 0.075, look.second)
    y = top - 0.78 * r
    _collar(pen, look.accent, 0, top + 0.05, 0.52 * w + 0.08)
    sleeves = tuple(((m * 0.15, hip), (m * 0.15, 0.74)) for m in (-1, 1))
    torso = (-w, top, w, 0.72)
    return Anchors((0, y, r), (), (0, top + 0.13, 0.52 * w + 0.1), torso, sleeves, (0, top + 0.32, 0.165))


def _standing(pen: Pen, look: Look, r: float, girth: float, legs: float, tail, foot: float, low: float) -> Anchors:
    r, length, depth = 0.92 * r, 0.26 + 0.26 * legs, 0.23 + 0.11 * girth
    middle = 1 - length - 0.8 * depth
    x, y = 0.31, middle - depth - 0.5 * r + 0.04 + 0.3 * low
    tail(-0.66, middle - 0.1)
    far = darker(look.colour, 0.3)  # flat: a second texture would double the time of the whole figure
    for u in (-0.38, 0.36):
        _limb(pen, [(u, middle), (u, 0.9)], 0.11, 0.09, far)
        _blob(pen, u + 0.03, 0.92, 0.12, 0.07, darker(look.second, 0.25))
    _part(pen, smooth([(-0.72, middle), (-0.5, middle - depth), (0.15, middle - 0.9 * depth), (0.2, y), (0.46, y), (0.56, middle + 0.3 * depth), (0.3, middle + depth), (-0.2, middle + 0.85 * depth), (-0.58, middle + 0.9 * depth)], 4), look.body)  # fmt: skip
    pen.ellipse(-0.02, middle + 0.72 * depth, 0.34, 0.2 * depth, look.second)
    for u in (-0.56, 0.2):
        _limb(pen, [(u, middle + 0.3 * depth), (u, 0.91)], 0.13, 0.1, look.body)
        _blob(pen, u + 0.04 + foot * (u < 0), 0.925, 0.13 + foot * (u < 0), 0.075, look.second)
    pen.ellipse(-0.5, middle + 0.1 * depth, 0.22, 0.95 * depth, look.body)
    _collar(pen, look.accent, x - 0.03, y + 0.92 * r, 0.26)
    sleeves = (((0.2, middle + 0.4 * depth), (0.2, 0.78)),)
    torso = (-0.55, middle - depth, 0.54, middle + 0.92 * depth)
    return Anchors((x, y, r), (), (x - 0.03, y + 1.02 * r, 0.28), torso, sleeves, (-0.18, middle - 0.05, 0.17))


def _hair_behind(pen: Pen, colour: RGB, x: float, y: float, r: float, length: float, volume: float, side: bool) -> None:
    down, out = (0.1 + 1.5 * length) * r, (1.06 + 0.26 * volume) * r
    if side:
        half = [(0.2 * r, -out), (-0.7 * r, -0.85 * out), (-out, 0), (-out, down), (-0.4 * r, down + 0.12 * r), (0, 0)]
        return _part(pen, smooth([(x + u, y + v) for u, v in half], 4), colour)
    half = [(0, -out), (0.75 * out, -0.72 * out), (out, 0), (out, 0.75 * down), (0.7 * out, down)]
    _part(pen, smooth([(x + u, y + v) for u, v in half + [(-u, v) for u, v in reversed(half[1:])]], 4), colour)


def _hair_above(pen: Pen, colour: RGB, x: float, y: float, r: float, length: float, volume: float, side: bool) -> None:
    out = (1.06 + 0.26 * volume) * r
    if side:
        crown = [(0.75 * r, -0.42 * r), (0.72 * out, -0.72 * out), (0, -out), (-0.75 * out, -0.72 * out), (-out, 0.1 * r)]
        fringe = [(-0.75 * r, 0.35 * r), (-0.38 * r, 0.1 * r), (-0.15 * r, -0.35 * r)]
    else:
        crown = [(-0.98 * r, -0.02 * r), (-0.75 * out, -0.68 * out), (0, -out), (0.75 * out, -0.68 * out), (0.98 * r, -0.02 * r)]  # fmt: skip
        fringe = [(0.75 * r, -0.4 * r), (0.2 * r, -0.5 * r), (-0.35 * r, -0.62 * r), (-0.75 * r, -0.4 * r)]
    pen.curve([(x + u, y + v) for u, v in crown + fringe], colour)


def _legs_of_person(pen: Pen, trousers: RGB, w: float, hip: float, side: bool) -> None:
    shoe, thick = darker(trousers, 0.55), 0.4 * w + 0.03
    if side:
        _limb(pen, [(0.02, hip), (-0.15, 0.9)], thick * 1.15, 0.09, darker(trousers, 0.25))
        _blob(pen, -0.11, 0.93, 0.15, 0.07, shoe)
        _limb(pen, [(-0.02, hip), (0.11, 0.9)], thick * 1.15, 0.095, trousers)
        return _blob(pen, 0.16, 0.93, 0.16, 0.075, shoe)
    for m in (-1, 1):
        _limb(pen, [(m * 0.5 * w, hip), (m * (0.5 * w + 0.02), 0.86)], thick, 0.8 * thick, trousers)
        _blob(pen, m * (0.5 * w + 0.04), 0.93, thick + 0.04, 0.075, shoe)


def _expression(pen: Pen, name: str, x: float, y: float, r: float, eyes: tuple[Point, ...], side: bool) -> None:
    """Eyes, brows and mouth. inner, outer: heights of a brow's two ends above the eye; bend: the mouth's corners, up < 0."""
    inner, outer, bend = {
        "neutral": (0.36, 0.36, 0.0), "smiling": (0.42, 0.36, -0.2), "sad": (0.5, 0.26, 0.2),
        "surprised": (0.52, 0.48, 0.0), "angry": (0.16, 0.48, 0.13),
    }[name]  # fmt: skip
    for u, v in eyes:
        _eye(pen, u, v, (0.28 if name == "surprised" else 0.23) * r, (70, 48, 36))
        m = -1 if u < x else 1
        ends = [(u - m * 0.2 * r, v - inner * r), (u + m * 0.24 * r, v - outer * r)]
        pen.line([(2 * u - a, b) for a, b in ends] if side else ends, 0.055, INK)
        if name == "smiling":
            pen.ellipse(u + m * (-0.05 if side else 0.16) * r, v + 0.36 * r, 0.16 * r, 0.1 * r, ROSE)
        if name == "sad":
            pen.ellipse(u + (0.0 if side else m * 0.12 * r), v + 0.37 * r, 0.08 * r, 0.13 * r, (110, 185, 250))
    mx, my, half = x + (0.6 if side else 0) * r, y + 0.58 * r, (0.28 if side else 0.46) * r
    if name == "surprised":
        pen.ellipse(mx, my + 0.02 * r, 0.6 * half, 0.24 * r, (110, 25, 35))
    elif name == "smiling":
        pen.curve([(mx - half, my - 0.14 * r), (mx, my - 0.08 * r), (mx + half, my - 0.14 * r), (mx + 0.6 * half, my + 0.18 * r), (mx - 0.6 * half, my + 0.18 * r)], (150, 30, 40))  # fmt: skip
        pen.rectangle(mx - 0.7 * half, my - 0.1 * r, mx + 0.7 * half, my + 0.01 * r, WHITE)
    else:
        half *= 0.6 if name == "neutral" else 0.85
        pen.line([(mx + k * half, my + (k * k - 0.5) * bend * r) for k in (-1, -0.6, -0.2, 0.2, 0.6, 1)], 0.07, (130, 40, 45))


def _skin(tone: float) -> RGB:
    """The natural skin tone at `tone` in [0, 1], from light to dark."""
    place = min(max(tone, 0.0), 0.9999) * (len(SKIN) - 1)
    return mix(SKIN[int(place)], SKIN[int(place) + 1], place % 1.0)


def _eyes(x: float, y: float, r: float, side: bool) -> tuple[Point, ...]:
    return ((x + 0.4 * r, y),) if side else ((x - 0.42 * r, y), (x + 0.42 * r, y))


def _with_eyes(anchors: Anchors, eyes: tuple[Point, ...]) -> Anchors:
    return Anchors(anchors.head, eyes, anchors.neck, anchors.torso, anchors.sleeves, anchors.emblem)


def _eye(pen: Pen, x: float, y: float, r: float, iris: RGB, slit: bool = False) -> None:
    pen.ellipse(x, y, r + 0.03, 1.12 * r + 0.03, INK)
    pen.ellipse(x, y, r, 1.12 * r, WHITE)
    pen.ellipse(x, y + 0.1 * r, 0.78 * r, 0.88 * r, iris)
    pen.ellipse(x, y + 0.12 * r, (0.34 if slit else 0.55) * r, 0.7 * r, INK)
    pen.ellipse(x + 0.22 * r, y - 0.35 * r, 0.26 * r, 0.26 * r, WHITE)


def _muzzle_lines(pen: Pen, x: float, y: float, half: float) -> None:
    pen.line([(x - half, y + 0.8 * half), (x - 0.5 * half, y + 1.1 * half), (x, y + 0.7 * half)], 0.03, INK)
    pen.line([(x + half, y + 0.8 * half), (x + 0.5 * half, y + 1.1 * half), (x, y + 0.7 * half), (x, y)], 0.03, INK)


def _ears(pen: Pen, x: float, y: float, r: float, ear: Outline, paint: Paint, side: bool) -> None:
    """One ear from the side, two from the front. ear: the outline in head radii, from the head's centre."""
    for m in (1,) if side else (1, -1):
        _part(pen, smooth([(x + m * u * r, y + v * r) for u, v in ear]), paint)


def _tail(pen: Pen, look: Look, x: float, y: float, heading: float, length: float, curl: float, thick: float) -> None:
    """A tail from its root at (x, y); heading and curl (the turn along its length) in radians, clockwise from the right."""
    path = _arc(x, y, heading, length, curl)
    _limb(pen, path, thick, 0.75 * thick, look.body)
    _limb(pen, path[-3:], 0.8 * thick, 0.7 * thick, look.second, rim=False)


def _arc(x: float, y: float, heading: float, length: float, curl: float) -> list[Point]:
    """Nine points along a path from (x, y) that turns evenly by `curl` in all."""
    path = [(x, y)]
    for k in range(8):
        angle = heading + curl * k / 7
        path.append((path[-1][0] + length / 8 * math.cos(angle), path[-1][1] + length / 8 * math.sin(angle)))
    return path


def _collar(pen: Pen, colour: RGB, x: float, y: float, half: float) -> None:
    _blob(pen, x, y, half, 0.1, colour)


def _limb(pen: Pen, path: Outline, first: float, last: float, paint: Paint, rim: bool = True) -> None:
    """A rounded stroke along the path, its half width going from `first` to `last`."""
    n = len(path)
    left, right = [], []
    for k, (x, y) in enumerate(path):
        (ax, ay), (bx, by) = path[max(k - 1, 0)], path[min(k + 1, n - 1)]
        away, w = math.hypot(bx - ax, by - ay) or 1.0, first + (last - first) * k / (n - 1)
        nx, ny = -(by - ay) / away * w, (bx - ax) / away * w
        left.append((x + nx, y + ny)), right.append((x - nx, y - ny))
    (px, py), (ex, ey) = path[-2], path[-1]
    heading = math.atan2(ey - py, ex - px)
    turns = [heading + math.pi * (0.5 - k / 6) for k in range(1, 6)]
    cap = [(ex + last * math.cos(t), ey + last * math.sin(t)) for t in turns]
    outline = left + cap + right[::-1]
    _part(pen, outline, paint) if rim else pen.polygon(outline, paint)


def _blob(pen: Pen, x: float, y: float, rx: float, ry: float, paint: Paint, angle: float = 0.0) -> None:
    """An ellipse with a rim, so that it stays apart from what it touches."""
    pen.ellipse(x, y, rx + RIM, ry + RIM, _rim(paint), angle)
    pen.ellipse(x, y, rx, ry, paint, angle)


def _part(pen: Pen, outline: Outline, paint: Paint) -> None:
    """A filled outline with a rim."""
    pen.line([*outline, outline[0]], 2 * RIM, _rim(paint))
    pen.polygon(outline, paint)


def _rim(paint: Paint) -> RGB:
    """The colour of a part's edge: darker than the part, but lighter than a part that is nearly black."""
    colour = paint.ground if isinstance(paint, Texture) else paint
    return lighter(colour, 0.28) if sum(colour) < 200 else darker(colour, 0.42)


def _blend(a: Outline, b: Outline, share: float) -> list[Point]:
    return [(p[0] + (q[0] - p[0]) * share, p[1] + (q[1] - p[1]) * share) for p, q in zip(a, b)]


def _shrunk(outline: Outline, share: float) -> list[Point]:
    """The outline drawn together towards its middle."""
    x, y = (sum(p[k] for p in outline) / len(outline) for k in (0, 1))
    return [(x + (u - x) * share, y + (v - y) * share) for u, v in outline]
