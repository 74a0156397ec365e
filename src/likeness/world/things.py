"""Things that stand still: backpack, teapot, vase, candle, bowl, can.

Each is drawn in a box of [-1, 1] x [-1, 1] and stands on y = 1. The first line of a function says what the
six numbers of the shape mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from .anchors import Anchors
from .canvas import RGB, Paint, Pen, Point, darker, lighter, mix
from .scene import Look


def _arc(x: float, y: float, rx: float, ry: float, start: float, end: float) -> list[Point]:
    """Points along an ellipse between two angles in degrees, clockwise from the right."""
    turns = [math.radians(start + (end - start) * k / 14) for k in range(15)]
    return [(x + rx * math.cos(t), y + ry * math.sin(t)) for t in turns]


def _lathed(pen: Pen, profile: Sequence[Point], paint: Paint) -> None:
    """A thing turned on a wheel, from its (radius, height) profile read top to bottom."""
    top, bottom = profile[0][1], profile[-1][1]
    heights = [top + (bottom - top) * k / 24 for k in range(25)]
    right = [(_radius_at(profile, y), y) for y in heights]
    pen.polygon([*right, *((-r, y) for r, y in reversed(right))], paint)


def _radius_at(profile: Sequence[Point], y: float) -> float:
    """The radius of a lathed thing at a height."""
    for (r0, y0), (r1, y1) in pairwise(profile):
        if y0 <= y <= y1:  # level at every given point, and never beyond it as a spline would be
            return r0 + (r1 - r0) * (1 - math.cos(math.pi * (y - y0) / (y1 - y0))) / 2
    return profile[-1][0]


def _loop(pen: Pen, points: Sequence[Point], width: float, colour: RGB) -> None:
    """A handle: a stroke with a dark edge."""
    pen.line(points, width + 0.05, darker(colour, 0.35))
    pen.line(points, width, colour)


def backpack(pen: Pen, look: Look, view: str) -> Anchors:
    width, roundness, pocket, flap, loop, straps = look.shape
    dark, w, r = darker(look.second, 0.35), 0.62 + 0.26 * width, 0.25 + 0.35 * roundness
    top, lid, pocket_top = -0.8, -0.46 + 0.26 * flap, 0.42 - 0.22 * pocket
    strap = 0.13 + 0.08 * straps
    if view == "front":
        _loop(pen, _arc(0, top + 0.05, 0.17 + 0.15 * loop, 0.19, 180, 360), 0.11, look.accent)
        for side in (-1, 1):
            pen.ellipse(side * w, 0.45, 0.12, 0.42, look.second)
        pen.rectangle(-w, top, w, 1, look.body, r)
        pen.rectangle(-w - 0.03, top - 0.02, w + 0.03, lid + 0.04, dark, r)
        pen.rectangle(-w - 0.03, top - 0.02, w + 0.03, lid, look.second, r)
        p = w - 0.14
        pen.rectangle(-p - 0.03, pocket_top - 0.03, p + 0.03, 0.95, dark, 0.2)
        pen.rectangle(-p, pocket_top, p, 0.92, look.second, 0.18)
        pen.line([(-p + 0.1, pocket_top + 0.07), (p - 0.1, pocket_top + 0.07)], 0.08, look.accent)
        for side in (-1, 1):
            x = side * 0.58 * w
            pen.rectangle(x - strap / 2, lid - 0.3, x + strap / 2, pocket_top - 0.03, look.accent, 0.04)
            pen.rectangle(x - strap / 2 - 0.04, lid - 0.06, x + strap / 2 + 0.04, lid + 0.06, darker(look.accent), 0.03)
        return Anchors(emblem=(0, (pocket_top + 1.05) / 2, (0.82 - pocket_top) / 2))
    _loop(pen, _arc(-0.35, 0.1, 0.3, 0.68, 100, 260), strap + 0.03, look.accent)
    _loop(pen, _arc(-0.2, top + 0.06, 0.12, 0.19, 180, 360), 0.11, look.accent)
    pen.rectangle(0.1, pocket_top - 0.03, 0.76, 0.97, dark, 0.22)
    pen.rectangle(0.1, pocket_top, 0.73, 0.94, look.second, 0.2)
    pen.line([(0.5, pocket_top + 0.1), (0.62, pocket_top + 0.16), (0.66, pocket_top + 0.3)], 0.08, look.accent)
    pen.rectangle(-0.46, top, 0.44, 1, look.body, 0.8 * r)
    pen.rectangle(-0.48, top - 0.02, 0.48, lid + 0.04, dark, 0.8 * r)
    pen.rectangle(-0.48, top - 0.02, 0.48, lid, look.second, 0.8 * r)
    pen.rectangle(0.36 - strap, lid - 0.25, 0.36, pocket_top + 0.06, look.accent, 0.04)
    return Anchors(emblem=(-0.12, 0.5, 0.24))


def teapot(pen: Pen, look: Look, view: str) -> Anchors:
    height, spout, handle, lid, knob, belly = look.shape
    rx, ry = (0.57, 0.5 + 0.16 * height) if view == "side" else (0.74, 0.54 + 0.18 * height)
    y = 0.9 - ry
    reach, edge = 0.76 + 0.22 * spout, darker(look.second, 0.4)
    if view == "side":
        _loop(pen, _arc(-0.55, y, 0.26 + 0.1 * handle, 0.28 + 0.16 * handle, 75, 285), 0.13, look.accent)
        tip = y - 0.24 - 0.3 * spout
        upper, under = [(0.36, y - 0.02), (0.6, y + 0.02), (reach - 0.2, tip)], [(0.6, y + 0.38), (0.3, y + 0.44)]
        pen.polygon([*upper, (reach, tip), (reach - 0.1, y + 0.16), *under], look.second)
        pen.line([(reach - 0.2, tip), (reach - 0.02, tip)], 0.1, look.accent)
    pen.rectangle(-0.62 * rx, 0.8, 0.62 * rx, 1, look.accent, 0.06)
    low = (belly - 0.5) * 0.3
    pen.curve(
        [(0, y - ry), (0.62 * rx, y - 0.8 * ry), (rx, y + low * ry), (0.75 * rx, y + 0.75 * ry), (0, y + ry)]
        + [(-0.75 * rx, y + 0.75 * ry), (-rx, y + low * ry), (-0.62 * rx, y - 0.8 * ry)],
        look.body,
    )
    top, dome = y - 0.78 * ry, 0.2 + 0.14 * lid
    size = 0.13 + 0.06 * knob
    pen.ellipse(0, top - dome - 0.6 * size, size, size, look.accent)
    pen.polygon(_arc(0, top + 0.03, 0.7 * rx, dome + 0.04, 180, 360), edge)
    pen.polygon(_arc(0, top, 0.66 * rx, dome, 180, 360), look.second)
    pen.ellipse(0, top + 0.01, 0.7 * rx, 0.07, edge)
    pen.ellipse(0, top - 0.02, 0.68 * rx, 0.06, look.second)
    if view == "side":
        return Anchors(emblem=(-0.04, y + 0.12, 0.28))
    long = 0.1 * spout
    pen.curve([(-0.17, y - 0.3 - long), (0.17, y - 0.3 - long), (0.24, y + 0.2), (0, y + 0.42), (-0.24, y + 0.2)], edge)
    pen.curve([(-0.14, y - 0.28 - long), (0.14, y - 0.28 - long), (0.2, y + 0.19), (0, y + 0.38), (-0.2, y + 0.19)], look.second)
    pen.ellipse(0, y - 0.24 - long, 0.15, 0.11, look.accent)
    pen.ellipse(0, y - 0.24 - long, 0.1, 0.065, (40, 35, 40))
    return Anchors(emblem=(-0.46, y + 0.18, 0.19))


def vase(pen: Pen, look: Look, view: str) -> Anchors:
    foot, belly, height, neck, lip, handle = look.shape
    low = 0.4 - 0.5 * height
    wide, narrow = 0.52 + 0.26 * belly, 0.2 + 0.2 * neck
    profile = [(narrow + 0.1 + 0.2 * lip, -0.94), (narrow, -0.6), (wide, low), (0.28 + 0.24 * foot, 0.92), (0.3 + 0.24 * foot, 1)]
    neck_y, reach = -0.62, 0.18 + 0.2 * handle
    if view == "front":
        for side in (-1, 1):
            x = side * (narrow + 0.02)
            far = x + side * reach
            bow = [(x, neck_y), (far, neck_y + 0.02), (far + side * 0.05, neck_y + 0.25), (side * 0.75 * wide, low - 0.1)]
            _loop(pen, bow, 0.11, look.second)
    _lathed(pen, profile, look.body)
    lip_r, top = profile[0]
    foot_r = profile[-1][0]
    band = _radius_at(profile, 0.74)
    _lathed(pen, [(band, 0.74), (foot_r + 0.02, 0.9), (foot_r + 0.03, 1)], look.second)
    pen.rectangle(-narrow - 0.06, neck_y - 0.1, narrow + 0.06, neck_y + 0.1, look.accent, 0.07)
    pen.rectangle(-band - 0.04, 0.66, band + 0.04, 0.78, look.accent, 0.06)
    pen.ellipse(0, top + 0.03, lip_r + 0.03, 0.11, darker(look.second, 0.3))
    pen.ellipse(0, top, lip_r + 0.03, 0.1, look.second)
    pen.ellipse(0, top, lip_r - 0.06, 0.05, darker(look.second, 0.6))
    if view == "front":
        return Anchors(emblem=(0, min(low + 0.06, 0.58 - 0.42 * wide), 0.42 * wide + 0.04))
    _loop(pen, [(0, neck_y), (0, low - 0.06)], 0.13 + 0.06 * handle, look.second)
    return Anchors(emblem=(0.62 * wide, low + 0.08, 0.26 * wide))


def candle(pen: Pen, look: Look, view: str) -> Anchors:
    width, stem, dish, flame, drip, cup = look.shape
    w, reach, wick = 0.3 + 0.16 * width, 0.62 + 0.3 * dish, -0.48 - 0.1 * (1 - flame)
    foot = 0.66 - 0.24 * stem
    top = wick + 0.12
    if view == "side":
        _loop(pen, _arc(-reach + 0.04, 0.68, 0.2, 0.2, 30, 330), 0.1, look.accent)
    pen.rectangle(-0.2, foot, 0.2, 0.9, darker(look.second, 0.25))
    pen.ellipse(0, 0.87, reach, 0.13, darker(look.second, 0.35))
    pen.ellipse(0, 0.82, reach, 0.13, look.second)
    pen.polygon([(-0.2, foot), (0.2, foot), (0.36, 0.86), (-0.36, 0.86)], look.second)
    pen.rectangle(-w, top, w, foot, look.body)
    pen.ellipse(0, foot, w, 0.05, look.body)
    pen.rectangle(-w - 0.1, foot - 0.16 - 0.12 * cup, w + 0.1, foot + 0.06, look.accent, 0.07)
    pen.rectangle(-w - 0.1, foot - 0.02, w + 0.1, foot + 0.06, darker(look.accent, 0.25), 0.04)
    wax = lighter(look.colour, 0.35)
    pen.ellipse(0, top, w, 0.09, wax)
    side = 1 if view == "front" else -1
    for x, long in ((-0.72 * w * side, 0.12 + 0.34 * drip), (0.76 * w * side, 0.1 + 0.16 * drip)):
        pen.rectangle(x - 0.08, top, x + 0.08, top + long, wax, 0.08)
    pen.line([(0, top), (0, wick)], 0.05, (50, 40, 40))
    tall, lean = 0.21 + 0.04 * flame, 0.0 if view == "front" else 0.05
    for share, colour in ((1.0, (245, 130, 30)), (0.6, (255, 220, 80))):
        r, base = 0.17 * share, wick + 0.05
        waist = base - 0.7 * tall * share
        pen.curve([(lean, base - 2 * tall * share), (r, waist), (0.5 * r, base), (-0.5 * r, base), (-r, waist)], colour)
    if view == "front":
        pen.ellipse(0, 0.86, 0.2, 0.12, darker(look.accent, 0.3))
        pen.ellipse(0, 0.86, 0.17, 0.1, look.accent)
        return Anchors(emblem=(0, (top + foot - 0.14) / 2 + 0.04, 0.72 * w))
    return Anchors(emblem=(0.58 * w, (top + foot - 0.14) / 2 + 0.04, 0.36 * w))


def bowl(pen: Pen, look: Look, view: str) -> Anchors:
    depth, roundness, foot, opening, lug, band = look.shape
    top, mouth, base = -0.1 - 0.34 * depth, 0.14 + 0.1 * opening, 0.3 + 0.2 * foot
    rim = 0.97 - 0.12 if view == "front" else 0.95
    fall = [k / 12 for k in range(13)]
    profile = [(base + (rim - base) * (1 - t ** (1.5 + 2.5 * roundness)), top + (0.9 - top) * t) for t in fall]
    if view == "front":
        for side in (-1, 1):
            pen.ellipse(side * 0.86, top + 0.17, 0.14, 0.1 + 0.1 * lug, look.accent)
    pen.rectangle(-base - 0.06, 0.82, base + 0.06, 1, look.second, 0.05)
    _lathed(pen, profile, look.body)
    stripe = 0.14 + 0.1 * band
    wide = _radius_at(profile, top + mouth + 0.04)
    pen.polygon([*_arc(0, top, wide, mouth + 0.04 + stripe, 0, 180), *_arc(0, top, wide, mouth + 0.02, 180, 0)], look.accent)
    pen.ellipse(0, top + 0.03, rim + 0.02, mouth, darker(look.second, 0.4))
    pen.ellipse(0, top, rim + 0.02, mouth, look.second)
    pen.ellipse(0, top + 0.01, rim - 0.1, mouth - 0.06, darker(look.second, 0.55))
    y = (top + mouth + stripe + 0.9) / 2
    if view == "front":
        return Anchors(emblem=(0, y, 0.27))
    pen.ellipse(0, top + mouth + 0.17, 0.29, 0.14 + 0.06 * lug, darker(look.accent, 0.45))
    pen.ellipse(0, top + mouth + 0.15, 0.26, 0.11 + 0.06 * lug, look.accent)
    return Anchors(emblem=(0.5, y - 0.06, 0.17))


def can(pen: Pen, look: Look, view: str) -> Anchors:
    width, taper, label, breadth, band, tab = look.shape
    w, shoulder, lid = 0.5 + 0.26 * width, 0.06 + 0.12 * taper, 0.11
    top, r = -0.78, w - shoulder
    stripe = 0.14 + 0.14 * band
    pen.ellipse(0, 0.92, w - 0.05, 0.08, darker(look.second, 0.3))
    pen.polygon([(-r, top), (r, top), (w, top + 0.18), (w, 0.88), (-w, 0.88), (-r - shoulder, top + 0.18)], look.body)
    pen.ellipse(0, 0.88, w, 0.1, look.body)
    pen.polygon([*_arc(0, 0.88 - stripe, w, 0.1, 180, 0), *_arc(0, 0.89, w, 0.1, 0, 180)], look.accent)
    pen.polygon([*_arc(0, top + 0.03, r, lid, 180, 0), (w, top + 0.18), *_arc(0, top + 0.2, w, lid, 0, 180)], look.accent)
    high = 0.34 + 0.12 * label
    y, x = 0.12 - 0.1 * band, 0.0 if view == "front" else 0.75 * w
    half = (0.62 + 0.2 * breadth) * w * (1.0 if view == "front" else 0.5)
    edge = min(x + half, w)
    pen.rectangle(x - half - 0.03, y - high - 0.03, min(edge + 0.03, w), y + high + 0.03, darker(look.second, 0.35), 0.12)
    pen.rectangle(x - half, y - high, edge, y + high, look.second, 0.1)
    metal: RGB = mix(look.second, (205, 208, 214), 0.6)
    pen.ellipse(0, top + 0.02, r + 0.02, lid + 0.02, darker(metal, 0.4))
    pen.ellipse(0, top - 0.01, r + 0.02, lid, metal)
    pen.ellipse(0, top, r - 0.07, lid - 0.05, darker(metal, 0.25))
    lift = 0.1 + 0.1 * tab
    if view == "front":
        pen.ellipse(0, top - lift / 2, 0.15, lift / 2 + 0.05, look.accent)
        pen.ellipse(0, top - lift / 2 - 0.02, 0.07, lift / 4, darker(look.accent, 0.5))
        return Anchors(emblem=(0, y, min(high, half) - 0.1))
    pen.line([(0.16, top), (-0.14, top - lift)], 0.09, look.accent)
    return Anchors(emblem=((x - half + edge) / 2, y, 0.19))
