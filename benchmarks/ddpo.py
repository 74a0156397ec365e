"""What a reward does to runs that are there: on scenes that it was not given for, by judges that gave it and by one that did not.

    python benchmarks/ddpo.py OUT.json RUN… [--way "f1, LoRA"] [--runs runs/ddpo] [--set rewards=f1 steps=20 …]

Each run, of one subject of the toybox, is rewarded (`likeness train ddpo RUN`) on scenes that its pictures do not show, then draws the same pictures again, from the same noise.
OUT.json has a line for each way, subject, before and after, with every picture's scores (`examiner` is the second judge of individuals, which rewards nobody), each rollout's mean
reward, and how far pictures of other things have moved (1 - DINO cosine). Lines of other ways in the file are kept. A child that is there under --runs is not trained again.
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
from judging import Judged
from kept import finished
from PIL import Image

from likeness.evaluation import metrics
from likeness.evaluation.benchmark import unrelated_prompts
from likeness.evaluation.loading import EMBEDDED, load_dino
from likeness.files.prompts import said as said_of
from likeness.files.run_folder import RunFolder, without_time
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.workflow.branching import stand
from likeness.workflow.cells import Drawing
from likeness.workflow.generating import checkpoint_of, generate
from likeness.workflow.looking import open_judges
from likeness.workflow.progress import Progress, Silent
from likeness.workflow.stack import put_on, read_card, stage_types
from likeness.workflow.ways import differs, wanted_by
from likeness.world.subjects import SUBJECTS, prompts_for

REWARDED = 6  # scenes, of those that the run's pictures do not show


def rewarded(run: RunFolder, shown: list[str], options: dict[str, Any], runs: Path) -> RunFolder:
    if known := finished(runs, f"{without_time(run.name)}-ddpo-*"):
        return known
    noun = read_card(checkpoint_of(run))["subject"]["class_noun"]
    others = [p.template for p in prompts_for(noun) if p.kind == "recontextualization" and p.template not in shown]
    return stand(run, "ddpo", {"prompts": others[:REWARDED], **options}, Silent(), runs)


def pictures_of(run: RunFolder, asked: set[str], seeds: list[int]) -> tuple[list[Image.Image], list[str]]:
    """Those of some class prompts and seeds, drawn as the card wants; a run may hold others."""
    how = wanted_by(checkpoint_of(run))
    saved = [p for p in run.pictures() if p.labels["model"] == "personalized" and p.settings.seed in seeds and p.labels["class_prompt"] in asked and not differs(p.settings, how)]
    return [Image.open(p.path).convert("RGB") for p in saved], [p.labels["class_prompt"] for p in saved]


def other_things(run: RunFolder, noun: str) -> list[Image.Image]:
    """A picture of each prompt that has nothing to do with the subject."""
    model, how = put_on(Base.open("toybox"), checkpoint_of(run)), read_card(checkpoint_of(run))["sampling"]
    prompts = list(unrelated_prompts(noun))
    return list(sample(model.base, prompts, list(range(len(prompts))), how["steps"], how["guidance_scale"]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("before", type=Path, nargs="+")
    parser.add_argument("--way", default="f1, LoRA")
    parser.add_argument("--set", nargs="*", default=[], dest="options")
    parser.add_argument("--runs", type=Path, default=Path("runs/ddpo"))
    asked = parser.parse_args()
    options = {key: value for key, _, value in (option.partition("=") for option in asked.options)}
    judges, examiner = open_judges("toybox"), load_dino(EMBEDDED / "examiner")
    lines = [line for line in (json.loads(asked.out.read_text()) if asked.out.exists() else []) if line["way"] != asked.way]
    with Progress().task("runs", len(asked.before)) as task:
        for path in asked.before:
            run = RunFolder.open(path)
            card = read_card(checkpoint_of(run))
            noun, drawing = card["subject"]["class_noun"], Drawing()
            templates, seeds = list(drawing.templates(noun, toybox=True)), list(drawing.seeds)
            after = rewarded(run, templates, options, asked.runs)
            generate(after, templates, seeds, Silent(), beside_base=False)
            name = str(run.recipe(stage_types()).subject.photos).removeprefix("toybox:")
            judged, photos = Judged(SUBJECTS[name], run, judges), examiner.pictures([photo.image for photo in run.photos() if photo.image])
            rewards = [entry["noted"]["reward"] for entry in after.journal() if "reward" in entry.get("noted", {})]
            was, is_now = (judges.dino.pictures(other_things(one, noun)) for one in (run, after))
            extra = {"before": {}, "after": {"rewards": rewards, "drift": np.round(metrics.drift(is_now, was), 4).tolist()}}
            for when, one in (("before", run), ("after", after)):
                pictures, said = pictures_of(one, {said_of(template, noun) for template in templates}, seeds)
                assert len(pictures) == len(templates) * len(seeds), (name, when, len(pictures))  # none drawn otherwise lies among them
                unrewarded = np.round(metrics.subject_similarity_mean(examiner.pictures(pictures), photos), 4).tolist()
                lines.append({"way": asked.way, "subject": name, "when": when, "prompt": said, **judged.scores(pictures, said), "examiner": unrewarded, **extra[when]})
                print(asked.way, name, when, {key: round(statistics.mean(lines[-1][key]), 3) for key in ("named", "dino", "clip_t", "aesthetic", "examiner", "drift") if key in lines[-1]}, flush=True)
            asked.out.write_text("[\n" + ",\n".join(json.dumps(line) for line in lines) + "\n]\n", encoding="utf-8")
            task.advance(note=name)


if __name__ == "__main__":
    main()
