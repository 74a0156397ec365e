"""A preference study of two runs: a blind page to send to people, and what their answers say.

As DreamBlend's two studies (Ram et al. 2024, arXiv 2411.19390, table 2): which picture is better over all, and which set is more varied. The page knows no run's name; which
side is which lies in study.json, with the one who asks.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from likeness.evaluation.statistics import Estimate, Preference, binomial_preference, share
from likeness.files.atomic import read_lines, sha256_of, write_json, write_text
from likeness.files.errors import UserError
from likeness.report.comparison import photos_of
from likeness.report.embedding import data_uris
from likeness.report.page import environment
from likeness.report.reading import read_run
from likeness.report.rows import last_checkpoint

QUESTIONS = {
    "overall": "Which picture shows the subject of the photos better in the scene that the words ask for?",
    "diversity": "Which set of pictures is more varied?",
}
PAGE_BYTES = 8_000_000
SET = 4  # pictures of a prompt that are shown together


@dataclass(frozen=True)
class Item:
    """A question about a prompt, with the pictures of both sides."""

    question: str
    prompt: str
    left: tuple[Path, ...]
    right: tuple[Path, ...]
    first_is_left: bool


@dataclass(frozen=True)
class Verdict:
    """How often the first run was preferred in one question, and what may be said of it."""

    question: str
    answers: int
    preference: Preference  # exact binomial p and Wald's interval, as the paper prints them: as if answers were independent
    share: Estimate  # its interval is over prompts: many people who see the same two pictures are not many pictures


def make_study(first: Path, second: Path, out: Path, seed: int = 0, most: int = 40) -> Path:
    """Write out/study.html and out/study.json: a question for each picture that both runs have of one prompt and seed, one for each prompt of which both have several.

    most   questions of each kind; drawn by chance where there are more
    raises UserError where the runs are one or share nothing, or a study with answers lies there
    """
    if most < 1:
        raise UserError(f"--most {most}: must be 1 or more.")
    if first.resolve() == second.resolve():
        raise UserError(f"{first}: cannot be preferred to itself. Give two runs.")
    if (out / "study.json").exists():
        raise UserError(f"{out}: holds a study already, and answers to it could no longer be counted. Choose another folder.")
    chance = random.Random(seed)
    if photos_of(first) != photos_of(second):
        raise UserError(f"{first} and {second}: learned from different photos, so no one could say which shows the subject better. Choose two runs of one subject.")
    items = _items(_pictures(first), _pictures(second), chance, most)
    if not items:
        raise UserError(f"{first} and {second}: have no picture of the same prompt and seed. Draw both with the same prompts: likeness generate RUN PROMPTS --seeds 0-3")
    photos = _photos(first)[:6]
    uris = data_uris([*photos, *(path for item in items for path in (*item.left, *item.right))], PAGE_BYTES)
    key = [{"question": item.question, "prompt": item.prompt, "first_is_left": item.first_is_left} for item in items]
    shown = [sha256_of(path) for item in items for path in (*item.left, *item.right)]
    number = hashlib.sha256(json.dumps([key, shown]).encode()).hexdigest()[:12]  # a browser keeps answers by it: no two studies may share one
    page = environment().get_template("study.html").render(items=items, photos=photos, uris=uris, questions=QUESTIONS, number=number)
    write_json(out / "study.json", {"schema": 1, "number": number, "first": first.resolve().name, "second": second.resolve().name, "seed": seed, "items": key})
    write_text(out / "study.html", page)
    return out / "study.html"


def score_study(study: Path, answers: Sequence[Path]) -> tuple[str, str, list[Verdict]]:
    """The names of the two runs, and a verdict for each question. answers: files that people saved from the page."""
    key = _json(study / "study.json", "the study's own file; give the folder that `likeness study make` wrote")
    votes: dict[str, list[tuple[bool, str]]] = {question: [] for question in QUESTIONS}  # for the first or not, and the prompt
    for path in dict.fromkeys(path.resolve() for path in answers):
        for number, side in _answers(path, key):
            item = key["items"][number]
            votes[item["question"]].append(((side == "left") == item["first_is_left"], item["prompt"]))
    found = [_verdict(question, *zip(*cast)) for question, cast in votes.items() if cast]
    if not found:
        raise UserError(f"{study}: none of the files holds an answer.")
    write_json(study / "verdicts.json", {"first": key["first"], "second": key["second"], "verdicts": [asdict(verdict) for verdict in found]})
    return key["first"], key["second"], found


def _verdict(question: str, firsts: tuple[bool, ...], prompts: tuple[str, ...]) -> Verdict:
    return Verdict(question, len(firsts), binomial_preference(sum(firsts), len(firsts)), share(firsts, prompts))


def _photos(run: Path) -> list[Path]:
    """Those of the run's first subject."""
    others = {line.get("picture") for line in read_lines(run / "photos.jsonl") if line.get("subject")} if (run / "photos.jsonl").is_file() else set()
    return [path for path in sorted((run / "photos").glob("*.png")) if path.name not in others]


def _items(first: dict[tuple[str, int], Path], second: dict[tuple[str, int], Path], chance: random.Random, most: int) -> list[Item]:
    shared = sorted(set(first) & set(second))
    singles = [("overall", prompt, (first[prompt, seed],), (second[prompt, seed],)) for prompt, seed in shared]
    sets = []
    for prompt in dict.fromkeys(prompt for prompt, _ in shared):
        seeds = [seed for other, seed in shared if other == prompt][:SET]
        if len(seeds) > 1:
            sets.append(("diversity", prompt, *(tuple(run[prompt, seed] for seed in seeds) for run in (first, second))))
    items = []
    for kind in (singles, sets):
        for question, prompt, mine, other in chance.sample(kind, min(most, len(kind))):
            left = chance.random() < 0.5
            items.append(Item(question, prompt, mine if left else other, other if left else mine, left))
    return items


def _pictures(run: Path) -> dict[tuple[str, int], Path]:
    """The personalized pictures of a run's last checkpoint that was drawn, by class prompt and seed: those that its scores are of."""
    own = [one for one in read_run(run).drawn if one.personalized]
    last = last_checkpoint(own)
    return {(one.class_prompt, one.seed): one.path for one in reversed(own) if one.checkpoint == last and one.path.is_file()}


def _answers(path: Path, key: dict[str, Any]) -> list[tuple[int, str]]:
    content = _json(path, "a file that the study's page saved")
    if content.get("study", key.get("number")) != key.get("number", content.get("study")):  # studies of before kept no number
        raise UserError(f"{path}: belongs to another study. Count it with the folder that its page came from.")
    answers = content.get("answers")
    if not isinstance(answers, dict):
        raise UserError(f"{path}: is not a file that the study's page saved.")
    found = []
    for number, side in answers.items():
        if not (str(number).isdecimal() and int(number) < len(key["items"]) and side in ("left", "right")):
            raise UserError(f"{path}: answer {number!r}: {side!r} belongs to another study.")
        found.append((int(number), side))
    return found


def _json(path: Path, what: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
        if isinstance(content, dict):
            return content
    except (OSError, ValueError):
        pass
    raise UserError(f"{path}: cannot be read as JSON; it must be {what}.")
