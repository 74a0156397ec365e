"""docs/results.md is what its command writes from the figures that lie beside it."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
BENCHMARKS = ROOT / "benchmarks"


def loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """benchmarks/NAME.py, as its command loads it."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, name, module)  # dataclasses look their module up
    spec.loader.exec_module(module)  # type: ignore[union-attr]
    return module


@pytest.fixture
def results(monkeypatch):
    return loaded("results", monkeypatch)


@pytest.fixture
def everything(monkeypatch):
    return loaded("everything", monkeypatch)


def test_the_page_is_what_the_figures_say(results, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "PAGE", tmp_path / "results.md")
    monkeypatch.setattr(results, "told", dict)
    results.main()
    assert (tmp_path / "results.md").read_text("utf-8") == (ROOT / "docs" / "results.md").read_text("utf-8")


def test_the_guide_says_of_each_claim_what_the_page_says(results):
    page, guide = results.PAGE.read_text("utf-8"), json.loads((results.HERE.parent / "src/likeness/report/guide/data/figures.json").read_text("utf-8"))
    rows = {row[1]: row for row in (line.split(" | ") for line in page.splitlines() if line.startswith("| ")) if len(row) == 4}
    said = {cells[0].removeprefix("| "): (cells[1], cells[3].removesuffix(" |")) for cells in rows.values()}
    assert guide["comparison"]["claims"] and all(said[claim["says"]] == (claim["difference"], claim["verdict"]) for claim in guide["comparison"]["claims"])


def test_no_figures_are_left_off_the_page(results):
    assert {path.stem for path in results.FIGURES.glob("*.json")} <= set(results.SECTIONS)


def test_recipes_say_what_was_measured_with_them(results):
    """The figures in their first lines are means of those that the page is made of."""
    told = results.told()
    assert {path: path.read_text("utf-8") for path in told} == told
    assert sum(f"{before} DINO ." in text for text in told.values() for before in ("ten subjects:", "in the order below:")) == 11


def test_everything_makes_all_figures_but_those_of_the_machine_and_the_past(results, everything, tmp_path):
    jobs = everything.jobs(tmp_path, tmp_path)
    made = {everything.PAGE.get(job.name, job.name) if job.written.stem == "compare" else "ddpo" if job.name in everything.WAYS else job.written.stem for job in jobs if job.written}
    assert made == set(results.SECTIONS) - {"steps", "real_size", "scoring", "first_base"}
    names = [job.name for job in jobs]
    assert len(set(names)) == len(names) and {after for job in jobs for after in job.after} <= set(names)


def test_jobs_run_in_their_order_and_what_failed_goes_on(everything, tmp_path, monkeypatch, capsys):
    order = tmp_path / "order"

    def job(name: str, *after: str, fails: bool = False) -> Any:
        said = f"open({str(order)!r}, 'a').write({name!r} + ' '); assert not {fails}"
        return everything.Job(name, [sys.executable, "-c", said], list(after))

    monkeypatch.setattr(sys, "argv", ["everything.py", str(tmp_path / "runs")])
    monkeypatch.setattr(everything, "jobs", lambda runs, figures: [job("last", "first"), job("first"), job("broken", "first", fails=True), job("never", "broken")])
    with pytest.raises(SystemExit, match="not made: broken, never"):
        everything.main()
    assert order.read_text().split()[0] == "first" and sorted(order.read_text().split()) == ["broken", "first", "last"]
    monkeypatch.setattr(everything, "jobs", lambda runs, figures: [job("last", "first"), job("first"), job("broken"), job("never", "broken")])
    everything.main()
    assert order.read_text().split()[-2:] == ["broken", "never"] and len(order.read_text().split()) == 5
    assert "benchmarks/results.py" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--only", "firts"])
    with pytest.raises(SystemExit, match="firts: the jobs are last, first"):
        everything.main()


def test_runs_of_another_base_are_refused_and_other_judges_measure_anew(everything, tmp_path, monkeypatch):
    (toybox := tmp_path / "toybox").mkdir()
    monkeypatch.setattr(sys.modules["weights"], "TOYBOX", toybox)
    for name in ("base", "upscaler", "judges/clip", "judges/examiner"):
        (toybox / name).mkdir(parents=True)
        (toybox / name / "model.safetensors").write_bytes(b"first")
    (advice := toybox / "base" / "likeness.json").write_text('{"sampling": {"steps": 25}, "lora": {"rank": 4}}')
    jobs = everything.jobs(runs := tmp_path / "runs", runs)

    def left_of(*names: str) -> set[str]:
        for name in names:
            (runs / "done" / name).touch()
        everything.begin(runs, jobs)
        return {path.name for path in (runs / "done").iterdir()}

    everything.begin(runs, jobs)
    every = ("grid", "cascade", "world")
    assert left_of(*every) == set(every)
    (toybox / "judges" / "examiner" / "model.safetensors").write_bytes(b"other")
    assert left_of(*every) == {"grid", "cascade"}
    (toybox / "upscaler" / "model.safetensors").write_bytes(b"other")
    assert left_of(*every) == {"grid"}
    (toybox / "judges" / "clip" / "model.safetensors").write_bytes(b"other")
    assert left_of(*every) == set()
    advice.write_text('{"sampling": {"steps": 25}, "lora": {"rank": 8}}')
    assert left_of(*every) == set(every)
    advice.write_text('{"sampling": {"steps": 20}, "lora": {"rank": 8}}')
    with pytest.raises(SystemExit, match="Begin in a new folder"):
        everything.begin(runs, jobs)


def test_figures_older_than_the_weights_say_so(results):
    of, now = {"base": "1", "judges": "1"}, {"base": "2", "judges": "1", "upscaler": "1"}
    outdated = sys.modules["weights"].outdated
    assert not outdated({"grid": of}, of) and not outdated({}, now)
    assert outdated({"grid": of}, now) == "**These figures are older than the base embedded now.**"
    assert outdated({"cost": of, "report": now}, now) == "**Some of these figures (cost) are older than the base embedded now.**"
    figures = json.loads((results.FIGURES / "style.json").read_text("utf-8"))
    title, _, note = results.section("style", figures | {"measured with": {"style": of}}, now).split("\n")[:3]
    assert title.startswith("## ") and note == outdated({"style": of}, now)


def test_rows_of_a_table_were_measured_with_the_same_weights(results, monkeypatch):
    studies, (old, new) = sys.modules["sections.studies"], ({"base": "1"}, {"base": "2"})
    monkeypatch.setattr(studies, "embedded", lambda: new)
    measured = {"first": new, "second": old}
    grid = {"jobs": {"a": "first", "b": "second", "c": "second"}, "measured with": measured, "cells": [{"recipe": name} for name in "abc"]}
    assert studies.together(grid, "abc") == ([{"recipe": "b"}, {"recipe": "c"}], old)
    assert studies.together(grid, "ab") == ([], {})
    assert studies.before(old) and not studies.before(new)


def test_a_section_is_as_old_as_the_figures_of_others_that_it_shows(results, monkeypatch):
    old, now = {"base": "1"}, {"base": "2"}
    monkeypatch.setitem(results.SECTIONS, "studies", lambda found: iter(["## Title\n"]))
    monkeypatch.setitem(results.ALSO, "studies", lambda: {"DreamBlend": old})
    assert "(DreamBlend) are older" in results.section("studies", {"measured with": {"studies": now}}, now)
    assert set(sys.modules["sections.studies"].also_measured_with()) == {"grid", "sweeps", "DreamBlend"}


def test_commands_without_prompts_decide_on_their_own_scenes_and_are_compared_on_others(results):
    from likeness.workflow.generating import NEW_SCENES

    scenes = [*NEW_SCENES, "a {} on the beach"]
    lines = [{"subject": "earl", "step": 50, "prompt": scene.format("teapot"), "dino": float(scene in NEW_SCENES), "clip_t_class": 0.5} for scene in scenes]
    assert sys.modules["sections.choice"].as_commands(lines) == [({50: (1.0, 0.5)}, {50: (0.0, 0.5)})]


@pytest.mark.parametrize(("low", "high", "bar", "word"), [
    (0.96, 0.98, [0.95, None], "reached"), (0.94, 0.98, [0.95, None], "open"), (0.90, 0.94, [0.95, None], "**not reached**"),
    (0.05, 0.09, [0, 0.1], "reached"), (0.05, 0.20, [0, 0.1], "open"), (0.20, 0.30, [0, 0.1], "**not reached**"), (0.3, 0.4, [0.9, 1.1], "**not reached**"),
])  # fmt: skip
def test_a_bar_in_the_interval_is_neither_reached_nor_missed(results, low, high, bar, word):
    row = {"what": "", "value": (low + high) / 2, "low": low, "high": high, "n": 8, "bar": bar}
    assert sys.modules["sections.world"].measured(row)[-1] == word


@pytest.mark.parametrize(("name", "file", "found", "key"), [
    ("f1 LoRA", "ddpo 0.json", [{"way": "f1, LoRA", "subject": "new"}], "lines"),
    ("style", "style.json", {"lines": ["new"]}, "lines"),
    ("guidance", "guidance.json", ["new"], "lines"),
])  # fmt: skip
def test_new_figures_leave_the_rest_of_their_file(everything, tmp_path, monkeypatch, name, file, found, key):
    monkeypatch.setattr(everything, "HERE", tmp_path)
    page = tmp_path / "results" / f"{'ddpo' if name == 'f1 LoRA' else name}.json"
    page.parent.mkdir()
    page.write_text(json.dumps({"note": "of before", "lines": [{"way": "f1, LoRA"}, {"way": "other"}]}))
    (tmp_path / file).write_text(json.dumps(found))
    everything.merge(job := everything.Job(name, [], written=tmp_path / file))
    merged = json.loads(page.read_text())
    assert merged["note"] == "of before" and merged["measured with"] == {name: sys.modules["weights"].embedded(job.of)}
    assert merged[key] == ([{"way": "other"}, *found] if name == "f1 LoRA" else ["new"])


def test_sweeps_are_other_rows_of_the_methods_table(everything, tmp_path, monkeypatch):
    monkeypatch.setattr(everything, "HERE", tmp_path)
    (page := tmp_path / "results" / "grid.json").parent.mkdir()
    cells = [{"recipe": recipe, "subject": f"toybox:{name}", "score": "before"} for recipe in ("dreambooth", "lora:rank=2") for name in ("earl", "bolt")]
    page.write_text(json.dumps({"cells": cells, "pictures": 1, "measured with": {"grid": "before", "sweeps": "before"}}))
    new = [{**cell, "score": "now", "unknown": 0} for cell in reversed(cells) if cell["recipe"] != "dreambooth"]
    (tmp_path / "compare.json").write_text(json.dumps({"cells": new, "pictures": 2}))
    everything.merge(everything.Job("sweeps", [], written=tmp_path / "compare.json"))
    merged = json.loads(page.read_text())
    assert merged["cells"] == [*cells[:2], *({**cell, "score": "now"} for cell in cells[2:])]
    assert merged["pictures"] == 2 and merged["measured with"] == {"grid": "before", "sweeps": sys.modules["weights"].embedded(["base", "judges"])}
