"""Where things sit on a drawn figure: what an emblem or an accessory needs to know of it, and no more."""

from __future__ import annotations

from dataclasses import dataclass

from .canvas import Point


@dataclass(frozen=True)
class Anchors:
    """Places on a thing, in the coordinates of the pen that drew it."""

    emblem: tuple[float, float, float] | None = None  # x, y, radius


@dataclass(frozen=True, kw_only=True)
class FigureAnchors(Anchors):
    """Places on what lives and can wear something."""

    head: tuple[float, float, float]  # x, y of the centre, radius
    eyes: tuple[Point, ...]  # two seen from the front, one from the side
    neck: tuple[float, float, float]  # x, y, half width
    torso: tuple[float, float, float, float]  # x0, y0, x1, y1 of the trunk
    sleeves: tuple[tuple[Point, Point], ...]  # shoulder and wrist of the limbs that a jacket dresses
