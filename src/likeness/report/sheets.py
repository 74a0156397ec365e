"""The pictures of a page as PNG sheets, for papers and messages: photos, base and personalized by prompt and seed, prompts by checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from likeness.files.picture import save_picture
from likeness.report.embedding import opened
from likeness.report.grids import contact_sheet
from likeness.report.reading import Drawn, Run
from likeness.report.rows import RunsRow, StepRow, prompt_rows, step_rows

MOST_ROWS, MOST_COLUMNS = 12, 3  # prompts; seeds of the base and of the personalized model
CELL = 128  # px, or the pictures' own size up to twice that


def write_sheets(run: Run) -> list[Path]:
    """Write what the run has pictures for: grid.png (photo | base | personalized, a row a prompt) and steps.png (a row a prompt, a column a checkpoint)."""
    written = []
    rows = prompt_rows(run.drawn)[:MOST_ROWS]
    if rows:
        base, own = ([seed for seed in dict.fromkeys(p.seed for row in rows for p in getattr(row, side))][:MOST_COLUMNS] for side in ("base", "personalized"))
        cells = [
            [*_photo(run.photos, number), *_of_seeds(row.base, base), *_of_seeds(row.personalized, own)] for number, row in enumerate(rows)
        ]  # fmt: skip
        titles = [*(["photo"] if run.photos else []), *(f"base, seed {seed}" for seed in base), *(f"personalized, seed {seed}" for seed in own)]
        written.append(_save(run.folder / "grid.png", cells, [row.prompt for row in rows], titles))
    steps, over_steps = step_rows(run.drawn, MOST_ROWS)
    if steps:
        written.append(_save(run.folder / "steps.png", [_pictures(row.pictures) for row in over_steps], _titles(over_steps), [f"step {step}" for step in steps]))
    return written


def write_runs_sheet(path: Path, rows: Sequence[RunsRow], photos: Sequence[Path], names: Sequence[str]) -> Path:
    """A row a prompt and seed: photo | base | each run, all from the same noise."""
    cells = [[*_photo(photos, number), *_pictures([row.base, *row.pictures])] for number, row in enumerate(rows)]
    return _save(path, cells, _titles(rows), [*(["photo"] if photos else []), "base", *names])


def _titles(rows: Sequence[RunsRow] | Sequence[StepRow]) -> list[str]:
    return [f"{row.prompt} (seed {row.seed})" for row in rows]


def _photo(photos: Sequence[Path], number: int) -> list[Image.Image | None]:
    """The photo beside row `number`: in turn, so that a sheet shows them all."""
    return [opened(photos[number % len(photos)])] if photos else []


def _of_seeds(drawn: Sequence[Drawn], seeds: Sequence[int]) -> list[Image.Image | None]:
    by_seed = {picture.seed: picture for picture in drawn}
    return _pictures([by_seed.get(seed) for seed in seeds])


def _pictures(drawn: Sequence[Drawn | None]) -> list[Image.Image | None]:
    return [opened(picture.path) if picture else None for picture in drawn]


def _save(path: Path, cells: Sequence[Sequence[Image.Image | None]], rows: Sequence[str], columns: Sequence[str]) -> Path:
    edges = [max(picture.size) for row in cells for picture in row if picture]
    save_picture(contact_sheet(cells, rows, columns, cell=min(max([CELL, *edges]), 2 * CELL)), path)  # with the mark of what a model drew
    return path
