"""From a scene to a picture: backdrop, shadow, objects, liquid or mirror, foreground, light, style.

The same scene gives the same picture at every size but for sampling, and byte for byte at the same size.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from .accessories import ACCESSORIES
from .anchors import FigureAnchors
from .canvas import Pen
from .classes import CLASSES
from .contexts import CONTEXTS, Context
from .emblems import cube, draw_emblem
from .scene import Placed, Scene, look_of
from .styles import apply_style


def draw(scene: Scene, size: int) -> Image.Image:
    """The picture of a scene: RGB, size x size pixels."""
    full = size * max(2, math.ceil(192 / size))
    rng = np.random.default_rng(scene.seed)
    context = CONTEXTS[scene.context]
    frame = Image.new("RGBA", (full, full), (255, 255, 255, 255))
    pen = Pen(frame, (full, 0, 0, 0, full, 0))
    context.backdrop(pen, rng)
    for placed in sorted(scene.objects, key=lambda o: o.depth):
        _place(frame, placed, context, scene.light)
    if context.foreground:
        context.foreground(pen, rng)
    picture = _lit(frame.convert("RGB"), scene.light, scene.brightness)
    return apply_style(picture, scene.style, rng).resize((size, size), Image.Resampling.BOX)


def standing_point(placed: Placed, context: Context) -> tuple[float, float]:
    """Where in the frame an object's feet are: x and y in [0, 1]. Nearer objects stand lower."""
    far, near = max(context.horizon + 0.1, 0.72), 0.95
    return placed.x, far + (near - far) * placed.depth


def _place(frame: Image.Image, placed: Placed, context: Context, light: float) -> None:
    full = frame.width
    x, y = standing_point(placed, context)
    scale = placed.size * full / 2
    layer = Image.new("RGBA", frame.size)
    upright = Pen(layer, (full, 0, 0, 0, full, 0)).moved(x, y, placed.size / 2)
    _draw_object(upright.moved(0, 0, 1, placed.tilt, placed.mirrored).moved(0, -1), placed)
    _shade(layer, light, scale)
    ground = round(y * full)
    if context.contact == "mirror":
        _reflect(frame, layer, ground)
    elif context.contact == "ground":
        _shadow(frame, x * full, ground, scale, light)
    if context.contact == "float" and context.liquid:
        _sink(layer, ground - round(0.24 * scale), context.liquid)
    frame.alpha_composite(layer)


def _draw_object(pen: Pen, placed: Placed) -> None:
    thing, look = CLASSES[placed.appearance.class_noun], look_of(placed)
    if placed.edit == "cube":
        anchors = cube(pen, look, thing.live)
    else:
        anchors = thing.draw(pen, look, placed.view)
    if anchors.emblem and look.emblem != "none":
        draw_emblem(pen, look.emblem, *anchors.emblem, look.accent)
    if placed.accessory != "none" and placed.edit != "cube":
        assert isinstance(anchors, FigureAnchors), f"a {thing.noun} wears nothing"
        ACCESSORIES[placed.accessory](pen, anchors, placed.view)
    if placed.edit in ("shiny", "wet"):
        _cover(pen, placed.edit)


def _cover(pen: Pen, edit: str) -> None:
    """A gloss, or drops of water, over what has been drawn so far."""
    cover = Image.new("RGBA", pen.layer.size)
    over = Pen(cover, pen.place)
    if edit == "shiny":
        over.ellipse(-0.4, -0.25, 0.12, 0.5, (255, 255, 255, 215), angle=0.45)  # type: ignore[arg-type]
        over.ellipse(0.22, -0.45, 0.05, 0.3, (255, 255, 255, 190), angle=0.45)  # type: ignore[arg-type]
        over.ellipse(0.1, 0.45, 0.08, 0.25, (255, 255, 255, 170), angle=0.45)  # type: ignore[arg-type]
        for x, y in ((0.5, -0.5), (-0.55, 0.4)):
            star = [(x + r * math.cos(t * math.pi / 4), y + r * math.sin(t * math.pi / 4)) for t, r in enumerate([0.26, 0.06] * 4)]
            over.polygon(star, (255, 255, 255, 255))  # type: ignore[arg-type]
    else:
        over.rectangle(-1.3, -1.4, 1.3, 1.1, (20, 60, 120, 80))  # type: ignore[arg-type]
        for k in range(26):
            x, y = -0.9 + 1.8 * ((k * 0.7549) % 1), -0.9 + 1.8 * ((k * 0.5698) % 1)
            over.ellipse(x, y, 0.06, 0.1, (190, 230, 255, 235))  # type: ignore[arg-type]
    cover.putalpha(ImageChops.multiply(cover.getchannel("A"), pen.layer.getchannel("A")))
    pen.layer.alpha_composite(cover)


def _shade(layer: Image.Image, light: float, scale: float) -> None:
    """Round what is flat: darken the sides that face away from the light, lighten those that face it."""
    box = layer.getbbox()
    if box is None:
        return
    part = layer.crop(box)
    alpha = part.getchannel("A")
    soft = alpha.filter(ImageFilter.BoxBlur(max(1, round(0.16 * scale))))
    dx, dy = round(0.14 * scale * light), round(-0.14 * scale)
    away = np.asarray(ImageChops.offset(soft, dx, dy), dtype=np.float32) - np.asarray(ImageChops.offset(soft, -dx, -dy), np.float32)
    rgb = np.asarray(part.convert("RGB"), dtype=np.float32)
    shade = (1 + np.clip(away, -190, 150) * (0.42 / 255))[..., None]
    lit = np.where(shade > 1, 255 - (255 - rgb) * (2 - shade), rgb * shade)
    rounded = Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
    rounded.putalpha(alpha)
    layer.paste(rounded, box)


def _shadow(frame: Image.Image, x: float, y: float, scale: float, light: float) -> None:
    mask = Image.new("L", (frame.width // 2, frame.height // 2))  # half size: a shadow has no detail
    x, y, scale = x / 2 - 0.18 * light * scale / 2, y / 2, scale / 2
    ImageDraw.Draw(mask).ellipse([x - 0.86 * scale, y - 0.15 * scale, x + 0.86 * scale, y + 0.12 * scale], fill=120)
    mask = mask.filter(ImageFilter.BoxBlur(max(1, round(0.07 * scale)))).resize(frame.size)
    frame.paste((20, 20, 40), mask=mask)


def _reflect(frame: Image.Image, layer: Image.Image, ground: int) -> None:
    flipped = ImageChops.offset(layer.transpose(Image.Transpose.FLIP_TOP_BOTTOM), 0, 2 * ground - layer.height)
    flipped.paste((0, 0, 0, 0), (0, 0, layer.width, ground))
    flipped.putalpha(flipped.getchannel("A").point([round(0.45 * v) for v in range(256)]))
    frame.alpha_composite(flipped)


def _sink(layer: Image.Image, surface: int, liquid: tuple[int, int, int]) -> None:
    """Hide what lies under the surface, but for a little that shines through."""
    under = layer.crop((0, surface, layer.width, layer.height))
    alpha = under.getchannel("A")
    tinted = Image.blend(under.convert("RGB"), Image.new("RGB", under.size, liquid), 0.75)
    tinted.putalpha(alpha.point([round(0.55 * v) for v in range(256)]))
    layer.paste(tinted, (0, surface))


def _lit(picture: Image.Image, light: float, brightness: float) -> Image.Image:
    """Brightness of the whole scene, and a little more of it on the side that the light comes from."""
    across = brightness * (1 + 0.08 * light * np.linspace(-1, 1, picture.width, dtype=np.float32))[None, :, None]
    return Image.fromarray(np.clip(np.asarray(picture, dtype=np.float32) * across, 0, 255).astype(np.uint8))
