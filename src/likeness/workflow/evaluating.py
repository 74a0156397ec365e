"""Score a run from its pictures: everything of `scoring`, with floor, ceiling, the base's pictures and what drifted.

Only pictures are judged. For a toybox subject the world draws what the pictures should have been, see `truth`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image

from ..evaluation.benchmark import kinds_for
from ..evaluation.options import Encoders
from ..files.errors import UserError
from ..files.recipe import Recipe, Stage
from ..files.run_folder import RunFolder, SavedPicture
from ..files.typed import typed
from ..learning.rewards import SCORED
from .drifting import drift_rows
from .generating import checkpoint_of
from .looking import Judges, References, Seen, open_judges, seen_of
from .pairs import pair_rows
from .photos import toybox_subject
from .progress import Progress
from .scoring import (
    against_base,
    counts_of,
    measured,
    per_picture,
    remarks_on,
    rows_by_kind,
    scores_of,
    written,
)
from .stack import read_card, stage_types
from .stopping import Stopped, stop_request
from .truth import WorldScores, bounds, bounds_remarks, candidates_for, pair_candidates
from .ways import by_way, main_alone

REWARDED = {"dino": "DINO", "clip_t": "CLIP-T", "clip_t_class": "CLIP-T", "aesthetic": "the judge of looks"}  # in words, scores that a reward may be


def evaluate(
    run: RunFolder, progress: Progress, encoders: Encoders = Encoders(), only: Callable[[SavedPicture], bool] = lambda picture: True
) -> dict[str, Any]:  # fmt: skip
    """Score the pictures of a run, or some of them, and write scores.json."""
    recipe = run.recipe(stage_types())
    # those with other runs' LoRAs show something else, edited photos a scene that nobody asked for
    saved = [p for p in run.pictures() if not p.with_others and p.labels.get("model") != "edited" and only(p)]
    if not any(p.labels.get("model") == "personalized" for p in saved):
        raise UserError(f"{run.path}: has no pictures to score of its subject as it learned it, without other runs, a guide or a photo to edit. Draw some first: likeness generate {typed(run.path)}")
    if not any(p.image for p in run.photos()):
        raise UserError(f"{run.path}: has no photos to compare with. Import it with them: likeness import FILE --photos FOLDER")
    judges = open_judges(recipe.base, encoders)
    with stop_request() as stop, progress.task("rows of scores", 5) as task:

        def go_on(done: int) -> None:
            task.at(done, 5)
            if stop:
                raise Stopped(stop.number or 2, f"stopped by a signal; the scores of before stand. Begin again: likeness evaluate {typed(run.path)}")

        scores = _rows(run, recipe, saved, judges, go_on)
    run.write_scores(scores)
    return scores


def _rows(run: RunFolder, recipe: Recipe, saved: list[SavedPicture], judges: Judges, go_on: Callable[[int], None]) -> dict[str, Any]:
    photos = [p.image for p in run.photos() if p.image and p.subject == 0]
    references = References.of(photos, judges)
    subject = toybox_subject(recipe.subject.photos)
    size = max(p.settings.width for p in saved)  # of the truth and of look-alikes that are scored beside them; photos of others are as large as the subject's own
    world = WorldScores(subject, candidates_for(subject, judges, references.dino, photos[0].width), judges) if subject else None
    kinds = kinds_for(recipe.subject.class_noun)
    last = last_of(saved)
    together = _together(run, recipe, saved)
    alone = [p for p in saved if p not in together] or saved
    seen, each, remarks = {}, [], []
    for done, kind in enumerate(("personalized", "blended", "base")):
        chosen = [p for p in alone if p.labels.get("model") == kind]
        for name, (of_way, remark) in by_way(run, kind, chosen, last).items():
            of_all = seen_of(of_way, judges)
            if name == "personalized":
                each = _each(of_all, judges, references)
            now = [n for n, one in enumerate(of_all.asked) if kind != "personalized" or one.step == last]
            if now:
                seen[name] = of_all.rows(now)
                remarks += remark
        go_on(done + 1)
    rows = [{"name": kind, "scores": scores_of(of, judges, references, world, kinds)} for kind, of in seen.items()]
    if "base" in seen and "personalized" in seen:
        rows[0]["scores"] |= written(against_base(seen["personalized"], seen["base"], judges))
    asked = {p.labels["class_prompt"] for p in alone}
    rows += bounds(world, asked, judges, references, kinds, size)
    remarks += bounds_remarks(world, asked)
    for kind, of in seen.items():
        rows += rows_by_kind(kind, of, judges, references, kinds)
    if together:
        of_both, left = main_alone(run, together, last)
        rows, remarks = rows + _pairs(run, recipe, of_both, judges), remarks + left
    go_on(4)
    drifted, left = main_alone(run, drift := run.pictures("drift"), last_of(drift, last))
    remarks += left
    if (shown := last_of(drift, last)) != last:
        remarks.append(f"What drifted is said of checkpoint {shown}, all else of {last}. For both of one: likeness generate {typed(run.path)} --drift --checkpoint {last}")
    rows += drift_rows(drifted, judges, references, subject.class_noun if subject else None)
    go_on(5)
    every = [(f"photo {n}", p.image) for n, p in enumerate((p for p in run.photos() if p.used), 1) if p.image]  # of all its subjects; by number: a name may say whom it shows, and a page tells this
    counts = {kind: counts_of(of, every) for kind, of in seen.items()}
    remarks += [remark for kind, of in counts.items() for remark in remarks_on(of, kind)]
    if recipe.others:
        remarks.append("Likeness is to the first of the run's subjects alone, also in pictures that were asked for another by itself.")
    remarks += own_teachers(recipe.stages)
    if subject is None:
        remarks.append("Floor and naming: not available for photographs, whose other individuals of the class are unknown.")
        if recipe.base == "toybox":
            remarks.append("The embedded judges know drawn scenes alone: of photographs their cosines are a hint, no measurement.")
    return {"encoders": judges.names, "measured": measured(rows), "rows": rows, "counts": counts, "each": each, "remarks": remarks}


def last_of(saved: Sequence[SavedPicture], otherwise: int = 0) -> int:
    """The last checkpoint that personalized pictures were drawn by."""
    return max((p.labels.get("checkpoint", 0) for p in saved if p.labels.get("model") == "personalized"), default=otherwise)


def own_teachers(stages: Sequence[Stage]) -> list[str]:
    """Scores that a stage was rewarded by: their rise says that it was trained, not that pictures are better."""
    remarks = []
    for stage in stages:
        for reward in getattr(stage, "rewards", ()):
            if taught := SCORED.get(reward.partition(":")[0]):
                names = " and ".join(dict.fromkeys(REWARDED[score] for score in taught))
                remarks.append(f"{names}: rewarded this run's pictures in training ({reward}), by an encoder that may be the one that scores them here. It is its own teacher; believe another judge.")
    return remarks


def _together(run: RunFolder, recipe: Recipe, saved: list[SavedPicture]) -> list[SavedPicture]:
    """The pictures that were asked for both of two toybox subjects, personalized ones and the base's of the same class prompts."""
    if len(recipe.subjects) != 2 or not all(toybox_subject(one.photos) for one in recipe.subjects):
        return []
    card = read_card(checkpoint_of(run))
    names = [card["subject"]["called"], *(other["called"] for other in card["others"])]
    asked = {p.labels["class_prompt"] for p in saved if all(name in p.settings.prompt for name in names)}
    return [p for p in saved if p.labels["class_prompt"] in asked]


def _pairs(run: RunFolder, recipe: Recipe, saved: list[SavedPicture], judges: Judges) -> list[dict[str, Any]]:
    first, second = (toybox_subject(one.photos) for one in recipe.subjects)
    assert first and second
    photos = [judges.dino.pictures([p.image for p in run.photos() if p.image and p.subject == n]) for n in range(2)]
    candidates = pair_candidates((first, second), judges, photos)
    of_kind = {kind: [p for p in saved if p.labels.get("model") == kind] for kind in ("personalized", "base")}
    shown = {kind: ([Image.open(p.path).convert("RGB") for p in of], [p.labels["class_prompt"] for p in of]) for kind, of in of_kind.items()}
    return pair_rows(shown, (first, second), candidates, judges.dino)


def _each(seen: Seen, judges: Judges, references: References) -> list[dict[str, Any]]:
    """A line for every personalized picture of every checkpoint, for what compares pictures of equal prompts and noise."""
    found = per_picture(seen, judges, references)
    return [
        {"file": one.name, "step": one.step, "prompt": one.class_prompt, "seed": one.seed, **{name: float(values[n]) for name, values in found.items()}}
        for n, one in enumerate(seen.asked)
    ]
