"""Backdrops of wide open nature: sky, sand, snow, water. Each paints the whole unit square behind the object."""

from __future__ import annotations

import math

import numpy as np

from .canvas import Pen, darker, lighter, mix
from .scenery import beside, blobs, clouds, dapple, fir, ridge, ripple, side, tone

SUN = (255, 236, 160)
WATER = (104, 172, 208)
MILK = (250, 246, 238)


def snow(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.54 + rng.uniform(-0.04, 0.04)
    pen.gradient(0, h + 0.1, tone(rng, (158, 190, 218)), (220, 232, 240))
    ridge(pen, rng, h - 0.08, 0.04, (200, 216, 230))
    for x, tall in zip(rng.uniform(0, 1, 7).tolist(), rng.uniform(0.2, 0.3, 7).tolist()):
        fir(pen, x, h + 0.01, tall, tone(rng, (124, 156, 162)), (228, 236, 242))
    ridge(pen, rng, h, 0.015, (238, 244, 249))
    for x in beside(rng, 4, 0.3).tolist():
        fir(pen, x, h + rng.uniform(0.03, 0.1), rng.uniform(0.46, 0.6), tone(rng, (66, 112, 98)), (248, 251, 254))
    dapple(pen, rng, h + 0.06, 10, 0.16, [(222, 233, 243), (246, 250, 253)])
    snow_front(pen, rng, 34)


def snow_front(pen: Pen, rng: np.random.Generator, count: int = 12) -> None:
    """Flakes in the air."""
    size = rng.uniform(0.006, 0.012, count)
    blobs(pen, rng.uniform(0, 1, count), rng.uniform(0, 1, count), size, size, [(255, 255, 255)])


def beach(pen: Pen, rng: np.random.Generator) -> None:
    h, shore = 0.40 + rng.uniform(-0.03, 0.03), 0.58 + rng.uniform(-0.03, 0.03)
    pen.gradient(0, h, tone(rng, (128, 200, 236)), (208, 236, 244))
    s = side(rng)
    blobs(pen, 0.5 - s * rng.uniform(0.2, 0.38), rng.uniform(0.1, 0.18), 0.065, 0.065, [SUN])
    clouds(pen, rng, 2)
    pen.gradient(h, shore + 0.03, (62, 156, 192), (126, 214, 208))
    boat = 0.5 - s * rng.uniform(0.3, 0.4)
    pen.polygon([(boat - 0.06, h - 0.01), (boat + 0.06, h - 0.01), (boat + 0.04, h + 0.02), (boat - 0.04, h + 0.02)], (196, 92, 80))
    pen.polygon([(boat, h - 0.02), (boat, h - 0.16), (boat + 0.06, h - 0.02)], (254, 252, 246))
    sand = tone(rng, (244, 222, 168), 6)
    ridge(pen, rng, shore - 0.012, 0.012, (250, 254, 252), 1.2)
    ridge(pen, rng, shore + 0.012, 0.012, sand, 1.2)
    dapple(pen, rng, shore + 0.06, 26, 0.02, [darker(sand, 0.1), lighter(sand, 0.4)])
    for x, y in zip(beside(rng, 3, 0.3).tolist(), rng.uniform(0.78, 0.95, 3).tolist()):
        turn = np.arange(10) * math.pi / 5 + rng.uniform(0, 1)
        far = np.where(np.arange(10) % 2, 0.018, 0.045)
        pen.polygon(list(zip((x + far * np.cos(turn)).tolist(), (y + 0.7 * far * np.sin(turn)).tolist())), tone(rng, (238, 132, 104)))
    palm(pen, rng, 0.5 + s * 0.42, shore + 0.08, -s)


def palm(pen: Pen, rng: np.random.Generator, x: float, foot: float, lean: int) -> None:
    top, bend = (x + lean * 0.06, 0.17 + rng.uniform(-0.03, 0.03)), x - lean * 0.02
    pen.line([(x, foot), (bend, 0.42), (bend + lean * 0.03, 0.28), top], 0.04, (164, 124, 84))
    for angle in np.linspace(-2.9, 1.2, 8) + rng.uniform(-0.1, 0.1, 8) if lean > 0 else np.linspace(-4.3, -0.2, 8):
        tip = (top[0] + 0.24 * math.cos(angle), top[1] + 0.17 * math.sin(angle) + 0.06)
        knee = (top[0] + 0.13 * math.cos(angle), top[1] + 0.11 * math.sin(angle) - 0.02)
        green = tone(rng, (70, 146, 84), 12)
        pen.polygon([top, (knee[0], knee[1] - 0.03), tip, (knee[0], knee[1] + 0.025)], green)
    blobs(pen, top[0] + np.array([-0.02, 0.02]), top[1] + 0.02, 0.02, 0.02, [(128, 88, 56)])


def mountain(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.58 + rng.uniform(-0.04, 0.04)
    pen.gradient(0, h, tone(rng, (150, 196, 232)), (228, 238, 244))
    clouds(pen, rng, 2, low=0.12)
    s = side(rng)
    peaks = (
        (0.5 + s * 0.1, 0.26, 0.34, (162, 176, 202)),
        (0.5 - s * 0.3, 0.12, 0.42, (128, 142, 174)),
        (0.5 + s * 0.36, 0.16, 0.38, (142, 156, 186)),
    )
    for x, top, wide, rock in peaks:
        x, top, rock = x + rng.uniform(-0.04, 0.04), top + rng.uniform(-0.03, 0.03), tone(rng, rock)
        pen.polygon([(x, top), (x + wide, h + 0.02), (x - wide, h + 0.02)], rock)
        pen.polygon([(x, top), (x + wide, h + 0.02), (x + 0.1 * wide, h + 0.02), (x - 0.06 * wide, top + 0.25)], darker(rock, 0.13))
        cap = np.array([(0, 0), (0.36, 0.36), (0.2, 0.31), (0.1, 0.42), (-0.04, 0.32), (-0.16, 0.44), (-0.24, 0.32), (-0.36, 0.36)])
        pen.polygon((np.array([x, top]) + cap * [wide, h - top]).tolist(), (250, 252, 255))
    ridge(pen, rng, h - 0.02, 0.02, (124, 160, 128))
    for x in rng.uniform(0, 1, 14).tolist():
        fir(pen, x, h + 0.03, rng.uniform(0.09, 0.15), tone(rng, (82, 128, 106)))
    meadow = tone(rng, (158, 196, 116))
    ridge(pen, rng, h + 0.04, 0.012, meadow)
    dapple(pen, rng, h + 0.08, 16, 0.08, [lighter(meadow, 0.15), darker(meadow, 0.06)])
    dapple(pen, rng, h + 0.08, 22, 0.014, [(250, 250, 250), (238, 170, 200), (250, 226, 120)])


def water(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.36 + rng.uniform(-0.04, 0.04)
    pen.gradient(0, h, tone(rng, (186, 220, 240)), (240, 244, 240))
    clouds(pen, rng, 2, low=0.2)
    ridge(pen, rng, h - 0.04, 0.025, (150, 184, 176))
    pen.gradient(h, 1, lighter(WATER, 0.3), darker(WATER, 0.12))
    for k in range(10):
        near, y = k / 9, h + 0.025 + 0.06 * k
        ripple(pen, rng, y, 0.012 + 0.02 * near, tone(rng, [lighter(WATER, 0.42), darker(WATER, 0.14)][k % 2]), 4 + k % 2)
    glitter = rng.uniform(0, 1, 20)
    blobs(pen, rng.uniform(0, 1, 20), h + 0.03 + 0.6 * glitter, 0.01 + 0.025 * glitter, 0.004 + 0.004 * glitter, [(248, 253, 255)])


def milk(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.46 + rng.uniform(-0.04, 0.04)
    pen.gradient(0, h + 0.08, tone(rng, (246, 188, 190)), (254, 226, 204))
    shades = [(240, 226, 216), (246, 236, 226), (251, 246, 239)]
    x = np.linspace(-0.02, 1.02, 26)
    for k, y in enumerate((h, h + 0.09, h + 0.22)):
        swell = y + 0.03 + 0.035 * np.sin((6.5 + k) * x + rng.uniform(0, 6.28))
        for rise, paint in ((0.0, (255, 253, 248)), (0.016, (228, 206, 200)), (0.03, shades[k])):
            line = swell + rise * (0.6 + 0.4 * np.sin(5 * x + k))
            pen.polygon([*zip(x.tolist(), line.tolist()), (1.02, 1.02), (-0.02, 1.02)], paint)
        if k == 1:
            crown(pen, rng, 0.5 + side(rng) * rng.uniform(0.32, 0.38), y + 0.12)
    for y in (0.8, 0.9):
        ripple(pen, rng, y + rng.uniform(-0.03, 0.03), 0.02, (236, 222, 214), 3)


def crown(pen: Pen, rng: np.random.Generator, x: float, foot: float) -> None:
    """The splash of a drop that fell into milk."""
    outline, tips = [(x - 0.15, foot)], []
    for lean in np.linspace(-0.19, 0.19, 5):
        tip = (x + lean, foot - rng.uniform(0.2, 0.34))
        outline += [
            (x + 0.62 * lean - 0.025, foot - 0.12),
            (tip[0] - 0.012, tip[1]),
            (tip[0] + 0.012, tip[1]),
            (x + 0.62 * lean + 0.025, foot - 0.12),
        ]
        tips.append(tip)
    pen.polygon([*outline, (x + 0.15, foot)], MILK)
    pen.ellipse(x, foot, 0.15, 0.035, MILK)
    pen.line([(x - 0.1, foot - 0.07), (x, foot - 0.055), (x + 0.1, foot - 0.07)], 0.01, (230, 212, 206))
    xs, ys = np.array(tips).T
    blobs(pen, xs, ys, 0.024, 0.024, [MILK])
    blobs(pen, xs * 1.02 - 0.01, ys - rng.uniform(0.05, 0.1, 5), 0.014, 0.018, [MILK])


def night(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.6 + rng.uniform(-0.04, 0.04)
    sky = tone(rng, (26, 32, 82))
    pen.gradient(0, h, sky, (92, 92, 156))
    size = rng.uniform(0.003, 0.008, 70)
    blobs(pen, rng.uniform(0, 1, 70), rng.uniform(0, h - 0.06, 70), size, size, [(255, 250, 220), (214, 224, 255)])
    for x, y in rng.uniform((0.04, 0.03), (0.96, 0.4), (9, 2)).tolist():
        r = 0.026
        right = [(x, y - r), (x + r / 4, y - r / 4), (x + r, y), (x + r / 4, y + r / 4)]
        left = [(x, y + r), (x - r / 4, y + r / 4), (x - r, y), (x - r / 4, y - r / 4)]
        pen.polygon([*right, *left], (255, 248, 208))
    x, y = 0.5 + side(rng) * rng.uniform(0.24, 0.36), rng.uniform(0.14, 0.2)
    pen.ellipse(x, y, 0.105, 0.105, mix(sky, (255, 244, 200), 0.2))
    pen.ellipse(x, y, 0.08, 0.08, (252, 242, 200))
    pen.ellipse(x + 0.032, y - 0.018, 0.066, 0.066, mix(sky, (255, 244, 200), 0.12))
    ridge(pen, rng, h - 0.07, 0.035, (56, 60, 112))
    for at in beside(rng, 6, 0.26).tolist():
        fir(pen, at, h + 0.02, rng.uniform(0.16, 0.3), (34, 44, 84))
    ridge(pen, rng, h, 0.012, (66, 86, 116))
    dapple(pen, rng, h + 0.04, 14, 0.1, [(74, 96, 124), (60, 78, 110)])


def desert(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.5 + rng.uniform(-0.04, 0.04)
    pen.gradient(0, h + 0.05, tone(rng, (248, 176, 120)), (254, 230, 178))
    s = side(rng)
    pen.ellipse(0.5 + s * rng.uniform(0.05, 0.25), rng.uniform(0.13, 0.2), 0.09, 0.09, (255, 246, 208))
    x, top = 0.5 - s * rng.uniform(0.1, 0.3), h - rng.uniform(0.16, 0.22)
    pen.polygon([(x - 0.26, h + 0.04), (x - 0.17, top), (x + 0.15, top), (x + 0.26, h + 0.04)], (204, 130, 104))
    pen.polygon([(x - 0.2, top + 0.07), (x - 0.187, top + 0.045), (x + 0.168, top + 0.045), (x + 0.18, top + 0.07)], (186, 112, 94))
    sand = tone(rng, (236, 176, 112), 6)
    ridge(pen, rng, h, 0.03, lighter(sand, 0.2), 1.0)
    ridge(pen, rng, h + 0.09, 0.04, darker(sand, 0.09), 0.8)
    ridge(pen, rng, h + 0.16, 0.03, sand, 0.7)
    for y in (0.76, 0.84, 0.92):
        ripple(pen, rng, y, 0.014, darker(sand, 0.1), 3)
    for at, tall, foot in ((0.5 + s * 0.38, 0.5, 0.8), (0.5 - s * 0.4, 0.38, 0.72), (0.5 - s * 0.2, 0.2, h + 0.06)):
        cactus(pen, rng, at + rng.uniform(-0.04, 0.04), foot, tall * rng.uniform(0.9, 1.1))


def cactus(pen: Pen, rng: np.random.Generator, x: float, foot: float, height: float) -> None:
    green, w = tone(rng, (96, 148, 98)), 0.16 * height
    pen.rectangle(x - w / 2, foot - height, x + w / 2, foot, green, w / 2)
    for s, low, high in ((-1, 0.36, 0.72), (1, 0.5, 0.86)):
        elbow = x + s * 1.5 * w
        pen.line([(x, foot - low * height), (elbow, foot - low * height), (elbow, foot - high * height)], 0.7 * w, green)
    pen.line([(x, foot - 0.92 * height), (x, foot - 0.06 * height)], 0.18 * w, lighter(green, 0.25))
