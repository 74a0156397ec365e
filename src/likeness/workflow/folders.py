"""Score a folder of pictures, whoever drew them, against photos of the subject: other people's systems get every number that a run gets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from ..evaluation.benchmark import kinds_for
from ..evaluation.options import Encoders
from ..evaluation.statistics import mean_of
from ..files.archive import PICTURES, unpacked
from ..files.atomic import write_json
from ..files.captions import read_captions
from ..files.errors import UserError
from ..files.picture import read_prompt
from ..files.prompts import renamed, said
from .looking import Asked, Judges, References, Seen, look, open_judges, read
from .photos import check_no_run, gather, toybox_subject
from .progress import Progress
from .scoring import (
    WorldQuestions,
    counts_of,
    measured,
    photos_against_photos,
    remarks_on,
    rows_by_kind,
    scores_of,
    without_prompts,
    written,
)


def evaluate_folder(
    folder: Path, references: Path | str, progress: Progress, *, prompts: Path | None = None, called: str | None = None, class_noun: str | None = None,
    encoders: Encoders = Encoders(),
) -> dict[str, Any]:  # fmt: skip
    """Score the pictures of a folder and write scores.json into it.

    references  photos of the subject: a folder, a zip, one photo, or toybox:NAME
    prompts     a text file with a prompt a line, in the order of the pictures' names, or one for all; None: captions beside the pictures, or what they carry inside
    called      what the prompts call the subject ("sks dog"), for which the class noun is put to judge them; None: they are judged as they are
    """
    check_no_run(folder)
    shown, (photos, left_out) = files_in(folder), photos_in(references)
    typed = _prompts(folder, shown, prompts)
    if called and not class_noun:
        raise UserError(f"evaluate: --called {called!r} needs --class-noun, the word to judge its prompts by.")
    if bool(encoders.clip) != bool(encoders.dino):
        raise UserError("evaluate: give both encoders, --clip and --dino, or none for the embedded judges of the toybox.")
    if called and not any(called in text for text in typed.values()):
        raise UserError(f"evaluate: --called {called!r} is in no prompt of these pictures. Give the words that the prompts have, as they are written there.")
    if not class_noun and any("{}" in text for text in typed.values()):
        raise UserError("evaluate: prompts have {} where the subject goes. Say what it is with --class-noun, the word to judge them by.")
    judges = open_judges("toybox", encoders)
    asked = []
    for n, name in enumerate(shown):
        text = typed.get(name) or ""
        plain = said(text, class_noun) if class_noun and "{}" in text else text
        spoken = said(text, called or class_noun) if class_noun and "{}" in text else text
        asked.append(Asked(name, renamed(plain, called, class_noun or "") if called else plain, spoken, n))
    with progress.task("pictures seen", len(shown)) as task:
        seen = look(asked, list(shown.values()), judges, lambda done: task.at(done, len(shown)))
    known = References.of(list(photos.values()), judges)
    rows, unknown = rows_of_folder(seen, judges, known, class_noun)
    counts = counts_of(seen, list(photos.items()))
    remarks = [*remarks_on(counts), *unknown, *left_out]
    if encoders.clip is None:
        remarks.append("The embedded judges know drawn scenes alone: of photographs their cosines are a hint, no measurement. Name encoders: --clip, --dino.")
    rows += photos_against_photos(known)
    found = {"encoders": judges.names, "measured": measured(rows), "rows": rows, "counts": counts, "remarks": remarks}
    write_json(folder / "scores.json", found)
    return found


def rows_of_folder(seen: Seen, judges: Judges, known: References, class_noun: str | None, world: WorldQuestions | None = None) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of anybody's pictures, and what could not be asked of them."""
    told, unknown = [n for n, prompt in enumerate(seen.class_prompts) if prompt], seen.class_prompts.count("")
    mend = "Give --prompts FILE, or put captions beside them."
    if not told:
        scores = {name: mean_of(name, values) for name, values in without_prompts(seen, judges, known).items()}
        return [{"name": "pictures", "scores": written(scores)}], [f"Prompts: unknown of {unknown} pictures, so how well they were followed was not scored. {mend}"]
    kinds, seen = kinds_for(class_noun) if class_noun else {}, seen.rows(told)
    rows = [{"name": "pictures", "scores": scores_of(seen, judges, known, world, kinds)}, *rows_by_kind("pictures", seen, judges, known, kinds)]
    return rows, [f"Prompts: unknown of {unknown} pictures, which are left out. {mend}"] if unknown else []


def files_in(folder: Path) -> dict[str, Path]:
    """Every picture file of a folder by its name, in order; UserError where there is none."""
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder of pictures.")
    found = {name: folder / name for name in sorted(os.listdir(folder)) if os.path.splitext(name)[1].lower() in PICTURES and not name.startswith(".") and (folder / name).is_file()}
    if not found:
        raise UserError(f"{folder}: holds no picture ({', '.join(sorted(PICTURES))}).")
    return found


def photos_in(source: Path | str) -> tuple[dict[str, Image.Image], list[str]]:
    """A subject's photos by name, as large as they are, and what could not be read; UserError where nothing can."""
    path = Path(source)
    if toybox_subject(source):
        return {photo.name: photo.image for photo in gather(source, 64) if photo.image}, []
    check_no_run(path)
    if path.is_file() and path.suffix.lower() == ".zip":
        with unpacked(path) as (folder, _):
            return _readable(files_in(folder))
    return _readable({path.name: path} if path.is_file() else files_in(path))


def _readable(files: Mapping[str, Path]) -> tuple[dict[str, Image.Image], list[str]]:
    photos, problems = {}, []
    for name, path in files.items():
        try:
            photos[name] = read(path)
        except UserError as problem:
            problems.append(problem)
    if not photos:
        raise problems[0]
    return photos, [f"Left out of the references: {problem}" for problem in problems]


def _prompts(folder: Path, shown: Mapping[str, Any], file: Path | None) -> dict[str, str]:
    if file is None:
        return captions_of(folder, shown)
    try:
        lines = [line.strip() for line in file.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as problem:
        raise UserError(f"--prompts {file}: cannot be read ({problem}). Give a text file with a prompt a line.") from None
    if len(lines) not in (1, len(shown)):
        raise UserError(f"--prompts {file}: has {len(lines)} prompts for {len(shown)} pictures. Write one line for each, in the order of their names, or one for all.")
    return dict(zip(shown, lines * len(shown) if len(lines) == 1 else lines))


def captions_of(folder: Path, shown: Mapping[str, Any]) -> dict[str, str]:
    """What pictures were asked for, by the captions beside them or what they carry inside."""
    beside = read_captions(folder, [folder / name for name in shown])
    without = [name for name in shown if not beside.get(name) and name.lower().endswith(".png")]
    inside = {name: prompt for name in without if (prompt := read_prompt(folder / name))}
    return {**beside, **inside}
