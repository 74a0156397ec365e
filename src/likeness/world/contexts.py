"""The places where an object can be: the words of a prompt, and how to draw them.

Drawing is apart, in `landscapes`, `greenery`, `townscapes` and `rooms`. A backdrop takes all that varies from its
generator, so one seed is one place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import greenery, landscapes, rooms, townscapes
from .canvas import RGB, Pen

Painter = Callable[[Pen, np.random.Generator], None]


@dataclass(frozen=True)
class Context:
    """A place. The pen of its painters sees the picture as the unit square, y down."""

    words: str  # exactly as in a prompt, after "a dog "
    backdrop: Painter  # paints the whole picture behind the object
    foreground: Painter | None = None  # paints over the object
    contact: str = "ground"  # ground | float (sunk a little into a liquid) | mirror (reflected below)
    horizon: float = 0.55  # y of the ground's far edge; objects stand between there and about 0.95
    liquid: RGB | None = None  # covers the sunk part of what floats


CONTEXTS: dict[str, Context] = {
    "jungle": Context("in the jungle", greenery.jungle, greenery.jungle_front, horizon=0.60),
    "snow": Context("in the snow", landscapes.snow, landscapes.snow_front, horizon=0.58),
    "beach": Context("on the beach", landscapes.beach, horizon=0.64),
    "street": Context("on a cobblestone street", townscapes.street, horizon=0.58),
    "fabric": Context("on top of pink fabric", rooms.fabric, horizon=0.60),
    "floor": Context("on top of a wooden floor", rooms.floor, horizon=0.56),
    "city": Context("with a city in the background", townscapes.city, horizon=0.64),
    "mountain": Context("with a mountain in the background", landscapes.mountain, horizon=0.62),
    "house": Context("with a blue house in the background", townscapes.house, horizon=0.64),
    "rug": Context("on top of a purple rug in a forest", greenery.forest_rug, horizon=0.70),
    "wheat": Context("with a wheat field in the background", greenery.wheat, greenery.wheat_front, horizon=0.62),
    "autumn": Context("with a tree and autumn leaves in the background", greenery.autumn, greenery.falling, horizon=0.62),
    "tower": Context("with the Eiffel Tower in the background", townscapes.tower, horizon=0.64),
    "water": Context("floating on top of water", landscapes.water, contact="float", liquid=landscapes.WATER),
    "milk": Context("floating in an ocean of milk", landscapes.milk, contact="float", horizon=0.60, liquid=landscapes.MILK),
    "sunflowers": Context("on top of green grass with sunflowers around it", greenery.sunflowers, greenery.sunflowers_front),
    "mirror": Context("on top of a mirror", rooms.mirror, contact="mirror", horizon=0.58),
    "crowd": Context("on top of the sidewalk in a crowded street", townscapes.crowd, horizon=0.66),
    "dirt": Context("on top of a dirt road", greenery.dirt, horizon=0.56),
    "white_rug": Context("on top of a white rug", rooms.white_rug, horizon=0.70),
    "night": Context("at night under the stars", landscapes.night, horizon=0.64),
    "desert": Context("in the desert", landscapes.desert, horizon=0.66),
    "studio": Context("", rooms.studio, horizon=0.66),
}  # fmt: skip
