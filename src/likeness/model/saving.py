"""Tensors on disk, in safetensors: what the operating system refuses is told as its own error, so that a full disk is known for one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Raises OSError where the system refused; safetensors would hide it in an error of its own."""
    try:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path, dict(metadata) if metadata else None)
    except SafetensorError as problem:
        if refused := re.search(r"os error (\d+)", str(problem)):
            number = int(refused[1])
            raise OSError(number, os.strerror(number), str(path)) from problem
        raise
