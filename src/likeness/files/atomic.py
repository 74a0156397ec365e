"""Writing that happens wholly or not at all: no reader meets half a file, also not after `kill -9` or on a full disk.

The content goes to a hidden neighbour, reaches the disk (fsync) and takes the name in one step (os.replace). File modes
follow the umask. A symbolic link of that name is replaced by the file; what it pointed to stays as it was.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from .errors import UserError

HIDDEN = ".tmp-"  # the start of the name of everything unfinished


def hidden_name() -> str:
    """A name that no other process uses. Not from `random`: the seeds of a run stay untouched."""
    return HIDDEN + secrets.token_hex(8)


def write_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(hidden_name())
    try:
        with open(hidden, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(hidden, path)
    except OSError as problem:  # of the file that was asked for, not of its hidden neighbour
        _remove(hidden)
        raise OSError(problem.errno, problem.strerror, str(path)) from problem
    except BaseException:
        _remove(hidden)
        raise
    sync_folder(path.parent)


def _remove(hidden: Path) -> None:
    with suppress(OSError):
        hidden.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def write_json(path: Path, content: Any) -> None:
    write_text(path, json.dumps(content, indent=2) + "\n")


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write a whole .jsonl file."""
    write_text(path, "".join(json.dumps(record) + "\n" for record in records))


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Add one line to a .jsonl file; on a full disk the file stays as it was and the OSError goes up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = (json.dumps(record) + "\n").encode()
    with open(path, "a+b", buffering=0) as file:
        end = _end_of_whole_lines(file)
        file.truncate(end)
        try:
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        except OSError:
            file.truncate(end)
            raise


def _end_of_whole_lines(file: BinaryIO) -> int:
    """Where the last whole line ends: a power cut may have left a part of one behind it."""
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return 0
    file.seek(end - 1)
    if file.read(1) == b"\n":
        return end
    file.seek(0)
    return file.read().rfind(b"\n") + 1


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The records of a .jsonl file, [] if there is none. A last line without its end was never written: it is left out."""
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]
    return [_record(path, number, line) for number, line in enumerate(lines, start=1)]


def count_lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise UserError(f"{path}: line {number} is damaged. Remove that line, or the file, and try again.")
    return record


def sync(path: Path) -> None:
    """Force a file's content onto the disk."""
    with open(path, "r+b") as file:  # Windows syncs no file that is open for reading only
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Force a folder's list of names onto the disk. Windows cannot, and needs not."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def follow_umask(paths: Iterable[Path], folder: Path) -> None:
    """Give files the mode that an ordinary new file in `folder` gets: safetensors 0.8 writes 0600 whatever the umask."""
    probe = folder / hidden_name()
    probe.touch(exist_ok=False)
    mode = probe.stat().st_mode & 0o777
    probe.unlink()
    for path in paths:
        path.chmod(mode)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_all(paths: Iterable[Path]) -> str:
    """One for several files, in their order."""
    return hashlib.sha256("".join(map(sha256_of, paths)).encode()).hexdigest()
