"""Students of few steps beside their teacher, on runs that are there.

    python benchmarks/lcm.py OUT.json RUN… [--runs runs/lcm] [--losses huber,l2] [--set steps=50 …]

Each run, of one subject of the toybox, is distilled (`likeness train lcm RUN`) once for each distance of guesses. The students draw the prompts and noise of a cell of `likeness compare` in 1, 2, 4 and 8
steps; beside them the teacher in its own 25 guided steps and in 4. OUT.json has a line for each subject, student and number of steps, with every picture's scores. Processor
seconds for a picture are taken last, in turn in one process. A child that is there under --runs is not trained again.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from judging import Judged
from kept import finished
from PIL import Image

from likeness.files.run_folder import RunFolder, without_time
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.workflow.branching import stand
from likeness.workflow.generating import checkpoint_of, generate
from likeness.workflow.looking import Judges, open_judges
from likeness.workflow.progress import Progress, Silent
from likeness.workflow.stack import put_on, read_card, stage_types
from likeness.workflow.truth import true_pictures
from likeness.workflow.ways import differs, wanted_by
from likeness.world.subjects import SUBJECTS, NamedSubject, lookalikes, prompts_for

STEPS = (1, 2, 4, 8)
OF_TEACHER = (25, 4)
SCENES, SEEDS = 10, (0, 1)  # what `likeness compare` draws
ROUNDS, AT_ONCE = 5, 8


def student_of(teacher: RunFolder, loss: str, options: dict[str, Any], runs: Path) -> RunFolder:
    at = runs / loss
    return finished(at, f"{without_time(teacher.name)}-lcm-*") or stand(teacher, "lcm", {"loss": loss, **options}, Silent(), at)


def drawn(run: RunFolder, templates: list[str], noun: str, seeds: list[int], steps: int) -> tuple[list[Image.Image], list[str]]:
    """The run's pictures in so many steps, and their prompts with the class noun."""
    generate(run, templates, seeds, Silent(), steps=steps, beside_base=False)
    asked, how = {template.format(noun) for template in templates}, wanted_by(checkpoint_of(run)) | {"steps": steps}
    saved = [
        p for p in run.pictures()
        if p.labels["model"] == "personalized" and p.labels["class_prompt"] in asked and p.settings.seed in seeds and not differs(p.settings, how)
    ]  # fmt: skip
    return [Image.open(p.path).convert("RGB") for p in saved], [p.labels["class_prompt"] for p in saved]


def lines_of(teacher: RunFolder, students: dict[str, RunFolder], judges: Judges) -> list[dict[str, Any]]:
    subject = SUBJECTS[str(teacher.recipe(stage_types()).subject.photos).removeprefix("toybox:")]
    judged = Judged(subject, teacher, judges)
    templates, seeds = [p.template for p in prompts_for(subject.class_noun) if p.kind == "recontextualization"][:SCENES], list(SEEDS)
    lines = bounds(subject, judged, [template.format(subject.class_noun) for template in templates], len(seeds))
    for name, run, counts in (("teacher", teacher, OF_TEACHER), *((loss, student, STEPS) for loss, student in students.items())):
        for steps in counts:
            pictures, said = drawn(run, templates, subject.class_noun, seeds, steps)
            assert len(pictures) == len(templates) * len(seeds), (name, steps, len(pictures))
            lines.append({"subject": subject.name, "by": name, "steps": steps, "prompt": said, **judged.scores(pictures, said)})
            print(subject.name, name, steps, {key: round(statistics.mean(lines[-1][key]), 3) for key in ("named", "dino", "clip_t")}, flush=True)
    return lines


def bounds(subject: NamedSubject, judged: Judged, prompts: list[str], each: int) -> list[dict[str, Any]]:
    """True pictures: of look-alikes (the floor of likeness), of the subject (the ceiling), and of the subject asked for another scene (the floor of obedience)."""
    lines = []
    for kind, individuals in (("floor", lookalikes(subject, len(prompts))), ("ceiling", [subject.appearance])):
        pictures, said = true_pictures(subject.class_noun, individuals, prompts, each=each)
        lines.append({"subject": subject.name, "by": kind, "steps": None, "prompt": said, **judged.scores(pictures, said)})
    other = dict(zip(prompts, [*prompts[1:], prompts[0]]))
    elsewhere = [other[prompt] for prompt in said]
    return [*lines, {"subject": subject.name, "by": "unasked", "steps": None, "prompt": elsewhere, **judged.scores(pictures, elsewhere)}]


def seconds(teacher: RunFolder, student: RunFolder) -> dict[str, float]:
    """Processor seconds for a picture, on one thread: medians of rounds in which all ways run in turn."""
    torch.set_num_threads(1)
    ways: dict[str, Callable[[], object]] = {}
    for name, run, counts in (("teacher", teacher, OF_TEACHER), ("student", student, STEPS)):
        model = put_on(Base.open("toybox"), checkpoint_of(run))
        wanted, prompt = read_card(checkpoint_of(run))["sampling"], f"a photo of {model.called}"
        for steps in counts:
            ways[f"{name} {steps}"] = lambda b=model.base, s=steps, w=wanted, p=prompt: list(
                sample(b, [p] * AT_ONCE, list(range(AT_ONCE)), s, w["guidance_scale"], eta=w.get("eta", 0.0), sampler=w.get("sampler", "DDIM"))
            )
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, draw in ways.items():
            began = time.process_time()
            draw()
            taken[way].append((time.process_time() - began) / AT_ONCE)
    return {way: round(statistics.median(each), 4) for way, each in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("teachers", type=Path, nargs="+")
    parser.add_argument("--losses", default="huber,l2")
    parser.add_argument("--set", nargs="*", default=[], dest="options")
    parser.add_argument("--runs", type=Path, default=Path("runs/lcm"))
    asked = parser.parse_args()
    options = {key: json.loads(value) for key, _, value in (option.partition("=") for option in asked.options)}
    judges, found = open_judges("toybox"), {"lines": []}
    with Progress().task("students", len(asked.teachers)) as task:
        for path in asked.teachers:
            teacher = RunFolder.open(path)
            students = {loss: student_of(teacher, loss, options, asked.runs) for loss in asked.losses.split(",")}
            found["lines"] += lines_of(teacher, students, judges)
            asked.out.write_text(json.dumps(found) + "\n", encoding="utf-8")
            task.advance(note=path.name)
    found["seconds"] = seconds(teacher, next(iter(students.values())))
    asked.out.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
