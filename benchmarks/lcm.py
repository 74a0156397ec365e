"""A student of few steps beside its teacher, on runs that are there.

    python benchmarks/lcm.py OUT.json RUN… [--set steps=50 …] [--runs runs/lcm]

Each run, of one subject of the toybox and scored already, is distilled (`likeness train lcm RUN`); the student draws the same prompts with the same seeds in
four steps and is scored by the same judges. A child that is there under --runs is not trained again.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from likeness.files.run_folder import RunFolder
from likeness.workflow.branching import stand
from likeness.workflow.evaluating import evaluate
from likeness.workflow.generating import generate
from likeness.workflow.progress import Progress, Silent
from likeness.workflow.stack import stage_types

SCORES = ("named", "dino", "placed", "clip_t_class", "diversity")


def scores_of(run: RunFolder) -> dict[str, dict[str, float]]:
    """By kind of row, its means."""
    rows = {row["name"].partition(":")[0]: row["scores"] for row in (run.scores() or {})["rows"]}
    return {kind: {name: rows[kind][name]["value"] for name in SCORES if name in rows[kind]} for kind in ("personalized", "floor", "ceiling")}


def student_of(teacher: RunFolder, options: dict[str, Any], runs: Path) -> RunFolder:
    known = [path for path in sorted(runs.glob(f"{teacher.name.rsplit('-', 2)[0]}-lcm-*")) if RunFolder.open(path).record().status == "finished"]
    return RunFolder.open(known[-1]) if known else stand(teacher, "lcm", options, Silent(), runs)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("teachers", type=Path, nargs="+")
    parser.add_argument("--set", nargs="*", default=[], dest="options")
    parser.add_argument("--runs", type=Path, default=Path("runs/lcm"))
    asked = parser.parse_args()
    options = {key: json.loads(value) for key, _, value in (option.partition("=") for option in asked.options)}
    lines = []
    with Progress().task("students", len(asked.teachers)) as task:
        for path in asked.teachers:
            teacher = RunFolder.open(path)
            student = student_of(teacher, options, asked.runs)
            called = (teacher.recipe(stage_types()).subject.identifier, teacher.recipe(stage_types()).subject.class_noun)
            templates = list(dict.fromkeys(p.settings.prompt.replace(" ".join(called), "{}") for p in teacher.pictures()))
            generate(student, templates, sorted({p.settings.seed for p in teacher.pictures()}), Silent(), beside_base=False)
            evaluate(student, Silent())
            seconds = {kind: (run.record().model_extra or {}).get("picture_seconds") for kind, run in (("teacher", teacher), ("student", student))}
            found = scores_of(student)
            lines.append({
                "subject": str(teacher.recipe(stage_types()).subject.photos).removeprefix("toybox:"), "teacher": scores_of(teacher)["personalized"], "student": found["personalized"],
                "floor": found["floor"], "ceiling": found["ceiling"], "picture_seconds": seconds,
            })  # fmt: skip
            task.advance(note=lines[-1]["subject"])
    asked.out.write_text("[\n" + ",\n".join(json.dumps(line) for line in lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
