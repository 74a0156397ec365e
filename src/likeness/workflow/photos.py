"""The photos that a recipe names: a folder, a zip, one file, or "toybox:NAME" for a subject of the embedded world."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..files.errors import UserError, did_you_mean
from ..files.recipe import Recipe
from ..files.subject import Photo, prepare_photos
from ..learning.supervised import CAPTIONS
from ..model.folder import find_base, trained_resolution
from ..world.drawing import draw
from ..world.subjects import SUBJECTS, NamedSubject, photos_of

DIGESTED = 64  # pixels of the render that names a toybox's photo, whatever it is trained at
TOYBOX = "toybox:"


def title_of(photos: Path | str) -> str:
    """What runs on them are called by: the name of the folder, the zip or the toybox's subject."""
    if str(photos).startswith(TOYBOX):
        return str(photos).removeprefix(TOYBOX)
    path = Path(os.path.abspath(photos))  # "." has no name
    return path.name if path.is_dir() else path.stem


def toybox_subject(source: Path | str) -> NamedSubject | None:
    """The named subject that "toybox:biscuit" stands for; None for a path."""
    text = str(source)
    if not text.startswith(TOYBOX):
        return None
    name = text.removeprefix(TOYBOX)
    if name not in SUBJECTS:
        raise UserError(f"toybox has no subject {name!r}: {did_you_mean(name, SUBJECTS)} List them: likeness toybox subjects")
    return SUBJECTS[name]


def resolution_for(recipe: Recipe) -> int:
    """Pixels that this recipe trains at: its own, or the base's. Reads configuration files only."""
    return recipe.resolution or trained_resolution(find_base(recipe.base))


def size_of_copies(recipe: Recipe) -> int:
    """Pixels of a run's copies of the photos: what the stage asks that sees most."""
    return max(stage.photo_size(resolution_for(recipe)) for stage in recipe.stages)


def gather_all(recipe: Recipe) -> list[Photo]:
    """The photos of all subjects of a recipe, each followed by those of its class if a folder of them is given."""
    resolution = size_of_copies(recipe)
    photos = []
    for n, subject in enumerate(recipe.subjects):
        photos += [replace(photo, subject=n) for photo in gather(subject.photos, resolution)]
        if subject.class_photos:
            if not any(getattr(stage, "prior_weight", 0) or stage.class_photos_teach for stage in recipe.stages):
                raise UserError(f"class_photos {subject.class_photos}: nothing learns from them, since prior_weight is 0 or the method has none. Add --prior-weight 1, or leave them out.")
            of_class = [replace(photo, subject=n, of_class=True) for photo in gather(subject.class_photos, resolution)]
            own = {photo.sha256 for photo in photos if photo.used and photo.subject == n}
            if shared := [photo.name for photo in of_class if photo.used and photo.sha256 in own]:
                raise UserError(f"class_photos {subject.class_photos}: {', '.join(shared[:3])}{', …' * (len(shared) > 3)} are the subject's own photos, and would teach that every {subject.class_noun} looks like it. Give pictures of others.")
            photos += of_class
    return photos


def check_captions(recipe: Recipe, photos: Sequence[Photo]) -> None:
    """Refuse to caption photos by texts that are not there, in whichever stage; raises UserError."""
    silent = [photo for photo in photos if photo.used and not photo.of_class and not photo.caption]
    if silent and any(getattr(stage, "use_captions", False) for stage in recipe.stages):
        raise UserError(f"use_captions: {silent[0].name} has no caption. {CAPTIONS}")


def check_no_run(folder: Path) -> None:
    """Refuse a run's folder where photos or pictures are asked for: what lies in it are sheets that reports have made."""
    if (folder / "run.json").exists():
        raise UserError(f"{folder}: is a run, not a folder of pictures. Its photos lie in {folder / 'photos'}, what it has drawn in {folder / 'pictures'}.")


def gather(source: Path | str, resolution: int) -> list[Photo]:
    """The photos at resolution x resolution, with what was mended or left out."""
    subject = toybox_subject(source)
    if subject is None:
        check_no_run(Path(source))
        return prepare_photos(Path(source), resolution)
    photos = []
    for n, scene in enumerate(photos_of(subject)):
        image = draw(scene, resolution)
        named = image if resolution == DIGESTED else draw(scene, DIGESTED)
        digest = hashlib.sha256(named.tobytes()).hexdigest()
        photos.append(Photo(f"{subject.name}-{n}", digest, resolution, resolution, (), True, None, image))
    return photos
