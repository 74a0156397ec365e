"""Checkpoints on disk: a folder a step that is there whole or not at all, and that can prove it.

    000800/{whatever was written, complete.json}     complete.json: the step, and bytes and sha256 of each file

A checkpoint is written under a hidden name, sealed with complete.json and renamed. Whatever stays behind when the process
is killed is hidden, or lacks its seal; both are skipped with a reason, and the one before is used.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from .atomic import HIDDEN, follow_umask, hidden_name, sha256_of, sync, sync_folder, write_text
from .errors import UserError

SEAL = "complete.json"
SCHEMA_VERSION = 1


class SealedFile(BaseModel):
    bytes: int
    sha256: str


class Seal(BaseModel):
    """The content of complete.json."""

    schema_version: int = SCHEMA_VERSION
    step: int
    files: dict[str, SealedFile]


@dataclass(frozen=True)
class Checkpoint:
    step: int
    path: Path

    def verify(self) -> None:
        """Hash every file; raises UserError naming the first that is not what was saved."""
        if reason := fault_of(self.path, hashes=True):
            raise UserError(f"{self.path}: {reason}. Use another checkpoint.")


@dataclass(frozen=True)
class Survey:
    """All that lies in a folder of checkpoints: the sound ones, by step, and why each other one is skipped."""

    sound: list[Checkpoint]
    skipped: list[str]


class CheckpointStore:
    """The checkpoints of one kind. `keep`: how many stay, None for all."""

    def __init__(self, folder: Path, keep: int | None = None):
        self.folder = folder
        self.keep = keep

    def save(self, step: int, write: Callable[[Path], None]) -> Checkpoint:
        """Let `write` fill a hidden folder, seal it, name it. On any error nothing of it stays, and the error goes up."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._remove_leftovers()
        hidden, final = self.folder / hidden_name(), self.folder / f"{step:06d}"
        hidden.mkdir()
        try:
            write(hidden)
            _seal(hidden, step)
            _put_in_place(hidden, final)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        sync_folder(self.folder)
        self._prune(step)
        return Checkpoint(step, final)

    def complete(self) -> list[Checkpoint]:
        """Those whose files are all there with the right size, by step. Reads no content."""
        return self._survey(hashes=False).sound

    def survey(self) -> Survey:
        """Sound and skipped ones, every file hashed."""
        return self._survey(hashes=True)

    def latest(self) -> Checkpoint | None:
        """The newest whose hashes are right."""
        newest_first = reversed(self.complete())
        return next((one for one in newest_first if fault_of(one.path, hashes=True) is None), None)

    def damaged_after(self, step: int) -> list[str]:
        """A line for each later one that cannot be used, and why. Every file of those is hashed."""
        later = sorted(path for path in self.folder.iterdir() if path.is_dir() and path.name.isdigit() and int(path.name) > step) if self.folder.is_dir() else []
        return [f"{self.folder.name}/{path.name}: {reason}" for path in later if (reason := fault_of(path, hashes=True))]

    def at(self, step: int) -> Checkpoint:
        """The checkpoint of a step, verified; raises UserError with the steps that exist."""
        found = Checkpoint(step, self.folder / f"{step:06d}")
        if not found.path.is_dir():
            steps = ", ".join(str(one.step) for one in self.complete())
            others = f"There are: {steps}." if steps else "There is none yet."
            raise UserError(f"{self.folder}: no checkpoint of step {step}. {others}")
        found.verify()
        return found

    def _survey(self, hashes: bool) -> Survey:
        survey = Survey([], [])
        folders = sorted(path for path in self.folder.iterdir() if path.is_dir()) if self.folder.is_dir() else []
        for path in folders:
            if reason := fault_of(path, hashes):
                survey.skipped.append(f"{self.folder.name}/{path.name} is skipped: {reason}")
            else:
                survey.sound.append(Checkpoint(int(path.name), path))
        survey.sound.sort(key=lambda checkpoint: checkpoint.step)
        return survey

    def _prune(self, step: int) -> None:
        """Keep the one just written and the newest before it. Later ones are of a future that was abandoned by resuming."""
        if self.keep is None:
            return
        before = [one for one in self.complete() if one.step < step]
        kept = {f"{step:06d}", *(one.path.name for one in before[max(0, len(before) - self.keep + 1) :])}
        for path in list(self.folder.iterdir()):
            if path.name not in kept and path.name.isdigit():
                _remove(path)

    def _remove_leftovers(self) -> None:
        for path in self.folder.glob(f"{HIDDEN}*"):
            shutil.rmtree(path, ignore_errors=True)


def fault_of(folder: Path, hashes: bool) -> str | None:
    """Why a checkpoint cannot be used, or None. Raises UserError if a newer likeness wrote it."""
    if folder.name.startswith(HIDDEN):
        return "it is left over from an interrupted save"
    if not folder.name.isdigit():
        return "its name is no step"
    if not (folder / SEAL).is_file():
        return f"{SEAL} is missing, so it was never finished"
    try:
        seal = Seal.model_validate_json((folder / SEAL).read_bytes())
    except (OSError, ValueError):
        return f"{SEAL} is damaged"
    refuse_newer(folder, seal.schema_version)
    if seal.step != int(folder.name):
        return f"it holds step {seal.step}"
    faults = (_fault_of_file(folder / name, sealed, hashes) for name, sealed in seal.files.items())
    return next((fault for fault in faults if fault), None)


def refuse_newer(path: Path, schema_version: int) -> None:
    if schema_version > SCHEMA_VERSION:
        versions = f"format {schema_version}, this one knows {SCHEMA_VERSION}"
        raise UserError(f"{path}: written by a newer likeness ({versions}). Update with: pip install --upgrade likeness")


def _fault_of_file(path: Path, sealed: SealedFile, hashes: bool) -> str | None:
    if not path.is_file():
        return f"{path.name} is missing"
    if path.stat().st_size != sealed.bytes:
        return f"{path.name} has {path.stat().st_size} bytes instead of {sealed.bytes}"
    if hashes and sha256_of(path) != sealed.sha256:
        return f"{path.name} is not what was saved (its sha256 differs)"
    return None


def _seal(folder: Path, step: int) -> None:
    """Bring all files to the disk, then write the proof that they are whole."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    follow_umask(paths, folder)
    for path in paths:
        sync(path)
    for path in (path for path in folder.rglob("*") if path.is_dir()):
        sync_folder(path)
    files = {path.relative_to(folder).as_posix(): SealedFile(bytes=path.stat().st_size, sha256=sha256_of(path)) for path in paths}
    write_text(folder / SEAL, Seal(step=step, files=files).model_dump_json(indent=2) + "\n")


def _put_in_place(hidden: Path, final: Path) -> None:
    if final.exists():  # a resumed run saves a step again
        _remove(final)
    os.replace(hidden, final)


def _remove(folder: Path) -> None:
    """Hide first, so that nobody meets a half-removed checkpoint."""
    hidden = folder.with_name(hidden_name())
    os.replace(folder, hidden)
    shutil.rmtree(hidden, ignore_errors=True)
