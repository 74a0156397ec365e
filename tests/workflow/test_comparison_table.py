"""The comparison as text: every row is filled, every number is there once, and it fits a terminal."""

from __future__ import annotations

import re
from typing import Any

from likeness.workflow.comparing import SCORES, _row
from likeness.workflow.comparison_table import TITLES, table
from likeness.workflow.score_table import said

RECIPES = {
    "textual_inversion:vectors=16": ("16 vectors", 25, 4.0, "no"),
    "rewarded": ("rank-8 adapters, then rank-4 adapters by reward", 25, 7.5, "together"),
    "few_steps": ("U-Net, then student: rank-32 adapters", 4, 1.0, "together"),
}  # fmt: skip
SUBJECTS = ("bolt", "wick", "dash")


def line(recipe: str, subject: str, value: float) -> dict[str, Any]:
    trains, steps, scale, several = RECIPES[recipe]
    scores = {score: value + n / 1000 for n, score in enumerate(SCORES)}
    return {
        "recipe": recipe, "subject": subject, "seed": 0, "trains": trains, "parameters": 859_520_964, "bytes": 3_438_083_856, "train_seconds": 5025.0, "peak_bytes": 2e10,
        "sampling": [{"steps": steps, "guidance_scale": scale}], "picture_seconds": value, "several_subjects": several, "scores": scores, "kinds": {"accessory": scores},
    }  # fmt: skip


def found(**besides: Any) -> dict[str, Any]:
    cells = [line(recipe, subject, 0.1 * n + 0.05 * m) for n, recipe in enumerate(RECIPES) for m, subject in enumerate(SUBJECTS)]
    rows = [_row(recipe, [cell for cell in cells if cell["recipe"] == recipe]) for recipe in RECIPES]
    truth = {"recipe": "truth", "subjects": 3, **{score: rows[0][score] if score == "dino" else None for score in SCORES}}
    return {"cells": cells, "rows": rows, "bounds": [truth], "prompts": {subject: ["a", "b"] for subject in SUBJECTS}, "pictures": 2, "encoders": {"dino": "tiny"}, **besides}


def column(text: str, title: str) -> dict[str, str]:
    """What stands under a title, by the row's name."""
    lines = text.splitlines()
    top = next(n for n, line in enumerate(lines) if title in re.split(r" {2,}", line))
    place = re.split(r" {2,}", lines[top]).index(title)
    return {cells[0]: cells[place] for line in lines[top + 1 : lines.index("", top)] if len(cells := re.split(r" {2,}", line)) > place}


def test_the_table_fits_a_hundred_columns_and_every_recipe_has_every_figure():
    text = table(found())
    assert max(map(len, text.splitlines())) <= 100
    for title in ("what is trained", "numbers", "stored", "training", "peak memory", "steps × guidance", "a picture", "several subjects", *(TITLES[score] for score in SCORES)):
        assert all(column(text, title)[recipe] not in ("", "n/a") for recipe in RECIPES), title


def test_it_says_what_is_trained_and_how_pictures_are_drawn():
    text = table(found())
    assert column(text, "what is trained")["few_steps"] == "U-Net, then student: rank-32 adapters"
    assert column(text, "steps × guidance") == {"textual_inversion:vectors=16": "25 × 4", "rewarded": "25 × 7.5", "few_steps": "4, no guidance"}
    assert column(text, "several subjects")["textual_inversion:vectors=16"] == "no" and "truth" not in column(text, "stored")


def test_what_is_measured_against_stands_below_with_what_it_has():
    text = table(found())
    assert list(column(text, "likeness (DINO)")) == [*RECIPES, "truth"] and "truth" not in column(text, "CLIP-I")
    assert column(text, "likeness (DINO)")["rewarded"] == said(found()["rows"][1]["dino"])


def test_differences_are_of_the_first_recipe_and_marked_where_they_are_clear():
    text = table(found())
    differences = text[text.index("Less textual_inversion:vectors=16, paired") :]
    assert re.search(r"rewarded +0\.100 \[0\.100, 0\.100\], higher", differences) and "unclear" not in differences.partition("\n")[2]


def test_a_mean_over_fewer_subjects_says_so():
    few = found()["cells"][:-1]
    rows = [_row(recipe, [cell for cell in few if cell["recipe"] == recipe]) for recipe in RECIPES]
    text = table(found(cells=few, rows=rows))
    assert "means over 3 subjects, 1 seed, 2 prompts, 2 pictures of each" in text and "few_steps: 2 of 3 subjects" in text


def test_figures_that_are_not_known_are_marked():
    rows = [{**row, "picture_seconds": None} for row in found()["rows"]]
    assert set(column(table(found(rows=rows)), "a picture").values()) == {"n/a"}


def test_a_score_of_tomorrow_needs_its_group_alone():
    rows = [{**row, "clip_i_max": row["dino"]} for row in found()["rows"]]
    assert column(table(found(rows=rows)), TITLES["clip_i_max"]).keys() == RECIPES.keys()
