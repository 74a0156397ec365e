"""The comparison of a grid for a terminal of a hundred columns: what each recipe trains and takes, its scores by what they tell, applications, differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..evaluation.statistics import Estimate, paired_difference
from ..report.facts import Cost
from .score_table import GROUPS, blocks, measured_with, said, score_blocks, wrapped

TITLES = {name: title for titles in GROUPS.values() for name, title in titles.items()}
COSTS = "What is trained, and what it takes; several subjects: trained together, merged, added while drawing"
COMPARED = ("dino", "clip_t_class")


def table(found: Mapping[str, Any]) -> str:
    """A block for each group of columns: recipes, then what they are measured against; then what the means are over, and what they were measured with."""
    rows = found["rows"]
    lines = blocks(COSTS, [(row["recipe"], _costs(row)) for row in rows])
    lines += score_blocks([(row["recipe"], {name: row[name] for name in TITLES if row.get(name)}) for row in (*rows, *found["bounds"])])
    for kind in dict.fromkeys(kind for row in rows for kind in row["kinds"]):
        lines += blocks(f"Prompts of one kind alone: {kind}", [(row["recipe"], _of_kind(row["kinds"].get(kind, {}))) for row in rows])
    lines += [*_differences(found["cells"]), *wrapped(_measured_on(found)), *measured_with(found["encoders"])]
    return "\n".join(lines)


def _costs(row: Mapping[str, Any]) -> dict[str, str]:
    """Empty where nothing was trained here."""
    if row["parameters"] is None:
        return {}
    cost = Cost(
        row["trains"] or "", row["parameters"], row["bytes"], row["train_seconds"], row["peak_bytes"], row["sampling"], row["picture_seconds"], row["several_subjects"] or ""
    )
    return {title: words or "n/a" for title, words in cost.words().items()}


def _of_kind(scores: Mapping[str, Any]) -> dict[str, str]:
    return {TITLES[name]: said(estimate) for name, estimate in scores.items() if estimate}


def _differences(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Each recipe against the first, paired on subjects and seeds."""
    by_recipe: dict[str, dict[tuple, dict[str, float]]] = {}
    for line in cells:
        by_recipe.setdefault(line["recipe"], {})[line["subject"], line["seed"]] = line["scores"]
    if not by_recipe:
        return []
    first, *others = by_recipe
    rows = []
    for name in others:
        found = {TITLES[score]: _difference(by_recipe[name], by_recipe[first], score) for score in COMPARED}
        rows.append((name, {title: words for title, words in found.items() if words}))
    return blocks(f"Less {first}, paired on subjects and seeds; unclear: the interval holds 0", rows)


def _difference(mine: Mapping[tuple, Mapping[str, float]], other: Mapping[tuple, Mapping[str, float]], score: str) -> str:
    shared = [key for key in mine if score in mine[key] and score in other.get(key, {})]
    if not shared:
        return ""
    values = ([cells[key][score] for key in shared] for cells in (mine, other))
    difference = paired_difference(*values, groups=[subject for subject, _ in shared])
    return f"{difference}{_side(difference)}"


def _side(difference: Estimate) -> str:
    if difference.low is None or difference.high is None:
        return ""
    return ", unclear" if difference.low <= 0 <= difference.high else ", higher" if difference.value > 0 else ", lower"


def _measured_on(found: Mapping[str, Any]) -> list[str]:
    """What the means are over, and which rows are over less of it."""
    subjects, seeds = ({line[what] for line in found["cells"] if line[what] is not None} for what in ("subject", "seed"))
    counted = [(len(subjects), "subject"), (len(seeds), "seed"), (max(map(len, found["prompts"].values()), default=0), "prompt"), (found["pictures"], "picture")]
    over = ", ".join(f"{count} {what}{'s' * (count != 1)}" for count, what in counted if count)
    less = [f"{row['recipe']}: {row['subjects']} of {len(subjects)} subjects" for row in (*found["rows"], *found["bounds"]) if row["subjects"] < len(subjects)]
    return [f"means over {over} of each; intervals over subjects", *less]
