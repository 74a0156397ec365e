"""What several runs' files allow to be said of them together: paired differences on shared prompts and seeds, and what does not compare at all.

Likeness is to a subject's own photos and scores are an encoder's own, so only runs of the same photos are put side by side,
and only those of the same encoders into one difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from likeness.evaluation.operating_points import PROMPT, SUBJECT, Choice, choose_checkpoint, f1_difference
from likeness.evaluation.statistics import Estimate, paired_difference, verdict
from likeness.files.atomic import sha256_of
from likeness.files.picture import without_folders
from likeness.files.recipe import flat_of
from likeness.files.run_folder import without_time
from likeness.report.reading import Run, as_dict, lines_of
from likeness.report.rows import last_checkpoint

MEASURES = {"f1": "F1 of likeness and obedience", "subject": "likeness to the subject (DINO)", "prompt": "obedience to the prompt (CLIP-T)"}


@dataclass(frozen=True)
class Contender:
    """A run with the name and the colour it has on the page."""

    number: int
    name: str
    run: Run


@dataclass(frozen=True)
class Difference:
    """First minus second in each measure, on the pictures that both have of one prompt and seed, each of its last checkpoint."""

    first: Contender
    second: Contender
    pictures: int
    measures: dict[str, Estimate]

    def words(self, measure: str) -> str:
        return verdict(self.measures[measure], (self.first.name, self.second.name))


@dataclass(frozen=True)
class Group:
    """Runs of one subject: all that may be compared."""

    contenders: list[Contender]
    measured: list[Contender]  # those that scores of one pair of encoders are there of
    differences: list[Difference]
    points: list[tuple[Contender, int]]  # the checkpoints that drew the same pictures
    choice: Choice | None  # over them; its "steps" are places in `points`
    verdicts: list[str]  # one sentence for each measure; none where nothing was compared

    @property
    def photos(self) -> list[Path]:
        return self.contenders[0].run.photos

    @property
    def names(self) -> str:
        return ", ".join(contender.name for contender in self.contenders)


def contenders_of(runs: Sequence[Run]) -> list[Contender]:
    """The runs, called by their folders; without the time where that tells them apart, and by number where nothing does."""
    whole = [run.folder.resolve().name for run in runs]
    short = [without_time(name) for name in whole]
    names = [name if short.count(name) == 1 else whole[n] for n, name in enumerate(short)]
    return [Contender(n, name if names.count(name) == 1 else f"{name} ({n + 1})", runs[n]) for n, name in enumerate(names)]


def photos_of(folder: Path) -> tuple[str, ...]:
    """Which photos a run learned from, whatever its copies were saved by: the sums of the originals, of each subject; of older runs those of the copies."""
    used = [line for line in lines_of(folder / "photos.jsonl") if line.get("used") is True and not line.get("of_class")]
    sums = sorted(f"{line.get('subject') or 0} {line['sha256']}" for line in used if line.get("sha256"))
    return tuple(sums or sorted(sha256_of(path) for path in (folder / "photos").glob("*.png")))


def groups_of(contenders: Sequence[Contender]) -> tuple[list[Group], list[str]]:
    """The runs by subject, and a line for each thing that does not compare, with what to do about it where something can be done."""
    by_photos: dict[tuple[str, ...], list[Contender]] = {}
    for contender in contenders:
        photos = photos_of(contender.run.folder) or (contender.name,)  # one without photos is like no other
        by_photos.setdefault(photos, []).append(contender)
    remarks, groups = [], [_group(members) for members in by_photos.values()]
    if len(groups) > 1:
        named = "; ".join(group.names for group in groups)
        remarks.append(f"Different photos, so different subjects: {named}. Likeness is to a subject's own photos and pictures show other things, so between these nothing is compared.")
    for group in groups:
        remarks += _remarks(group)
    return groups, remarks


def _group(members: list[Contender]) -> Group:
    encoders = next((_compared_by(c) for c in members if c.run.scores.each), None)
    measured = [c for c in members if c.run.scores.each and _compared_by(c) == encoders]
    differences = [found for first, second in combinations(measured, 2) if (found := difference(first, second))]
    points = [(c, step) for c in measured for step in sorted({line["step"] for line in c.run.scores.each})]
    lines = [{**line, "step": place} for place, (c, step) in enumerate(points) for line in c.run.scores.each if line["step"] == step]
    return Group(members, measured, differences, points, choose_checkpoint(lines), [_leader(measured, differences, measure) for measure in MEASURES if differences])


def _compared_by(contender: Contender) -> list[str | None]:
    """The encoders of likeness and obedience, which differences are of."""
    return [contender.run.scores.encoders.get(name) for name in ("dino", "clip")]


def difference(first: Contender, second: Contender) -> Difference | None:
    """None where the two have no picture of the same prompt and seed."""
    mine, other = _last_pictures(first.run), _last_pictures(second.run)
    shared = sorted(mine.keys() & other.keys())
    if not shared:
        return None
    prompts = [prompt for prompt, _ in shared]
    ours, theirs = (np.array([found[key] for key in shared]).T for found in (mine, other))  # [2, pictures] each
    measures = {
        "f1": f1_difference(ours, theirs, prompts),
        "subject": paired_difference(ours[0], theirs[0], prompts),
        "prompt": paired_difference(ours[1], theirs[1], prompts),
    }
    return Difference(first, second, len(shared), measures)


def _last_pictures(run: Run) -> dict[tuple[str, int], tuple[float, float]]:
    """Likeness and obedience of the last scored checkpoint's pictures, by class prompt and seed."""
    last = max((line["step"] for line in run.scores.each), default=0)
    return {(line["prompt"], line["seed"]): (line[SUBJECT], line[PROMPT]) for line in run.scores.each if line["step"] == last}


def _leader(measured: Sequence[Contender], differences: Sequence[Difference], measure: str) -> str:
    """The run that is ahead of most others, and which of them it is clearly ahead of."""
    ahead = {c.number: [d if d.first == c else _turned(d) for d in differences if c in (d.first, d.second)] for c in measured}
    top = max(measured, key=lambda c: (sum(d.measures[measure].value > 0 for d in ahead[c.number]), sum(d.measures[measure].value for d in ahead[c.number])))
    others = ahead[top.number]
    clear = [d for d in others if (d.measures[measure].low or 0) > 0]
    title = MEASURES[measure][0].upper() + MEASURES[measure][1:]
    if not clear:
        return f"{title}: no clear winner."
    said = ", ".join(f"{d.second.name} by {d.measures[measure]}" for d in clear)
    unclear = [d.second.name for d in others if d not in clear]
    return f"{title}: {top.name} is higher than {said}" + (f"; no clear winner over {', '.join(unclear)}." if unclear else ".")


def _turned(d: Difference) -> Difference:
    def minus(e: Estimate) -> Estimate:
        return Estimate(-e.value, None if e.high is None else -e.high, None if e.low is None else -e.low, e.n)

    return replace(d, first=d.second, second=d.first, measures={name: minus(e) for name, e in d.measures.items()})


def _remarks(group: Group) -> list[str]:
    said = []
    for contender in group.contenders:
        if not contender.run.scores.each:
            said.append(f"{contender.name}: no picture of it is scored, so it stands in no difference. Score it: likeness evaluate RUN")
            continue
        scored, shown = max(line["step"] for line in contender.run.scores.each), last_checkpoint(contender.run.drawn)
        if shown and scored != shown:
            said.append(f"{contender.name}: scored after {scored} steps, and its pictures here are of {shown}. Score these too: likeness evaluate RUN")
        if contender not in group.measured:
            said.append(f"{contender.name}: scored with other encoders than {group.measured[0].name}, so its scores do not compare. Score both with the same: likeness evaluate RUN --clip … --dino …")
    paired = {frozenset((d.first.number, d.second.number)) for d in group.differences}
    for first, second in combinations(group.measured, 2):
        if frozenset((first.number, second.number)) not in paired:
            said.append(f"{first.name} and {second.name}: no picture of the same prompt and seed, so no difference. Draw both with the same: likeness generate RUN PROMPTS --seeds 0-3")
    if len(bases := {str(c.run.about.get("base_hash")) for c in group.contenders}) > 1:
        said.append(f"{group.names}: trained on {len(bases)} different bases. Equal seeds are then not the same picture begun twice, and a difference is of base and method together.")
    if len(set(_nouns(group))) > 1:
        said.append(f"{group.names}: the subject is called {' and '.join(sorted(set(_nouns(group))))}, so the same scene was asked for in different words.")
    return said


def _nouns(group: Group) -> list[str]:
    return [noun for c in group.contenders if (noun := as_dict(as_dict(c.run.about.get("recipe")).get("subject")).get("class_noun"))]


def settings_apart(contenders: Sequence[Contender]) -> dict[str, list[str]]:
    """Every setting in which the runs differ, by dotted name, with each run's value; "–" where a run has none such."""
    flat = [{name: without_folders(value) for name, value in flat_of(c.run.about.get("recipe") or {}).items()} for c in contenders]  # a page is sent to others, whom no folder of this machine concerns
    names = dict.fromkeys(name for settings in flat for name in settings)
    return {name: [str(settings.get(name, "–")) for settings in flat] for name in names if len({repr(settings.get(name)) for settings in flat}) > 1}
