"""Scores as text: nothing is lost, and it fits a terminal."""

from __future__ import annotations

from dataclasses import asdict

from likeness.evaluation.statistics import Estimate
from likeness.report.page import METRICS
from likeness.workflow.score_table import GROUPS, table
from likeness.workflow.scoring import MEASURED

NAMES = ("personalized", "floor: others of whom the same words are true", "personalized, recontextualization", "the class alone, true pictures")


def rows(*scores: str) -> list[dict]:
    values = iter(range(len(NAMES) * len(scores)))
    return [{"name": name, "scores": {score: asdict(Estimate((n := next(values)) / 1000, n / 1000, 1.0, 9)) for score in scores}} for name in NAMES]


def said(rows: list[dict]) -> str:
    return table({"rows": rows, "remarks": ["1 of 9 is black."], "encoders": {"dino": "tiny"}})


def test_every_score_is_printed_once_within_a_hundred_columns():
    found = rows(*MEASURED, "dino_sd", "dino_sd_prompts", "of_tomorrow")
    text = said(found)
    for row in found:
        assert all(text.count(str(Estimate(**score))) == 1 for score in row["scores"].values()), row["name"]
    assert max(map(len, text.splitlines())) <= 100 and "of_tomorrow" in text


def test_a_runs_page_has_a_title_for_every_score():
    assert set(METRICS) == {name for titles in GROUPS.values() for name in titles}


def test_what_is_read_first_stands_first():
    lines = said(rows("dino_sd", "named", "perceptual", "clip_t_class", "dino")).splitlines()
    assert lines[1].split("  ")[-1] == "variety (stand-in)" and lines[2].startswith("personalized ")
    assert lines[6:9:2] == ["", " " * 33 + "  named"] and lines[-2:] == ["note: 1 of 9 is black.", "dino: tiny"]


def test_a_block_has_no_row_without_its_scores():
    both = [{"name": "base, both subjects", "scores": rows("both")[0]["scores"]}]
    lines = said(rows("dino") + both).splitlines()
    assert [line.split("  ")[0] for line in lines[lines.index("") + 1 :]][:3] == [next(group for group in GROUPS if "two subjects" in group), "", "base, both subjects"]
