"""Paths and options as a shell takes them: named commands are there to be typed."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def typed(path: Path | str) -> str:
    """The path, in quotes where a shell would take it for several words."""
    return subprocess.list2cmdline([str(path)]) if os.name == "nt" else shlex.quote(str(path))


def encoders_for(base: str) -> str:
    """What `evaluate` has to be told of a base; nothing of the toybox, which has judges of its own."""
    return "" if base == "toybox" else " --clip openai/clip-vit-base-patch32 --dino facebook/dino-vits16"


def flags(options: Mapping[str, Any]) -> str:
    """{"prior_weight": 0.5, "checkpoints": [1, 2]} as "--prior-weight 0.5 --checkpoints 1,2"."""
    return " ".join(_flag(name.replace("_", "-"), value) for name, value in options.items())


def _flag(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name} {typed(','.join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))}"
