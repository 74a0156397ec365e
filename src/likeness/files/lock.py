"""One process at a time works on a run: a file with its pid, which a dead process cannot keep.

A pid alone would lie twice: another program may get the number later, and in containers every program is pid 1 or 7. So
the start of the process is kept beside it, where the system tells it (Linux).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .atomic import write_json
from .errors import UserError


class Active(UserError):
    """A live process holds the lock."""


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock file. Raises Active when a live process holds it; the file of a dead one is taken over."""
    mine = {"pid": os.getpid(), "host": socket.gethostname(), "started": _started(os.getpid())}
    with alone_in(path.parent):
        _refuse_if_held(path)
        write_json(path, mine)
    try:
        yield
    finally:
        if _read(path) == mine:
            path.unlink(missing_ok=True)


def holder(path: Path) -> int | None:
    """The pid of the live process that holds the lock, also of one on another machine; else None."""
    lock = _read(path)
    return lock["pid"] if lock and _lives(lock) else None


def _refuse_if_held(path: Path) -> None:
    lock = _read(path)
    if lock is None or not _lives(lock):
        return
    if lock["host"] == socket.gethostname():
        raise Active(f"{path.parent}: run is active (pid {lock['pid']}). Wait for it, or stop it first.")
    where = f"pid {lock['pid']} on {lock['host']}"
    raise Active(f"{path.parent}: run is active ({where}). If it no longer runs there, delete {path.name} in that folder.")


def _read(path: Path) -> dict[str, Any] | None:
    """What the lock file says, or None if there is none or it says nothing sensible."""
    try:
        lock = json.loads(path.read_text(encoding="utf-8"))
        return {"pid": int(lock["pid"]), "host": str(lock["host"]), "started": lock["started"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _lives(lock: dict[str, Any]) -> bool:
    if lock["host"] != socket.gethostname():
        return True  # nobody can tell from here
    return lock["pid"] > 0 and _runs(lock["pid"]) and lock["started"] == _started(lock["pid"])


def _runs(pid: int) -> bool:
    if os.name == "nt":  # os.kill would end the process
        import ctypes

        return bool(ctypes.windll.kernel32.OpenProcess(0x1000, False, pid))  # pyright: ignore[reportAttributeAccessIssue]
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True


def _started(pid: int) -> str | None:
    """Clock ticks from boot to the start of the process; None where the system does not tell, or for a zombie."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if state == "Z" else fields[18]


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Alone of all processes that ask for the same folder: between reading a stale lock and writing a new one, a picture's number and its line."""
    try:
        import fcntl
    except ImportError:  # Windows: the race stays open for a millisecond
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems know no flock
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
