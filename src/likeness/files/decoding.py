"""One image file of any kind -> an upright sRGB picture of 8 bits without transparency.

What a reader would get wrong: `Image.verify()` passes on half a JPEG, only `load()` tells; `convert("RGB")` turns 16-bit
grey white and floats black, shows colours hidden under transparency, and forgets colour profiles.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

PIXEL_CAP = 50_000_000
BYTE_CAP = 500_000_000
WHITE_OF_INTEGERS = (255, 1023, 4095, 65535, 2**31 - 1)  # 8, 10, 12, 16 and 31 bits
WHITE_OF_FLOATS = (2.0, 255.0, 65535.0)  # up to 2: a picture in [0, 1] with highlights
MODE_OF_SPACE = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
LAID_ON_WHITE = "transparency laid on white"  # what was mended of a picture that has any
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


class Unreadable(Exception):
    """Why a file is no photo, worded to follow its name: "is cut short". The same cause always has the same words."""


@dataclass(frozen=True)
class Decoded:
    image: Image.Image  # RGB, upright; a large JPEG comes reduced
    width: int  # of the file's picture, upright
    height: int
    mended: tuple[str, ...]


def decode(path: Path, enough: int) -> Decoded:
    """Read a file fully. `enough`: no side needs more pixels than this. Raises Unreadable."""
    try:
        with path.open("rb") as file:
            head = file.read(2048)
    except OSError as error:
        raise Unreadable(f"may not be read ({error.strerror})") from error
    if not head:
        raise Unreadable("is empty")
    if path.stat().st_size > BYTE_CAP:
        raise Unreadable(f"is larger than {BYTE_CAP // 10**6} MB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd Exif that nobody needs; and of many pixels, where our own cap is lower
            return _decode(path, head, enough)
    except Unreadable:
        raise
    except Exception as error:  # Pillow's readers raise OSError, SyntaxError, ValueError, struct.error and more on damaged files
        raise Unreadable("is cut short" if "truncated" in str(error).lower() else "is damaged") from error


def _decode(path: Path, head: bytes, enough: int) -> Decoded:
    with _opened(path, head) as opened:
        width, height = opened.size
        opened.draft(None, (enough, enough))  # large JPEGs only: decoded at 1/2, 1/4 or 1/8
        if opened.width * opened.height > PIXEL_CAP:
            raise Unreadable(f"is larger than {PIXEL_CAP // 10**6} megapixels")
        frames = getattr(opened, "n_frames", 1)
        opened.seek(0)
        opened.load()
        black = _counts_darkness(opened)
        image, mended = _upright(opened)
    if mended and opened.getexif().get(0x0112, 1) >= 5:
        width, height = height, width
    if frames > 1:
        mended = (f"first of {frames} frames taken", *mended)
    image, more = to_rgb(image, black)
    return Decoded(image, width, height, (*mended, *more))


def _opened(path: Path, head: bytes) -> Image.Image:
    """Read the header only."""
    if _is_heic(head):
        _learn_heic()
    try:
        return Image.open(path)
    except UnidentifiedImageError as error:
        raise Unreadable("is a vector drawing (SVG)" if b"<svg" in head.lower() else "is not a picture") from error
    except Image.DecompressionBombError as error:
        raise Unreadable(f"is larger than {PIXEL_CAP // 10**6} megapixels") from error


def _is_heic(head: bytes) -> bool:
    """AVIF shares the container and the brand mif1, and Pillow reads it."""
    return head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS and b"avif" not in head[:64]


def _learn_heic() -> None:
    try:
        from pillow_heif import register_heif_opener  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise Unreadable("needs python -m pip install pillow-heif") from error
    register_heif_opener()


def _upright(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    if image.getexif().get(0x0112, 1) not in range(2, 9):
        return image, ()
    return ImageOps.exif_transpose(image), ("turned upright",)


def to_rgb(image: Image.Image, black: int = 0) -> tuple[Image.Image, tuple[str, ...]]:
    """An 8-bit sRGB picture on white, and what had to be done for it. black: see `_counts_darkness`."""
    profile = image.info.get("icc_profile")
    image, scaled, alpha = _to_eight_bits(image, black)
    if alpha is None:
        image, alpha = _split(image)
    image, converted = _to_srgb(image, profile)
    if alpha is None or alpha.getextrema() == (255, 255):
        return image, (*scaled, *converted)
    white = Image.new("RGB", image.size, "white")
    return Image.composite(image, white, alpha), (*scaled, *converted, LAID_ON_WHITE)


def _to_eight_bits(image: Image.Image, black: int) -> tuple[Image.Image, tuple[str, ...], Image.Image | None]:
    """Deep grey scaled by the smallest usual white that its brightest pixel does not exceed, what was done, and its alpha if it names a transparent grey."""
    if image.mode not in ("F", "I") and not image.mode.startswith("I;16"):
        return image, (), None
    pixels = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
    clear = image.info.get("transparency")  # of a PNG: this grey is none
    alpha = None if clear is None else Image.fromarray(np.where(pixels == clear, 0, 255).astype(np.uint8))
    brightest = pixels.max() if clear is None else pixels[pixels != clear].max(initial=0)
    if image.mode == "F":
        white = next((white for white in WHITE_OF_FLOATS if brightest <= white), brightest)
        white, kind = (1.0 if white == 2.0 else white), "32-bit floats"
    else:
        white, kind = black or next(white for white in WHITE_OF_INTEGERS if brightest <= white), "16-bit grey"
    eight_bits = np.rint(np.clip((white - pixels if black else pixels) / white, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(eight_bits), (f"scaled from {kind} to 8 bits",), alpha


def _counts_darkness(opened: Image.Image) -> int:
    """The largest number of a TIFF in which 0 is white, 0 of any other picture. Pillow turns 8 bits of it round, and deeper grey not."""
    tags = getattr(opened, "tag_v2", {})
    return 2 ** int(tags[258][0]) - 1 if tags.get(262) == 0 and 258 in tags else 0


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colours as L, RGB or CMYK, and the alpha channel if there is any."""
    if image.mode in ("La", "RGBa"):  # premultiplied
        image = image.convert(image.mode.upper())
    if image.has_transparency_data:
        kind = "L" if image.mode in ("1", "L", "LA") else "RGB"
        image = image.convert("RGBA")
        return image.convert("RGB").convert(kind), image.getchannel("A")
    if image.mode == "LAB":
        return _through(ImageCms.createProfile("LAB"), image), None
    return (image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")), None


def _to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, tuple[str, ...]]:
    plain = image.convert("RGB")
    from_cmyk = ("converted from CMYK",) if image.mode == "CMYK" else ()
    if not profile:
        return plain, from_cmyk
    try:
        source: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(source).strip()
        mode = MODE_OF_SPACE[source.profile.xcolor_space.strip()]
        if mode == "RGB" and "srgb" in name.lower().replace(" ", "") and "linear" not in name.lower():
            return plain, from_cmyk
        if mode == "RGB" and image.mode == "L":
            image = plain
        result = _through(source, image)
    except (ImageCms.PyCMSError, OSError, KeyError, ValueError):
        return plain, (*from_cmyk, "unusable colour profile ignored")
    return result, (f"colours converted from {name or 'its profile'} to sRGB",)


def _through(profile: Any, image: Image.Image) -> Image.Image:
    result = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert result is not None  # only None with inPlace
    return result
