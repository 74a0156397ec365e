"""A scene: what is shown, where, in what light and style. The description that pictures and captions are made from."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

from .canvas import RGB, Texture

COLOURS: dict[str, RGB] = {
    "red": (210, 40, 40), "orange": (240, 140, 30), "yellow": (245, 215, 60), "green": (60, 160, 70),
    "teal": (40, 170, 170), "blue": (50, 90, 210), "purple": (130, 60, 180), "pink": (245, 140, 185),
    "brown": (130, 80, 45), "black": (45, 45, 50), "white": (240, 240, 236), "grey": (140, 142, 148),
}  # fmt: skip
PATTERNS = ("plain", "striped", "spotted", "checkered", "patched")
EMBLEMS = ("none", "star", "heart", "disc", "triangle", "cross", "moon")
VIEWS = ("front", "side")
EXPRESSIONS = ("neutral", "smiling", "sad", "surprised", "angry")
EDITS = ("none", "red", "purple", "shiny", "wet", "cube")
STYLES = ("photo", "watercolour", "pencil", "pixel art", "oil painting")
SHAPE_PARAMETERS = 6


@dataclass(frozen=True)
class Appearance:
    """What a subject looks like wherever it is shown. Words can name its colour and pattern, and no more."""

    class_noun: str
    colour: str  # of the body; the one colour that captions name
    second: str  # of the other parts, and the figure of the pattern
    accent: str  # of the small parts and the emblem
    pattern: str
    emblem: str
    shape: tuple[float, ...]  # SHAPE_PARAMETERS numbers in [0, 1]; each class decides what they mean
    tint: tuple[float, float, float] = (0.0, 0.0, 0.0)  # shift of hue, saturation, value of all its colours, in [-1, 1]
    period: float = 0.5  # of the pattern, in [0, 1]
    angle: float = 0.5  # of the pattern, in [0, 1]


@dataclass(frozen=True)
class Placed:
    """One object in a scene. x and size are shares of the picture's width; the object stands on the ground at `depth`."""

    appearance: Appearance
    view: str = "front"
    mirrored: bool = False
    x: float = 0.5
    size: float = 0.6
    depth: float = 0.5  # 0 = at the back of the ground, 1 = at the front
    tilt: float = 0.0  # radians
    accessory: str = "none"
    expression: str = "neutral"
    edit: str = "none"


@dataclass(frozen=True)
class Scene:
    """Everything that a picture shows. `seed` fixes what no field names: the stones of a street, the leaves of a tree."""

    objects: tuple[Placed, ...]
    context: str
    style: str = "photo"
    light: float = 0.3  # where the light comes from: -1 = left, 1 = right
    brightness: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class Look:
    """An appearance turned into paint: what the drawing functions of the classes see."""

    body: Texture
    second: RGB
    accent: RGB
    emblem: str
    shape: tuple[float, ...]
    expression: str = "neutral"

    @property
    def colour(self) -> RGB:
        return self.body.ground


def tinted(name: str, tint: tuple[float, float, float]) -> RGB:
    """A named colour, shifted a little: hue by up to 1.5 % of the circle, or orange would meet yellow; saturation by up to 12 %, value by 10 %."""
    h, s, v = colorsys.rgb_to_hsv(*(c / 255 for c in COLOURS[name]))
    h, s, v = (h + 0.015 * tint[0]) % 1.0, s * (1 + 0.12 * tint[1]), v * (1 + 0.10 * tint[2])
    r, g, b = colorsys.hsv_to_rgb(h, min(s, 1.0), min(v, 1.0))
    return round(255 * r), round(255 * g), round(255 * b)


def look_of(placed: Placed) -> Look:
    """The paints of a placed object, with an edit of its colour applied."""
    a = placed.appearance
    colour = placed.edit if placed.edit in ("red", "purple") else a.colour
    second, accent = tinted(a.second, a.tint), tinted(a.accent, a.tint)
    body = Texture(tinted(colour, a.tint), second, a.pattern, 0.28 + 0.3 * a.period, 3.14159 * a.angle, phase=0.13)
    return Look(body, second, accent, a.emblem, a.shape, placed.expression)
