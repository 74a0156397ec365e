"""Is the checkpoint that `likeness choose` recommends better than the last one, on prompts that it was not chosen on? And how do regimes go over their steps?

    python benchmarks/choice.py OUT.json [--recipes dreambooth] [--set steps=400 checkpoints=50-400:50] [--subjects earl,…] [--runs DIR]
    python benchmarks/choice.py regimes.json --recipes overfit,balanced,underfit --set checkpoints=25-150:25

Recipes with the toybox's advice, and checkpoints on a schedule. Every checkpoint draws the same prompts from the same noise. OUT.json has
a line for each recipe, subject, checkpoint and prompt: likeness and obedience, means over seeds. Chosen on one half of the prompts, compared on the other, both ways.
Runs that are finished under --runs are not trained again.
"""

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

from kept import finished

from likeness.files.run_folder import RunFolder
from likeness.methods import packaged_recipes
from likeness.workflow.choosing import choose
from likeness.workflow.fitting import fit
from likeness.workflow.progress import Progress, Silent
from likeness.workflow.recipes import packaged_recipe, recipe_for
from likeness.world.subjects import REPORTED, SUBJECTS, prompts_for

PROMPTS = 12  # of the recontextualization prompts: two halves of six
SEEDS = range(2)


def trained(name: str, recipe: str, options: dict, runs: Path) -> RunFolder:
    if known := finished(runs, f"{name}-{recipe}-*"):
        return known
    subject = {"photos": f"toybox:{name}"}
    whole = packaged_recipe(recipe, subject) if recipe in packaged_recipes() else recipe_for(recipe, {}, subject)
    last = whole.stages[-1]
    kept = type(last).model_validate({**last.model_dump(), **options})
    return fit(whole.model_copy(update={"stages": (*whole.stages[:-1], kept)}), runs, Silent(), name=f"{name}-{recipe}")


def lines_of(run: RunFolder, name: str, recipe: str) -> list[dict]:
    templates = [p.template for p in prompts_for(SUBJECTS[name].class_noun) if p.kind == "recontextualization"][:PROMPTS]
    choose(run, templates, SEEDS, Silent())
    cells = defaultdict(list)
    for line in (run.scores() or {})["each"]:
        cells[line["step"], line["prompt"]].append((line["dino"], line["clip_t_class"]))
    return [
        {"recipe": recipe, "subject": name, "step": step, "prompt": prompt, **{key: round(sum(column) / len(column), 5) for key, column in zip(("dino", "clip_t_class"), zip(*pictures))}}
        for (step, prompt), pictures in sorted(cells.items())
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipes", default="dreambooth")
    parser.add_argument("--set", nargs="*", default=["steps=400", "checkpoints=50-400:50"], dest="options")
    parser.add_argument("--subjects", default=",".join(REPORTED))
    parser.add_argument("--runs", type=Path, default=Path("runs/choice"))
    asked = parser.parse_args()
    options = dict(option.split("=", 1) for option in asked.options)
    lines: list[dict] = []
    cells = [(name, recipe) for name in asked.subjects.split(",") for recipe in asked.recipes.split(",")]
    with Progress().task("runs", len(cells)) as task:
        for name, recipe in cells:
            began = time.monotonic()
            lines += lines_of(trained(name, recipe, options, asked.runs), name, recipe)
            asked.out.write_text(json.dumps({"seeds": len(SEEDS), "lines": lines}) + "\n")
            task.advance(note=f"{name}, {recipe}, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
