"""Score a folder of pictures, whoever drew them, against photos of the subject: other people's systems get every number that a run gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from ..evaluation import metrics
from ..evaluation.statistics import bootstrap
from ..files.atomic import write_json
from ..files.captions import read_captions
from ..files.decoding import Unreadable, decode
from ..files.errors import UserError
from ..files.picture import read_settings
from .progress import Progress
from .scoring import References, Seen, copied, open_judges, photos_against_photos, scores_of

ENOUGH = 4096  # pixels a side: a large photograph is not reduced before an encoder's own preprocessing sees it
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".heic"}


def evaluate_folder(
    folder: Path, references: Path, progress: Progress, *, prompts: Path | None = None, called: str | None = None, class_noun: str | None = None,
    clip: str | None = None, dino: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Score the pictures of a folder and write scores.json into it.

    references  photos of the subject
    prompts     a text file with a prompt a line, in the order of the pictures' names, or one for all; None: captions beside the pictures, or what they carry inside
    called      what the prompts call the subject ("sks dog"), for which the class noun is put to judge them; None: they are judged as they are
    """
    shown, photos = pictures_in(folder), pictures_in(references)
    asked = _prompts(folder, shown, prompts)
    if called and not class_noun:
        raise UserError(f"evaluate: --called {called!r} needs --class-noun, the word to judge its prompts by.")
    if bool(clip) != bool(dino):
        raise UserError("evaluate: give both encoders, --clip and --dino, or none for the embedded judges of the toybox.")
    judges = open_judges("toybox", clip, dino)
    with progress.task("pictures seen", len(shown)) as task:
        images = list(shown.values())
        typed = [asked.get(name) or "" for name in shown]
        seen = Seen.of(list(shown), images, [text.replace(called, class_noun or "") if called else text for text in typed], typed, judges)
        known = References.of(list(photos.values()), judges)
        task.at(len(shown), len(shown))
    remarks = copied(seen, list(photos.items()))
    if blank := seen.blank:
        remarks.append(f"{blank} of {len(shown)} pictures are black.")
    if all(typed):
        scores = scores_of(seen, judges, known)
    else:
        remarks.append(f"Prompts: unknown of {typed.count('')} pictures, so how well they were followed was not scored. Give --prompts FILE, or put captions beside them.")
        scores = {
            name: asdict(bootstrap(values)) for name, values in (
                ("dino", metrics.subject_similarity_mean(seen.dino, known.dino)), ("dino_max", metrics.subject_similarity_max(seen.dino, known.dino)),
                ("clip_i", metrics.subject_similarity_mean(seen.clip, known.clip)),
            )
        }  # fmt: skip
    if clip is None and dino is None:
        remarks.append("The embedded judges know drawn scenes alone: of photographs their cosines are a hint, no measurement. Name encoders: --clip, --dino.")
    found = {"encoders": {"clip": judges.clip.name, "dino": judges.dino.name}, "rows": [{"name": "pictures", "scores": scores}, *photos_against_photos(known)], "remarks": remarks}
    write_json(folder / "scores.json", found)
    return found


def pictures_in(folder: Path) -> dict[str, Image.Image]:
    """Every picture of a folder by its name, in order; UserError for one that cannot be read, or where there is none."""
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder of pictures.")
    found = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            try:
                found[path.name] = decode(path, ENOUGH).image
            except Unreadable as problem:
                raise UserError(f"{path}: {problem}. Take it out of the folder, or mend it.") from None
    if not found:
        raise UserError(f"{folder}: holds no picture ({', '.join(sorted(SUFFIXES))}).")
    return found


def _prompts(folder: Path, shown: Mapping[str, Any], file: Path | None) -> dict[str, str]:
    if file is None:
        beside = read_captions(folder, [folder / name for name in shown])
        inside = {name: settings.prompt for name in shown if name.lower().endswith(".png") and (settings := read_settings(folder / name))}
        return {**inside, **beside}
    try:
        lines = [line.strip() for line in file.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as problem:
        raise UserError(f"--prompts {file}: cannot be read ({problem}). Give a text file with a prompt a line.") from None
    if len(lines) not in (1, len(shown)):
        raise UserError(f"--prompts {file}: has {len(lines)} prompts for {len(shown)} pictures. Write one line for each, in the order of their names, or one for all.")
    return dict(zip(shown, lines * len(shown) if len(lines) == 1 else lines))
