"""run.json: what a run is and how it stands."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .atomic import write_json
from .checkpoints import SCHEMA_VERSION, refuse_newer
from .errors import UserError

RECORDED_PACKAGES = ("likeness", "torch", "diffusers", "transformers", "safetensors", "numpy", "pillow")


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@functools.cache
def installed_versions() -> dict[str, str]:
    """Read from the installed packages' metadata: asking the packages would import torch."""
    versions = {"python": platform.python_version()}
    for package in RECORDED_PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions


class RunRecord(BaseModel):
    """The content of run.json. Further keys may be added."""

    model_config = ConfigDict(frozen=True, extra="allow")

    schema_version: int = SCHEMA_VERSION
    status: Literal["running", "paused", "finished", "failed"] = "running"
    created: str = Field(default_factory=now)
    updated: str = Field(default_factory=now)
    pid: int | None = None
    exit_reason: str | None = None
    seed: int | None = None
    base: str | None = None
    base_hash: str | None = None
    lineage: dict[str, Any] | None = None  # the run it grew from: {"run", "step", "changed", of a stage on it "chosen"}; or what was "merged", or "imported"
    then: list[dict[str, Any]] | None = None  # how its recipe goes on after it: of each child run to come, the options that change
    versions: dict[str, str] = Field(default_factory=lambda: dict(installed_versions()))


def write_record(folder: Path, record: RunRecord) -> None:
    write_json(folder / "run.json", record.model_dump())


def read_record(folder: Path) -> RunRecord:
    """Raises UserError if no run lies there, or one of a newer likeness."""
    path = folder / "run.json"
    if not path.is_file():
        raise UserError(f"{folder}: no run lies here (run.json is missing). Give the folder of a run.")
    content = read_json(path)
    try:
        refuse_newer(folder, int(content.get("schema_version", SCHEMA_VERSION)))
        return RunRecord.model_validate(content)
    except (ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not the record of a run. Restore it, or start a new run.") from error


def read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON. Restore it, or start a new run.") from error
