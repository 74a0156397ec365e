"""Captions that lie beside photos: photo.txt, or the lines of metadata.jsonl or metadata.csv, as other tools write them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

TEXT_COLUMNS = ("text", "caption", "prompt")  # of Hugging Face's imagefolder, and what others call it


def read_captions(folder: Path, photos: Sequence[Path], called: Mapping[str, str] | None = None) -> dict[str, str]:
    """File name -> caption, of those that have one; a text file of its own wins. What cannot be read is no caption: few runs ask for any.

    called  the names by which the metadata know files that have another one here
    """
    found: dict[str, str] = {}
    for row in [*_json_lines(folder / "metadata.jsonl"), *_csv_rows(folder / "metadata.csv")]:
        text = next((row[column] for column in TEXT_COLUMNS if isinstance(row, dict) and row.get(column)), None)
        if text and row.get("file_name"):
            found[str(row["file_name"])] = " ".join(str(text).split())
    for stored, name in (called or {}).items():
        if name in found:
            found[stored] = found[name]
    for photo in photos:
        for beside in (photo.with_suffix(".caption"), photo.with_suffix(".txt")):
            if text := " ".join(_content(beside).split()):
                found[photo.name] = text
    return found


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
