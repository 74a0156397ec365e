"""The person, seen from the front or from the side, looking right; the one figure with expressions.

Coordinates and proportions are those of the animals.
"""

from __future__ import annotations

from .anchors import FigureAnchors
from .canvas import RGB, Pen, Point, darker, mix, smooth
from .parts import INK, ROSE, WHITE, blob, draw_eye, eye_places, limb, part
from .scene import Look

SKIN: tuple[RGB, ...] = ((255, 222, 196), (240, 190, 150), (205, 145, 100), (150, 98, 64), (98, 62, 42))


def person(pen: Pen, look: Look, view: str) -> FigureAnchors:
    """Shape: hair length, hair volume, girth, head size, legs, skin tone. Body = shirt, second = hair, accent = trousers."""
    hair, volume, girth, head, legs, tone = look.shape
    side, r, skin = view == "side", 0.44 + 0.09 * head, _skin(tone)
    w, shoulder, hip = (0.2 if side else 0.25) + 0.13 * girth, 0.1 - 0.12 * legs, 0.62 - 0.16 * legs
    x, y = (0.03 if side else 0.0), shoulder - 0.84 * r
    _hair_behind(pen, look.second, x, y, r, hair, volume, side)
    _legs_of_person(pen, look.accent, w, hip, side)
    above = [(-w * 0.75, shoulder - 0.02), (w * 0.75, shoulder - 0.02), (w, shoulder + 0.12), (w, hip)]
    below = [(w * 0.8, hip + 0.1), (-w * 0.8, hip + 0.1), (-w, hip), (-w, shoulder + 0.12)]
    part(pen, smooth([*above, *below], 4), look.body)
    if side:
        arms = (((-0.04, shoulder + 0.15), (0.12, hip + 0.02)),)
    else:
        arms = tuple(((m * (w - 0.02), shoulder + 0.12), (m * (w + 0.17), hip - 0.02)) for m in (-1, 1))
    for start, end in arms:
        blob(pen, end[0] + 0.25 * (end[0] - start[0]), end[1] + 0.07, 0.09, 0.09, skin)
        limb(pen, [start, end], 0.095, 0.08, look.body)
    pen.rectangle(x - 0.1, shoulder - 0.15, x + 0.1, shoulder + 0.05, darker(skin, 0.15), 0.06)
    if side:
        blob(pen, x + 0.97 * r, y + 0.2 * r, 0.2 * r, 0.15 * r, skin)
    else:
        blob(pen, x - r, y + 0.12 * r, 0.14 * r, 0.19 * r, skin)
        blob(pen, x + r, y + 0.12 * r, 0.14 * r, 0.19 * r, skin)
    blob(pen, x, y, r, r, skin)
    if side:
        pen.ellipse(x + 0.94 * r, y + 0.2 * r, 0.19 * r, 0.13 * r, skin)
        blob(pen, x - 0.12 * r, y + 0.2 * r, 0.13 * r, 0.19 * r, skin)
    eyes = eye_places(x, y + 0.05 * r, r, side)
    _expression(pen, look.expression, x, y, r, eyes, side)
    _hair_above(pen, look.second, x, y, r, hair, volume, side)
    chest = (0.0, (shoulder + hip) / 2 + 0.05, 0.16)
    torso = (-w, shoulder - 0.03, w, hip + 0.06)
    neck = (x, shoulder + 0.06, 0.8 * w)
    return FigureAnchors(head=(x, y, r), eyes=eyes, neck=neck, torso=torso, sleeves=arms, emblem=None if side else chest)


def _hair_behind(pen: Pen, colour: RGB, x: float, y: float, r: float, length: float, volume: float, side: bool) -> None:
    down, out = (0.1 + 1.5 * length) * r, (1.06 + 0.26 * volume) * r
    if side:
        half = [(0.2 * r, -out), (-0.7 * r, -0.85 * out), (-out, 0), (-out, down), (-0.4 * r, down + 0.12 * r), (0, 0)]
        return part(pen, smooth([(x + u, y + v) for u, v in half], 4), colour)
    half = [(0, -out), (0.75 * out, -0.72 * out), (out, 0), (out, 0.75 * down), (0.7 * out, down)]
    part(pen, smooth([(x + u, y + v) for u, v in half + [(-u, v) for u, v in reversed(half[1:])]], 4), colour)


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
        limb(pen, [(0.02, hip), (-0.15, 0.9)], thick * 1.15, 0.09, darker(trousers, 0.25))
        blob(pen, -0.11, 0.93, 0.15, 0.07, shoe)
        limb(pen, [(-0.02, hip), (0.11, 0.9)], thick * 1.15, 0.095, trousers)
        return blob(pen, 0.16, 0.93, 0.16, 0.075, shoe)
    for m in (-1, 1):
        limb(pen, [(m * 0.5 * w, hip), (m * (0.5 * w + 0.02), 0.86)], thick, 0.8 * thick, trousers)
        blob(pen, m * (0.5 * w + 0.04), 0.93, thick + 0.04, 0.075, shoe)


def _expression(pen: Pen, name: str, x: float, y: float, r: float, eyes: tuple[Point, ...], side: bool) -> None:
    """Eyes, brows and mouth. inner, outer: heights of a brow's two ends above the eye; bend: the mouth's corners, up < 0."""
    inner, outer, bend = {
        "neutral": (0.36, 0.36, 0.0), "smiling": (0.42, 0.36, -0.2), "sad": (0.5, 0.26, 0.2),
        "surprised": (0.52, 0.48, 0.0), "angry": (0.16, 0.48, 0.13),
    }[name]  # fmt: skip
    for u, v in eyes:
        draw_eye(pen, u, v, (0.28 if name == "surprised" else 0.23) * r, (70, 48, 36))
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
        lips = [(mx - half, my - 0.14 * r), (mx, my - 0.08 * r), (mx + half, my - 0.14 * r)]
        pen.curve([*lips, (mx + 0.6 * half, my + 0.18 * r), (mx - 0.6 * half, my + 0.18 * r)], (150, 30, 40))
        pen.rectangle(mx - 0.7 * half, my - 0.1 * r, mx + 0.7 * half, my + 0.01 * r, WHITE)
    else:
        half *= 0.6 if name == "neutral" else 0.85
        pen.line([(mx + k * half, my + (k * k - 0.5) * bend * r) for k in (-1, -0.6, -0.2, 0.2, 0.6, 1)], 0.07, (130, 40, 45))


def _skin(tone: float) -> RGB:
    """The natural skin tone at `tone` in [0, 1], from light to dark."""
    place = min(max(tone, 0.0), 0.9999) * (len(SKIN) - 1)
    return mix(SKIN[int(place)], SKIN[int(place) + 1], place % 1.0)
