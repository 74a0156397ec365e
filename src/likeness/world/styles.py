"""A finished picture in another manner: watercolour, pencil, pixel art, oil.

Strokes, grain and blocks are measured in shares of the width, so a style looks alike at 64 and at 256 pixels.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageEnhance, ImageFilter

SHEET = 128  # pixels of the square on which washes, lines and strokes are worked out, whatever the picture's size
PAPER = (250, 248, 242)


def apply_style(picture: Image.Image, style: str, rng: np.random.Generator) -> Image.Image:
    """The picture in one of the scene's STYLES; "photo" is the picture itself.

    picture  RGB, square, supersampled: the reduction that follows is also the antialiasing of strokes and paper.
             For "pixel art" that reduction must be Image.reduce or Image.BOX, so that its 32 x 32 blocks stay crisp.
    """
    if style == "photo":
        return picture
    if style == "pixel art":
        return _pixel_art(picture)
    sheet = picture.resize((SHEET, SHEET), Image.Resampling.BILINEAR, reducing_gap=2.0)
    painters = {"watercolour": _watercolour, "pencil": _pencil, "oil painting": _oil}
    return painters[style](sheet, rng).resize(picture.size, Image.Resampling.BICUBIC)


def _grain(rng: np.random.Generator, width: int, height: int | None = None) -> np.ndarray:
    """Smooth noise [SHEET, SHEET] in about [-1, 1] with width x height knots."""
    knots = rng.uniform(0, 255, (height or width, width)).astype(np.uint8)
    noise = Image.fromarray(knots).resize((SHEET, SHEET), Image.Resampling.BICUBIC)
    return np.asarray(noise, dtype=np.float32) / 127.5 - 1


def _picture(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _watercolour(sheet: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Washes that bleed, darker where the pigment settles at their edge, thin on grainy paper with a bare border."""
    paper = np.asarray(PAPER, dtype=np.float32)
    across, down = (_grain(rng, 20) * 1.5 for _ in range(2))
    y, x = np.mgrid[:SHEET, :SHEET]
    bled = np.asarray(sheet.filter(ImageFilter.BoxBlur(0.8)))
    bled = bled[(y + down).clip(0, SHEET - 1).astype(int), (x + across).clip(0, SHEET - 1).astype(int)]
    wash = _picture(bled)
    settled = np.asarray(ImageChops.subtract(wash.filter(ImageFilter.BoxBlur(3)), wash), dtype=np.float32)
    thin = (0.24 + 0.15 * _grain(rng, 9))[..., None]
    pigment = bled + (paper - bled) * thin - 0.5 * settled + 4 * _grain(rng, 64)[..., None]
    edge = np.minimum(np.minimum(x, SHEET - 1 - x), np.minimum(y, SHEET - 1 - y)) - 6 - 4 * _grain(rng, 14)
    bare = (0.5 - edge / 2.5).clip(0, 1)[..., None]
    return _picture(pigment + (paper - pigment) * bare)


def _pencil(sheet: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Lines where colours meet, hatching where it is dark, crossed where it is darker."""
    shades = np.asarray(sheet.filter(ImageFilter.BoxBlur(0.7)), dtype=np.float32)
    grey = shades @ np.asarray([0.3, 0.59, 0.11], dtype=np.float32)
    slope = np.zeros_like(grey)
    slope[1:-1, 1:-1] = np.hypot(shades[2:, 1:-1] - shades[:-2, 1:-1], shades[1:-1, 2:] - shades[1:-1, :-2]).max(axis=2)
    lines = ((slope - 12) / 80).clip(0, 1) ** 0.8
    y, x = np.mgrid[:SHEET, :SHEET]
    waver, pressure = 1.5 * _grain(rng, 12), 0.75 + 0.25 * _grain(rng, 50)
    there, back = (0.5 + 0.5 * np.sin((x + s * y + waver) * 2 * np.pi / 8) for s in (1, -1))
    dark = ((215 - grey) / 215).clip(0, 1)
    hatching = there * dark * 0.75 + back * (dark - 0.4).clip(0, 1) * 0.9 + 0.35 * dark + 1.4 * (dark - 0.55).clip(0, 1)
    ink = (1.15 * lines + 0.85 * hatching).clip(0, 1) * pressure
    paper = np.asarray(PAPER, dtype=np.float32) + 2.5 * _grain(rng, 64)[..., None]
    return _picture(paper + (np.asarray([62, 62, 68], dtype=np.float32) - paper) * ink[..., None])


def _pixel_art(picture: Image.Image) -> Image.Image:
    """32 x 32 blocks in 24 colours."""
    blocks = ImageEnhance.Color(picture.resize((32, 32), Image.Resampling.BOX)).enhance(1.15)
    blocks = ImageEnhance.Contrast(blocks).enhance(1.1)
    few = blocks.quantize(24, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE).convert("RGB")
    return few.resize(picture.size, Image.Resampling.NEAREST)


def _oil(sheet: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Flat, saturated dabs, dragged along strokes of two directions, with the ridges of the brush in the light."""
    rich = ImageEnhance.Contrast(ImageEnhance.Color(sheet).enhance(1.3)).enhance(1.08)
    dabs = np.asarray(rich.filter(ImageFilter.MedianFilter(3)))
    y, x = np.mgrid[:SHEET, :SHEET]
    streaks = _grain(rng, 12, 48)
    turned = streaks[(y + x) // 2 % SHEET, (x - y) % SHEET], streaks[(y - x) // 2 % SHEET, (x + y) % SHEET]
    bristles = np.where(_grain(rng, 7) > 0, *turned)
    drag = 1.9 * bristles
    dragged = dabs[(y + 0.6 * drag).clip(0, SHEET - 1).astype(int), (x + drag).clip(0, SHEET - 1).astype(int)]
    relief = bristles - np.roll(bristles, (1, 1), (0, 1))
    return _picture(dragged + (9 * bristles + 13 * relief)[..., None])
