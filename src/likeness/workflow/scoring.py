"""Scores of pictures, whoever drew them: likeness to the subject, to the prompt, variety, steadiness, copies; with intervals.

A score's name says what it is; MEASURED says by which judge and of which text, and stands beside the numbers in scores.json.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from PIL import Image

from ..evaluation import metrics
from ..evaluation.benchmark import RECONTEXTUALIZATION
from ..evaluation.statistics import Estimate, bootstrap, deviations, mean_of, relative_change
from .looking import Judges, References, Seen

WorldQuestions = Callable[[np.ndarray, np.ndarray, list[str]], dict[str, Estimate]]  # what can be asked where the truth is known: vectors of DINO and CLIP, prompts

BY_KIND = ("dino", "clip_i", "clip_t_class", "clip_t")
MEASURED = {
    "dino": "dino; mean over the photos", "dino_max": "dino; the likest photo", "dinov2": "dinov2; mean over the photos",
    "clip_i": "clip; mean over the photos", "clip_i_max": "clip; the likest photo",
    "clip_t": "clip; the prompt as typed", "clip_t_class": "clip; the prompt with the class noun in place of the subject's name",
    "diversity": "dino; cosine over a prompt's pairs", "diversity_clip": "clip; cosine over a prompt's pairs",
    "lpips": "lpips; mean over a prompt's pairs", "perceptual": "perceptual; mean over a prompt's pairs",
    "entanglement": "dino; cosine within a scene less between scenes", "dino_base": "dino; the base's picture of the same prompt and seed",
    "clip_i_base": "clip; the base's picture of the same prompt and seed", "clip_t_change": "clip; the prompt with the class noun, against the base's picture of the same seed",
    "drift": "dino; 1 - cosine to the base's picture of the same prompt and seed", "drift_clip": "clip; 1 - cosine to the base's picture of the same prompt and seed",
    "pres": "dino; pictures of the class against the subject's photos", "realism": "dino; the likest of many true pictures of the class",
    "aesthetic": "aesthetic; how good the picture looks, whatever it shows", "named": "dino; among ten others of the same words", "placed": "clip; among the places that the world knows",
}  # fmt: skip


def scores_of(seen: Seen, judges: Judges, references: References, world: WorldQuestions | None = None, kinds: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Means with intervals over prompts, of all that can be asked of the pictures. kinds: the application of each known prompt."""
    prompts, each = seen.class_prompts, per_picture(seen, judges, references)
    scores = {name: mean_of(name, values, prompts) for name, values in each.items()}
    scores |= _variety(seen, judges)
    if scenes := _scenes(prompts, kinds or {}):
        of = [n for n, prompt in enumerate(prompts) if prompt in scenes]
        scores["entanglement"] = bootstrap(metrics.entanglement(seen.dino[of], [prompts[n] for n in of]))
    scores |= _steadiness({name: each[name] for name in ("dino", "clip_t_class")}, prompts)
    if world:
        scores |= world(seen.dino, seen.clip, prompts)
    return written(scores)


def _steadiness(each: Mapping[str, np.ndarray], prompts: Sequence[str]) -> dict[str, Estimate]:
    """Standard deviations over all pictures, over prompts and over a prompt's seeds; without those that there is but one of."""
    several = (len(prompts) > 1, len(set(prompts)) > 1, len(set(prompts)) < len(prompts))
    found = {name: zip((f"{name}_sd", f"{name}_sd_prompts", f"{name}_sd_seeds"), deviations(values, prompts), several) for name, values in each.items()}
    return {name: deviation for rows in found.values() for name, deviation, there in rows if there}


def per_picture(seen: Seen, judges: Judges, references: References) -> dict[str, np.ndarray]:
    """Every score that a single picture has, [n] each."""
    found = without_prompts(seen, judges, references)
    found["clip_t_class"] = metrics.prompt_similarity(seen.clip, judges.texts(seen.class_prompts))
    found["clip_t"] = metrics.prompt_similarity(seen.clip, judges.texts([one.prompt for one in seen.asked]))
    return found


def without_prompts(seen: Seen, judges: Judges, references: References) -> dict[str, np.ndarray]:
    """What can be asked of a picture whose prompt is unknown."""
    found = likeness_of(seen, references)
    return {**found, "aesthetic": judges.aesthetic.scores(seen.clip)} if judges.aesthetic else found


def likeness_of(seen: Seen, references: References) -> dict[str, np.ndarray]:
    """Scores against the subject's photos alone."""
    found = {
        "dino": metrics.subject_similarity_mean(seen.dino, references.dino), "dino_max": metrics.subject_similarity_max(seen.dino, references.dino),
        "clip_i": metrics.subject_similarity_mean(seen.clip, references.clip), "clip_i_max": metrics.subject_similarity_max(seen.clip, references.clip),
    }  # fmt: skip
    if seen.dinov2 is not None and references.dinov2 is not None:
        found["dinov2"] = metrics.subject_similarity_mean(seen.dinov2, references.dinov2)
    return found


def against_base(seen: Seen, base: Seen, judges: Judges) -> dict[str, Estimate]:
    """What training did to each picture: cosine to the base's of the same prompt and noise, and the change in how well the prompt is followed."""
    mine, theirs = paired(seen, base)
    if not mine:
        return {}
    prompts = [seen.class_prompts[n] for n in mine]
    texts = judges.texts(prompts)
    return {
        "dino_base": mean_of("dino_base", 1 - metrics.drift(seen.dino[mine], base.dino[theirs]), prompts),
        "clip_i_base": mean_of("clip_i_base", 1 - metrics.drift(seen.clip[mine], base.clip[theirs]), prompts),
        "clip_t_change": relative_change(metrics.prompt_similarity(seen.clip[mine], texts), metrics.prompt_similarity(base.clip[theirs], texts), prompts),
    }


def paired(first: Seen, second: Seen) -> tuple[list[int], list[int]]:
    """Rows of the two that share class prompt and seed."""
    where = {(one.class_prompt, one.seed): n for n, one in enumerate(second.asked)}
    rows = [(n, where[one.class_prompt, one.seed]) for n, one in enumerate(first.asked) if (one.class_prompt, one.seed) in where]
    return [n for n, _ in rows], [m for _, m in rows]


def rows_by_kind(name: str, seen: Seen, judges: Judges, references: References, kinds: Mapping[str, str]) -> list[dict[str, Any]]:
    """A row for each application that the prompts are of, where there are several."""
    found = Counter(kinds[prompt] for prompt in seen.class_prompts if prompt in kinds)
    if len(found) < 2:
        return []
    each, rows = per_picture(seen, judges, references), []
    for kind in found:
        of = [n for n, prompt in enumerate(seen.class_prompts) if kinds.get(prompt) == kind]
        prompts = [seen.class_prompts[n] for n in of]
        rows.append({"name": f"{name}, {kind}", "scores": written({score: mean_of(score, each[score][of], prompts) for score in BY_KIND})})
    return rows


def counts_of(seen: Seen, photos: Sequence[tuple[str, Image.Image]]) -> dict[str, Any]:
    """How many pictures are black, of one other colour, or a photo over again; copies by name, each with its photo."""
    copies = metrics.near_copies(seen.thumbnails, np.array([metrics.thumbnail(image) for _, image in photos]))
    return {
        "pictures": len(seen.asked), "black": int(seen.black.sum()), "constant": int(seen.constant.sum()),
        "copies": {seen.asked[picture].name: photos[photo][0] for picture, photo in copies},
    }  # fmt: skip


def remarks_on(counts: Mapping[str, Any], kind: str = "") -> list[str]:
    """What a reader of the means should know of the pictures behind them."""
    remarks, n = [], f"{counts['pictures']} {kind} pictures".replace("  ", " ")
    if counts["black"]:
        remarks.append(f"{counts['black']} of {n} are black.")
    if counts["constant"]:
        remarks.append(f"{counts['constant']} of {n} are one colour all over, as numbers that are none leave them.")
    if copies := counts["copies"]:
        named = ", ".join(f"{picture} ({photo})" for picture, photo in list(copies.items())[:8])
        remarks.append(f"{len(copies)} of {n} are a photo over again, so they show memory and no new scene: {named}{', …' * (len(copies) > 8)}.")
    return remarks


def photos_against_photos(references: References, name: str = "ceiling: each photo against the others") -> list[dict[str, Any]]:
    """The ceiling of photographs: each against the others."""
    if len(references.dino) < 2:
        return []
    known = (("dino", references.dino), ("clip_i", references.clip), ("dinov2", references.dinov2))
    return [{"name": name, "scores": written({score: _mutual(score, vectors) for score, vectors in known if vectors is not None})}]


def _mutual(score: str, vectors: np.ndarray) -> Estimate:
    """Mean cosine of unit vectors to one another, [n, d]. Each vector is in the means of all, so the interval is of the jackknife's pseudo-values; of two there is none."""
    n, cosines = len(vectors), np.asarray(vectors @ vectors.T, dtype=np.float64)
    mine = cosines.sum(axis=1) - np.diag(cosines)
    whole = mine.sum() / (n * (n - 1))
    if n == 2:
        return Estimate(float(whole), None, None, 2)
    return mean_of(score, n * whole - (mine.sum() - 2 * mine) / (n - 2))  # (n - 1) times the mean without each


def measured(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """By which judge, and of which text or what else, each score of the rows is."""
    return {score: MEASURED[score.partition("_sd")[0]] for row in rows for score in row["scores"] if score.partition("_sd")[0] in MEASURED}


def written(scores: Mapping[str, Estimate]) -> dict[str, Any]:
    return {name: asdict(estimate) for name, estimate in scores.items()}


def _variety(seen: Seen, judges: Judges) -> dict[str, Estimate]:
    """How alike and how far apart a prompt's pictures are; of prompts with at least two."""
    rows: dict[str, list[int]] = {}
    for n, prompt in enumerate(seen.class_prompts):
        rows.setdefault(prompt, []).append(n)
    several = [of for of in rows.values() if len(of) > 1]
    if not several:
        return {}
    found = {name: mean_of(name, [metrics.diversity(vectors[of]) for of in several]) for name, vectors in (("diversity", seen.dino), ("diversity_clip", seen.clip))}
    return {**found, judges.distance: bootstrap(list(seen.apart.values()))} if seen.apart else found


def _scenes(prompts: Sequence[str], kinds: Mapping[str, str]) -> set[str]:
    """Prompts that change where the subject is and not what it looks like, with two pictures; none where there are not two of them."""
    counted = Counter(prompt for prompt in prompts if kinds.get(prompt, RECONTEXTUALIZATION) == RECONTEXTUALIZATION)
    found = {prompt for prompt, count in counted.items() if count > 1}
    return found if len(found) > 1 else set()
