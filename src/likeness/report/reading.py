"""What a run folder says, as far as it is there.

A report is also wanted of a run that failed or is still going, so every part may be missing, cut short or half
written: what cannot be read is left out here and named on the page.
"""

import json
import math
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from likeness.evaluation.operating_points import PROMPT, SUBJECT, Choice, choose_checkpoint
from likeness.evaluation.statistics import Estimate
from likeness.files.picture import without_folders


@dataclass(frozen=True)
class Drawn:
    """One generated picture and what it was asked to be."""

    path: Path
    prompt: str
    class_prompt: str
    seed: int
    personalized: bool
    checkpoint: int


@dataclass(frozen=True)
class Preview:
    """A picture drawn while training: the `index`-th prompt at `step`."""

    path: Path
    step: int
    index: int


@dataclass(frozen=True)
class Scores:
    """scores.json: each row (personalized, base, floor: …, ceiling: …) with its estimates by metric."""

    encoders: dict[str, str]
    rows: dict[str, dict[str, Estimate]]
    remarks: list[str]
    choice: Choice | None = None  # where several checkpoints were scored
    each: list[dict[str, Any]] = field(default_factory=list)  # a line for every personalized picture: step, prompt, seed, file, likeness, obedience

    def row(self, start: str) -> tuple[str, dict[str, Estimate]]:
        """The row that is called `start` or begins with it, or ("", {})."""
        return next(((name, row) for name, row in self.rows.items() if name.lower().startswith(start)), ("", {}))

    @property
    def first_of(self) -> dict[int, str]:
        """The file of each checkpoint's first picture."""
        return {line["step"]: line["file"] for line in reversed(self.each)}


@dataclass(frozen=True)
class Run:
    """Everything the page is made of."""

    folder: Path
    about: dict[str, Any]
    recipe: str
    photos: list[Path]
    losses: dict[str, list[tuple[float, float]]]  # name: (step, value), finite
    noted: dict[str, list[tuple[float, float]]]  # what a method measured beside them, such as its reward
    rates: dict[str, list[tuple[float, float]]]  # learning rates, read back from the optimizer; one where all groups of parameters had the same
    broken_losses: int  # steps with a loss that is no number
    step_seconds: list[float]
    drawn: list[Drawn]
    previews: list[Preview]
    scores: Scores


def read_run(folder: Path) -> Run:
    """Read all parts of a run folder that can be read; never raises for one that cannot."""
    journal = lines_of(folder / "journal.jsonl")
    losses, broken = _curves(journal, "losses")
    scores = _scores(object_of(folder / "scores.json"))
    return Run(
        folder=folder,
        about=object_of(folder / "run.json"),
        recipe=_without_folders(_text(folder / "recipe.toml")),
        photos=sorted((folder / "photos").glob("*.png")),
        losses=losses,
        noted=_curves(journal, "noted")[0],
        rates=_rates(journal),
        broken_losses=broken,
        step_seconds=[seconds for line in journal if (seconds := number(line.get("seconds"))) is not None],
        drawn=_one_each(_drawn(folder / "pictures"), {line["file"] for line in scores.each}),
        previews=_previews(folder / "previews"),
        scores=scores,
    )


def number(value: Any) -> float | None:
    """A finite number, or None for everything else that a JSON file can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) < 1e300 and math.isfinite(value) else None


def whole(value: Any) -> int:
    """A seed or a step, to its last digit; 0 where there is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else int(number(value) or 0)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _without_folders(recipe: str) -> str:
    """Absolute paths reduced to their last names: a page is sent to others, whom no home directory concerns."""

    def shown(said: re.Match[str]) -> str:
        with suppress(ValueError):
            value = json.loads(said[0]) if said[0].startswith('"') else said[0][1:-1]
            return said[0] if without_folders(value) == value else json.dumps(without_folders(value), ensure_ascii=False)
        return said[0]

    return re.sub(r'"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', shown, recipe)


def object_of(path: Path) -> dict[str, Any]:
    return _parsed(_text(path))


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [parsed for line in _text(path).split("\n") if (parsed := _parsed(line))]


def _parsed(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _curves(journal: list[dict[str, Any]], what: str) -> tuple[dict[str, list[tuple[float, float]]], int]:
    curves: dict[str, list[tuple[float, float]]] = {}
    broken = 0
    for line in journal:
        step = number(line.get("step"))
        if step is None:
            continue
        values = {str(name): number(value) for name, value in as_dict(line.get(what)).items()}
        broken += None in values.values()
        for name, value in values.items():
            if value is not None:
                curves.setdefault(name, []).append((step, value))
    return curves, broken


def _rates(journal: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    columns: dict[int, list[tuple[float, float]]] = {}
    for line in journal:
        step = number(line.get("step"))
        for group, value in enumerate(map(number, as_list(line.get("learning_rates")))):
            if step is not None and value is not None:
                columns.setdefault(group, []).append((step, value))
    different = {group: points for group, points in columns.items() if points not in [columns[earlier] for earlier in range(group) if earlier in columns]}
    return {f"group {group + 1}" if len(different) > 1 else "learning rate": points for group, points in different.items()}


def is_own(file: str) -> bool:
    """Whether a name means a file of the folder itself: an index from elsewhere must not pull other files into the page."""
    return file not in ("", "..") and Path(file).name == file and "\0" not in file


def _drawn(folder: Path) -> list[Drawn]:
    drawn = []
    for line in lines_of(folder / "index.jsonl"):
        file = str(line.get("file", ""))
        if not is_own(file):
            continue
        settings, labels = as_dict(line.get("settings")), as_dict(line.get("labels"))
        if labels.get("model") in ("blended", "edited") or " + " in str(settings.get("checkpoint")):
            continue  # the page's grids show one checkpoint beside the base; blends are blended.py's, and with another run's LoRA it is no longer this run
        prompt = str(settings.get("prompt", ""))
        drawn.append(
            Drawn(
                path=folder / file,
                prompt=prompt,
                class_prompt=str(labels.get("class_prompt") or prompt),
                seed=whole(settings.get("seed")),
                personalized=labels.get("model") != "base",
                checkpoint=whole(labels.get("checkpoint")),
            )
        )
    return drawn


def _one_each(drawn: list[Drawn], scored: set[str]) -> list[Drawn]:
    """One picture of each checkpoint, prompt and seed: the scored one, or the first, of those that are still there. Others were drawn otherwise, in fewer steps or with more guidance."""
    found: dict[tuple[Any, ...], list[Drawn]] = {}
    for one in drawn:
        found.setdefault((one.personalized, one.checkpoint, one.prompt, one.class_prompt, one.seed), []).append(one)
    return [max(same, key=lambda one: (one.path.is_file(), one.path.name in scored)) for same in found.values()]


def _previews(folder: Path) -> list[Preview]:
    previews = []
    for path in sorted(folder.glob("*-*.png")):
        step, _, index = path.stem.partition("-")
        if step.isdecimal() and index.isdecimal():
            previews.append(Preview(path, int(step), int(index)))
    return previews


def _scores(content: dict[str, Any]) -> Scores:
    rows: dict[str, dict[str, Estimate]] = {}
    for row in as_list(content.get("rows")):
        scores = {str(metric): _estimate(as_dict(score)) for metric, score in as_dict(as_dict(row).get("scores")).items()}
        kept = {metric: estimate for metric, estimate in scores.items() if estimate is not None}
        if kept:
            rows[str(row.get("name", "unnamed"))] = kept
    encoders = {str(name): str(words) for name, words in as_dict(content.get("encoders")).items()}
    each = [line for line in map(_each, as_list(content.get("each"))) if line]
    return Scores(encoders, rows, [str(remark) for remark in as_list(content.get("remarks"))], choose_checkpoint(each), each)


def _each(line: Any) -> dict[str, Any] | None:
    """A scored picture, if all that a choice needs is there."""
    values = {name: number(as_dict(line).get(name)) for name in ("step", "seed", SUBJECT, PROMPT)}
    if None in values.values():
        return None
    names = {name: str(as_dict(line).get(name, "")) for name in ("file", "prompt")}
    return {**values, **names, "step": whole(line["step"]), "seed": whole(line["seed"])}


def _estimate(score: dict[str, Any]) -> Estimate | None:
    value = number(score.get("value"))
    if value is None:
        return None
    low, high = number(score.get("low")), number(score.get("high"))
    if low is None or high is None:
        low = high = None
    return Estimate(value, low, high, int(number(score.get("n")) or 0))


def as_dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
