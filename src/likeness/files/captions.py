"""Captions that lie beside photos: photo.txt, or the lines of metadata.jsonl or metadata.csv, as other tools write them."""

from __future__ import annotations

import csv
import io
import json
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

TEXT_COLUMNS = ("text", "caption", "prompt")  # of Hugging Face's imagefolder, and what others call it


def read_captions(folder: Path, photos: Sequence[Path], called: Mapping[str, str] | None = None) -> dict[str, str]:
    """File name -> caption, of those that have one; a text file of its own wins. What cannot be read is no caption: few runs ask for any.

    called  the paths that files have which are called otherwise here; metadata name files by the way from where they lie themselves
    """
    paths = called or {path.name: path.name for path in (folder / "metadata.jsonl", folder / "metadata.csv", *photos)}
    said: dict[str, str] = {}
    for kind, rows_of in (("metadata.jsonl", _json_lines), ("metadata.csv", _csv_rows)):
        for stored, path in paths.items():
            if posixpath.basename(path) != kind:
                continue
            for row in rows_of(folder / stored):
                text = next((row[column] for column in TEXT_COLUMNS if isinstance(row, dict) and row.get(column)), None)
                if text and row.get("file_name"):
                    said[_joined(posixpath.dirname(path), str(row["file_name"]))] = " ".join(str(text).split())
    found = {photo.name: said[path] for photo in photos if (path := _joined("", paths.get(photo.name, photo.name))) in said}
    for photo in photos:
        for beside in (photo.with_suffix(".caption"), photo.with_suffix(".txt")):
            if text := " ".join(_content(beside).split()):
                found[photo.name] = text
    return found


def _joined(folder: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(folder, name.replace("\\", "/")))


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig", errors="replace")
    except OSError:
        return ""


def _json_lines(path: Path) -> Iterator[Any]:
    for line in _content(path).split("\n"):
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _csv_rows(path: Path) -> Iterator[Any]:
    try:
        yield from csv.DictReader(io.StringIO(_content(path), newline=""))
    except csv.Error:
        return
