"""The grid: only missing cells run, a stopped one goes on, and the table says what each recipe costs."""

from __future__ import annotations

import json

import pytest

from likeness.files.errors import UserError
from likeness.workflow import comparing
from likeness.workflow.comparing import compare, table
from likeness.workflow.progress import Silent

LORA = '[[stages]]\nmethod = "lora"\nsteps = {steps}\nrank = 2\n'
WORD = '[[stages]]\nmethod = "textual_inversion"\nsteps = 1\nvectors = 3\n'


@pytest.fixture
def recipes(tmp_path, monkeypatch):
    monkeypatch.setattr(comparing, "PROMPTS", 1)
    (tmp_path / "small.toml").write_text(LORA.format(steps=1))
    (tmp_path / "word.toml").write_text(WORD)
    return [str(tmp_path / "small.toml"), str(tmp_path / "word.toml")]


def test_only_missing_cells_run(recipes, tmp_path):
    first = compare(recipes[:1], ["toybox:biscuit"], [0], tmp_path / "grid", Silent())
    journals = {path: path.stat().st_mtime_ns for path in (tmp_path / "grid").glob("*/journal.jsonl")}
    second = compare(recipes, ["toybox:biscuit"], [0], tmp_path / "grid", Silent())
    assert second["cells"][0] == first["cells"][0] and len(list((tmp_path / "grid").glob("*/run.json"))) == 2
    assert all(path.stat().st_mtime_ns == moment for path, moment in journals.items())
    assert second["rows"][1]["parameters"] == 3 * 192 and second["rows"][0]["bytes"] > second["rows"][1]["bytes"]
    cell = second["cells"][0]
    assert cell["ceiling"]["placed"] == 1 and cell["ceiling"]["named"] > cell["floor"]["named"] and 0 <= cell["scores"]["placed"] <= 1
    said = table(second)
    assert "small" in said and "word less small, DINO" in said
    assert json.loads((tmp_path / "grid" / "compare.json").read_text())["rows"][0]["recipe"] == "small"
    (tmp_path / "small.toml").write_text(LORA.format(steps=2))
    compare(recipes[:1], ["toybox:biscuit"], [0], tmp_path / "grid", Silent())
    assert len(list((tmp_path / "grid").glob("small-*/run.json"))) == 2


def test_a_method_may_have_options(monkeypatch, tmp_path):
    cells = []
    monkeypatch.setattr(comparing, "_run", lambda cell, *_: cells.append(cell))
    monkeypatch.setattr(comparing, "_line", lambda cell, run: {"recipe": cell.recipe, "scores": {}, "subject": "", "seed": 0} | dict.fromkeys(comparing.COSTS))
    compare(["lora:rank=2,alpha=4,checkpoints=[100,200]", "custom_diffusion:trained=all"], ["toybox:biscuit"], [0], tmp_path, Silent())
    lora, custom = (cell.asked.stages[0] for cell in cells)
    assert (lora.rank, lora.alpha, lora.checkpoints, custom.trained) == (2, 4.0, (100, 200), "all") and cells[0].name.startswith("lora-rank-2")
    for wrong, says in (("lora:rank", "is no option"), ("lora:ranc=2", "unknown option"), ("lora:rank=many", "rank"), ("two_stage:steps=3", "takes no options")):
        with pytest.raises(UserError, match=says):
            compare([wrong], ["toybox:biscuit"], [0], tmp_path, Silent())


def test_an_unknown_recipe_is_named(tmp_path):
    with pytest.raises(UserError, match="did you mean"):
        compare(["dreambuth"], ["toybox:biscuit"], [0], tmp_path, Silent())


@pytest.mark.parametrize(("content", "says"), [(None, "No such file"), ("stages = [", "not valid TOML"), ("base = 'toybox'", "has no stages")])
def test_a_recipe_file_that_cannot_be_read_is_one_line(content, says, tmp_path):
    if content is not None:
        (tmp_path / "recipe.toml").write_text(content)
    with pytest.raises(UserError, match=says):
        compare([str(tmp_path / "recipe.toml")], ["toybox:biscuit"], [0], tmp_path, Silent())


def test_another_base_needs_encoders_before_anything_is_trained(tiny_folder, tmp_path):
    with pytest.raises(UserError, match="Name encoders"):
        compare(["lora"], ["toybox:biscuit"], [0], tmp_path / "grid", Silent(), base=str(tiny_folder))
    assert not (tmp_path / "grid").exists()
