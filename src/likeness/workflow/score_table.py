"""Scores as text for a terminal of a hundred columns: what is read first, then the rest by what it tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..evaluation.statistics import Estimate

ACROSS = 3  # scores beside each other: with its interval each takes 20 to 23 columns

GROUPS = {
    "Likeness to the subject, obedience to the prompt, variety within a prompt": {
        "dino": "likeness (DINO)", "clip_t_class": "obedience (CLIP-T)", "lpips": "variety (LPIPS)", "perceptual": "variety (stand-in)",
    },
    "Share of pictures: the subject named among ten others of the same words; the place recognized": {"named": "named", "placed": "placed"},
    "Share of pictures in which two subjects are there, named among ten others each": {"both": "both", "first": "the first", "second": "the second"},
    "Likeness by other measures": {"dino_max": "likest photo (DINO)", "clip_i": "CLIP-I", "clip_i_max": "likest photo (CLIP)", "dinov2": "DINOv2"},
    "Obedience to the prompt as typed": {"clip_t": "CLIP-T"},
    "Looks, whatever is shown: about 1 to 10": {"aesthetic": "aesthetic"},
    "Alike within a prompt: less is more varied. Looks that change with the scene: less is steadier": {
        "diversity": "alike (DINO)", "diversity_clip": "alike (CLIP)", "entanglement": "change (DINO)",
    },
    "Against the base's picture of the same prompt and seed": {"dino_base": "DINO", "clip_i_base": "CLIP-I", "clip_t_change": "CLIP-T, change"},
    "What training should have left alone: lower is better, but for realism": {
        "drift": "drift (DINO)", "drift_clip": "drift (CLIP)", "pres": "class as subject", "realism": "realism (DINO)",
    },
    "Standard deviation of DINO": {"dino_sd": "prompts and seeds", "dino_sd_prompts": "prompts", "dino_sd_seeds": "seeds"},
    "Standard deviation of CLIP-T": {"clip_t_class_sd": "prompts and seeds", "clip_t_class_sd_prompts": "prompts", "clip_t_class_sd_seeds": "seeds"},
}  # fmt: skip


def table(scores: Mapping[str, Any]) -> str:
    """A block for each group of scores, intervals in brackets; then what the rows are and what they were measured with."""
    rows = scores["rows"]
    names = dict.fromkeys(name for row in rows for name in row["scores"])
    grouped = {name for titles in GROUPS.values() for name in titles}
    lines = []
    for group, titles in {**GROUPS, "Others": {name: name for name in names if name not in grouped}}.items():
        there = [name for name in titles if name in names]
        lines += [group] * bool(there)
        for first in range(0, len(there), ACROSS):
            lines += [*_block(rows, {name: titles[name] for name in there[first : first + ACROSS]}), ""]
    lines += [row["name"] for row in rows if ":" in row["name"]]
    lines += [f"note: {remark}" for remark in scores["remarks"]]
    lines += [f"{kind}: {name}" for kind, name in scores["encoders"].items()]
    return "\n".join(lines)


def _block(rows: Sequence[Mapping[str, Any]], titles: Mapping[str, str]) -> list[str]:
    """The rows that have one of the scores, a column for each."""
    body = [["", *titles.values()]]
    for row in rows:
        if row["scores"].keys() & titles.keys():
            cells = [str(Estimate(**row["scores"][name])) if name in row["scores"] else "" for name in titles]
            body.append([row["name"].partition(":")[0], *cells])
    return aligned(body)


def aligned(body: Sequence[Sequence[str]]) -> list[str]:
    """Lines of cells, each column as wide as its widest cell."""
    widths = [max(len(line[n]) for line in body) for n in range(len(body[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in body]
