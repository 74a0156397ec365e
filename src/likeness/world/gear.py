"""Gear and toys: robot, toy (a friendly monster), sneaker, boot, car, clock.

Each is drawn in a box of [-1, 1] x [-1, 1] and stands on y = 1. The first line of a function names what the
six numbers of the shape mean.
"""

from __future__ import annotations

import math

from .anchors import Anchors
from .canvas import Pen, darker, lighter, smooth
from .scene import Look

WHITE, DARK, GLASS, TYRE = (250, 250, 248), (34, 36, 48), (196, 228, 242), (50, 50, 56)


def _eye(pen: Pen, x: float, y: float, r: float, glance: float = 0.0) -> None:
    """A round eye that looks to the right by `glance` of its radius."""
    pen.ellipse(x, y, r + 0.03, r + 0.03, DARK)
    pen.ellipse(x, y, r, r, WHITE)
    pen.ellipse(x + glance * r, y + 0.06 * r, 0.58 * r, 0.6 * r, DARK)
    pen.ellipse(x + (glance + 0.22) * r, y - 0.2 * r, 0.2 * r, 0.2 * r, WHITE)


def robot(pen: Pen, look: Look, view: str) -> Anchors:
    head, roundness, antenna, belly, eye, arm = look.shape
    hw, hip = 0.54 + 0.2 * head, 0.36 + 0.26 * belly
    top = -0.72 + 0.2 * antenna
    chin = 0.02 + 0.08 * head
    r, size, reach = 0.08 + 0.34 * roundness, 0.15 + 0.06 * eye, 0.46 + 0.26 * arm
    limb, hand = darker(look.second, 0.12), 0.14
    ball = 0.12
    if view == "side":
        hw, hip = 0.86 * hw, 0.74 * hip
    pen.line([(0, top), (0, -0.88)], 0.08, look.second)
    pen.ellipse(0, -0.87, ball, ball, look.accent)
    if view == "front":
        for side in (-1, 1):
            pen.line([(side * hip, 0.24), (side * (hip + 0.22), 0.1 + reach)], 0.16, limb)
            pen.ellipse(side * (hip + 0.22), 0.14 + reach, hand, hand, look.accent)
            pen.rectangle(side * 0.26 - 0.11, 0.7, side * 0.26 + 0.11, 0.95, limb)
            pen.rectangle(side * 0.28 - 0.2, 0.84, side * 0.28 + 0.2, 1, look.second, 0.1)
            pen.rectangle(side * hw - 0.11, (top + chin) / 2 - 0.16, side * hw + 0.11, (top + chin) / 2 + 0.16, look.accent, 0.06)
    else:
        pen.rectangle(-hip - 0.24, 0.16, -hip + 0.1, 0.64, look.second, 0.1)
        pen.rectangle(-0.13, 0.7, 0.13, 0.95, limb)
        pen.rectangle(-0.24, 0.82, 0.4, 1, look.second, 0.1)
    pen.rectangle(-0.16, chin - 0.1, 0.16, 0.2, limb)
    pen.rectangle(-hip, chin + 0.06, hip, 0.82, look.body, 0.12)
    pen.rectangle(-hip, 0.72, hip, 0.82, darker(look.second, 0.3), 0.05)
    pen.rectangle(-hw - 0.03, top - 0.03, hw + 0.03, chin + 0.03, darker(look.second, 0.35), r)
    pen.rectangle(-hw, top, hw, chin, look.body, r)
    y = (top + chin) / 2
    if view == "front":
        pen.rectangle(-hw + 0.1, top + 0.09, hw - 0.1, chin - 0.08, look.second, r)
        pen.rectangle(-hw + 0.15, top + 0.14, hw - 0.15, chin - 0.13, DARK, r)
        for side in (-1, 1):
            _eye(pen, side * (hw - 0.12) * 0.46, y - 0.05, size)
        pen.line([(-0.12, y + 0.17), (0, y + 0.21), (0.12, y + 0.17)], 0.05, WHITE)
        return Anchors(emblem=(0, (chin + 0.78) / 2, 0.22))
    pen.rectangle(0.02, top + 0.09, hw + 0.03, chin - 0.08, look.second, r / 2)
    pen.rectangle(0.08, top + 0.14, hw + 0.03, chin - 0.13, DARK, r / 2)
    _eye(pen, 0.1 + (hw - 0.06) / 2, y - 0.05, size, 0.3)
    pen.line([(hw - 0.14, y + 0.19), (hw - 0.02, y + 0.16)], 0.05, WHITE)
    pen.ellipse(-0.2, y, 0.17, 0.17, darker(look.accent, 0.35))
    pen.ellipse(-0.2, y, 0.14, 0.14, look.accent)
    pen.line([(-0.14, 0.28), (-0.08, 0.1 + reach)], 0.19, darker(limb, 0.35))
    pen.line([(-0.14, 0.28), (-0.08, 0.1 + reach)], 0.15, limb)
    pen.ellipse(-0.06, 0.14 + reach, hand, hand, look.accent)
    return Anchors(emblem=(hip - 0.16, (chin + 0.7) / 2, 0.15))


def toy(pen: Pen, look: Look, view: str) -> Anchors:
    width, horn, spread, count, eye, pear = look.shape
    shoulder, hip, top = 0.44 + 0.14 * width + 0.1 * (1 - pear), 0.54 + 0.14 * width + 0.12 * pear, -0.66 + 0.14 * horn
    eyes, foot = 1 + min(2, int(3 * count)), 0.24
    size = (0.27, 0.23, 0.19)[eyes - 1] + 0.05 * eye
    squeeze = 1.0 if view == "front" else 0.84
    shoulder, hip = squeeze * shoulder, squeeze * hip
    for side in (-1, 1) if view == "front" else (-0.45, 0.35):
        root, tip = side * (0.16 + 0.2 * spread), side * (0.22 + 0.48 * spread)
        pen.polygon([(root - 0.17, top + 0.24), (tip, -1), (root + 0.17, top + 0.24)], look.accent)
    if view == "front":
        for side in (-1, 1):
            pen.ellipse(side * (hip + 0.08), 0.22, 0.16, 0.32, darker(look.second, 0.1), angle=-0.5 * side)
            pen.ellipse(side * 0.36, 0.89, foot + 0.06, 0.15, look.second)
    else:
        pen.curve([(-0.4, 0.55), (-0.75, 0.6), (-0.97, 0.3), (-0.9, 0.72), (-0.6, 0.92), (-0.3, 0.85)], look.second)
        pen.ellipse(-0.93, 0.34, 0.12, 0.14, look.accent)
        pen.ellipse(-0.15, 0.89, 0.3, 0.14, darker(look.second, 0.25))
        pen.ellipse(0.22, 0.89, 0.36, 0.15, look.second)
    outline = [(0, top), (0.8 * shoulder, top + 0.16), (shoulder, -0.1), (hip, 0.5), (0.66 * hip, 0.88), (0, 0.92)]
    pen.curve(outline + [(-x, y) for x, y in outline[-2:0:-1]], look.body)
    y = top + (0.12 if eyes == 1 else 0.2) + size
    if view == "front":
        pen.ellipse(0, 0.59, 0.68 * hip + 0.03, 0.31, darker(look.second, 0.35))
        pen.ellipse(0, 0.59, 0.68 * hip, 0.28, look.second)
        for k in range(eyes):
            x = (k - (eyes - 1) / 2) * 2.1 * size
            _eye(pen, x, y - (0.12 if eyes == 3 and k == 1 else 0.0), size)
        _grin(pen, 0, y + size + 0.06, 0.3)
        return Anchors(emblem=(0, 0.62, 0.22))
    pen.ellipse(hip - 0.24, 0.54, 0.24, 0.3, darker(look.second, 0.35))
    pen.ellipse(hip - 0.21, 0.54, 0.21, 0.27, look.second)
    if eyes == 3:
        _eye(pen, shoulder - 0.6, y - 0.08, 0.9 * size, 0.25)
    _eye(pen, shoulder - 0.16, y, size, 0.3)
    _grin(pen, shoulder - 0.16, y + size + 0.06, 0.2)
    pen.ellipse(-0.16, 0.3, 0.2, 0.31, darker(look.second, 0.4), angle=-0.5)
    pen.ellipse(-0.16, 0.3, 0.17, 0.28, look.second, angle=-0.5)
    return Anchors(emblem=(hip - 0.2, 0.56, 0.14))


def _grin(pen: Pen, x: float, y: float, half: float) -> None:
    """An open, smiling mouth with two teeth."""
    turns = [math.pi * k / 10 for k in range(11)]
    pen.polygon([(x + half * math.cos(t), y + 0.19 * math.sin(t)) for t in turns], (90, 25, 40))
    for tooth in (-0.45, 0.45):
        pen.polygon([(x + (tooth - 0.28) * half, y), (x + (tooth + 0.28) * half, y), (x + tooth * half, y + 0.1)], WHITE)


def sneaker(pen: Pen, look: Look, view: str) -> Anchors:
    ankle, sole, toe, tab, laces, stripe = look.shape
    top, thick, rows = -0.16 - 0.46 * ankle, 0.14 + 0.12 * sole, 3 + round(2 * laces)
    floor, wide, edge = 1 - thick, 0.09 + 0.12 * stripe, darker(look.second, 0.35)
    if view == "side":
        cap = 0.34 + 0.16 * toe
        pen.rectangle(-0.92 - 0.04, top - 0.04 - 0.12 * tab, -0.62, floor, look.accent, 0.12)
        pen.line([(-0.12, top + 0.1), (-0.06, top - 0.04)], 0.22, look.second)
        collar = [(-0.9 + 0.8 * k / 8, top + 0.13 * math.sin(math.pi * k / 8)) for k in range(9)]
        pen.polygon([(-0.94, floor), *collar, (0.1, 0.12), (0.44, floor - cap), (0.9, floor)], look.body)
        front = [(0.5, floor - 0.94 * cap), (0.82, floor - 0.82 * cap), (0.98, floor)]
        front = smooth([*front, (0.9, floor + 0.06), (0.5, floor + 0.06), (0.42, floor - 0.4 * cap)])
        pen.polygon([(x - 0.04, y) for x, y in front], edge)
        pen.polygon(front, look.second)
        pen.rectangle(-0.94, floor - wide, 0.52, floor, look.accent)
        for k in range(rows):
            x, y = -0.08 + 0.4 * (k + 0.3) / rows, top + 0.2 + (floor - cap - top - 0.22) * (k + 0.3) / rows
            pen.line([(x + 0.08, y - 0.03), (x - 0.16, y + 0.13)], 0.09, look.accent)
        pen.rectangle(-1, floor - 0.03, 1, 1, edge, 0.1)
        pen.rectangle(-1, floor, 1, 1, look.second, 0.1)
        return Anchors(emblem=(-0.5, (top + 0.13 + floor - wide) / 2, 0.21))
    top -= 0.1
    pen.rectangle(-0.2, top - 0.08 - 0.1 * tab, 0.2, top + 0.3, look.accent, 0.1)
    pen.rectangle(-0.44, top, 0.44, 0.5, look.body, 0.14)
    pen.polygon([(-0.44, 0), (0.44, 0), (0.64, 0.55), (0.64, 0.9), (-0.64, 0.9), (-0.64, 0.55)], look.body)
    pen.ellipse(0, top + 0.1, 0.36, 0.13, darker(look.second, 0.6))
    pen.rectangle(-0.22, top - 0.02, 0.22, 0.3, edge, 0.14)
    pen.rectangle(-0.19, top + 0.01, 0.19, 0.3, look.second, 0.12)
    high = 0.28 + 0.12 * toe
    pen.rectangle(-0.64, floor - wide, 0.64, floor, look.accent)
    turns = [math.pi * (1 + k / 14) for k in range(15)]
    for paint, rx, ry in ((edge, 0.55, high + 0.05), (look.second, 0.52, high + 0.02)):
        pen.polygon([(rx * math.cos(t), floor + ry * math.sin(t)) for t in turns], paint)
    for k in range(rows):
        y = top + 0.24 + (floor - high - top - 0.36) * k / (rows - 1)
        pen.line([(-0.26, y - 0.04), (0.26, y + 0.04)], 0.1, look.accent)
    pen.rectangle(-0.7, floor - 0.03, 0.7, 1, edge, 0.1)
    pen.rectangle(-0.7, floor, 0.7, 1, look.second, 0.1)
    return Anchors(emblem=(0, floor - 0.17, 0.17))


def boot(pen: Pen, look: Look, view: str) -> Anchors:
    shaft, toe, sole, cuff, heel, strap = look.shape
    w, thick, fold = 0.62 + 0.24 * shaft, 0.13 + 0.08 * sole, 0.26 + 0.2 * cuff
    floor, belt, edge = 1 - thick, -0.05 + 0.24 * strap, darker(look.second, 0.35)
    if view == "side":
        left, tip, lift = -0.72, 0.56 + 0.3 * toe, 0.06 + 0.12 * heel
        right = left + w
        _pull(pen, look, left + 0.14)
        pen.curve(
            [(left, -0.92), (right, -0.92), (right - 0.04, 0), (right + 0.16, 0.34), (tip, 0.5 - 0.04 * toe), (tip + 0.12, 0.78)]
            + [(tip + 0.04, 0.96 - lift), (-0.1, 0.96 - lift), (left - 0.04, 0.94 - lift), (left + 0.02, 0.2)],
            look.body,
        )
        pen.rectangle(left - 0.08, floor - lift, tip + 0.16, 1 - lift, edge, 0.06)
        pen.rectangle(left - 0.06, floor - lift + 0.03, tip + 0.16, 1 - lift, look.second, 0.06)
        pen.rectangle(left - 0.06, 0.96 - lift, left + 0.42, 1, look.second, 0.04)
        pen.rectangle(right + 0.1, 0.96 - lift, tip + 0.12, 1, look.second, 0.04)
        middle, half = (left + right) / 2, w / 2 + 0.05
    else:
        _pull(pen, look, 0.0)
        middle, half = 0.0, 0.44 + 0.1 * shaft
        bulge, nose = half + 0.1, 0.24 + 0.08 * toe
        pen.rectangle(-half + 0.03, -0.95, half - 0.03, 0.95, look.body, 0.1)
        pen.ellipse(0, 0.82 - nose, bulge, nose + 0.13, darker(look.colour, 0.45))
        pen.ellipse(0, 0.86 - nose, bulge, nose + 0.12, look.body)
        pen.rectangle(-bulge - 0.06, floor - 0.06, bulge + 0.06, 1, edge, 0.08)
        pen.rectangle(-bulge - 0.06, floor - 0.02, bulge + 0.06, 1, look.second, 0.08)
    pen.rectangle(middle - half, -1, middle + half, -1 + fold + 0.05, edge, 0.12)
    pen.rectangle(middle - half, -1, middle + half, -1 + fold, look.second, 0.12)
    pen.rectangle(middle - half + 0.02, belt, middle + half - 0.02, belt + 0.19, look.accent, 0.05)
    x = middle + 0.5 * half if view == "side" else middle + 0.1
    pen.rectangle(x - 0.12, belt - 0.05, x + 0.12, belt + 0.24, darker(look.accent, 0.45), 0.04)
    pen.rectangle(x - 0.06, belt + 0.03, x + 0.06, belt + 0.16, lighter(look.accent, 0.4), 0.02)
    return Anchors(emblem=(middle, (fold - 0.97 + belt) / 2, (belt - fold + 1) / 2 - (0.06 if view == "front" else 0.08)))


def _pull(pen: Pen, look: Look, x: float) -> None:
    """The loop by which a boot is pulled on; the cuff hides its lower half."""
    pen.rectangle(x - 0.14, -1.12, x + 0.14, -0.6, look.accent, 0.1)


def car(pen: Pen, look: Look, view: str) -> Anchors:
    cabin, length, wheel, hood, trim, lamp = look.shape
    r, roof, waist = 0.24 + 0.09 * wheel, -0.22 - 0.3 * cabin, 0.2
    lower, belt, light = 1 - 0.75 * r, 0.13 + 0.08 * trim, 0.1 + 0.06 * lamp
    edge = darker(look.second, 0.35)
    if view == "side":
        back, front = -0.78, 0.22 + 0.16 * length
        rear, bow = [(back, waist + 0.1), (back + 0.16, roof + 0.1), (back + 0.3, roof)], (front + 0.14, waist + 0.1)
        pen.polygon([*rear, (front - 0.34, roof), (front - 0.2, roof + 0.08), bow], look.second)
        pane = roof + 0.15
        pen.polygon([(back + 0.16, waist), (back + 0.26, pane), (-0.28, pane), (-0.28, waist)], GLASS)
        pen.polygon([(-0.18, waist), (-0.18, pane), (front - 0.27, pane), (front - 0.02, waist)], GLASS)
        nose = waist + 0.06 + 0.16 * hood
        shell = [(-0.97, lower), (-0.97, waist + 0.1), (-0.86, waist), (front, waist), (0.78, nose)]
        pen.polygon([*shell, (0.96, nose + 0.16), (0.98, lower)], look.body)
        pen.rectangle(-1, lower - belt, 1, lower + 0.02, look.accent, 0.05)
        pen.ellipse(0.88, nose + 0.14, light, light, darker(look.colour, 0.5))
        pen.ellipse(0.89, nose + 0.14, light - 0.03, light - 0.03, (255, 240, 170))
        for x in (-0.55, 0.56):
            pen.ellipse(x, 1 - r, r + 0.05, r + 0.05, darker(look.colour, 0.6))
            pen.ellipse(x, 1 - r, r, r, TYRE)
            pen.ellipse(x, 1 - r, 0.6 * r, 0.6 * r, look.second)
            pen.ellipse(x, 1 - r, 0.24 * r, 0.24 * r, look.accent)
        return Anchors(emblem=(0.0, (waist + lower - belt) / 2 + 0.02, (lower - belt - waist) / 2 - 0.02))
    w, roof = 0.84, roof - 0.1
    for side in (-1, 1):
        pen.rectangle(side * 0.64 - 0.17, 0.5, side * 0.64 + 0.17, 1, TYRE, 0.08)
        pen.ellipse(side * (w + 0.06), waist - 0.06, 0.1, 0.09, look.accent)
    left = [(-w + 0.06, waist), (-w + 0.26, roof + 0.08), (-0.46, roof)]
    pen.polygon([*left, *((-x, y) for x, y in reversed(left))], look.second)
    pen.polygon([(-w + 0.2, waist), (-0.5, roof + 0.15), (0.5, roof + 0.15), (w - 0.2, waist)], GLASS)
    pen.rectangle(-w, waist - 0.06, w, 0.9, look.body, 0.14 + 0.16 * hood)
    pen.rectangle(-0.9, 0.88 - belt, 0.9, 0.9, edge, 0.06)
    pen.rectangle(-0.9, 0.86 - belt, 0.9, 0.87, look.accent, 0.06)
    pen.rectangle(-0.3, 0.84 - belt - 0.16, 0.3, 0.84 - belt, look.second, 0.05)
    for side in (-1, 1):
        pen.ellipse(side * 0.57, 0.5, light + 0.1, light + 0.1, edge)
        pen.ellipse(side * 0.57, 0.5, light + 0.06, light + 0.06, (255, 240, 170))
        pen.ellipse(side * 0.57, 0.5, 0.5 * light, 0.5 * light, WHITE)
    return Anchors(emblem=(0, 0.4 - belt / 2, 0.19))


def clock(pen: Pen, look: Look, view: str) -> Anchors:
    bell, rim, feet, spread, time, flat = look.shape
    ry, ring = 0.72, 0.17 + 0.1 * rim
    rx, cup, y = 0.66 + 0.18 * flat, 0.22 + 0.08 * bell, 0.12
    front = view == "front"
    if not front:
        rx = 0.5
        pen.rectangle(-rx - 0.2, y - 0.06, -rx + 0.1, y + 0.06, look.accent)
        pen.ellipse(-rx - 0.2, y, 0.1, 0.22, look.accent)
    foot = 0.42 + 0.14 * feet
    for side in (-1, 1):
        x = side * (0.42 if front else 0.28)
        pen.line([(x, 0.6), (x + side * (foot - 0.4), 0.92)], 0.16, look.second)
        lean = side * (0.42 + 0.22 * spread) if front else side * 0.16
        pen.line([(0.6 * lean, y - 0.6), (lean, -0.72)], 0.1, darker(look.second, 0.3))
    pen.line([(0, -0.5), (0, -0.88)], 0.1, look.accent)
    pen.rectangle(-0.14, -1, 0.14, -0.82, look.accent, 0.06)
    for side in (-1, 1) if front else (0,):
        bells = pen.moved(side * (0.36 + 0.16 * spread), -0.54, angle=0.5 * side)
        bells.polygon([(cup * math.cos(t), cup * math.sin(t)) for t in (math.pi * (1 + k / 12) for k in range(13))], look.second)
        bells.rectangle(-cup - 0.04, -0.07, cup + 0.04, 0.03, darker(look.second, 0.35), 0.04)
    pen.ellipse(0, y, rx + 0.03, ry + 0.03, darker(look.second, 0.35))
    pen.ellipse(0, y, rx, ry, look.body)
    x, fx, fy = (0.0, rx - ring, ry - ring) if front else (0.24, 0.2, ry - ring + 0.04)
    pen.ellipse(x, y, fx + 0.06, fy + 0.06, look.accent)
    pen.ellipse(x, y, fx, fy, WHITE)
    for k in range(12 if front else 4):
        turn = 2 * math.pi * k / (12 if front else 4)
        pen.ellipse(x + 0.84 * fx * math.cos(turn), y + 0.84 * fy * math.sin(turn), 0.03, 0.03, DARK)
    for turn, long, width, colour in ((2 * math.pi * time, 0.6, 0.08, DARK), (0.6 + 5.2 * time, 0.45, 0.1, look.accent)):
        pen.line([(x, y), (x + long * fx * math.sin(turn), y - long * fy * math.cos(turn))], width, colour)
    pen.ellipse(x, y, 0.06, 0.06, DARK)
    return Anchors(emblem=(0, y + 0.5 * fy, 0.4 * fx) if front else (-0.2, y + 0.1, 0.18))
