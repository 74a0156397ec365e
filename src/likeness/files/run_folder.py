"""Every path and format of a run on disk.

    run.json        RunRecord                        recipe.toml     reproduces the run by itself
    photos.jsonl    every file that was offered      photos/00.png   the copies that are trained on
    journal.jsonl   one line a step                  checkpoints/000800/  resume/000800/  (resume: the newest two)
    previews/       pictures/{index.jsonl, *.png}    attention/*.{png, json}  scores.json  report.html  output/
    drift/{index.jsonl, *.png}       what training should have left alone, drawn before and after
    run.pid         while a process works on it

Each command reads the files before it and writes its own. Steps are counted over all stages of a run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from . import lock
from .atomic import append_line, count_lines, read_lines, write_json, write_lines, write_text
from .checkpoints import Checkpoint, CheckpointStore, Survey
from .errors import UserError
from .picture import Settings, safe_name, save_picture
from .recipe import Recipe, Stage, read_recipe, write_recipe
from .run_record import RunRecord, now, read_json, read_record, write_record
from .subject import Photo

Kind = Literal["checkpoints", "resume"]
Shelf = Literal["pictures", "drift"]  # of the subject; of what training should have left alone
KEPT_RESUME_STATES = 2
STAMP = re.compile(r"-\d{8}-\d{6}(-\d+)?$")  # what `create` puts behind a run's name


def without_time(name: str) -> str:
    """A run folder's name as it was asked for."""
    return STAMP.sub("", name)


@dataclass(frozen=True)
class SavedPicture:
    """A line of pictures/index.jsonl. `labels`: what the caller knows beyond the settings, such as the prompt's number."""

    path: Path
    settings: Settings
    labels: dict[str, Any]

    @property
    def with_others(self) -> bool:
        """Whether another run's LoRA was added, so that it shows more than this run."""
        return " + " in (self.settings.checkpoint or "")


class RunFolder:
    """One run. Made by `create` or `open`."""

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def create(
        cls,
        parent: Path,
        name: str,
        *,
        seed: int | None = None,
        base: str | None = None,
        base_hash: str | None = None,
        lineage: Mapping[str, Any] | None = None,
        moment: datetime | None = None,
    ) -> RunFolder:
        """Make the folder <name>-<local time>, with -2, -3, … if another process was there first."""
        run = cls(_new_folder(parent, f"{safe_name(name)}-{moment or datetime.now():%Y%m%d-%H%M%S}"))
        ancestry = None if lineage is None else dict(lineage)
        write_record(run.path, RunRecord(pid=os.getpid(), seed=seed, base=base, base_hash=base_hash, lineage=ancestry))
        return run

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """A run that exists; raises UserError if none lies there."""
        run = cls(path)
        run.record()
        return run

    @property
    def name(self) -> str:
        return self.path.resolve().name

    # run.json, run.pid

    def record(self) -> RunRecord:
        return read_record(self.path)

    def update(self, **changes: Any) -> RunRecord:
        """Change fields of run.json."""
        record = RunRecord.model_validate({**self.record().model_dump(), **changes, "updated": now()})
        write_record(self.path, record)
        return record

    def status(self) -> str:
        """What run.json says, but "interrupted" if it says running and no process is active: it was killed."""
        status = self.record().status
        return "interrupted" if status == "running" and self.holder() is None else status

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Only one process works on a run; raises UserError with the pid of the other one."""
        with lock.held(self.path / "run.pid"):
            yield

    def holder(self) -> int | None:
        """The pid of the process that works on this run now."""
        return lock.holder(self.path / "run.pid")

    # recipe.toml, photos

    def write_recipe(self, recipe: Recipe) -> None:
        write_text(self.path / "recipe.toml", write_recipe(recipe))

    @property
    def begun(self) -> bool:
        """Whether all that was asked is written down."""
        return (self.path / "recipe.toml").is_file()

    def recipe(self, stage_types: Mapping[str, type[Stage]]) -> Recipe:
        return read_recipe(self.path / "recipe.toml", stage_types)

    def write_photos(self, photos: Sequence[Photo]) -> None:
        """Keep what was offered and copies of what is used: the run no longer needs the originals."""
        lines = []
        for number, photo in enumerate(photos):
            line = {key: value for key, value in vars(photo).items() if key != "image"}
            if photo.image is not None:
                line["picture"] = f"{number:02d}.png"
                save_picture(photo.image, self._folder_of(photo.of_class) / line["picture"], generated=False)
            lines.append(line)
        write_lines(self.path / "photos.jsonl", lines)

    def all_photos(self) -> list[Photo]:
        """The subjects' and the class's."""
        return [*self.photos(), *self.photos(of_class=True)]

    def photos(self, of_class: bool = False) -> list[Photo]:
        """Every photo of the subjects that was offered, or of their classes; those in use with their picture."""
        lines = read_lines(self.path / "photos.jsonl")
        return [self._photo(line) for line in lines if line.get("of_class", False) == of_class]

    def _photo(self, line: dict[str, Any]) -> Photo:
        picture = line.pop("picture", None)
        line["mended"] = tuple(line["mended"])
        if picture is None:
            return Photo(**line)
        path = self._folder_of(line.get("of_class", False)) / Path(picture).name
        try:
            return Photo(**line, image=Image.open(path).convert("RGB"))
        except (OSError, SyntaxError) as error:
            raise UserError(f"{path}: this copy of {line['name']} cannot be read. Restore it, or start a new run.") from error

    def _folder_of(self, of_class: bool) -> Path:
        return self.path / ("class-photos" if of_class else "photos")

    # journal.jsonl

    def append_journal(self, line: Mapping[str, Any]) -> None:
        append_line(self.path / "journal.jsonl", line)

    def journal(self) -> list[dict[str, Any]]:
        return read_lines(self.path / "journal.jsonl")

    def rewind_journal(self, step: int) -> None:
        """Drop the lines after a step: resuming writes them again."""
        write_lines(self.path / "journal.jsonl", [line for line in self.journal() if line.get("step", 0) <= step])

    # checkpoints/, resume/

    def save_checkpoint(self, step: int, write: Callable[[Path], None], kind: Kind = "checkpoints") -> Checkpoint:
        """Let `write` fill a folder; it is there whole or not at all. An OSError, as of a full disk, goes up."""
        return self._store(kind).save(step, write)

    def checkpoints(self, kind: Kind = "checkpoints") -> list[Checkpoint]:
        """The complete ones, by step; their content is not read."""
        return self._store(kind).complete()

    def checkpoint(self, step: int, kind: Kind = "checkpoints") -> Checkpoint:
        """The one of a step, verified; raises UserError with the steps that exist."""
        return self._store(kind).at(step)

    def latest(self, kind: Kind = "checkpoints") -> Checkpoint | None:
        """The newest sound one."""
        return self._store(kind).latest()

    def damaged_after(self, step: int) -> list[str]:
        """A line for each checkpoint after a step that cannot be used, and why."""
        return self._store("checkpoints").damaged_after(step)

    def survey(self, kind: Kind = "checkpoints") -> Survey:
        """The sound ones, and a line for each that is skipped and why."""
        return self._store(kind).survey()

    def _store(self, kind: Kind) -> CheckpointStore:
        return CheckpointStore(self.path / kind, keep=KEPT_RESUME_STATES if kind == "resume" else None)

    # previews/, pictures/, drift/

    def save_preview(self, step: int, number: int, image: Image.Image, settings: Settings) -> Path:
        path = self.path / "previews" / f"{step:06d}-{number:02d}.png"
        save_picture(image, path, settings)
        return path

    def previews(self) -> list[Path]:
        return sorted((self.path / "previews").glob("*.png"))

    def add_picture(self, image: Image.Image, settings: Settings, labels: Mapping[str, Any] | None = None, shelf: Shelf = "pictures") -> Path:
        """Save a generated picture, then its line in the index."""
        folder = self.path / shelf
        folder.mkdir(parents=True, exist_ok=True)
        with lock.alone_in(folder):  # two processes may draw into one run
            number = count_lines(folder / "index.jsonl")
            while (path := folder / f"{number:04d}-{safe_name(settings.prompt)}.png").exists():  # of a line that was removed by hand
                number += 1
            save_picture(image, path, settings)
            append_line(folder / "index.jsonl", {"file": path.name, "settings": settings.model_dump(), "labels": dict(labels or {})})
        return path

    def pictures(self, shelf: Shelf = "pictures") -> list[SavedPicture]:
        """The generated pictures, in order. One that was deleted by hand no longer counts."""
        folder = self.path / shelf
        lines = read_lines(folder / "index.jsonl")
        try:
            saved = [SavedPicture(folder / Path(line["file"]).name, self._marked(Settings(**line["settings"])), line["labels"]) for line in lines]
        except (KeyError, TypeError, ValueError) as problem:
            raise UserError(f"{folder / 'index.jsonl'}: a line says not what its picture was drawn with ({problem!r}). Remove that line, or the file, and draw anew.") from problem
        return [picture for picture in saved if picture.path.is_file()]

    def _marked(self, settings: Settings) -> Settings:
        """With this run's name in the mark of the checkpoint: the folder may have been called otherwise when the picture was drawn."""
        own, plus, others = (settings.checkpoint or "").partition(" + ")
        before, slash, step = own.rpartition("/")
        return settings if not slash or before == self.name else settings.model_copy(update={"checkpoint": f"{self.name}/{step}{plus}{others}"})

    # attention/

    def write_attention(self, prompt: str, panels: Mapping[str, Image.Image], content: Mapping[str, Any]) -> list[Path]:
        """Panels of where a prompt's words are looked for, by name, then what they show as numbers. Those of the same prompt are replaced."""
        folder, name = self.path / "attention", f"{safe_name(prompt, 48)}-{hashlib.sha256(prompt.encode()).hexdigest()[:8]}"  # names of two prompts may begin alike
        paths = [folder / f"{name}-{part}.png" for part in panels]
        for path, panel in zip(paths, panels.values()):
            save_picture(panel, path)
        write_json(folder / f"{name}.json", {**content, "panels": [path.name for path in paths]})
        return [*paths, folder / f"{name}.json"]

    # scores.json, report.html, output/

    def write_scores(self, scores: Mapping[str, Any]) -> None:
        write_json(self.path / "scores.json", dict(scores))

    def scores(self) -> dict[str, Any] | None:
        """None if the run was not evaluated."""
        path = self.path / "scores.json"
        return read_json(path) if path.is_file() else None

    def output(self, name: str) -> Path:
        """A folder for what the user takes away, made if it is not there: output/<name>."""
        path = self.path / "output" / name
        path.mkdir(parents=True, exist_ok=True)
        return path


def _new_folder(parent: Path, name: str) -> Path:
    """An exclusive mkdir decides between processes that start in the same second."""
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for number in range(1, 10_000):
            path = parent / (name if number == 1 else f"{name}-{number}")
            with contextlib.suppress(FileExistsError):
                path.mkdir()
                return path
    except OSError as error:
        raise UserError(f"{parent}: no run can be kept here ({error.strerror}). Choose another folder.") from error
    raise UserError(f"{parent}: 9999 runs of the same second lie here. Try again in a second.")
