"""Backdrops where things grow: woods, fields, roads between them. Each paints the whole unit square behind the object."""

from __future__ import annotations

import math

import numpy as np

from .canvas import Pen, darker, lighter, mix
from .scenery import (
    beside,
    blades,
    blobs,
    clouds,
    dapple,
    leaf,
    ridge,
    side,
    tone,
    tones,
    tree,
)

SUN = (255, 236, 160)
PETAL = (248, 200, 60)


def jungle(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.58 + rng.uniform(-0.04, 0.04)
    pen.gradient(0, h, (172, 208, 150), (222, 234, 176))
    pen.gradient(h - 0.02, 1, (112, 150, 88), (134, 164, 96))
    trunks = beside(rng, 6, 0.05)
    for x, wide in zip(trunks.tolist(), rng.uniform(0.02, 0.045, 6).tolist()):
        bark = tone(rng, (122, 132, 92))
        foot = [(x + wide, h), (x + 2 * wide, h + 0.05), (x - 2 * wide, h + 0.05), (x - wide, h)]
        pen.polygon([(x - wide, 0), (x + wide, 0), *foot], bark)
    for x, drop in zip(rng.uniform(0.05, 0.95, 4).tolist(), rng.uniform(0.15, 0.4, 4).tolist()):
        pen.line([(x, 0), (x + 0.02, drop * 0.6), (x - 0.01, drop)], 0.012, (92, 128, 66))
    greens = tones(rng, [(66, 128, 70), (84, 148, 74), (50, 110, 70)], 30, 10)
    for k, x in enumerate(np.linspace(-0.02, 1.02, 9) + rng.uniform(-0.04, 0.04, 9)):
        leaf(pen, x, -0.06, rng.uniform(0.24, 0.34), math.pi / 2 + rng.uniform(-0.5, 0.5), greens[k], 0.3)
    for s in (-1, 1):
        y0 = rng.uniform(0.62, 0.8)
        for k, turn in enumerate(np.linspace(-1.35, 0.5, 6) + rng.uniform(-0.1, 0.1, 6)):
            angle = turn if s < 0 else math.pi - turn
            leaf(pen, 0.5 + s * 0.54, y0, rng.uniform(0.3, 0.42), angle, greens[10 + k + 8 * (s > 0)], 0.24)
    blossoms = beside(rng, 4, 0.34)
    heights = rng.uniform(0.2, 0.6, 4)
    for x, y, paint in zip(blossoms.tolist(), heights.tolist(), tones(rng, [(236, 92, 108), (250, 150, 70)], 4)):
        blobs(pen, x + 0.03 * np.cos(np.arange(5) * 1.257), y + 0.03 * np.sin(np.arange(5) * 1.257), 0.022, 0.022, [paint])
        blobs(pen, x, y, 0.014, 0.014, [SUN])


def jungle_front(pen: Pen, rng: np.random.Generator) -> None:
    greens = tones(rng, [(62, 124, 70), (86, 150, 76)], 8, 10)
    for k, turn in enumerate(np.linspace(-1.4, -0.2, 4) + rng.uniform(-0.15, 0.15, 4)):
        leaf(pen, -0.02, 1.04, 0.25, turn, greens[k], 0.26)
        leaf(pen, 1.02, 1.04, 0.25, math.pi - turn, greens[k + 4], 0.26)


def forest_rug(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.56 + rng.uniform(-0.03, 0.03)
    pen.gradient(0, h + 0.05, (150, 190, 176), (226, 236, 208))
    for depth, count in ((0.55, 7), (0.0, 6)):
        xs = beside(rng, count, 0.2) if depth == 0 else rng.uniform(0, 1, count)
        for x in xs.tolist():
            wide, bark = rng.uniform(0.03, 0.045) * (1 - 0.5 * depth), mix(tone(rng, (128, 96, 74)), (206, 220, 198), depth)
            foot = h + 0.05 - 0.05 * depth
            pen.polygon([(x - wide, 0), (x + wide, 0), (x + 1.3 * wide, foot), (x - 1.3 * wide, foot)], bark)
            pen.line([(x - 0.4 * wide, 0.25), (x - 0.4 * wide, foot - 0.04)], 0.25 * wide, darker(bark, 0.12))
        ceiling = [mix(c, (206, 220, 198), 0.6 * depth) for c in tones(rng, [(96, 146, 92), (112, 162, 96)], 12)]
        blobs(pen, np.linspace(0, 1, 12), rng.uniform(-0.06, 0.06 + 0.12 * depth, 12), 0.1, 0.08, ceiling)
    soil = tone(rng, (146, 142, 96))
    ridge(pen, rng, h + 0.02, 0.01, soil)
    dapple(pen, rng, h + 0.03, 24, 0.05, tones(rng, [(126, 154, 92), (172, 150, 100), (128, 124, 82)], 8))
    purple = tone(rng, (160, 106, 194), 12)
    y = 0.82 + rng.uniform(-0.01, 0.01)
    fringe = np.linspace(0, 2 * math.pi, 44)
    blobs(pen, 0.5 + 0.475 * np.cos(fringe), y + 0.165 * np.sin(fringe), 0.02, 0.014, [lighter(purple, 0.55)])
    for share, paint in ((1.0, purple), (0.86, lighter(purple, 0.35)), (0.78, purple), (0.5, darker(purple, 0.13))):
        pen.ellipse(0.5, y, 0.465 * share, 0.155 * share, paint)


def wheat(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.44 + rng.uniform(-0.04, 0.04)
    pen.gradient(0, h, tone(rng, (150, 204, 236)), (240, 240, 222))
    clouds(pen, rng, 2, low=0.16)
    ridge(pen, rng, h - 0.03, 0.02, (168, 192, 146))
    gold = tone(rng, (234, 196, 104), 6)
    pen.gradient(h, 1, lighter(gold, 0.25), darker(gold, 0.08))
    for k in range(5):
        y, n = h + 0.03 + 0.075 * k, 22 - 2 * k
        xs = np.linspace(0, 1, n) + rng.uniform(-0.02, 0.02, n)
        blades(
            pen,
            xs,
            y + 0.04,
            0.06 + 0.012 * k,
            0.012,
            rng.uniform(-0.3, 0.3, n),
            tones(rng, [gold, darker(gold, 0.14), lighter(gold, 0.25)], n, 6),
        )
    ears(pen, rng, beside(rng, 10, 0.27), rng.uniform(0.22, 0.4, 10), 0.95)


def wheat_front(pen: Pen, rng: np.random.Generator) -> None:
    ears(pen, rng, beside(rng, 6, 0.33), rng.uniform(0.66, 0.8, 6), 1.02)


def ears(pen: Pen, rng: np.random.Generator, x: np.ndarray, top: np.ndarray, foot: float) -> None:
    """Tall stalks of wheat, each with paired grains at its tip."""
    for a, b, lean in zip(x.tolist(), top.tolist(), rng.uniform(-0.04, 0.04, len(x)).tolist()):
        straw = tone(rng, (214, 168, 72), 12)
        pen.line([(a, foot), (a + 0.3 * lean, (foot + b) / 2), (a + lean, b)], 0.008, darker(straw, 0.12))
        grain = np.arange(3)
        across = np.r_[a + lean - 0.013 + 0 * grain, a + lean + 0.013 + 0 * grain, a + lean]
        down = np.r_[b + 0.034 * grain, b + 0.034 * grain, b - 0.02]
        blobs(pen, across, down, 0.014, 0.024, [straw, lighter(straw, 0.2)])


def autumn(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.58 + rng.uniform(-0.04, 0.04)
    pen.gradient(0, h + 0.03, tone(rng, (190, 216, 228)), (250, 238, 214))
    fires = [(232, 120, 54), (240, 164, 62), (208, 82, 56), (246, 196, 92)]
    ridge(pen, rng, h - 0.09, 0.03, (224, 184, 134))
    earth = tone(rng, (206, 172, 112))
    ridge(pen, rng, h, 0.012, earth)
    s = side(rng)
    tree(pen, rng, 0.5 - s * 0.4, h + 0.02, 0.44, fires, 12)
    tree(pen, rng, 0.5 + s * rng.uniform(0.22, 0.3), h + 0.06, 0.7, fires, 26)
    dapple(pen, rng, h + 0.06, 60, 0.034, tones(rng, fires, 24, 14))
    falling(pen, rng, 14, 0.1)


def falling(pen: Pen, rng: np.random.Generator, count: int = 6, top: float = 0.6) -> None:
    """Autumn leaves in the air."""
    reds = tones(rng, [(226, 104, 48), (242, 176, 64), (200, 72, 52)], count)
    for paint, x, y, turn in zip(reds, beside(rng, count), rng.uniform(top, 0.98, count), rng.uniform(0, 6.28, count)):
        leaf(pen, x, y, 0.055, turn, paint, 0.45)


def sunflowers(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.5 + rng.uniform(-0.04, 0.04)
    pen.gradient(0, h + 0.03, tone(rng, (140, 204, 238)), (222, 240, 240))
    clouds(pen, rng, 2, low=0.18)
    grass = tone(rng, (132, 196, 92))
    ridge(pen, rng, h - 0.01, 0.015, darker(grass, 0.08))
    pen.gradient(h + 0.02, 1, grass, lighter(grass, 0.12))
    far = rng.uniform(0, 1, 16)
    blobs(pen, far, h - rng.uniform(0, 0.05, 16), 0.022, 0.022, [PETAL])
    blobs(pen, rng.uniform(0, 1, 20), h + 0.04, 0.06, 0.02, tones(rng, [grass], 8, 12))
    n = 30
    blades(
        pen,
        rng.uniform(0, 1, n),
        np.sort(rng.uniform(h + 0.1, 1, n)),
        0.06,
        0.008,
        rng.uniform(-0.5, 0.5, n),
        tones(rng, [darker(grass, 0.14), lighter(grass, 0.2)], 20, 8),
    )
    for x, y in zip(beside(rng, 7, 0.26).tolist(), np.linspace(0.2, 0.6, 7) + rng.uniform(-0.05, 0.05, 7)):
        sunflower(pen, rng, x, y, rng.uniform(0.075, 0.095), y + 0.34)


def sunflower(pen: Pen, rng: np.random.Generator, x: float, y: float, r: float, foot: float) -> None:
    green, turn = tone(rng, (86, 152, 70)), np.arange(9) * 0.6981 + rng.uniform(0, 1)
    pen.line([(x, y), (x, foot)], 0.018, green)
    for s in (-1, 1):
        leaf(pen, x, y + 0.6 * (foot - y), 0.1, -0.5 if s > 0 else math.pi + 0.5, green, 0.35)
    blobs(pen, x + 0.72 * r * np.cos(turn), y + 0.72 * r * np.sin(turn), 0.36 * r, 0.36 * r, [PETAL, mix(PETAL, (246, 168, 40), 0.5)])
    blobs(pen, x, y, 0.52 * r, 0.52 * r, [(124, 80, 48)])
    blobs(pen, x, y, 0.28 * r, 0.28 * r, [(150, 100, 58)])


def sunflowers_front(pen: Pen, rng: np.random.Generator) -> None:
    for x, y in zip(beside(rng, 4, 0.36).tolist(), rng.uniform(0.82, 0.92, 4).tolist()):
        sunflower(pen, rng, x, y, 0.08, 1.03)
    n = 18
    blades(
        pen,
        rng.uniform(0, 1, n),
        1.01,
        rng.uniform(0.03, 0.07, n),
        0.009,
        rng.uniform(-0.4, 0.4, n),
        tones(rng, [(102, 168, 74), (140, 200, 96)], 8),
    )


def dirt(pen: Pen, rng: np.random.Generator) -> None:
    h, goal = 0.46 + rng.uniform(-0.04, 0.04), 0.5 + rng.uniform(-0.1, 0.1)
    pen.gradient(0, h, tone(rng, (164, 208, 236)), (232, 240, 240))
    clouds(pen, rng, 2, low=0.18)
    ridge(pen, rng, h - 0.07, 0.035, (150, 188, 150))
    grass = tone(rng, (152, 188, 104))
    pen.gradient(h - 0.02, 1, lighter(grass, 0.1), grass)
    for x in beside(rng, 2, 0.34).tolist():
        tree(pen, rng, x, h + 0.02, rng.uniform(0.26, 0.36), [(104, 156, 92), (122, 170, 98)], 9)
    soil = tone(rng, (188, 146, 104))
    pen.polygon([(goal - 0.04, h - 0.02), (goal + 0.04, h - 0.02), (0.94, 1.01), (0.06, 1.01)], soil)
    for near, far in ((0.2, -0.022), (0.68, 0.01)):
        pen.polygon([(goal + far, h), (goal + far + 0.012, h), (near + 0.12, 1.01), (near, 1.01)], darker(soil, 0.2))
    dapple(pen, rng, h + 0.2, 16, 0.02, [lighter(soil, 0.3), darker(soil, 0.14)])
    wood = tone(rng, (158, 122, 90))
    for s in (-1, 1):
        for rail in (0.75, 0.4):
            far, near = 0.5 + s * 0.17, 0.5 + s * 0.54
            upper, lower = [(far, h + 0.06 - 0.06 * rail), (near, 0.86 - 0.3 * rail)], [(near, 0.9 - 0.3 * rail), (far, h + 0.075 - 0.06 * rail)]
            pen.polygon([*upper, *lower], wood)
        for k in (0.0, 0.28, 0.58, 0.94):
            x, foot, tall = 0.5 + s * (0.17 + 0.36 * k), h + 0.06 + (0.8 - h) * k, 0.06 + 0.26 * k
            pen.rectangle(x - 0.008 - 0.016 * k, foot - tall, x + 0.008 + 0.016 * k, foot, darker(wood, 0.15), 0.01)
