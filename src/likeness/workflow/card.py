"""ToyBench's card: what the benchmark is, whom it shows, what is asked, how it is scored, between which floor and ceiling, and what is weak about it.

Floors and ceilings are measured when the card is written, by the judges that are installed: they are true of those.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ..evaluation import metrics
from ..evaluation.statistics import Estimate, bootstrap, mean_of, share
from ..files.atomic import write_text
from ..files.picture import save_picture
from ..files.prompts import said
from ..model.folder import find_base, fingerprint
from ..report.grids import contact_sheet
from ..world.drawing import draw
from ..world.subjects import OPEN_SUBJECTS, REPORTED, SUBJECTS, NamedSubject, lookalikes, photos_of, prompts_for
from .looking import Judges, open_judges
from .progress import Progress
from .truth import candidates_for, true_pictures

EACH = 2  # true pictures of a prompt
PHOTOS_SHOWN = 4
ABOUT = """# ToyBench

A benchmark for teaching a text-to-image model one subject, on the drawn world that likeness carries. Since the world can draw the true answer to every prompt, scores have a
floor (other individuals of whom the same words are true) and a ceiling (the subject itself, in the asked scene).

![The thirty subjects: photos, and the truth of a prompt](subjects.png)
"""
WEAK = """## What is weak about it

- Drawn scenes of 64 pixels: nothing here measures photographs, and small parts are a few pixels.
- Prompts are of DreamBench's kinds and in part its sentences, for what this world can draw; figures of the two do not compare.
- Base and judges come from the same world, though from other pictures of it: a judge may like what the base cannot help doing.
- The text-image judge knows places best, and least whether both of two things are there; `likeness pretrain --check` prints how well. Ask it for nothing it does not know.
- The base's own animals and people have faces, but often muddled ones: what a method makes of a face it owes to the photos. Pictures of one prompt differ less than the world's.
- One identity judge both guides the choice of settings and scores them; a second one, built otherwise and taught by other pictures (`examiner`), by which nothing was chosen, scores the grid of docs/results.md again.
"""


def write_card(out: Path, progress: Progress) -> Path:
    """toybench.md and subjects.png in a folder."""
    save_picture(subjects_sheet(), out / "subjects.png", generated=False)
    judges, lines = open_judges("toybox"), []
    with progress.task("floors and ceilings", len(OPEN_SUBJECTS)) as task:
        for subject in OPEN_SUBJECTS:
            lines.append((subject, *_bounds(subject, judges)))
            task.advance(note=subject.name)
    parts = [ABOUT, *_subjects(), *_prompts(), *_protocol(judges), *_measured(lines), WEAK]
    write_text(out / "toybench.md", "\n".join(parts))
    return out / "toybench.md"


def subjects_sheet() -> Image.Image:
    rows: list[list[Image.Image]] = []
    for subject in SUBJECTS.values():
        truth, _ = true_pictures(subject.class_noun, [subject.appearance], [said("a {} in the jungle", subject.class_noun)], each=1)
        photos = [draw(scene, 128) for scene in photos_of(subject)][:PHOTOS_SHOWN]
        rows.append([*photos, *truth])
    names = [f"{s.name}{' (held out)' if s.held_out else ''}: {s.describable}" for s in SUBJECTS.values()]
    return contact_sheet(rows, names, [*("photo",) * PHOTOS_SHOWN, "a … in the jungle"], cell=96)


def _subjects() -> Iterator[str]:
    held_out = [subject for subject in SUBJECTS.values() if subject.held_out]
    yield f"\n## Subjects\n\n{len(SUBJECTS)} individuals, {len(held_out)} of them held out for a last measurement and used for nothing else. No appearance near theirs is in the training of base or judges.\n"
    yield "| name | photos | all that words can say |\n| --- | --- | --- |"
    for s in SUBJECTS.values():
        yield f"| {s.name}{' (held out)' if s.held_out else ''} | {len(photos_of(s))} | {s.describable} |"


def _prompts() -> Iterator[str]:
    yield "\n## Prompts\n"
    for kind, noun in (("live subjects", "dog"), ("things", "backpack")):
        prompts = prompts_for(noun)
        counted = ", ".join(f"{count} {name}" for name, count in Counter(p.kind for p in prompts).items())
        yield f"For {kind} {len(prompts)} ({counted}): {'; '.join(p.template for p in prompts)}.\n"


def _protocol(judges: Judges) -> Iterator[str]:
    yield (
        "## Protocol\n\nTeach a method the photos of one subject; draw the prompts, the same seeds for every method; compare on subjects, prompts and seeds that are paired.\n"
        f"Choose settings on ten open subjects, report on {', '.join(REPORTED)}, and use those held out once. `likeness compare` does it with ten recontextualization prompts and two pictures of each.\n\n"
        f"Base `{fingerprint(find_base('toybox'))}`, judges `{judges.clip.name}` and `{judges.dino.name}`. Intervals are 95 % bootstraps over prompts, in a table of subjects over subjects.\n"
    )


def _bounds(subject: NamedSubject, judges: Judges) -> tuple[Estimate, Estimate, Estimate]:
    """Floor and ceiling in cosines to the photos, and how often the subject is named in true pictures."""
    photos = judges.dino.pictures([draw(scene, 64) for scene in photos_of(subject)])
    asked = [said(p.template, subject.class_noun) for p in prompts_for(subject.class_noun) if p.kind == "recontextualization"]
    found = []
    for individuals in (lookalikes(subject, len(asked)), [subject.appearance]):
        images, prompts = true_pictures(subject.class_noun, individuals, asked, EACH)
        seen = judges.dino.pictures(images)
        found.append(bootstrap(metrics.subject_similarity_mean(seen, photos), prompts))
    named = metrics.identify(seen, candidates_for(subject, judges, photos)) == 0
    return found[0], found[1], share(named, prompts)  # of the last: the subject itself


def _measured(lines: list[tuple[NamedSubject, Estimate, Estimate, Estimate]]) -> Iterator[str]:
    yield "## Floor and ceiling\n\nMean cosine of the identity judge to the photos, new scenes; and in how many true pictures it names the subject among ten others of the same words.\n"
    yield "| subject | floor | ceiling | named in truth |\n| --- | --- | --- | --- |"
    for subject, *estimates in lines:
        yield f"| {subject.name}, a {subject.class_noun} | {' | '.join(map(str, estimates))} |"
    by_class: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for subject, floor, ceiling, _ in lines:
        by_class[subject.class_noun].append((floor.value, ceiling.value))
    names = [subject.name for subject, *_ in lines]
    means = [mean_of(score, [estimate.value for estimate in column], names) for score, column in zip(("dino", "dino", "named"), zip(*(estimates for _, *estimates in lines)))]
    yield f"| **all open subjects** | {' | '.join(map(str, means))} |\n"
    yield "Narrowest by class: " + ", ".join(f"{noun} {gap:.2f}" for gap, noun in sorted((np.mean([c - f for f, c in pairs]), noun) for noun, pairs in by_class.items())[:3]) + ".\n"
