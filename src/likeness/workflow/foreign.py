"""Pictures that other people's systems drew for a benchmark, scored as a run's are.

A folder for each subject, pictures in it. What each was asked for is told by a caption beside it or inside it, with the class noun for the subject; or by its
name, which then begins with the number of its prompt, counted from 0: biscuit/03-1.png.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ..evaluation.benchmark import kinds_for
from ..evaluation.options import Encoders
from ..files.atomic import write_json
from ..files.errors import UserError
from ..files.picture import safe_name
from ..files.prompts import said
from ..files.run_record import read_json
from .cells import Drawing
from .folders import captions_of, files_in, rows_of_folder
from .looking import Asked, Judges, References, look, open_judges
from .photos import TOYBOX, gather, title_of, toybox_subject
from .scoring import counts_of, measured, remarks_on
from .truth import WorldScores, bounds, bounds_remarks, candidates_for

SIDE = 512  # pixels that photos of real subjects are compared at where no run has copies of them


@dataclass(frozen=True)
class Theirs:
    """Somebody's pictures of one subject, by name: the prompt of each, and where they are."""

    system: str
    subject: str
    class_noun: str
    files: dict[str, Path]
    prompts: dict[str, str]


def theirs(system: str, folder: Path, photos: str, class_noun: str, drawing: Drawing) -> Theirs:
    """What a system drew of a subject, as far as it is asked; UserError where it has no folder, or a picture does not tell its prompt."""
    name = Path(photos.removeprefix(TOYBOX)).name
    files = files_in(folder / name)
    templates = drawing.templates(class_noun, toybox_subject(photos) is not None)
    asked = [said(template, class_noun) for template in templates]
    every = [said(template, class_noun) for template in Drawing(drawing.benchmark).templates(class_noun, toybox_subject(photos) is not None)]
    told = captions_of(folder / name, files)
    counted: Counter[str] = Counter()
    prompts: dict[str, str] = {}
    for file in files:
        number = re.match(r"\d+", file)
        if not told.get(file) and (number is None or int(number[0]) >= len(every)):
            raise UserError(f"{folder / name / file}: does not tell its prompt. Put a caption beside it, or begin its name with the prompt's number, 0 to {len(every) - 1}.")
        prompt = told.get(file) or every[int(number[0])]  # type: ignore[index]
        if prompt in asked and counted[prompt] < len(drawing.seeds):
            counted[prompt] += 1
            prompts[file] = prompt
    if not prompts:
        other = next((f" {file} says that it was asked for {prompt!r}." for file, prompt in told.items() if prompt), "")
        raise UserError(f"{folder / name}: has no picture of the prompts that are asked, such as {asked[0]!r}, said with the class noun.{other} A caption beside a picture is believed before what stands inside it.")
    return Theirs(system, photos, class_noun, {file: files[file] for file in prompts}, prompts)


def scores_of_theirs(found: Theirs, parent: Path, encoders: Encoders, side: int | None = None) -> dict[str, Any]:
    """Their scores, kept beside the grid's runs and measured again only where pictures, photos or judges are others.

    side  pixels of the photos that they are compared with: those of the runs in the same table
    """
    judges = open_judges("toybox", encoders)
    photos = [(photo.name, photo.image) for photo in gather(found.subject, side or (64 if toybox_subject(found.subject) else SIDE)) if photo.image]
    digest = hashlib.sha256(b"".join(image.tobytes() for _, image in photos))
    for name, path in found.files.items():
        digest.update(f"{name}\0{found.prompts[name]}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    kept = parent / f"{safe_name(f'{found.system} {title_of(found.subject)}')}.json"
    known = read_json(kept) if kept.is_file() else {}
    if (known.get("of"), known.get("encoders")) == (digest.hexdigest(), judges.names):
        return known
    scores = {"of": digest.hexdigest(), "encoders": judges.names, **_scored(found, photos, judges)}
    write_json(kept, scores)
    return scores


def _scored(found: Theirs, photos: list[tuple[str, Image.Image]], judges: Judges) -> dict[str, Any]:
    subject = toybox_subject(found.subject)
    references = References.of([image for _, image in photos], judges)
    world = WorldScores(subject, candidates_for(subject, judges, references.dino), judges) if subject else None
    asked = [Asked(name, prompt, prompt, n) for n, (name, prompt) in enumerate(found.prompts.items())]
    seen = look(asked, list(found.files.values()), judges)
    rows, _ = rows_of_folder(seen, judges, references, found.class_noun, world)
    prompts = set(found.prompts.values())
    rows += bounds(world, prompts, judges, references, kinds_for(found.class_noun))
    counts = counts_of(seen, photos)
    return {"measured": measured(rows), "rows": rows, "counts": counts, "remarks": remarks_on(counts) + bounds_remarks(world, prompts)}


def kinds_in(rows: Sequence[dict[str, Any]], name: str, class_noun: str) -> dict[str, dict[str, Any]]:
    """The rows of single applications, by application."""
    return {kind: row["scores"] for row in rows for kind in set(kinds_for(class_noun).values()) if row["name"] == f"{name}, {kind}"}
