"""Pictures as data URIs, so that a page is one file and stays under its size.

Small pictures stay PNG, as they are. A photograph as PNG is ten times its JPEG, so larger ones are shrunk and
embedded as JPEG; the files themselves lie beside the page. Nothing but pixels is embedded: no EXIF, no place.
"""

import base64
import io
from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageOps

SMALL = 128  # px; up to here a picture is embedded as it is
EDGES = (384, 256, 192, 128, 96)  # px, the longest; tried in turn until the page fits
TOO_LARGE = 100_000_000  # px; a 15 kB PNG can unpack to more than this


def data_uris(paths: Iterable[Path], budget: int) -> dict[Path, str | None]:
    """Each picture as a data URI, as large as `budget` bytes for all of them allow; None for what cannot be read."""
    pictures = {path: opened(path) for path in dict.fromkeys(paths)}
    uris: dict[Path, str | None] = {}
    for edge in EDGES:
        uris = {path: _uri(picture, edge, edge == EDGES[-1]) if picture else None for path, picture in pictures.items()}
        if sum(len(uri) for uri in uris.values() if uri) <= budget:
            break
    return uris


def opened(path: Path) -> Image.Image | None:
    """A picture as a page shows it: upright, RGB on white, no larger than any copy in a page; None for what cannot be read."""
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > TOO_LARGE:
                return None
            upright = ImageOps.exif_transpose(picture)
            flat = Image.new("RGB", upright.size, "white")  # convert("RGB") would show what transparency hides
            flat.paste(upright.convert("RGB"), mask=upright.convert("RGBA").getchannel("A"))
            flat.thumbnail((EDGES[0], EDGES[0]), Image.Resampling.LANCZOS)
            return flat
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None  # Pillow raises all of these for a broken file


def _uri(picture: Image.Image, edge: int, last_try: bool) -> str:
    file = io.BytesIO()
    if max(picture.size) <= SMALL and not last_try:
        picture.save(file, "PNG", optimize=True)
        return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    copy = picture.copy()
    copy.thumbnail((edge, edge), Image.Resampling.LANCZOS)
    copy.save(file, "JPEG", quality=85, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
