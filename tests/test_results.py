"""docs/results.md is what its command writes from the figures that lie beside it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_page_is_what_the_figures_say(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("results", ROOT / "benchmarks" / "results.py")
    results = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "results", results)  # dataclasses look their module up
    spec.loader.exec_module(results)  # type: ignore[union-attr]
    monkeypatch.setattr(results, "PAGE", tmp_path / "results.md")
    results.main()
    assert (tmp_path / "results.md").read_text("utf-8") == (ROOT / "docs" / "results.md").read_text("utf-8")
