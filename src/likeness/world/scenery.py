"""The pieces that backdrops are put together from: tones, dots, ridges, clouds, trees, grounds in perspective."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .canvas import RGB, Pen, Point, darker, lighter, mix

Numbers = np.ndarray | Sequence[float] | float
_CIRCLE = np.stack([np.cos(np.arange(12) * math.pi / 6), np.sin(np.arange(12) * math.pi / 6)], axis=-1)


def tone(rng: np.random.Generator, colour: RGB, spread: float = 8) -> RGB:
    """The colour, shifted at random by up to `spread` of 255 in each channel."""
    return tones(rng, [colour], 1, spread)[0]


def tones(rng: np.random.Generator, colours: Sequence[RGB], count: int, spread: float = 10) -> list[RGB]:
    """`count` colours drawn from the palette, each shifted a little."""
    drawn = np.asarray(colours)[rng.integers(len(colours), size=count)] + rng.uniform(-spread, spread, (count, 3))
    return [tuple(row) for row in drawn.clip(0, 255).astype(int).tolist()]


def side(rng: np.random.Generator) -> int:
    """-1 for left or 1 for right."""
    return 1 if rng.random() < 0.5 else -1


def beside(rng: np.random.Generator, count: int, inner: float = 0.24) -> np.ndarray:
    """x of things that stand left or right of the object: none closer than `inner` to the middle."""
    return 0.5 + np.where(np.arange(count) % 2, 1, -1) * rng.uniform(inner, 0.52, count)


def blobs(pen: Pen, x: Numbers, y: Numbers, rx: Numbers, ry: Numbers, paints: Sequence[RGB]) -> None:
    """Many small ellipses at once; the paints are taken in turn."""
    x, y, rx, ry = np.broadcast_arrays(*(np.atleast_1d(n).astype(float) for n in (x, y, rx, ry)))
    outlines = np.stack([x, y], -1)[:, None] + _CIRCLE * np.stack([rx, ry], -1)[:, None]
    for k, outline in enumerate(outlines.tolist()):
        pen.polygon(outline, paints[k % len(paints)])


def ridge(pen: Pen, rng: np.random.Generator, y: float, height: float, paint: RGB, waves: float = 1.5) -> None:
    """Everything below a rolling line around y."""
    x = np.linspace(-0.02, 1.02, 24)
    a, b = rng.uniform(0, 2 * math.pi, 2)
    line = y + height * (0.6 * np.sin(waves * 6.28 * x + a) + 0.4 * np.sin(2.3 * waves * 6.28 * x + b))
    pen.polygon([*zip(x.tolist(), line.tolist()), (1.02, 1.02), (-0.02, 1.02)], paint)


def clouds(pen: Pen, rng: np.random.Generator, count: int, paint: RGB = (252, 252, 252), low: float = 0.28) -> None:
    xs = (np.arange(count) + rng.uniform(0.1, 0.9, count)) / count
    for x, y, size in zip(xs.tolist(), rng.uniform(0.06, low, count).tolist(), rng.uniform(0.7, 1.3, count).tolist()):
        puffs = np.array([[-0.09, 0.0, 0.05], [-0.03, -0.03, 0.06], [0.05, -0.015, 0.055], [0.1, 0.01, 0.035]]) * size
        blobs(pen, x + puffs[:, 0], y + puffs[:, 1], puffs[:, 2], puffs[:, 2] * 0.8, [paint])
        pen.rectangle(x - 0.13 * size, y - 0.005, x + 0.13 * size, y + 0.04 * size, paint, 0.02 * size)


def fir(pen: Pen, x: float, foot: float, height: float, needles: RGB, snow: RGB | None = None) -> None:
    """A conifer of three tiers, each with a cap of snow if there is any."""
    pen.rectangle(x - 0.04 * height, foot - 0.15 * height, x + 0.04 * height, foot, (104, 78, 62))
    for low, top, wide in ((0.1, 0.6, 0.3), (0.34, 0.8, 0.24), (0.58, 1.0, 0.17)):
        base, tip, w = foot - low * height, foot - top * height, wide * height
        pen.polygon([(x - w, base), (x + w, base), (x, tip)], needles)
        if snow:
            cap = tip + 0.55 * (base - tip)
            edge = [(x - 0.55 * w, cap), (x - 0.2 * w, cap - 0.03 * height), (x, cap + 0.03 * height)]
            pen.polygon([*edge, (x + 0.25 * w, cap - 0.03 * height), (x + 0.55 * w, cap), (x, tip)], snow)


def tree(pen: Pen, rng: np.random.Generator, x: float, foot: float, height: float, leaves: Sequence[RGB], puffs: int = 14) -> None:
    """A broad-leaved tree: a forked trunk under a crown of puffs, the lighter ones on top."""
    bark, w = tone(rng, (122, 92, 70)), 0.055 * height
    crown = foot - 0.68 * height
    pen.polygon([(x - 1.6 * w, foot), (x + 1.6 * w, foot), (x + 0.7 * w, crown), (x - 0.7 * w, crown)], bark)
    pen.line([(x, foot - 0.3 * height), (x - 0.2 * height, crown)], w, bark)
    pen.line([(x, foot - 0.36 * height), (x + 0.2 * height, crown)], w, bark)
    turn, far = rng.uniform(0, 6.28, puffs), np.sqrt(rng.uniform(0, 1, puffs))
    xs, ys = x + 0.32 * height * far * np.cos(turn), crown - 0.02 * height + 0.24 * height * far * np.sin(turn)
    order = np.argsort(-ys)
    shades = tones(rng, leaves, puffs, 8)
    shades = [mix(darker(s, 0.15), lighter(s, 0.15), k / puffs) for k, s in enumerate(shades)]
    blobs(pen, xs[order], ys[order], 0.14 * height, 0.11 * height, shades)


def leaf(pen: Pen, x: float, y: float, length: float, angle: float, paint: RGB, width: float = 0.3) -> None:
    """A pointed leaf that grows from (x, y) in a direction in radians (0 = right, clockwise), with a light midrib."""
    at = pen.moved(x, y, length, angle)
    w = width
    lower, upper = [(0.2, 0.7 * w), (0.5, w * 0.85), (0.8, 0.5 * w)], [(0.8, -0.5 * w), (0.5, -w * 0.85), (0.2, -0.7 * w)]
    at.polygon([(0, 0), *lower, (1, 0), *upper], paint)
    at.line([(0.05, 0), (0.9, 0)], 0.05, lighter(paint, 0.3))


def blades(pen: Pen, x: np.ndarray, y: Numbers, height: Numbers, width: float, lean: Numbers, paints: Sequence[RGB]) -> None:
    """Many pointed blades of grass, rooted at (x, y)."""
    x, y, height, lean = np.broadcast_arrays(x, y, height, lean)
    for k, (a, b, h, s) in enumerate(zip(x.tolist(), y.tolist(), height.tolist(), lean.tolist())):
        pen.polygon([(a - width, b), (a + width, b), (a + s * h, b - h)], paints[k % len(paints)])


def rows(horizon: float, count: int, power: float = 1.7) -> list[float]:
    """Heights of `count` + 1 lines on the ground, from the horizon to the lower edge, in perspective."""
    return [horizon + (1.0 - horizon) * (k / count) ** power for k in range(count + 1)]


def spread(x: float, y: float, horizon: float, vanish: float = 0.5, depth: float = 0.25) -> Point:
    """Where the ground line that meets the lower edge at x is at height y; `depth` is its distance ratio at the horizon."""
    return vanish + (x - vanish) * (depth + (1 - depth) * (y - horizon) / (1 - horizon)), y


def dapple(pen: Pen, rng: np.random.Generator, horizon: float, count: int, size: float, paints: Sequence[RGB]) -> None:
    """Flat spots on the ground, larger in front."""
    near = rng.uniform(0, 1, count)
    near.sort()
    wide = size * (0.25 + 0.75 * near) * rng.uniform(0.6, 1.2, count)
    blobs(pen, rng.uniform(0, 1, count), horizon + 0.02 + (0.97 - horizon) * near, wide, wide * 0.38, paints)


def ripple(pen: Pen, rng: np.random.Generator, y: float, height: float, paint: RGB, count: int) -> None:
    """A row of crescent waves at height y."""
    for x in ((np.arange(count) + rng.uniform(0, 1, count)) / count).tolist():
        w = rng.uniform(0.06, 0.13)
        tip = [(x - 0.5 * w, y - 0.6 * height), (x, y - height), (x + 0.5 * w, y - 0.6 * height)]
        pen.polygon([(x - w, y), *tip, (x + w, y), (x, y - 0.45 * height)], paint)
