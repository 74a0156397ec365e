"""Photos of a subject, taken in: what was accepted, mended or rejected, and why.

Every file is read to its end before anything is trained, so that no bad one stops a run hours later. The copies carry no
Exif, so no place and no camera. Each photo counts once, however many copies of it lie in the folder.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from .archive import unpacked
from .atomic import sha256_of
from .captions import read_captions
from .decoding import LAID_ON_WHITE, Unreadable, decode
from .errors import UserError
from .picture import is_black

FEW = 3  # photos; DreamBooth (arXiv 2208.12242) uses 3-5
STRIP = 20  # times as long as it is wide
SIDECARS = {
    ".txt", ".caption", ".json", ".jsonl", ".csv", ".tsv", ".toml", ".yaml", ".yml", ".md", ".xml", ".xmp", ".aae", ".ini", ".db",
}  # fmt: skip
VARIATION_SELECTORS = range(0xFE00, 0xFE10)


@dataclass(frozen=True)
class Photo:
    """One file that was offered. width and height are the file's own, upright; 0 if it could not be read."""

    name: str
    sha256: str
    width: int
    height: int
    mended: tuple[str, ...]
    used: bool
    reason: str | None  # why it is not used, worded to follow its name
    image: Image.Image | None = field(default=None, compare=False, repr=False)  # RGB, resolution x resolution
    caption: str | None = None  # the text that lies beside it
    subject: int = 0  # which of a recipe's subjects it shows
    of_class: bool = False  # shows others of its class, for prior preservation

    def frame(self, resolution: int) -> tuple[int, int, int, int]:
        """The file's height and width, and where the square begins (top, left) in the photo scaled to `resolution`: what SDXL is told of a picture."""
        _, left, top = _scaled(self.width, self.height, resolution)
        return self.height, self.width, top, left


def prepare_photos(source: Path, resolution: int) -> list[Photo]:
    """Read a folder of photos, by name, a zip of them, or one photo. Raises UserError if none can be used."""
    if not source.exists():
        raise UserError(f"{source}: no such file or folder. Check the path of the photos.")
    if source.is_file() and source.suffix.lower() == ".zip":
        with unpacked(source) as (folder, names):
            if not (paths := _files_in(folder)):
                raise UserError(f"{source}: holds no photos. Add 3 to 6 photos and try again.")
            return _taken_in(source, paths, read_captions(folder, paths, names), resolution)
    paths = [source] if source.is_file() else _files_in(source)
    if not paths and len(repeated := _repeated_folders(source)) == 1:
        return prepare_photos(repeated[0], resolution)
    if not paths:
        raise UserError(f"{source}: no photos in this folder (sub-folders are not searched). Add 3 to 6 photos and try again.")
    return _taken_in(source, paths, read_captions(source if source.is_dir() else source.parent, paths), resolution)


def _taken_in(source: Path, paths: Sequence[Path], captions: Mapping[str, str], resolution: int) -> list[Photo]:
    photos = _each_once([replace(_read(path, resolution), caption=captions.get(path.name)) for path in paths])
    if not any(photo.used for photo in photos):
        raise UserError(_none_usable(source, photos))
    return photos


def remarks(photos: Sequence[Photo]) -> list[str]:
    """What the user should know: few photos, mended ones, rejected ones. One line each."""
    used = sum(photo.used for photo in photos if not photo.of_class)
    few = [f"only {used} photo{'s' * (used > 1)}: 3 to 6 from different sides teach a subject better"] if used < FEW else []
    mended = [f"{photo.name}: {', '.join(photo.mended)}" for photo in photos if photo.used and photo.mended and not photo.of_class]
    rejected = [f"{photo.name} is not used: it {photo.reason}" for photo in photos if not photo.used]
    return few + mended + rejected


def check_identifier(identifier: str) -> None:
    """Refuse what no tokenizer can keep as one word. What a given tokenizer makes of it is checked where there is one."""
    advice = "Choose one short word that means nothing, such as sks."
    if not identifier:
        raise UserError(f"identifier: it is empty. {advice}")
    if "{" in identifier or "}" in identifier:
        raise UserError(f"identifier {identifier!r}: it has a brace in it, which in prompts is where the subject goes. {advice}")
    if any(character.isspace() for character in identifier):
        raise UserError(f"identifier {identifier!r}: it has a space in it. {advice}")
    if any(_is_symbol(character) for character in identifier):
        raise UserError(f"identifier {identifier!a}: it has an emoji or a control character in it. {advice}")


def _is_symbol(character: str) -> bool:
    if character.isascii():
        return not character.isprintable()
    kind = unicodedata.category(character)
    return kind[0] in "CSZ" or kind == "Me" or ord(character) in VARIATION_SELECTORS


def _files_in(folder: Path) -> list[Path]:
    """What could be a photo. Sub-folders, hidden files, captions and other sidecars are nobody's mistake: no word about them."""
    listed = (path for path in folder.iterdir() if path.is_file() or (path.is_symlink() and not path.exists()))
    return sorted(path for path in listed if not path.name.startswith(".") and path.suffix.lower() not in SIDECARS)


def _repeated_folders(folder: Path) -> list[Path]:
    """Sub-folders as kohya's scripts want them, "10_sks dog": how often to repeat, and what is shown. Each photo counts alike here anyway."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and re.match(r"\d+_", path.name) and _files_in(path))


def _read(path: Path, resolution: int) -> Photo:
    name, digest = _printable(path.name), ""
    try:
        digest = sha256_of(path)
        decoded = decode(path, enough=2 * resolution)
    except (OSError, Unreadable) as error:
        reason = str(error) if isinstance(error, Unreadable) else f"may not be read ({error.strerror})"
        return Photo(name, digest, 0, 0, (), False, reason)
    if max(decoded.width, decoded.height) > STRIP * min(decoded.width, decoded.height):
        return Photo(name, digest, decoded.width, decoded.height, (), False, f"is a strip of {decoded.width} x {decoded.height} pixels, whose square in the middle shows next to nothing")
    if is_black(decoded.image):
        return Photo(name, digest, decoded.width, decoded.height, (), False, "is black all over, as a safety checker leaves pictures")
    mended = decoded.mended
    if LAID_ON_WHITE in mended and all(low == 255 for low, _ in decoded.image.getextrema()):  # type: ignore[misc]
        return Photo(name, digest, decoded.width, decoded.height, (), False, "shows nothing: it is transparent")
    if min(decoded.width, decoded.height) < resolution:
        mended = (*mended, f"enlarged from {decoded.width}x{decoded.height}")
    return Photo(name, digest, decoded.width, decoded.height, mended, True, None, squared(decoded.image, resolution))


def _printable(name: str) -> str:
    """A file name that can be shown and stored: invalid UTF-8 and control characters replaced."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def squared(image: Image.Image, resolution: int) -> Image.Image:
    """Short side to `resolution`, then the middle. A fresh picture: nothing of the file's metadata comes along."""
    size, left, top = _scaled(*image.size, resolution)
    resized = image.resize(size, Image.Resampling.LANCZOS)
    square = resized.crop((left, top, left + resolution, top + resolution))
    square.info = {}
    return square


def _scaled(width: int, height: int, resolution: int) -> tuple[tuple[int, int], int, int]:
    """Width and height once the short side is `resolution`, and the left and top of the square in their middle."""
    scale = resolution / min(width, height)
    wide, high = (max(resolution, round(side * scale)) for side in (width, height))
    return (wide, high), (wide - resolution) // 2, (high - resolution) // 2


def _each_once(photos: list[Photo]) -> list[Photo]:
    """Mark every photo that is a copy of one before it as not used."""
    kept: list[tuple[Photo, np.ndarray]] = []
    checked: list[Photo] = []
    for photo in photos:
        small = _thumbnail(photo.image) if photo.image else np.zeros(0)
        twin = next((other for other, one in kept if photo.sha256 == other.sha256 or _alike(small, one)), None) if photo.used else None
        if twin is not None:
            kind = "is the same file as" if photo.sha256 == twin.sha256 else "is nearly the same picture as"
            photo = replace(photo, used=False, reason=f"{kind} {twin.name}", image=None)
        if photo.used:
            kept.append((photo, small))
        checked.append(photo)
    return checked


def _thumbnail(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((9, 8), Image.Resampling.BOX), dtype=np.int16)


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    """The same picture saved again, by thumbnails: at most 4 of 64 dHash bits and 4 % of the mean colour apart.

    The hash alone would call any two plain pictures copies of each other.
    """
    rises = [np.diff(thumbnail.sum(axis=2), axis=1) > 0 for thumbnail in (one, other)]
    return bool((rises[0] != rises[1]).sum() <= 4 and np.abs(one - other).mean() <= 10)


def _none_usable(source: Path, photos: list[Photo]) -> str:
    counted = Counter(photo.reason or "" for photo in photos)
    if len(photos) == 1:
        return f"{source}: {photos[0].name} {photos[0].reason}. Add photos and try again."
    reasons = ", ".join(f"{count} {reason if count == 1 else _plural(reason)}" for reason, count in counted.items())
    return f"{source}: none of {len(photos)} files can be read as a photo ({reasons}). Add photos and try again."


def _plural(reason: str) -> str:
    verb, _, rest = reason.partition(" ")
    return {"is": "are", "needs": "need"}.get(verb, verb) + " " + rest.replace("not a picture", "not pictures")
