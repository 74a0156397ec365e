"""docs/results.md is what its command writes from the figures that lie beside it."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

from likeness.files.recipe import content_of
from likeness.methods import packaged_recipes, packaged_sweeps

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def results(monkeypatch):
    """benchmarks/results.py, as its command loads it."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("results", BENCHMARKS / "results.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


def test_the_page_is_what_the_figures_say(results, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "PAGE", tmp_path / "results.md")
    results.main()
    assert (tmp_path / "results.md").read_text("utf-8") == (ROOT / "docs" / "results.md").read_text("utf-8")


def test_no_figures_are_left_off_the_page(results):
    assert {path.stem for path in results.FIGURES.glob("*.json")} <= set(results.SECTIONS)


def test_recipes_say_what_was_measured_with_them(results):
    """The figures in their first lines are means of those that the page is made of."""
    figures = {name: json.loads((results.FIGURES / f"{name}.json").read_text("utf-8")) for name in ("grid", "studies")}
    scores = [(cell["recipe"], cell["scores"]) for cell in figures["grid"]["cells"]]
    scores += [(line["recipe"], line["scores"]) for line in figures["studies"]["regimes"]]

    def mean(recipe: str, score: str) -> str:
        values = [found[score] for name, found in scores if name == recipe.replace("prior_weight=1.0", "prior_weight=1")]
        return f"{sum(values) / len(values):.3f}".removeprefix("0")

    told = 0
    for name, path in packaged_recipes().items():
        if found := re.search(r"ten subjects: DINO (\S+), CLIP-T (\S+), sameness (\S+) ", path.read_text("utf-8")):
            assert found.groups() == tuple(mean(name, score) for score in ("dino", "clip_t_class", "diversity")), name
            told += 1
    for name, path in packaged_sweeps().items():
        (figures_told,) = re.findall(r"in the order below: DINO ([^(]+) \(", path.read_text("utf-8"))
        assert figures_told.split(", ") == [mean(recipe, "dino") for recipe in content_of(path)["recipes"]], name
        told += 1
    assert told == 11
