"""Score a run from its pictures: everything of `scoring`, with floor, ceiling, the base's pictures and what drifted.

Only pictures are judged. For a toybox subject the world draws what the pictures should have been: the ceiling is the
true subject in the asked scene, the floor another individual of whom the same words are true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from ..evaluation import metrics
from ..evaluation.benchmark import kinds_for
from ..evaluation.options import Encoders
from ..evaluation.statistics import Estimate, share
from ..files.errors import UserError
from ..files.prompts import said
from ..files.recipe import Recipe, Stage
from ..files.run_folder import RunFolder, SavedPicture
from ..learning.rewards import SCORED
from ..world.captions import article
from ..world.contexts import CONTEXTS
from ..world.drawing import draw
from ..world.random_scenes import NAMED_CONTEXTS
from ..world.scene import Appearance
from ..world.subjects import NamedSubject, distractors, known_prompts, photo_scenes, prompts_for, seed_of
from .drifting import drift_rows
from .generating import checkpoint_of
from .looking import Asked, Judges, References, Seen, look, open_judges
from .pairs import pair_rows
from .photos import toybox_subject
from .progress import Progress
from .scoring import (
    against_base,
    counts_of,
    measured,
    per_picture,
    photos_against_photos,
    remarks_on,
    rows_by_kind,
    scores_of,
    written,
)
from .stack import read_card, stage_types
from .stopping import Stopped, stop_request
from .ways import main_way, ways_of

DISTRACTORS = 10
REWARDED = {"dino": "DINO", "clip_t": "CLIP-T", "clip_t_class": "CLIP-T", "aesthetic": "the judge of looks"}  # in words, scores that a reward may be


@dataclass(frozen=True)
class WorldScores:
    """What can be asked of pictures of a toybox subject, since the world knows who it is and what each prompt shows."""

    subject: NamedSubject
    candidates: list[np.ndarray]  # from candidates_for
    judges: Judges

    def __call__(self, seen: np.ndarray, shown: np.ndarray, prompts: list[str]) -> dict[str, Estimate]:
        """Shares of pictures in which the subject is named among others, and in which the asked place is recognized.

        seen, shown  vectors of DINO and CLIP, [n, d]; prompts: with the class noun
        """
        named = metrics.identify(seen, self.candidates) == 0
        noun = self.subject.class_noun
        places = {said(p.template, noun): p.context for p in prompts_for(noun) if p.kind == "recontextualization"}
        asked = [n for n, prompt in enumerate(prompts) if prompt in places]
        found = {"named": share(named, prompts)}
        if asked:
            words = self.judges.texts([f"{article(noun)} {CONTEXTS[place].words}" for place in NAMED_CONTEXTS])
            likest = (shown[asked] @ words.T).argmax(axis=1)
            right = [NAMED_CONTEXTS[place] == places[prompts[n]] for n, place in zip(asked, likest)]
            found["placed"] = share(right, [prompts[n] for n in asked])
        return found


def evaluate(
    run: RunFolder, progress: Progress, encoders: Encoders = Encoders(), only: Callable[[SavedPicture], bool] = lambda picture: True
) -> dict[str, Any]:  # fmt: skip
    """Score the pictures of a run, or some of them, and write scores.json."""
    recipe = run.recipe(stage_types())
    # those with other runs' LoRAs show something else, edited photos a scene that nobody asked for
    saved = [p for p in run.pictures() if " + " not in (p.settings.checkpoint or "") and p.labels.get("model") != "edited" and only(p)]
    if not any(p.labels.get("model") == "personalized" for p in saved):
        raise UserError(f"{run.path}: has no pictures to score. Draw some first: likeness generate {run.path}")
    if not any(p.image for p in run.photos()):
        raise UserError(f"{run.path}: has no photos to compare with. Import it with them: likeness import FILE --photos FOLDER")
    judges = open_judges(recipe.base, encoders)
    with stop_request() as stop, progress.task("rows of scores", 5) as task:

        def go_on(done: int) -> None:
            task.at(done, 5)
            if stop:
                raise Stopped(stop.number or 2, f"stopped by a signal; the scores of before stand. Begin again: likeness evaluate {run.path}")

        scores = _rows(run, recipe, saved, judges, go_on)
    run.write_scores(scores)
    return scores


def _rows(run: RunFolder, recipe: Recipe, saved: list[SavedPicture], judges: Judges, go_on: Callable[[int], None]) -> dict[str, Any]:
    photos = [(p.name, p.image) for p in run.photos() if p.image and p.subject == 0]
    references = References.of([image for _, image in photos], judges)
    subject = toybox_subject(recipe.subject.photos)
    size = max(p.settings.width for p in saved)  # whoever is compared with them is drawn as large
    world = WorldScores(subject, candidates_for(subject, judges, references.dino, size), judges) if subject else None
    kinds = kinds_for(recipe.subject.class_noun)
    last = max(p.labels.get("checkpoint", 0) for p in saved if p.labels.get("model") == "personalized")
    together = _together(run, recipe, saved)
    alone = [p for p in saved if p not in together] or saved
    seen, each, remarks = {}, [], []
    for done, kind in enumerate(("personalized", "blended", "base")):
        chosen = [p for p in alone if p.labels.get("model") == kind]
        for name, (of_way, remark) in by_way(run, kind, chosen, last).items():
            of_all = seen_of(of_way, judges)
            if name == "personalized":
                each = _each(of_all, judges, references)
            now = [n for n, one in enumerate(of_all.asked) if kind == "blended" or one.step in (0, last)]
            if now:
                seen[name] = of_all.rows(now)
                remarks += remark
        go_on(done + 1)
    rows = [{"name": kind, "scores": scores_of(of, judges, references, world, kinds)} for kind, of in seen.items()]
    if "base" in seen and "personalized" in seen:
        rows[0]["scores"] |= written(against_base(seen["personalized"], seen["base"], judges))
    rows += bounds(world, {p.labels["class_prompt"] for p in alone}, judges, references, kinds, size)
    for kind, of in seen.items():
        rows += rows_by_kind(kind, of, judges, references, kinds)
    if together:
        of_both, left = _main_alone(run, together, last)
        rows, remarks = rows + _pairs(run, recipe, of_both, judges), remarks + left
    go_on(4)
    drifted, left = _main_alone(run, run.pictures("drift"), last)
    remarks += left
    rows += drift_rows(drifted, judges, references, subject.class_noun if subject else None)
    go_on(5)
    counts = {kind: counts_of(of, photos) for kind, of in seen.items()}
    remarks += [remark for kind, of in counts.items() for remark in remarks_on(of, kind)]
    if recipe.others:
        remarks.append("Likeness is to the first of the run's subjects alone, also in pictures that were asked for another by itself.")
    remarks += own_teachers(recipe.stages)
    if subject is None:
        remarks.append("Floor and naming: not available for photographs, whose other individuals of the class are unknown.")
        if recipe.base == "toybox":
            remarks.append("The embedded judges know drawn scenes alone: of photographs their cosines are a hint, no measurement.")
    return {"encoders": judges.names, "measured": measured(rows), "rows": rows, "counts": counts, "each": each, "remarks": remarks}


def by_way(run: RunFolder, kind: str, saved: list[SavedPicture], last: int) -> dict[str, tuple[list[SavedPicture], list[str]]]:
    """Pictures of one kind by the name of their row, with remarks: the kind's own name for those drawn as the cards want, then what was drawn otherwise.

    If none of the last checkpoint's was drawn as its card wants, what there is most of takes the name.
    """
    if not saved:
        return {}
    ways = ways_of(run, saved)
    main = main_way([way for way, p in zip(ways, saved) if p.labels.get("checkpoint", 0) in (0, last)] or ways)
    rows: dict[str, tuple[list[SavedPicture], list[str]]] = {}
    for way in sorted(set(ways), key=lambda way: way != main):
        remark = [f"The pictures were drawn otherwise than the run itself would draw them: {way}."] if way and way == main and kind == "personalized" else []
        named = kind if way == main and kind != "blended" or not way else f"{kind}, {way}"
        rows[named] = [p for p, other in zip(saved, ways) if other == way], remark
    return rows


def _main_alone(run: RunFolder, saved: list[SavedPicture], last: int) -> tuple[list[SavedPicture], list[str]]:
    """Of pictures that are asked by pairs those of the main way, and a remark that counts the others."""
    kept, now = [], [p for p in saved if p.labels.get("checkpoint", 0) in (0, last) and p.labels.get("model") in ("personalized", "base")]
    for kind in ("personalized", "base"):
        kept += by_way(run, kind, [p for p in now if p.labels["model"] == kind], last).get(kind, ([], []))[0]
    others = len(now) - len(kept)
    folder = now[0].path.parent.name if now else ""
    return kept, [f"{others} of {len(now)} pictures in {folder} were drawn otherwise than the rest (steps, guidance) and left out; {folder}/index.jsonl says how."] if others else []


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


def pair_candidates(subjects: tuple[NamedSubject, NamedSubject], judges: Judges, photos: Sequence[np.ndarray]) -> list[list[np.ndarray]]:
    """For each of two subjects who it could be: itself, ten others, and the other of the two, or one that is there twice could pass for both."""
    return [[*candidates_for(subject, judges, mine), other] for subject, mine, other in zip(subjects, photos, reversed(photos))]


def candidates_for(subject: NamedSubject, judges: Judges, references: np.ndarray, size: int = 64) -> list[np.ndarray]:
    """The subject's photos first, then those of ten others of its class of whom the same words are true."""
    others = distractors(subject, DISTRACTORS, same_words=True)
    seed = seed_of(f"candidates/{subject.name}")
    return [references, *(judges.dino.pictures(_photographed(other, seed + n, size)) for n, other in enumerate(others))]


def _photographed(appearance: Appearance, seed: int, size: int) -> list[Image.Image]:
    return [draw(scene, size) for scene in photo_scenes(appearance, 5, seed)]


def seen_of(saved: Sequence[SavedPicture], judges: Judges) -> Seen:
    """Saved pictures as the judges see them."""
    asked = [Asked(p.path.name, p.labels["class_prompt"], p.settings.prompt, p.settings.seed, p.labels.get("checkpoint", 0)) for p in saved]
    return look(asked, [p.path for p in saved], judges)


def _each(seen: Seen, judges: Judges, references: References) -> list[dict[str, Any]]:
    """A line for every personalized picture of every checkpoint, for what compares pictures of equal prompts and noise."""
    found = per_picture(seen, judges, references)
    return [
        {"file": one.name, "step": one.step, "prompt": one.class_prompt, "seed": one.seed, **{name: float(values[n]) for name, values in found.items()}}
        for n, one in enumerate(seen.asked)
    ]


def bounds(world: WorldScores | None, class_prompts: set[str], judges: Judges, references: References, kinds: Mapping[str, str], size: int = 64) -> list[dict[str, Any]]:
    """Floor and ceiling rows, as far as they can be had."""
    if world is None:
        return photos_against_photos(references)
    rows, subject = [], world.subject
    people = {
        "floor: another of whom the same words are true": distractors(subject, 1, same_words=True)[0],
        "ceiling: the true subject in the asked scenes": subject.appearance,
    }
    for name, appearance in people.items():
        images, prompts = true_pictures(subject.class_noun, appearance, sorted(class_prompts), size=size)
        asked = [Asked("", prompt, prompt, n) for n, prompt in enumerate(prompts)]
        scores = scores_of(look(asked, images, judges), judges, references, world, kinds)
        del scores["clip_t"]  # nobody typed these prompts
        rows.append({"name": name, "scores": scores})
    return rows + photos_against_photos(references, "real pictures: each photo against the others")


def true_pictures(class_noun: str, appearance: Appearance, class_prompts: list[str], each: int = 4, size: int = 64) -> tuple[list[Image.Image], list[str]]:
    """What an individual looks like in the scenes of the prompts that the world knows; elsewhere in its photos' scenes."""
    known = {said(p.template, class_noun): p for p in known_prompts(class_noun)}
    images, prompts = [], []
    for prompt in class_prompts:
        for n in range(each):
            seed = seed_of(f"truth/{prompt}/{n}")
            scene = known[prompt].scene(appearance, seed) if prompt in known else photo_scenes(appearance, 1, seed)[0]
            images.append(draw(scene, size))
            prompts.append(prompt)
    return images, prompts
