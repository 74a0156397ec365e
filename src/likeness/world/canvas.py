"""Drawing in coordinates instead of pixels: shapes, textures and a pen that can be moved, scaled and turned.

Everything is drawn by Pillow at several times the wanted size and reduced once at the end, which is the
antialiasing. A picture is therefore the same drawing at 64, 128 or 512 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Union

import numpy as np
from PIL import Image, ImageDraw

RGB = tuple[int, int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class Texture:
    """Two colours and how they alternate over a surface; lengths are in the coordinates of the pen that paints."""

    ground: RGB
    figure: RGB
    pattern: str  # plain | striped | spotted | checkered | patched
    period: float = 0.4
    angle: float = 0.0
    phase: float = 0.0


Paint = Union[RGB, Texture]


def mix(a: RGB, b: RGB, share: float) -> RGB:
    """The colour that lies `share` of the way from a to b."""
    return tuple(round(p + (q - p) * share) for p, q in zip(a, b))  # type: ignore[return-value]


def darker(colour: RGB, share: float = 0.3) -> RGB:
    return mix(colour, (0, 0, 0), share)


def lighter(colour: RGB, share: float = 0.3) -> RGB:
    return mix(colour, (255, 255, 255), share)


def figure_mask(texture: Texture, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Where a texture shows its figure colour. u, v [h, w] are pen coordinates; returns bool [h, w]."""
    c, s = math.cos(texture.angle), math.sin(texture.angle)
    a, b = (c * u + s * v) / texture.period + texture.phase, (c * v - s * u) / texture.period + texture.phase
    match texture.pattern:
        case "striped":
            return (a % 1.0) < 0.45
        case "spotted":
            row = np.floor(b)
            return ((a + 0.5 * (row % 2)) % 1.0 - 0.5) ** 2 + (b % 1.0 - 0.5) ** 2 < 0.095
        case "checkered":
            return (np.floor(a) + np.floor(b)) % 2 == 0
        case "patched":
            waves = np.sin(2.1 * a + 1.3) + np.sin(2.6 * b + 0.7) + np.sin(1.7 * (a + b) + 2.1)
            return waves > 0.45
        case _:
            return np.zeros(np.broadcast(u, v).shape, dtype=bool)


def smooth(points: Sequence[Point], steps: int = 6) -> list[Point]:
    """A closed Catmull-Rom curve through the points."""
    p = np.asarray(points, dtype=float)
    before, after, beyond = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    p0, p1, p2, p3 = (q[:, None, :] for q in (before, p, after, beyond))
    curve = 0.5 * (
        2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    )
    return [(float(x), float(y)) for x, y in curve.reshape(-1, 2)]


class Pen:
    """Paints filled shapes on an RGBA layer, in coordinates of its own.

    `place` is the affine map (a, b, c, d, e, f): pixel x = a·x + b·y + c, pixel y = d·x + e·y + f.
    """

    def __init__(self, layer: Image.Image, place: tuple[float, float, float, float, float, float]):
        self.layer, self.place = layer, place
        self._draw = ImageDraw.Draw(layer)

    def moved(self, x: float, y: float, scale: float = 1.0, angle: float = 0.0, mirrored: bool = False) -> Pen:
        """A pen whose origin is at (x, y) here, scaled, turned by `angle` radians (clockwise) and perhaps mirrored."""
        a, b, c, d, e, f = self.place
        cos, sin = scale * math.cos(angle), scale * math.sin(angle)
        m = -1.0 if mirrored else 1.0
        return Pen(
            self.layer,
            (
                m * (a * cos + b * sin), b * cos - a * sin, a * x + b * y + c,
                m * (d * cos + e * sin), e * cos - d * sin, d * x + e * y + f,
            ),
        )  # fmt: skip

    @property
    def scale(self) -> float:
        """Pixels per unit."""
        a, b, _, d, e, _ = self.place
        return math.sqrt(abs(a * e - b * d))

    def polygon(self, points: Sequence[Point], paint: Paint) -> None:
        self._fill(lambda draw, ink: draw.polygon(self._pixels(points), fill=ink), paint)

    def curve(self, points: Sequence[Point], paint: Paint) -> None:
        """A closed smooth outline through the points, filled."""
        self.polygon(smooth(points), paint)

    def ellipse(self, x: float, y: float, rx: float, ry: float, paint: Paint, angle: float = 0.0) -> None:
        c, s = math.cos(angle), math.sin(angle)
        turns = [2 * math.pi * k / 28 for k in range(28)]
        self.polygon(
            [(x + c * rx * math.cos(t) - s * ry * math.sin(t), y + s * rx * math.cos(t) + c * ry * math.sin(t)) for t in turns],
            paint,
        )

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, paint: Paint, radius: float = 0.0) -> None:
        """An upright rectangle with corners rounded by `radius`."""
        r = min(radius, abs(x1 - x0) / 2, abs(y1 - y0) / 2)
        if r <= 0:
            return self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], paint)
        corners = [(x1 - r, y0 + r, -0.5), (x1 - r, y1 - r, 0.0), (x0 + r, y1 - r, 0.5), (x0 + r, y0 + r, 1.0)]
        arc = [0.0, 0.125, 0.25, 0.375, 0.5]
        self.polygon(
            [
                (x + r * math.cos(math.pi * (turn + k)), y + r * math.sin(math.pi * (turn + k)))
                for x, y, turn in corners
                for k in arc
            ],
            paint,
        )

    def line(self, points: Sequence[Point], width: float, paint: RGB) -> None:
        """A stroke of `width` with round ends."""
        pixels, thick = self._pixels(points), max(1, round(width * self.scale))
        self._draw.line(pixels, fill=paint, width=thick, joint="curve")
        for x, y in (pixels[0], pixels[-1]):
            self._draw.ellipse([x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2], fill=paint)

    def gradient(self, y0: float, y1: float, top: RGB, bottom: RGB) -> None:
        """The full width between two heights, from one colour to the other. For upright pens."""
        first, last = round(self._pixels([(0, y0)])[0][1]), round(self._pixels([(0, y1)])[0][1])
        if last <= first:
            return
        shade = np.linspace(0, 1, last - first)[:, None]
        column = (np.asarray(top) * (1 - shade) + np.asarray(bottom) * shade).astype(np.uint8)
        strip = Image.fromarray(column[:, None, :]).resize((self.layer.width, last - first))
        self.layer.paste(strip, (0, first))

    def _pixels(self, points: Sequence[Point]) -> list[Point]:
        a, b, c, d, e, f = self.place
        return [(a * x + b * y + c, d * x + e * y + f) for x, y in points]

    def _fill(self, shape, paint: Paint) -> None:
        if not isinstance(paint, Texture):
            return shape(self._draw, paint)
        if paint.pattern == "plain":
            return shape(self._draw, paint.ground)
        mask = Image.new("L", self.layer.size)
        shape(ImageDraw.Draw(mask), 255)
        box = mask.getbbox()
        if box:
            self.layer.paste(self._surface(paint, box), box, mask.crop(box))

    def _surface(self, texture: Texture, box: tuple[int, int, int, int]) -> Image.Image:
        """The texture over a part of the layer, in this pen's coordinates."""
        a, b, c, d, e, f = self.place
        x = np.arange(box[0], box[2], dtype=np.float32)[None, :] - c
        y = np.arange(box[1], box[3], dtype=np.float32)[:, None] - f
        inverse = 1.0 / (a * e - b * d)
        figure = figure_mask(texture, (e * x - b * y) * inverse, (a * y - d * x) * inverse)
        colours = np.asarray([(*texture.ground, 255), (*texture.figure, 255)], dtype=np.uint8)
        return Image.fromarray(colours[figure.astype(np.uint8)], "RGBA")
