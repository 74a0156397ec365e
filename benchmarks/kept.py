"""Runs that are there already, which no benchmark trains again."""

from pathlib import Path

from likeness.files.run_folder import RunFolder


def finished(runs: Path, pattern: str) -> RunFolder | None:
    """The newest finished run of a folder whose name matches; None if there is none."""
    known = [RunFolder.open(path.parent) for path in sorted(runs.glob(f"{pattern}/run.json"))]
    return next((run for run in reversed(known) if run.record().status == "finished"), None)
