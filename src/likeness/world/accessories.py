"""Hats, glasses and outfits, drawn over a figure at its anchors.

One function per accessory, keyed by the words of the prompts. The colours are the accessory's own: the subject's
stay readable on its head and limbs. Silhouettes are large, because a hat is 10 pixels wide at 64 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .anchors import FigureAnchors
from .canvas import RGB, Pen, Point, darker, lighter

RED: RGB = (222, 24, 32)
GOLD: RGB = (255, 205, 40)
WHITE: RGB = (250, 250, 248)
BLACK: RGB = (22, 22, 28)
NAVY: RGB = (28, 42, 112)
PURPLE: RGB = (118, 36, 178)
PINK: RGB = (255, 70, 165)
YELLOW: RGB = (255, 216, 20)
RAINBOW: tuple[RGB, ...] = ((228, 30, 40), (250, 140, 20), (250, 220, 30), (50, 175, 70), (40, 100, 225), (140, 50, 185))


def red_hat(pen: Pen, anchors: FigureAnchors, view: str) -> None:
    """A bowler with a dark band."""
    x, y, r = _crown(anchors)
    dome = [(-0.72, 0), (-0.66, -0.6), (-0.3, -0.85), (0.3, -0.85), (0.66, -0.6), (0.72, 0)]
    _edged(pen, [(x + u * r, y + v * r) for u, v in dome], RED)
    pen.rectangle(x - 0.72 * r, y - 0.25 * r, x + 0.72 * r, y, darker(RED, 0.5))
    _brim(pen, x, y, 1.15 * r, 0.16 * r, RED)


def santa_hat(pen: Pen, anchors: FigureAnchors, view: str) -> None:
    x, y, r = _crown(anchors)
    m = -1 if view == "side" else 1  # falls backwards
    outline = [(-0.85, 0), (-0.6, -0.6), (-0.05, -1.0), (0.7, -0.85), (1.15, -0.2), (0.75, -0.4), (0.8, 0)]
    _edged(pen, [(x + m * u * r, y + v * r) for u, v in outline], RED)
    _ball(pen, x + m * 1.15 * r, y - 0.15 * r, 0.26 * r, WHITE)
    _box(pen, x - 0.98 * r, y - 0.2 * r, x + 0.98 * r, y + 0.16 * r, WHITE, 0.18 * r)


def rainbow_scarf(pen: Pen, anchors: FigureAnchors, view: str) -> None:
    """A band around the neck and an end that hangs down, both in stripes."""
    x, y, half = anchors.neck
    half, tall = half + 0.12, 0.13
    m = -1 if view == "side" else 1
    _stripes(pen, (x + m * 0.35 * half - 0.14, y), (x + m * 0.5 * half - 0.14, y + 0.58), 0.28)
    edge = darker(RAINBOW[-1], 0.5)
    pen.rectangle(x - half - 0.03, y - tall - 0.03, x + half + 0.03, y + tall + 0.03, edge, 0.12)
    for k, colour in enumerate(RAINBOW):
        left = x - half + 2 * half * k / 6
        pen.polygon([(left, y - tall), (left + half / 3, y - tall), (left + half / 3, y + tall), (left, y + tall)], colour)


def top_hat_and_monocle(pen: Pen, anchors: FigureAnchors, view: str) -> None:
    x, y, r = _crown(anchors)
    _edged(pen, [(x - 0.66 * r, y), (x - 0.74 * r, y - 1.25 * r), (x + 0.74 * r, y - 1.25 * r), (x + 0.66 * r, y)], BLACK)
    pen.rectangle(x - 0.67 * r, y - 0.34 * r, x + 0.67 * r, y - 0.08 * r, (200, 30, 45))
    _brim(pen, x, y, 1.15 * r, 0.13 * r, BLACK)
    u, v = anchors.eyes[-1]
    size = 0.36 * anchors.head[2]
    _ring(pen, u, v, size, 0.06, GOLD)
    pen.line([(u + 0.8 * size, v + 0.7 * size), (u + 1.1 * size, v + 1.8 * size), (u + 0.6 * size, v + 2.9 * size)], 0.035, GOLD)


def chef_outfit(pen: Pen, anchors: FigureAnchors, view: str) -> None:
    _jacket(pen, anchors, WHITE, (165, 170, 185))
    for k in range(3):
        for m in (-1, 1):
            u, v = _chest(anchors, view, 0.25 + 0.27 * k)
            pen.ellipse(u + m * 0.1, v, 0.04, 0.04, BLACK)
    x, y, r = _crown(anchors)
    for u, v, size in ((-0.5, -0.92, 0.42), (0.5, -0.92, 0.42), (0, -1.08, 0.5)):
        _ball(pen, x + u * r, y + v * r, size * r, WHITE, (165, 170, 185))
    _box(pen, x - 0.72 * r, y - 0.7 * r, x + 0.72 * r, y + 0.08 * r, WHITE, 0.06, (165, 170, 185))
    for u in (-0.35, 0, 0.35):
        pen.line([(x + u * r, y - 0.85 * r), (x + u * r, y - 0.3 * r)], 0.025, (185, 190, 202))
    for u in (-0.5, 0, 0.5):
        pen.ellipse(x + u * r, y - 0.95 * r, 0.36 * r, 0.3 * r, WHITE)


def firefighter_outfit(pen: Pen, anchors: FigureAnchors, view: str) -> None:
    coat, stripe = (52, 54, 66), (240, 240, 50)
    _jacket(pen, anchors, coat, (20, 20, 26), stripes=stripe)
    x, y, r = _crown(anchors)
    dome = [(-0.82, 0.05), (-0.78, -0.5), (-0.4, -0.86), (0, -0.95), (0.4, -0.86), (0.78, -0.5), (0.82, 0.05)]
    _edged(pen, [(x + u * r, y + v * r) for u, v in dome], RED)
    pen.line([(x, y - 0.95 * r), (x, y - 0.2 * r)], 0.06, darker(RED, 0.25))
    back = 0.3 if view == "side" else 0.0
    _brim(pen, x - back * r, y + 0.04 * r, 1.25 * r, 0.17 * r, RED)
    _badge(pen, x + (0.42 if view == "side" else 0) * r, y - 0.38 * r, 0.34 * r)


def police_outfit(pen: Pen, anchors: FigureAnchors, view: str) -> None:
    _jacket(pen, anchors, NAVY, darker(NAVY, 0.6))
    u, v = _chest(anchors, view, 0.42)
    if view == "front":
        pen.polygon([(u - 0.05, v - 0.2), (u + 0.05, v - 0.2), (u + 0.07, v + 0.2), (u, v + 0.27), (u - 0.07, v + 0.2)], BLACK)
    _star(pen, u + (0.19 if view == "front" else 0), v, 0.14, GOLD)
    x, y, r = _crown(anchors)
    m = 0.15 if view == "side" else 0.0
    cap = [(-0.78, 0), (-1.12, -0.6), (m, -0.9), (1.12, -0.6), (0.78, 0)]
    _edged(pen, [(x + u * r, y + v * r) for u, v in cap], NAVY)
    pen.rectangle(x - 0.8 * r, y - 0.22 * r, x + 0.8 * r, y + 0.02, BLACK)
    peak = x + (0.55 * r if view == "side" else 0)
    _brim(pen, peak, y + 0.06 * r, (0.72 if view == "side" else 0.8) * r, 0.16 * r, BLACK)
    _star(pen, x + (0.45 * r if view == "side" else 0), y - 0.42 * r, 0.36 * r, GOLD)


def pink_glasses(pen: Pen, anchors: FigureAnchors, view: str) -> None:
    x, _, r = anchors.head
    eyes = anchors.eyes
    if len(eyes) == 2:
        pen.line([(eyes[0][0] + 0.36 * r, eyes[0][1]), (eyes[1][0] - 0.36 * r, eyes[1][1])], 0.09, PINK)
    for u, v in eyes:
        m = -1 if u <= x or view == "side" else 1
        pen.line([(u + m * 0.38 * r, v), (x + m * 1.0 * r, v - 0.08 * r)], 0.08, PINK)
        _ring(pen, u, v, 0.37 * r, 0.085, PINK)


def yellow_shirt(pen: Pen, anchors: FigureAnchors, view: str) -> None:
    _jacket(pen, anchors, YELLOW, (190, 140, 0))
    if view == "front":
        x, y, _ = anchors.neck
        for m in (-1, 1):
            lapel = [(0.0, 0.2), (0.04, 0.02), (0.24, 0.02), (0.16, 0.2)]
            pen.polygon([(x + m * u, y + v) for u, v in lapel], lighter(YELLOW, 0.6))


def purple_wizard_outfit(pen: Pen, anchors: FigureAnchors, view: str) -> None:
    _jacket(pen, anchors, PURPLE, darker(PURPLE, 0.5), hem=0.14, trim=GOLD)
    u, v = _chest(anchors, view, 0.55)
    _star(pen, u, v, 0.17, GOLD)
    x, y, r = _crown(anchors)
    lean = -0.35 if view == "side" else 0.2
    cone = [(-0.72, 0), (lean - 0.1, -1.7), (lean + 0.06, -1.7), (0.72, 0)]
    _edged(pen, [(x + u * r, y + v * r) for u, v in cone], PURPLE)
    _star(pen, x - 0.08 * r, y - 0.48 * r, 0.32 * r, GOLD)
    _star(pen, x + (0.05 + 0.4 * lean) * r, y - 1.05 * r, 0.2 * r, GOLD)
    _brim(pen, x, y, 1.3 * r, 0.17 * r, PURPLE)


ACCESSORIES: dict[str, Callable[[Pen, FigureAnchors, str], None]] = {
    "red hat": red_hat,
    "santa hat": santa_hat,
    "rainbow scarf": rainbow_scarf,
    "black top hat and monocle": top_hat_and_monocle,
    "chef outfit": chef_outfit,
    "firefighter outfit": firefighter_outfit,
    "police outfit": police_outfit,
    "pink glasses": pink_glasses,
    "yellow shirt": yellow_shirt,
    "purple wizard outfit": purple_wizard_outfit,
}


def _crown(anchors: FigureAnchors) -> tuple[float, float, float]:
    """x and y of a hat's lower edge, and the head's radius."""
    x, y, r = anchors.head
    return x, y - 0.64 * r, r


def _chest(anchors: FigureAnchors, view: str, down: float) -> Point:
    """A point on the front of the jacket (of the flank, from the side), `down` of the way from its top."""
    x0, y0, x1, y1 = anchors.torso
    x = (x0 + x1) / 2 - (0.12 if view == "side" and x1 - x0 > 0.8 else 0.0)
    return x, y0 + down * (y1 - y0)


def _jacket(
    pen: Pen, anchors: FigureAnchors, colour: RGB, edge: RGB, stripes: RGB | None = None, hem: float = 0.0, trim: RGB | None = None
) -> None:  # fmt: skip
    """A garment over the trunk and its sleeves; `hem` makes it longer and wider below, like a robe."""
    x0, y0, x1, y1 = anchors.torso
    x0, x1, low = x0 - 0.03, x1 + 0.03, y1 + hem
    inset = 0.14 * (x1 - x0)
    body = [(x0 + inset, y0), (x1 - inset, y0), (x1, y0 + 0.15), (x1 + 0.6 * hem, low), (x0 - 0.6 * hem, low), (x0, y0 + 0.15)]
    _edged(pen, body, colour, edge)
    if stripes:
        _band(pen, x0, x1, y0 + 0.72 * (y1 - y0), 0.11, stripes)
        if x1 - x0 < 1.0 or len(anchors.sleeves) == 2:
            _band(pen, x0, x1, y0 + 0.32 * (y1 - y0), 0.09, stripes)
    if trim:
        _band(pen, x0 - 0.55 * hem, x1 + 0.55 * hem, low - 0.05, 0.08, trim)
    for (ax, ay), (bx, by) in anchors.sleeves:
        pen.line([(ax, ay), (bx, by)], 0.29, edge)
        pen.line([(ax, ay), (bx, by)], 0.23, colour)
        cuff = trim or stripes
        if cuff:
            away = math.hypot(bx - ax, by - ay)
            u, v = 0.1 * (by - ay) / away, 0.1 * (ax - bx) / away
            pen.line([(bx - u, by - v), (bx + u, by + v)], 0.07, cuff)


def _band(pen: Pen, x0: float, x1: float, y: float, thick: float, colour: RGB) -> None:
    pen.rectangle(x0, y - thick / 2, x1, y + thick / 2, colour)


def _edged(pen: Pen, outline: list[Point], colour: RGB, edge: RGB | None = None) -> None:
    pen.line([*outline, outline[0]], 0.06, edge or _edge(colour))
    pen.polygon(outline, colour)


def _edge(colour: RGB) -> RGB:
    return lighter(colour, 0.3) if sum(colour) < 120 else darker(colour, 0.45)


def _brim(pen: Pen, x: float, y: float, rx: float, ry: float, colour: RGB) -> None:
    pen.ellipse(x, y, rx + 0.025, ry + 0.025, _edge(colour))
    pen.ellipse(x, y, rx, ry, colour)


def _ball(pen: Pen, x: float, y: float, r: float, colour: RGB, edge: RGB | None = None) -> None:
    pen.ellipse(x, y, r + 0.03, r + 0.03, edge or darker(colour, 0.3))
    pen.ellipse(x, y, r, r, colour)


def _box(pen: Pen, x0: float, y0: float, x1: float, y1: float, colour: RGB, radius: float, edge: RGB | None = None) -> None:
    pen.rectangle(x0 - 0.03, y0 - 0.03, x1 + 0.03, y1 + 0.03, edge or darker(colour, 0.3), radius + 0.03)
    pen.rectangle(x0, y0, x1, y1, colour, radius)


def _ring(pen: Pen, x: float, y: float, r: float, thick: float, colour: RGB) -> None:
    turns = [2 * math.pi * k / 20 for k in range(21)]
    pen.line([(x + r * math.cos(t), y + r * math.sin(t)) for t in turns], thick, colour)


def _badge(pen: Pen, x: float, y: float, r: float) -> None:
    shield = [(-0.8, -1), (0.8, -1), (0.85, 0.2), (0, 1.1), (-0.85, 0.2)]
    _edged(pen, [(x + u * r, y + v * r) for u, v in shield], GOLD)


def _star(pen: Pen, x: float, y: float, r: float, colour: RGB) -> None:
    turns = [(math.pi * (k / 5 - 0.5), r if k % 2 == 0 else 0.45 * r) for k in range(10)]
    pen.polygon([(x + size * math.cos(t), y + size * math.sin(t)) for t, size in turns], colour)


def _stripes(pen: Pen, start: Point, end: Point, wide: float) -> None:
    """The hanging end of the scarf: six stripes from start to end (its left edge)."""
    pen.line([(start[0] + wide / 2, start[1]), (end[0] + wide / 2, end[1] - 0.1)], wide + 0.06, darker(RAINBOW[-1], 0.5))
    for k, colour in enumerate(RAINBOW):
        (ax, ay), (bx, by) = (
            (start[0] + (end[0] - start[0]) * t, start[1] + (end[1] - start[1]) * t) for t in (k / 6, (k + 1) / 6)
        )
        pen.polygon([(ax, ay), (ax + wide, ay), (bx + wide, by), (bx, by)], colour)
