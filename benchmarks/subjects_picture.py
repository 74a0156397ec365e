"""A sheet of photos of some subjects, the base told every word, DreamBooth, and the truth, side by side.

    python benchmarks/subjects_picture.py RUNS [--label balanced] [--subjects shadow,bolt,…]

Reads the runs that benchmarks/subjects.py kept; draws the base's pictures again from the same noise. Both are enlarged by the toybox's second stage, which is told no word.
"""

import argparse
from pathlib import Path

from PIL import Image

from likeness.files.prompts import said
from likeness.files.run_folder import RunFolder
from likeness.methods.super_resolution import Spec
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.report.grids import contact_sheet
from likeness.workflow.drawing import enlarged
from likeness.world.drawing import draw
from likeness.world.subjects import SUBJECTS, photos_of, prompts_for, seed_of

SCENES = ("jungle", "snow", "mountain")


def row(name: str, run: RunFolder, base: Base) -> list[Image.Image | None]:
    subject = SUBJECTS[name]
    prompts = [p for p in prompts_for(subject.class_noun) if p.context in SCENES and p.kind == "recontextualization"]
    wanted = base.advice["sampling"]
    asked = [said(p.template, subject.describable) for p in prompts]
    told = list(sample(base, asked, [0] * len(asked), **wanted))
    second = {"upscaler": Spec.model_validate(base.advice["super_resolution"]).drawing()}
    drawn = {(p.labels["class_prompt"], p.settings.seed): p.path for p in run.pictures() if p.labels["model"] == "personalized"}
    learned = [Image.open(drawn[said(p.template, subject.class_noun), 0]).convert("RGB") for p in prompts]
    truth = [draw(prompts[0].scene(subject.appearance, seed_of(f"draw/{prompts[0].template}/0")), 128)]
    told, learned = (list(enlarged(base, pictures, asked, [0] * len(asked), second)) for pictures in (told, learned))
    return [*(draw(scene, 128) for scene in photos_of(subject)[:3]), None, *told, None, *learned, None, *truth]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path)
    parser.add_argument("--label", default="balanced")
    parser.add_argument("--subjects", default="shadow,bruno,bolt,grumble")
    parser.add_argument("--out", type=Path, default=Path("runs/subjects.png"))
    asked = parser.parse_args()
    base = Base.open("toybox")
    rows = [row(name, RunFolder.open(sorted(asked.runs.glob(f"{asked.label}-{name}-*"))[-1]), base) for name in asked.subjects.split(",")]
    titles = ["photos", "", "", "", "the base, told every word", "", "", "", "after DreamBooth", "", "", "", "the truth"]
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet(rows, (), titles, cell=104).save(asked.out)


if __name__ == "__main__":
    main()
