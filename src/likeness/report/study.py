"""A preference study of two runs: a blind page to send to people, and what their answers say.

As DreamBlend's two studies (Ram et al. 2024, arXiv 2411.19390, table 2): which picture is better over all, and which set is more varied. The page knows no run's name; which
side is which lies in study.json, with the one who asks.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from likeness.evaluation.statistics import Estimate, Preference, binomial_preference, wilson
from likeness.files.atomic import read_lines, write_json, write_text
from likeness.files.errors import UserError
from likeness.report.embedding import data_uris

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
    preference: Preference  # exact binomial p, Wald's interval as the paper prints it
    share: Estimate  # Wilson's interval


def make_study(first: Path, second: Path, out: Path, seed: int = 0, most: int = 40) -> Path:
    """Write out/study.html and out/study.json: a question for each picture that both runs have of one prompt and seed, one for each prompt of which both have several.

    most   questions of each kind; drawn by chance where there are more
    raises UserError where the runs share nothing, or a study with answers lies there
    """
    if (out / "study.json").exists():
        raise UserError(f"{out}: holds a study already, and answers to it could no longer be counted. Choose another folder.")
    chance = random.Random(seed)
    items = _items(_pictures(first), _pictures(second), chance, most)
    if not items:
        raise UserError(f"{first} and {second}: have no picture of the same prompt and seed. Draw both with the same prompts: likeness generate RUN PROMPTS --seeds 0-3")
    photos = sorted((first / "photos").glob("*.png"))[:6]
    uris = data_uris([*photos, *(path for item in items for path in (*item.left, *item.right))], PAGE_BYTES)
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.get_template("study.html").render(items=items, photos=photos, uris=uris, questions=QUESTIONS, number=f"{chance.getrandbits(32):08x}")
    key = [{"question": item.question, "prompt": item.prompt, "first_is_left": item.first_is_left} for item in items]
    write_json(out / "study.json", {"schema": 1, "first": first.name, "second": second.name, "seed": seed, "items": key})
    write_text(out / "study.html", page)
    return out / "study.html"


def score_study(study: Path, answers: Sequence[Path]) -> tuple[str, str, list[Verdict]]:
    """The names of the two runs, and a verdict for each question. answers: files that people saved from the page."""
    key = _json(study / "study.json", "the study's own file; give the folder that `likeness study make` wrote")
    counted = {question: [0, 0] for question in QUESTIONS}
    for path in answers:
        for number, side in _answers(path, len(key["items"])):
            item = key["items"][number]
            counted[item["question"]][(side == "left") != item["first_is_left"]] += 1
    found = [
        Verdict(question, sum(votes), binomial_preference(votes[0], sum(votes)), wilson(votes[0], sum(votes))) for question, votes in counted.items() if sum(votes)
    ]  # fmt: skip
    if not found:
        raise UserError(f"{study}: none of the files holds an answer.")
    write_json(study / "verdicts.json", {"first": key["first"], "second": key["second"], "verdicts": [asdict(verdict) for verdict in found]})
    return key["first"], key["second"], found


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
    """The personalized pictures of a run's last checkpoint that was drawn, by class prompt and seed."""
    lines = [line for line in read_lines(run / "pictures" / "index.jsonl") if line["labels"].get("model") in ("personalized", "blended")]
    last = max((line["labels"].get("checkpoint", 0) for line in lines), default=0)
    found = {}
    for line in lines:
        path = run / "pictures" / Path(line["file"]).name
        if line["labels"].get("checkpoint", 0) == last and path.is_file():
            found[line["labels"]["class_prompt"], line["settings"]["seed"]] = path
    return found


def _answers(path: Path, count: int) -> list[tuple[int, str]]:
    content = _json(path, "a file that the study's page saved")
    answers = content.get("answers")
    if not isinstance(answers, dict):
        raise UserError(f"{path}: is not a file that the study's page saved.")
    found = []
    for number, side in answers.items():
        if not (str(number).isdecimal() and int(number) < count and side in ("left", "right")):
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
