"""How every weight file for another tool is written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from ..files.atomic import follow_umask, hidden_name
from ..files.errors import UserError
from ..model.saving import save_tensors


def check_finite(what: str, tensors: Mapping[str, Tensor]) -> None:
    for name, value in tensors.items():
        if not torch.isfinite(value).all():
            raise UserError(f"{what}: {name} holds a number that is not finite, so every tool would draw black pictures. Export an earlier checkpoint.")


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> Path:
    """A safetensors file that appears whole or not at all, in the mode of an ordinary file; UserError on a number that is not finite."""
    check_finite(path.name, tensors)
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(hidden_name())
    try:
        save_tensors(tensors, hidden, {"format": "pt", **(metadata or {})})
        follow_umask([hidden], path.parent)
        hidden.replace(path)
    finally:
        hidden.unlink(missing_ok=True)
    return path
