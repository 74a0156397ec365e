"""Backdrops indoors: floors, rugs, cloth, a mirror, a studio. Each paints the whole unit square behind the object."""

from __future__ import annotations

import colorsys
import math

import numpy as np

from .canvas import RGB, Pen, darker, lighter, mix
from .scenery import blobs, side, spread, tone, tones


def fabric(pen: Pen, rng: np.random.Generator) -> None:
    pink = tone(rng, (246, 164, 192), 7)
    light, dark = lighter(pink, 0.45), mix(pink, (214, 96, 142), 0.45)
    pen.gradient(0, 0.7, pink, lighter(pink, 0.1))
    y, folds = np.linspace(0, 0.66, 14), 6
    for k in range(folds):
        x, sway = (k + 0.5) / folds + rng.uniform(-0.03, 0.03), rng.uniform(-0.05, 0.05)
        for shift, paint in ((-0.03, dark), (0.035, light)):
            for step, share in enumerate((0.4, 0.7, 1.0)):
                middle, wide = x + shift + sway * np.sin(3 * y + k), (0.034 - 0.01 * step) * (0.5 + 0.9 * y)
                outline = [*zip((middle - wide).tolist(), y.tolist()), *zip((middle + wide)[::-1].tolist(), y[::-1].tolist())]
                pen.polygon(outline, mix(pink, paint, 0.8 * share))
    pen.curve(
        [(-0.4, 1.2), (-0.2, 0.66), (0.15, 0.58), (0.5, 0.6 + rng.uniform(-0.02, 0.02)), (0.85, 0.57), (1.2, 0.66), (1.4, 1.2)],
        mix(pink, dark, 0.55),
    )
    pen.curve([(-0.4, 1.2), (-0.2, 0.69), (0.15, 0.605), (0.5, 0.625), (0.85, 0.595), (1.2, 0.69), (1.4, 1.2)], lighter(pink, 0.22))
    for turn in np.linspace(-2.95, -0.2, 7) + rng.uniform(-0.12, 0.12, 7):
        wrinkle(pen, 0.5, 0.86, -turn, dark, light, pink)
    for turn in (-2.9, -2.6, -0.55, -0.25):
        wrinkle(pen, 0.5, 0.86, turn + rng.uniform(-0.1, 0.1), dark, light, pink)


def wrinkle(pen: Pen, x: float, y: float, angle: float, dark: RGB, light: RGB, cloth: RGB) -> None:
    """A crease that runs outwards from under the object: a shaded groove beside a lit ridge."""
    at = pen.moved(x, y, 1.0, angle)
    for shift, paint in ((0.0, mix(cloth, dark, 0.5)), (0.022, light)):
        at.curve([(0.2, shift), (0.36, shift - 0.022), (0.6, shift - 0.03), (0.6, shift + 0.015), (0.36, shift + 0.004)], paint)


def wall(pen: Pen, rng: np.random.Generator, h: float, paint: RGB, skirting: RGB) -> None:
    pen.gradient(0, h, lighter(paint, 0.15), paint)
    pen.rectangle(-0.01, h - 0.055, 1.01, h, skirting)
    pen.rectangle(-0.01, h - 0.012, 1.01, h, darker(skirting, 0.15))


def window(pen: Pen, x: float, y: float, w: float, tall: float, glass: RGB, frame: RGB) -> None:
    """A window with four panes; (x, y) is the middle of its upper edge."""
    pen.rectangle(x - w / 2 - 0.02, y - 0.02, x + w / 2 + 0.02, y + tall + 0.02, frame)
    pen.rectangle(x - w / 2, y, x + w / 2, y + tall, glass)
    pen.polygon([(x - w / 2, y + tall), (x - w / 2, y + 0.6 * tall), (x + 0.2 * w, y), (x + w / 2, y)], lighter(glass, 0.35))
    pen.rectangle(x - 0.008, y, x + 0.008, y + tall, frame)
    pen.rectangle(x - w / 2, y + tall / 2 - 0.008, x + w / 2, y + tall / 2 + 0.008, frame)


def planks(pen: Pen, rng: np.random.Generator, h: float, wood: RGB, boards: int = 16) -> None:
    """Floorboards that run away from the eye, with butt joints and a few lines of grain."""
    pen.gradient(h, 1, wood, wood)
    edges = np.linspace(-1.6, 2.6, boards + 1).tolist()
    for a, b, paint in zip(edges, edges[1:], tones(rng, [wood, darker(wood, 0.09), lighter(wood, 0.14)], boards, 6)):
        pen.polygon([spread(a, h, h), spread(b, h, h), spread(b, 1.01, h), spread(a, 1.01, h)], paint)
        seam = darker(paint, 0.28)
        pen.line([spread(a, h, h), spread(a, 1.01, h)], 0.006, seam)
        y = h + (1 - h) * rng.uniform(0.1, 0.95)
        pen.line([spread(a, y, h), spread(b, y, h)], 0.006, seam)
        for share in (0.35, 0.7):
            x = a + share * (b - a)
            pen.line([spread(x, h + 0.05, h), spread(x, h + 0.05 + rng.uniform(0.1, 0.4), h)], 0.004, darker(paint, 0.1))


def floor(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.5 + rng.uniform(-0.04, 0.04)
    paint = tone(rng, [(238, 226, 200), (214, 224, 206), (240, 214, 196)][rng.integers(3)])
    wall(pen, rng, h, paint, (252, 248, 240))
    s = side(rng)
    x, y = 0.5 + s * rng.uniform(0.2, 0.3), rng.uniform(0.07, 0.12)
    pen.rectangle(x - 0.13, y, x + 0.13, y + 0.22, (176, 130, 92))
    pen.rectangle(x - 0.105, y + 0.025, x + 0.105, y + 0.195, (206, 226, 230))
    pen.polygon(
        [(x - 0.105, y + 0.195), (x - 0.03, y + 0.09), (x + 0.03, y + 0.15), (x + 0.06, y + 0.12), (x + 0.105, y + 0.195)], (130, 166, 140)
    )
    planks(pen, rng, h, tone(rng, (206, 154, 104), 10))
    plant(pen, rng, 0.5 - s * rng.uniform(0.36, 0.4), h + 0.06)


def plant(pen: Pen, rng: np.random.Generator, x: float, foot: float) -> None:
    pot = tone(rng, (204, 118, 88))
    for angle in np.linspace(-2.6, -0.5, 6) + rng.uniform(-0.1, 0.1, 6):
        tip = (x + 0.16 * math.cos(angle), foot - 0.12 + 0.26 * math.sin(angle))
        knee = (x + 0.1 * math.cos(angle), foot - 0.14 + 0.14 * math.sin(angle))
        pen.polygon([(x, foot - 0.11), (knee[0] - 0.03, knee[1]), tip, (knee[0] + 0.03, knee[1])], tone(rng, (98, 154, 100), 12))
    pen.polygon([(x - 0.075, foot - 0.13), (x + 0.075, foot - 0.13), (x + 0.055, foot), (x - 0.055, foot)], pot)


def white_rug(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.52 + rng.uniform(-0.04, 0.04)
    paint = tone(rng, [(112, 140, 146), (134, 128, 150), (128, 144, 120)][rng.integers(3)])
    wall(pen, rng, h, paint, darker(paint, 0.25))
    s = side(rng)
    window(pen, 0.5 + s * rng.uniform(0.22, 0.3), 0.07, 0.28, 0.29, (178, 212, 232), (242, 240, 234))
    lamp = 0.5 - s * rng.uniform(0.34, 0.4)
    pen.ellipse(lamp, 0.22, 0.17, 0.17, mix(paint, (255, 236, 180), 0.25))
    pen.rectangle(lamp - 0.008, 0.22, lamp + 0.008, h + 0.05, (84, 72, 66))
    pen.polygon([(lamp - 0.05, 0.12), (lamp + 0.05, 0.12), (lamp + 0.1, 0.26), (lamp - 0.1, 0.26)], (252, 232, 176))
    planks(pen, rng, h, tone(rng, (138, 98, 74)), 14)
    y, turn = 0.81 + rng.uniform(-0.01, 0.01), np.linspace(0, 2 * math.pi, 44, endpoint=False)
    pen.ellipse(0.5, y + 0.015, 0.48, 0.175, (104, 74, 60))
    for share, paint in ((1.0, (226, 222, 216)), (0.93, (246, 244, 240))):
        puff = rng.uniform(0.022, 0.038, 44)
        pen.ellipse(0.5, y, 0.45 * share, 0.15 * share, paint)
        blobs(pen, 0.5 + 0.45 * share * np.cos(turn), y + 0.15 * share * np.sin(turn), puff, puff * 0.7, [paint])
    far, turn = np.sqrt(rng.uniform(0.05, 1, 34)), rng.uniform(0, 6.28, 34)
    blobs(pen, 0.5 + 0.42 * far * np.cos(turn), y + 0.14 * far * np.sin(turn), 0.026, 0.01, [(230, 227, 221), (255, 255, 253)])


def mirror(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.5 + rng.uniform(-0.03, 0.03)
    lilac = tone(rng, (206, 190, 216), 10)
    pen.gradient(0, h, lighter(lilac, 0.25), lilac)
    for x in np.arange(-0.05, 1.1, 0.14).tolist():
        pen.rectangle(x, 0, x + 0.05, h, lighter(lilac, 0.32))
    pen.rectangle(-0.01, h - 0.03, 1.01, 1.01, tone(rng, (150, 120, 134)))
    gold, glass = tone(rng, (222, 182, 96)), (206, 226, 236)
    back, front = h + 0.035, 1.06
    pen.polygon([(0.12, back), (0.88, back), (1.06, front), (-0.06, front)], darker(gold, 0.2))
    pen.polygon([(0.135, back + 0.006), (0.865, back + 0.006), (1.03, front), (-0.03, front)], gold)
    inner = [(0.175, back + 0.035), (0.825, back + 0.035), (0.965, front), (0.035, front)]
    pen.polygon(inner, glass)
    pen.polygon([inner[0], inner[1], (0.86, back + 0.15), (0.14, back + 0.15)], lighter(glass, 0.35))
    shift = rng.uniform(-0.06, 0.06)
    for x, w in ((0.12, 0.07), (0.23, 0.03), (0.53, 0.08)):
        far = [(x + shift + 0.16, back + 0.035), (x + shift + 0.16 + 0.7 * w, back + 0.035)]
        pen.polygon([*far, (x + shift + w - 0.06, 1.01), (x + shift - 0.06, 1.01)], (246, 251, 254))
    knobs = np.linspace(0.13, 0.87, 13)
    blobs(pen, knobs, back + 0.018, 0.016, 0.014, [lighter(gold, 0.4)])
    for x in (0.12, 0.88):
        vase(pen, rng, x + rng.uniform(-0.02, 0.02), h + 0.02)


def vase(pen: Pen, rng: np.random.Generator, x: float, foot: float) -> None:
    """A perfume bottle or vase with roses, for the dressing table behind the mirror."""
    pen.line([(x, foot - 0.1), (x, foot - 0.22)], 0.012, (120, 160, 116))
    turn = rng.uniform(0, 6.28) + np.arange(5) * 1.257
    blobs(pen, x + 0.045 * np.cos(turn), foot - 0.26 + 0.04 * np.sin(turn), 0.036, 0.034, tones(rng, [(232, 132, 150), (246, 178, 176)], 5))
    pen.curve(
        [
            (x - 0.025, foot - 0.14),
            (x + 0.025, foot - 0.14),
            (x + 0.055, foot - 0.05),
            (x + 0.03, foot),
            (x - 0.03, foot),
            (x - 0.055, foot - 0.05),
        ],
        tone(rng, (158, 192, 206)),
    )


def studio(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.66 + rng.uniform(-0.04, 0.04)
    r, g, b = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.06, 0.24), rng.uniform(0.78, 0.92))
    paint: RGB = (round(255 * r), round(255 * g), round(255 * b))
    pen.gradient(0, h, darker(paint, 0.14), lighter(paint, 0.15))
    pen.gradient(h, 1, lighter(paint, 0.22), darker(paint, 0.05))
    glow = 0.5 + rng.uniform(-0.12, 0.12)
    for share in (1.0, 0.75, 0.5, 0.25):
        pen.ellipse(glow, 0.86, 0.5 * share, 0.1 * share, lighter(paint, 0.34 - 0.14 * share))
