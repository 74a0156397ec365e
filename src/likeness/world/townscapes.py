"""Backdrops in town: streets, houses, towers, people. Each paints the whole unit square behind the object."""

from __future__ import annotations

import math

import numpy as np

from .canvas import RGB, Pen, darker, lighter, mix
from .rooms import window
from .scenery import beside, blobs, clouds, rows, side, spread, tone, tones, tree

PLASTER = [(232, 196, 140), (222, 160, 128), (240, 222, 184), (206, 176, 160), (196, 206, 186)]
CLOTHES = [(214, 96, 90), (92, 134, 190), (240, 194, 92), (110, 166, 124), (162, 116, 172), (90, 98, 122), (236, 150, 120)]
SKIN = [(244, 212, 184), (222, 172, 136), (170, 118, 88), (120, 82, 62)]


def street(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.52 + rng.uniform(-0.04, 0.04)
    pen.gradient(0, h, tone(rng, (182, 212, 232)), (244, 238, 222))
    pen.gradient(h, 1, (150, 140, 132), (128, 118, 112))
    for s in (-1, 1):
        walls = tones(rng, PLASTER, 3, 8)
        for k, (far, near) in enumerate(((0.07, 0.17), (0.16, 0.31), (0.3, 0.54))):
            roof, lift = 0.36 - 0.55 * near + rng.uniform(-0.02, 0.02), 0.12 * near
            a, b = 0.5 + s * far, 0.5 + s * near
            pen.polygon(
                [(a, roof + lift), (b, roof - lift), (b, h + 0.62 * (near - 0.05) ** 1.4), (a, h + 0.62 * max(far - 0.05, 0) ** 1.4)],
                walls[k],
            )
            pen.polygon([(a, roof + lift), (b, roof - lift), (b, roof - 2.2 * lift), (a, roof - 0.1 * lift)], (184, 112, 92))
            for row in range(2 + (k == 2)):
                for share in (0.3, 0.72):
                    x, w = a + (b - a) * share, 0.035 * abs(b - a) / 0.24 + 0.006
                    y = roof + 0.06 + (0.06 + 0.22 * near) * row + 0.1 * near
                    pen.rectangle(x - w / 2, y, x + w / 2, y + 1.7 * w, mix((104, 128, 146), walls[k], 0.15), 0.008)
    cobbles(pen, rng, h)


def cobbles(pen: Pen, rng: np.random.Generator, h: float) -> None:
    """Rounded stones in rows that run to the horizon."""
    pen.polygon([(0.42, h - 0.01), (0.58, h - 0.01), (1.3, 1.01), (-0.3, 1.01)], (128, 118, 112))
    stones = tones(rng, [(180, 168, 158), (164, 154, 148), (194, 178, 162), (152, 146, 146)], 40, 8)
    edges = rows(h, 9, 1.5)
    for k in range(1, 9):
        y, half = (edges[k] + edges[k + 1]) / 2, (edges[k + 1] - edges[k]) / 2
        reach, step = 0.09 + 0.75 * (y - h) / (1 - h), 2.9 * half
        xs = np.arange(max(0.5 - reach, -0.05), min(0.5 + reach, 1.05), step) + step * (0.25 + 0.5 * (k % 2)) * rng.uniform(0.8, 1.2)
        pick = int(rng.integers(20))
        blobs(pen, xs, y, 0.44 * step, 0.86 * half, stones[pick : pick + 20])


def city(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.62 + rng.uniform(-0.03, 0.03)
    pen.gradient(0, h, tone(rng, (176, 206, 232)), (252, 232, 212))
    clouds(pen, rng, 2, low=0.14)
    for k, (count, top, paint) in enumerate(((9, 0.3, (184, 200, 220)), (7, 0.2, (128, 150, 184)))):
        edges = np.linspace(-0.02, 1.02, count + 1)
        edges[1:-1] += rng.uniform(-0.02, 0.02, count - 1)
        for a, b in zip(edges[:-1].tolist(), edges[1:].tolist()):
            middle = 1 - abs((a + b) - 1)
            roof = top + rng.uniform(-0.12, 0.1) + 0.16 * k * middle
            skyscraper(pen, rng, a + 0.008 * k, b - 0.008 * k, roof, h, tone(rng, paint, 12), lit=k == 1)
    pen.gradient(h, 1, (206, 206, 204), (222, 220, 214))
    for y in rows(h, 4)[1:-1]:
        pen.line([(0, y), (1, y)], 0.006, (188, 188, 188))
    for x in np.linspace(-1.6, 2.6, 13).tolist():
        pen.line([spread(x, h, h), spread(x, 1.01, h)], 0.005, (192, 192, 192))
    pen.rectangle(-0.01, h - 0.05, 1.01, h - 0.032, (88, 98, 116))
    for x in np.linspace(0.02, 0.98, 17).tolist():
        pen.rectangle(x - 0.005, h - 0.05, x + 0.005, h + 0.01, (88, 98, 116))


def skyscraper(pen: Pen, rng: np.random.Generator, x0: float, x1: float, roof: float, foot: float, paint: RGB, lit: bool) -> None:
    if rng.random() < 0.4:
        pen.rectangle((x0 + x1) / 2 - 0.005, roof - 0.09, (x0 + x1) / 2 + 0.005, roof, paint)
        pen.rectangle(x0 + 0.025, roof - 0.03, x1 - 0.025, roof, paint)
    pen.rectangle(x0, roof, x1, foot, paint)
    pen.rectangle(x1 - 0.025, roof, x1, foot, darker(paint, 0.1))
    if not lit:
        return
    columns, step = max(2, round((x1 - x0) / 0.045)), 0.055
    panes = tones(rng, [(255, 230, 160), lighter(paint, 0.35), (255, 240, 196)], 12, 6)
    gap = (x1 - x0) / columns
    for row in range(int((foot - roof - 0.08) / step)):
        for column in range(columns):
            x, y = x0 + gap * (column + 0.25), roof + 0.03 + step * row
            pen.polygon([(x, y), (x + gap / 2, y), (x + gap / 2, y + 0.03), (x, y + 0.03)], panes[(5 * row + 3 * column) % 12])


def house(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.6 + rng.uniform(-0.03, 0.03)
    pen.gradient(0, h, tone(rng, (206, 228, 236)), (248, 240, 226))
    clouds(pen, rng, 2, low=0.14)
    for x in (0.02, 0.98):
        tree(pen, rng, x, h + 0.02, rng.uniform(0.36, 0.5), [(134, 180, 114), (152, 194, 124)], 10)
    c, wide, eaves, top = 0.5 + rng.uniform(-0.05, 0.05), rng.uniform(0.37, 0.41), 0.28 + rng.uniform(-0.02, 0.02), 0.1
    blue, roof, trim = tone(rng, (92, 148, 212), 10), tone(rng, (150, 108, 100)), (252, 250, 244)
    chimney = c + side(rng) * 0.2
    pen.rectangle(chimney - 0.04, 0.025, chimney + 0.04, 0.25, (182, 112, 96))
    pen.rectangle(c - wide, eaves, c + wide, h + 0.03, blue)
    for y in np.arange(eaves + 0.05, h, 0.05).tolist():
        pen.line([(c - wide, y), (c + wide, y)], 0.005, darker(blue, 0.12))
    pen.polygon([(c - wide - 0.06, eaves), (c - wide + 0.1, top), (c + wide - 0.1, top), (c + wide + 0.06, eaves)], roof)
    for y in (0.145, 0.19, 0.235):
        pen.line([(c - wide + 0.02, y), (c + wide - 0.02, y)], 0.006, darker(roof, 0.13))
    pen.polygon([(c - 0.16, eaves + 0.02), (c, 0.11), (c + 0.16, eaves + 0.02)], trim)
    pen.polygon([(c - 0.12, eaves + 0.03), (c, 0.145), (c + 0.12, eaves + 0.03)], blue)
    blobs(pen, c, 0.235, 0.036, 0.036, [trim])
    blobs(pen, c, 0.235, 0.024, 0.024, [(255, 236, 170)])
    pen.rectangle(c - wide - 0.06, eaves - 0.01, c + wide + 0.06, eaves + 0.018, trim)
    for s in (-1, 1):
        window(pen, c + s * 0.26, eaves + 0.07, 0.12, 0.15, (255, 238, 186), trim)
    pen.rectangle(c - 0.08, eaves + 0.1, c + 0.08, h + 0.03, trim)
    pen.rectangle(c - 0.06, eaves + 0.12, c + 0.06, h + 0.03, (200, 104, 88))
    grass = tone(rng, (160, 202, 118))
    pen.gradient(h, 1, grass, lighter(grass, 0.15))
    pen.polygon([(c - 0.08, h + 0.02), (c + 0.08, h + 0.02), (0.84, 1.01), (0.16, 1.01)], (232, 220, 198))
    blobs(pen, beside(rng, 12, 0.14), h + rng.uniform(0, 0.03, 12), 0.05, 0.035, tones(rng, [(122, 172, 104)], 12, 12))
    blobs(pen, beside(rng, 16, 0.16), h + rng.uniform(-0.02, 0.04, 16), 0.011, 0.011, [(250, 170, 190), (255, 250, 240)])


def tower(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.6 + rng.uniform(-0.03, 0.03)
    pen.gradient(0, h, tone(rng, (190, 208, 236)), (254, 222, 206))
    clouds(pen, rng, 3, (255, 244, 238), low=0.3)
    roofs = np.linspace(0, 1, 9)
    for x, y, paint in zip(roofs.tolist(), rng.uniform(0.45, 0.5, 9).tolist(), tones(rng, [(226, 212, 200), (214, 202, 200)], 9, 5)):
        pen.rectangle(x - 0.07, y, x + 0.07, h, paint)
        pen.polygon([(x - 0.07, y), (x - 0.055, y - 0.035), (x + 0.055, y - 0.035), (x + 0.07, y)], (160, 166, 184))
    pen.gradient(h, 1, (164, 202, 124), (182, 208, 140))
    eiffel(pen, rng, 0.5 + side(rng) * rng.uniform(0.2, 0.27), h + 0.03, 0.03 + rng.uniform(-0.01, 0.03))
    grass = tone(rng, (164, 202, 124))
    pen.gradient(h + 0.02, 1, grass, lighter(grass, 0.12))
    pen.polygon([(0.42, h + 0.02), (0.58, h + 0.02), (0.95, 1.01), (0.05, 1.01)], (236, 222, 194))
    xs = beside(rng, 18, 0.12)
    blobs(pen, xs, h + rng.uniform(-0.03, 0.01, 18), 0.045, 0.04, tones(rng, [(116, 164, 108), (132, 178, 112)], 18, 8))


def eiffel(pen: Pen, rng: np.random.Generator, x: float, foot: float, top: float) -> None:
    """The tower's curved legs, three platforms, the arch and the lattice."""
    iron, tall = tone(rng, (134, 108, 94)), foot - top
    heights = np.array([0.0, 0.1, 0.22, 0.24, 0.4, 0.42, 0.65, 0.88, 0.9, 0.94])
    half = tall * np.array([0.27, 0.205, 0.15, 0.14, 0.085, 0.08, 0.045, 0.026, 0.024, 0.012])
    y = (foot - heights * tall).tolist()
    pen.line([(x, top - 0.03), (x, top + 0.1 * tall)], 0.01, iron)
    pen.polygon([*zip((x - half).tolist(), y), *zip((x + half)[::-1].tolist(), y[::-1])], iron)
    hole = mix((254, 222, 206), (226, 212, 204), 0.6)
    arch = [(x + 0.165 * tall * math.cos(t), foot - 0.185 * tall * math.sin(t)) for t in np.linspace(0, math.pi, 12)]
    pen.polygon(arch, hole)
    for low, high, wide in ((0.26, 0.39, 0.045), (0.45, 0.6, 0.022)):
        pen.polygon([(x - wide * tall, foot - low * tall), (x + wide * tall, foot - low * tall), (x, foot - high * tall)], hole)
    light = lighter(iron, 0.28)
    for k in range(7):
        a, b = 0.43 + 0.065 * k, 0.495 + 0.065 * k
        w = tall * (0.065 - 0.0065 * k)
        pen.line([(x - w, foot - a * tall), (x + 0.8 * w, foot - b * tall)], 0.006, light)
    for at, wide in ((0.225, 0.18), (0.41, 0.11), (0.9, 0.04)):
        pen.rectangle(x - wide * tall, foot - (at + 0.022) * tall, x + wide * tall, foot - at * tall, darker(iron, 0.12))


def crowd(pen: Pen, rng: np.random.Generator) -> None:
    h = 0.6 + rng.uniform(-0.03, 0.03)
    pen.gradient(0, h, (226, 216, 206), (208, 200, 198))
    shops = np.linspace(0, 1, 4)
    for a, b, paint, cloth in zip(shops[:-1].tolist(), shops[1:].tolist(), tones(rng, PLASTER, 3), tones(rng, CLOTHES, 3)):
        pen.rectangle(a, 0, b, h, lighter(paint, 0.2))
        pen.rectangle(a + 0.03, 0.16, b - 0.03, h, (150, 170, 182))
        stripes = np.linspace(a + 0.01, b - 0.01, 7).tolist()
        for k, (p, q) in enumerate(zip(stripes, stripes[1:])):
            pen.polygon(
                [(p, 0.06), (q, 0.06), (q, 0.17), ((p + q) / 2, 0.19), (p, 0.17)], (252, 248, 240) if k % 2 else lighter(cloth, 0.15)
            )
    pen.gradient(h - 0.02, 1, (206, 200, 192), (222, 216, 206))
    for size, foot, count in ((0.3, h, 11), (0.42, h + 0.05, 8)):
        xs = np.linspace(0.0, 1.0, count) + rng.uniform(-0.03, 0.03, count)
        for x, lift in zip(xs.tolist(), rng.uniform(0, 0.05, count).tolist()):
            walker(pen, rng, x, foot, size - lift, 0.1 if size < 0.4 else 0.0)
    joint = (178, 172, 166)
    for y in rows(h + 0.07, 4, 1.3):
        pen.line([(0, y), (1, y)], 0.008, joint)
    for x in np.linspace(-1.2, 2.2, 10).tolist():
        pen.line([spread(x, h + 0.07, h), spread(x, 1.01, h)], 0.007, joint)


def walker(pen: Pen, rng: np.random.Generator, x: float, foot: float, tall: float, haze: float) -> None:
    """A passer-by of height `tall`: legs, coat, head and hair, faded by `haze`."""
    coat, skin = (mix(c, (226, 218, 210), haze + 0.12) for c in (tones(rng, CLOTHES, 1)[0], tones(rng, SKIN, 1)[0]))
    hair, w, head = tones(rng, [(74, 56, 48), (150, 106, 64), (52, 50, 56), (206, 170, 108)], 1)[0], 0.13 * tall, foot - 0.87 * tall
    for s in (-1, 1):
        pen.rectangle(x + s * 0.4 * w - 0.28 * w, foot - 0.4 * tall, x + s * 0.4 * w + 0.28 * w, foot, (96, 100, 118))
    pen.rectangle(x - w, foot - 0.76 * tall, x + w, foot - 0.3 * tall, coat, 0.7 * w)
    blobs(pen, x, [head - 0.02 * tall, head], [0.088 * tall, 0.075 * tall], [0.1 * tall, 0.085 * tall], [hair, skin])
