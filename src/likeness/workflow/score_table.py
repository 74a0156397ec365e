"""Scores as text for a terminal of a hundred columns: what is read first, then the rest by what it tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from textwrap import wrap
from typing import Any

from ..evaluation.statistics import Estimate

WIDTH, GAP = 100, 2

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


Rows = Sequence[tuple[str, Mapping[str, str]]]  # what stands in each column, by the row's name


def table(scores: Mapping[str, Any]) -> str:
    """A block for each group of scores, intervals in brackets; then what the rows are and what they were measured with."""
    rows = scores["rows"]
    lines = score_blocks([(row["name"].partition(":")[0], row["scores"]) for row in rows])
    lines += wrapped([row["name"] for row in rows if ":" in row["name"]])
    lines += wrapped([f"note: {remark}" for remark in scores["remarks"]])
    lines += measured_with(scores["encoders"])
    return "\n".join(lines)


def measured_with(encoders: Mapping[str, str]) -> list[str]:
    return wrapped([f"{kind}: {name}" for kind, name in encoders.items()])


def wrapped(sentences: Iterable[str]) -> list[str]:
    """Each on as many lines as it takes; the further ones are moved in."""
    return [line for sentence in sentences for line in wrap(sentence, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)]


def score_blocks(rows: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """The groups, each with those of its scores that a row has; those of no group last."""
    names = dict.fromkeys(name for _, scores in rows for name in scores)
    grouped = {name for titles in GROUPS.values() for name in titles}
    lines = []
    for group, titles in {**GROUPS, "Others": {name: name for name in names if name not in grouped}}.items():
        there = [name for name in titles if name in names]
        lines += blocks(group, [(row, {titles[name]: said(scores[name]) for name in there if name in scores}) for row, scores in rows])
    return lines


def said(estimate: Mapping[str, Any]) -> str:
    return str(Estimate(**estimate))


def blocks(heading: str, rows: Rows) -> list[str]:
    """The columns that the rows have, under a heading, in as many blocks as it takes to stay within WIDTH; a row stands where it has something to say."""
    known = [(name, cells) for name, cells in rows if cells]
    titles = dict.fromkeys(title for _, cells in known for title in cells)
    lines = [heading] * bool(titles)
    for across in _fitting(known, list(titles)):
        body = [[name, *(cells.get(title, "") for title in across)] for name, cells in known if cells.keys() & set(across)]
        lines += [*aligned([["", *across], *body]), ""]
    return lines


def _fitting(rows: Rows, titles: Sequence[str]) -> list[list[str]]:
    """The titles in runs of as many as fit beside the names, one at least."""
    names = max((len(name) for name, _ in rows), default=0)
    runs: list[list[str]] = []
    left = 0
    for title in titles:
        width = GAP + max(len(title), *(len(cells.get(title, "")) for _, cells in rows))
        if not runs or width > left:
            runs.append([])
            left = WIDTH - names
        runs[-1].append(title)
        left -= width
    return runs


def aligned(body: Sequence[Sequence[str]]) -> list[str]:
    """Lines of cells, each column as wide as its widest cell."""
    widths = [max(len(line[n]) for line in body) for n in range(len(body[0]))]
    return [(" " * GAP).join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in body]
