"""Paths as a shell takes them: named commands are there to be typed."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path


def typed(path: Path | str) -> str:
    """The path, in quotes where a shell would take it for several words."""
    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))
