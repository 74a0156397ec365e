"""ToyBench's card names everything that the benchmark has, and measures its bounds."""

from __future__ import annotations

from likeness.workflow import card
from likeness.workflow.card import write_card
from likeness.workflow.progress import Silent
from likeness.world.subjects import OPEN_SUBJECTS, SUBJECTS, prompts_for


def test_the_card_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(card, "OPEN_SUBJECTS", OPEN_SUBJECTS[:2])
    path = write_card(tmp_path / "card", Silent())
    text = path.read_text("utf-8")
    assert all(name in text for name in SUBJECTS) and all(p.template in text for p in (*prompts_for("dog"), *prompts_for("can")))
    assert (path.parent / "subjects.png").is_file() and "(subjects.png)" in text
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith(("| biscuit, a dog", "| pepper, a dog", "| **all"))]
    assert len(rows) == 3 and all(float(row[2].split()[0]) > float(row[1].split()[0]) + 0.2 for row in rows)
