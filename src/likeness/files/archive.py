"""A zip of photos, unpacked by our own names: a name in an archive is never a path.

Taken are captions wherever in the archive they lie, and pictures by their endings, which have to lie in one folder: another one holds another subject, or pictures of the class. Links, archives in archives, hidden files and all else stay inside;
sizes are counted while bytes are read, since what an archive says of them may be a lie (a zip bomb).
"""

from __future__ import annotations

import lzma
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from .errors import UserError

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif", ".mpo", ".jfif"}
CAPTIONS = {".txt", ".caption", ".jsonl", ".csv"}
MOST_ENTRIES, MOST_FILES = 20_000, 2_000
MOST_BYTES = 2_000_000_000  # of all files together
PIECE = 1 << 20


@contextmanager
def unpacked(archive: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A temporary folder with the archive's pictures and captions, and the path that each file has in it. Raises UserError."""
    with tempfile.TemporaryDirectory(prefix="likeness-") as folder:
        try:
            with zipfile.ZipFile(archive) as opened:
                names = _unpack(opened, archive, Path(folder))
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, NotImplementedError, OSError, EOFError, ValueError) as problem:
            raise UserError(f"{archive}: cannot be read as a zip ({problem}). Unpack it yourself, and give the folder.") from problem
        yield Path(folder), names


def _unpack(opened: zipfile.ZipFile, archive: Path, folder: Path) -> dict[str, str]:
    entries = opened.infolist()
    wanted = [entry for entry in entries[:MOST_ENTRIES] if _is_wanted(entry)]
    if len(entries) > MOST_ENTRIES or len(wanted) > MOST_FILES:
        raise UserError(f"{archive}: holds {len(entries)} entries, too many for photos of a subject. Give a folder of those that are meant.")
    if len(folders := sorted({str(_path(entry).parent) for entry in wanted if _path(entry).suffix.lower() in PICTURES})) > 1:
        raise UserError(f"{archive}: holds pictures in {len(folders)} folders ({', '.join(folders[:4])}{', …' * (len(folders) > 4)}), and which of them show the subject it does not say. Give a folder, or a zip of that one alone.")
    if any(entry.flag_bits & 1 for entry in wanted):
        raise UserError(f"{archive}: is locked with a password. Unpack it yourself, and give the folder.")
    left, names, called = MOST_BYTES, _Names(), {}
    for entry in wanted:
        stored = names.of(entry.filename)
        called[stored] = str(_path(entry))
        with opened.open(entry) as source, (folder / stored).open("xb") as target:
            while piece := source.read(PIECE):
                left -= len(piece)
                if left < 0:
                    raise UserError(f"{archive}: unpacks to more than {MOST_BYTES // 10**9} GB. Give a folder of those that are meant.")
                target.write(piece)
    return called


def _path(entry: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(entry.filename.replace("\\", "/"))


def _is_wanted(entry: zipfile.ZipInfo) -> bool:
    path = _path(entry)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts if part != "..")
    link = stat.S_ISLNK(entry.external_attr >> 16)
    return not (entry.is_dir() or hidden or link) and path.suffix.lower() in PICTURES | CAPTIONS


class _Names:
    """Plain file names, each once whatever the case; a caption keeps the name of its photo."""

    def __init__(self) -> None:
        self.stems: dict[tuple[str, str], str] = {}  # folder and stem in the archive -> stem on disk
        self.taken: set[str] = set()
        self.files: set[str] = set()

    def of(self, name: str) -> str:
        path = PurePosixPath(name.replace("\\", "/"))
        key = (str(path.parent), path.stem)
        if key not in self.stems:
            self.stems[key] = self._free(re.sub(r"[^A-Za-z0-9._-]+", "_", path.stem).strip(".")[:80] or "photo", self.taken)
        return self._free(self.stems[key], self.files, path.suffix.lower())

    @staticmethod
    def _free(stem: str, taken: set[str], suffix: str = "") -> str:
        found, number = stem + suffix, 1
        while found.lower() in taken:
            number += 1
            found = f"{stem}-{number}{suffix}"
        taken.add(found.lower())
        return found
