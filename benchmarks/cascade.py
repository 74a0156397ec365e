"""What a second stage keeps of a subject's detail: noise augmentation, and photos to learn it from, beside the truth.

    python benchmarks/cascade.py OUT.json [--subjects earl,…] [--runs runs/cascade] [--set steps=200 …] [--sheet SHEET.png]

True renders of the subject in new scenes are made as small as the base draws, and enlarged again: bicubically; by the toybox's second stage as it was pretrained; by it tuned
on the subject's photos with little noise (DreamBooth's reduced augmentation) and with all that it was pretrained with. Each is drawn at several noise levels of the small picture. OUT.json has a
line for each subject, stage and level: decibels to the true render and the mean cosine with the photos, picture by picture. A run that is there under --runs is not trained again.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from kept import finished
from PIL import Image

from likeness.evaluation import metrics
from likeness.files.run_folder import RunFolder
from likeness.model.base import Base
from likeness.model.cascade import Upscaler, attached_upscaler
from likeness.model.trajectory import enlarge
from likeness.report.grids import contact_sheet
from likeness.toybox.upscaler_training import LEVELS, STEPS, psnr
from likeness.workflow.fitting import fit
from likeness.workflow.looking import Judges, open_judges
from likeness.workflow.progress import Progress, Silent
from likeness.workflow.recipes import recipe_for
from likeness.workflow.stack import put_on
from likeness.workflow.truth import true_pictures
from likeness.world.drawing import draw
from likeness.world.subjects import SUBJECTS, NamedSubject, photos_of, prompts_for

SCENES = 10
NOISE = (0, 10, 50, 100, 200)
AUGMENTED = {"tuned with noise of 0 to 20": 20, f"tuned with noise of 0 to {LEVELS - 1}": LEVELS - 1}


def tuned(name: str, noise_most: int, options: dict, runs: Path) -> RunFolder:
    label = f"{name}-noise{noise_most}"
    if known := finished(runs, f"{label}-*"):
        return known
    spec = {"upscaler": "toybox", "noise_most": noise_most, "noise_level": min(10, noise_most), **options}
    return fit(recipe_for("super_resolution", spec, {"photos": f"toybox:{name}"}), runs, Silent(), name=label)


def stages(name: str, options: dict, runs: Path) -> Iterator[tuple[str, Upscaler]]:
    yield "as pretrained", attached_upscaler(Base.open("toybox"), "toybox")
    for title, most in AUGMENTED.items():
        run = tuned(name, most, options, runs)
        yield title, attached_upscaler(put_on(Base.open("toybox"), run.checkpoints()[-1]).base, "toybox")


def measure(subject: NamedSubject, options: dict, runs: Path, judges: Judges) -> tuple[list[dict], list[list[Image.Image]]]:
    """A line for each way of enlarging, and rows of pictures to look at: bicubic, each stage at its least noise, the truth."""
    prompts = [p.template.format(subject.class_noun) for p in prompts_for(subject.class_noun) if p.kind == "recontextualization"][:SCENES]
    truth = true_pictures(subject.class_noun, [subject.appearance], prompts, each=1, size=128)[0]
    small = [picture.resize((64, 64), Image.Resampling.BOX) for picture in truth]
    references = judges.dino.pictures([draw(scene, 128) for scene in photos_of(subject)])

    def line(stage: str, level: int | None, pictures: list[Image.Image]) -> dict:
        near = metrics.subject_similarity_mean(judges.dino.pictures(pictures), references)
        decibels = None if stage == "truth" else [round(psnr(one, other), 3) for one, other in zip(pictures, truth)]
        return {"subject": subject.name, "stage": stage, "level": level, "psnr": decibels, "dino": np.round(near, 4).tolist()}

    bicubic = [picture.resize((128, 128), Image.Resampling.BICUBIC) for picture in small]
    lines, rows = [line("truth", None, truth), line("bicubic", None, bicubic)], [bicubic]
    for title, stage in stages(subject.name, options, runs):
        for level in NOISE:
            drawn = list(enlarge(stage, small, prompts, range(SCENES), STEPS, 1.0, level))
            lines.append(line(title, level, drawn))
            if level == NOISE[0]:
                rows.append(drawn)
    return lines, [*rows, truth]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--subjects", default="earl,ramen,bolt,grumble,dash,amphora")
    parser.add_argument("--runs", type=Path, default=Path("runs/cascade"))
    parser.add_argument("--set", nargs="*", default=[], dest="options")
    parser.add_argument("--sheet", type=Path)
    asked = parser.parse_args()
    options = {key: json.loads(value) for key, _, value in (option.partition("=") for option in asked.options)}
    judges, found, shown = open_judges("toybox"), [], []
    names = asked.subjects.split(",")
    with Progress().task("subjects", len(names)) as task:
        for name in names:
            lines, rows = measure(SUBJECTS[name], options, asked.runs, judges)
            found += lines
            shown += [row[:6] for row in rows]
            asked.out.write_text("[\n" + ",\n".join(json.dumps(line) for line in found) + "\n]\n", encoding="utf-8")
            task.advance(note=name)
            for each in lines:
                print(each["stage"], each["level"], each["psnr"] and round(float(np.mean(each["psnr"])), 2), round(float(np.mean(each["dino"])), 3), flush=True)
    if asked.sheet:
        contact_sheet(shown).save(asked.sheet)


if __name__ == "__main__":
    main()
