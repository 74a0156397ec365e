"""The page's part about guided attention: what is there is shown in its place, what is not leaves no trace, and nothing foreign comes in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from likeness.report.blended import _pairs, _shown, _side_by_side, _strips
from likeness.report.page import write_report


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Checkpoints 50 and 400, blends of them over α, one by the base, and one edited photo."""
    folder, lines = tmp_path / "dog", []
    kinds = [
        ("base", 0, {}), ("personalized", 50, {}), ("personalized", 400, {}), *(("blended", 400, {"guide": 50, "alpha": alpha, "until": 0.5}) for alpha in (1.0, 0.3)),
        ("blended", 400, {"guide": 0, "alpha": 0.3, "until": 0.5}), ("blended", 200, {"guide": 50, "alpha": 0.3, "until": 0.5}),
        ("edited", 400, {"photo": "my.jpg", "source": "a dog"}),
    ]  # fmt: skip
    (folder / "pictures").mkdir(parents=True)
    for number, (model, step, options) in enumerate(kinds):
        Image.new("RGB", (64, 64), (30 * number, 9, 9)).save(folder / "pictures" / f"{number}.png")
        settings = {"prompt": "a sks dog <b>", "seed": 3, "options": options}
        lines.append({"file": f"{number}.png", "settings": settings, "labels": {"model": model, "checkpoint": step, "class_prompt": "a dog"}})
    lines.append({"file": "../secret.png", "settings": {}, "labels": {"model": "edited"}})
    (folder / "pictures" / "index.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


def names(row: list[Path | None]) -> list[str | None]:
    return [path and path.stem for path in row]


def test_a_blend_stands_beside_both_its_checkpoints(run):
    (table,) = _side_by_side(_shown(run / "pictures"))
    assert table.columns == ["guidance: 50", "edit: 400", "blend"] and names(table.rows[0][1]) == ["1", "2", "3"]


def test_a_strip_runs_over_alpha_from_the_unguided_picture(run):
    (table,) = _strips(_shown(run / "pictures"))
    assert table.columns == ["unguided", "α = 0.3", "α = 1"] and names(table.rows[0][1]) == ["2", "4", "3"]


def test_pairs_are_guidance_by_edit(run):
    (table,) = _pairs(_shown(run / "pictures"))
    assert table.columns == ["edit: 200", "edit: 400"]
    assert [(title, names(row)) for title, row in table.rows] == [("guided by the base", [None, "5"]), ("guided by 50", ["6", "4"])]


def test_the_page_has_the_section_where_there_is_something_to_show(run):
    (run / "attention").mkdir()
    Image.new("RGB", (300, 200), "teal").save(run / "attention" / "dog-checkpoints.png")
    content = {"prompt": "a sks dog", "panels": ["dog-checkpoints.png", "../secret.png"], "columns": [{"title": "step 50", "alike": {"value": 0.25}}, 7]}
    (run / "attention" / "dog.json").write_text(json.dumps(content))
    (run / "attention" / "torn.json").write_text("{")
    page = write_report(run).read_text("utf-8")
    for said in ("Guided attention", "guidance: 50", "α = 0.3", "edit: 200", "my.jpg: a dog → ", "step 50</bdi> 0.25"):
        assert said in page, said
    assert "<b>" not in page and "&lt;b&gt;" in page and "secret" not in page
    assert 'class="side own">Personalized' in page  # the edited photo is none of the run's own scenes
    for path in (run / "pictures").glob("[3-7].png"):
        path.unlink()
    assert "3.png</bdi> cannot be read" in write_report(run).read_text("utf-8")


def test_a_run_without_blends_has_no_such_section(run):
    lines = (run / "pictures" / "index.jsonl").read_text().splitlines()[:3]
    (run / "pictures" / "index.jsonl").write_text("\n".join(lines))
    assert "Guided attention" not in write_report(run).read_text("utf-8")
