"""Is the checkpoint that `likeness choose` recommends better than the last one, on prompts that it was not chosen on?

    python benchmarks/choice.py OUT.json [--subjects earl,…] [--runs DIR]

DreamBooth with the toybox's advice, which keeps a checkpoint every 50 steps. Every checkpoint draws the same prompts from the same noise. OUT.json has
a line for each subject, checkpoint and prompt: likeness and obedience, means over seeds. Chosen on one half of the prompts, compared on the other, both ways.
Runs that are finished under --runs are not trained again.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

from likeness.files.run_folder import RunFolder
from likeness.workflow.choosing import choose
from likeness.workflow.fitting import fit
from likeness.workflow.progress import Progress, Silent
from likeness.workflow.recipes import recipe_for
from likeness.world.subjects import SUBJECTS, prompts_for

PROMPTS = 12  # of the recontextualization prompts: two halves of six
SEEDS = range(2)
CHECKPOINTS = "50-400:50"


def trained(name: str, runs: Path) -> RunFolder:
    for path in sorted(runs.glob(f"{name}-dreambooth-*/run.json")):
        run = RunFolder.open(path.parent)
        if run.record().status == "finished":
            return run
    return fit(recipe_for("dreambooth", {"checkpoints": CHECKPOINTS}, {"photos": f"toybox:{name}"}), runs, Silent(), name=f"{name}-dreambooth")


def lines_of(run: RunFolder, name: str) -> list[dict]:
    templates = [p.template for p in prompts_for(SUBJECTS[name].class_noun) if p.kind == "recontextualization"][:PROMPTS]
    choose(run, templates, SEEDS, Silent())
    cells = defaultdict(list)
    for line in (run.scores() or {})["each"]:
        cells[line["step"], line["prompt"]].append((line["dino"], line["clip_t_class"]))
    return [
        {"subject": name, "step": step, "prompt": prompt, **{key: round(sum(column) / len(column), 5) for key, column in zip(("dino", "clip_t_class"), zip(*pictures))}}
        for (step, prompt), pictures in sorted(cells.items())
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--subjects", default="earl,grumble,bolt,amphora,dash,ramen,fizz,wick,gizmo,bud")
    parser.add_argument("--runs", type=Path, default=Path("runs/choice"))
    asked = parser.parse_args()
    lines: list[dict] = []
    names = asked.subjects.split(",")
    with Progress().task("subjects", len(names)) as task:
        for name in names:
            began = time.monotonic()
            lines += lines_of(trained(name, asked.runs), name)
            asked.out.write_text(json.dumps({"seeds": len(SEEDS), "lines": lines}) + "\n")
            task.advance(note=f"{name}, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
