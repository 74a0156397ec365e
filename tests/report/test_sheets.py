"""Sheets hold what the page holds, and carry the mark of generated pictures."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from likeness.report.page import write_report
from likeness.report.reading import read_run
from likeness.report.sheets import write_sheets

from .conftest import drawn, write_lines

GAP, CELL = 6, 128


def centre(sheet: Image.Image, from_right: int, from_bottom: int) -> tuple[int, ...]:
    """The colour of a cell, counted from the lower right corner, where no titles stand."""
    at = sheet.width - GAP - CELL // 2 - from_right * (CELL + GAP), sheet.height - GAP - CELL // 2 - from_bottom * (CELL + GAP)
    return sheet.getpixel(at)  # type: ignore[return-value]


def test_a_run_has_a_sheet_of_photo_base_and_personalized(run: Path):
    write_report(run)
    with Image.open(run / "grid.png") as sheet:
        assert [centre(sheet, column, 0) for column in (0, 1, 2, 3)] == [(180, 9, 9), (60, 9, 9), (120, 9, 9), (0, 9, 9)]
        assert centre(sheet, 4, 0) == (0, 128, 128) and "trainedAlgorithmicMedia" in str(sheet.info)
    assert not (run / "steps.png").exists()


def test_several_checkpoints_have_a_sheet_by_step(run: Path):
    lines = [drawn(f"{n}.png", "a sks dog", class_prompt="a dog", model="personalized", checkpoint=100 * n) for n in (1, 2, 3)]
    write_lines(run / "pictures" / "index.jsonl", lines)
    assert [path.name for path in write_sheets(read_run(run))] == ["grid.png", "steps.png"]
    with Image.open(run / "steps.png") as sheet:
        assert [centre(sheet, column, 0)[0] for column in (0, 1, 2)] == [180, 120, 60]


def test_a_run_without_pictures_has_no_sheet(run: Path):
    (run / "pictures" / "index.jsonl").unlink()
    assert write_sheets(read_run(run)) == []
