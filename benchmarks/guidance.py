"""What guidance, and noise on the way, give the embedded base and what they take: right things, and how varied a prompt's pictures are.

    python benchmarks/guidance.py OUT.json [--ways 1:0,2:0,4:0,2:1,3:1,4:1] [--pictures 256 | --runs RUN…]

Ways are guidance scales and η of DDIM. Held-out combinations, the same noise for every way. As `likeness pretrain --check` measures: shares of pictures with the right class and colour, the spread of a prompt's pictures as a share
of the world's, and how much of the border's colour the seed decides. With --runs, finished runs of the toybox's subjects in the base's place: what they draw of ten new scenes from two seeds each way, a line for each subject.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from judging import Judged
from PIL import Image

from likeness.evaluation.loading import EMBEDDED, load_clip, load_dino
from likeness.files.run_folder import RunFolder
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.toybox.asked_scenes import held_out_scenes
from likeness.toybox.check import answered, by_seed, facts, spread_of
from likeness.toybox.variety import seed_cast
from likeness.workflow.generating import checkpoint_of
from likeness.workflow.looking import open_judges
from likeness.workflow.progress import Progress
from likeness.workflow.stack import put_on, stage_types
from likeness.workflow.ways import wanted_by
from likeness.world.subjects import SUBJECTS, prompts_for

SCENES, SEEDS = 10, 2
CHOSEN_ON = 20_260  # scenes that settings are chosen on; the check has others


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--ways", default="1:0,2:0,4:0,2:1,3:1,4:1")
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--runs", type=Path, nargs="+", default=[])
    asked = parser.parse_args()
    ways = [tuple(map(float, way.split(":"))) for way in asked.ways.split(",")]
    if asked.runs:
        asked.out.write_text(json.dumps(list(taught([RunFolder.open(path) for path in asked.runs], ways))) + "\n", encoding="utf-8")
        return
    base, clip, dino = Base.open("toybox"), load_clip(EMBEDDED / "clip"), load_dino(EMBEDDED / "dino")
    scenes, prompts = (list(column) for column in zip(*held_out_scenes(asked.pictures, CHOSEN_ON)))
    lines = []
    with Progress().task("ways", len(ways)) as task:
        for scale, eta in ways:

            def generated(texts: list[str], seeds: Sequence[int] | None = None, scale: float = scale, eta: float = eta) -> list[Image.Image]:
                return list(sample(base, texts, list(seeds or range(len(texts))), **{**base.advice["sampling"], "guidance_scale": scale, "eta": eta}))

            drawn = generated(prompts)
            found = {question: answered(clip, drawn, question, facts(scenes, question), prompts) for question in ("class", "colour")}
            found |= {"spread": spread_of(dino, generated, 24, CHOSEN_ON), "cast": seed_cast(by_seed(generated, 16, CHOSEN_ON))}
            lines.append({"scale": scale, "eta": eta, **{name: asdict(estimate) for name, estimate in found.items()}})
            asked.out.write_text("[\n" + ",\n".join(json.dumps(line) for line in lines) + "\n]\n", encoding="utf-8")
            task.advance(note=f"{scale:g}, η {eta:g}: " + ", ".join(f"{name} {estimate}" for name, estimate in found.items()))


def taught(runs: Sequence[RunFolder], ways: Sequence[tuple[float, ...]]) -> Iterator[dict[str, Any]]:
    """A line for each subject and way: means over its pictures, and how alike the two of a prompt are."""
    judges = open_judges("toybox")
    for run in runs:
        subject = SUBJECTS[str(run.recipe(stage_types()).subject.photos).removeprefix("toybox:")]
        judged, model, how = Judged(subject, run, judges), put_on(Base.open("toybox"), checkpoint_of(run)), wanted_by(checkpoint_of(run))
        templates = [p.template for p in prompts_for(subject.class_noun) if p.kind == "recontextualization"][:SCENES]
        asked, seeds = [t.format(model.called) for t in templates for _ in range(SEEDS)], list(range(SEEDS)) * SCENES
        for scale, eta in ways:
            pictures = list(sample(model.base, asked, seeds, how["steps"], scale, eta=eta, sampler=how["sampler"]))
            scores = judged.scores(pictures, [t.format(subject.class_noun) for t in templates for _ in range(SEEDS)])
            seen = judges.dino.pictures(pictures)
            line = {"subject": subject.name, "scale": scale, "eta": eta, **{name: float(np.mean(each)) for name, each in scores.items()}}
            line["sameness"] = float(np.mean([seen[k] @ seen[k + 1] for k in range(0, len(seen), SEEDS)]))
            print(line, flush=True)
            yield line


if __name__ == "__main__":
    main()
