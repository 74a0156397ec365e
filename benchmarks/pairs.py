"""Two subjects of the toybox taught together, and merged from two trainings: are both in one picture, each itself?

    python benchmarks/pairs.py OUT.json [--pairs earl+grumble,…] [--runs DIR] [--steps 600] [--joint-only]

Custom Diffusion with the toybox's advice. Joint: one training with both subjects' photos. Merged: a training each, then `likeness merge`.
Finished runs under --runs are not trained again.
"""

import argparse
import json
from pathlib import Path

from likeness.files.recipe import recipe_from_dict
from likeness.files.run_folder import RunFolder
from likeness.model.folder import advice, find_base
from likeness.workflow.evaluating import evaluate
from likeness.workflow.fitting import fit
from likeness.workflow.generating import generate
from likeness.workflow.merging import merge_runs
from likeness.workflow.progress import Progress, Silent
from likeness.workflow.stack import stage_types
from likeness.world.contexts import CONTEXTS
from likeness.world.subjects import SUBJECTS

PLACES = ("jungle", "snow", "beach", "street", "mountain")
TEMPLATES = ["a {} next to a {2}", *(f"a {{}} next to a {{2}} {CONTEXTS[place].words}" for place in PLACES)]
SEEDS = range(3)


def trained(names: list[str], runs: Path, options: dict) -> RunFolder:
    """A run of one or two subjects, each called by its own name."""
    label = "-and-".join(names)
    for path in sorted(runs.glob(f"{label}-*/run.json")):
        run = RunFolder.open(path.parent)
        if run.record().status == "finished" and not (run.record().lineage or {}).get("merged") and len(run.recipe(stage_types()).subjects) == len(names):
            return run
    subjects = [{"photos": f"toybox:{name}", "class_noun": SUBJECTS[name].class_noun, "identifier": name} for name in names]
    stage = {"method": "custom_diffusion", **advice(find_base("toybox"))["custom_diffusion"], **options}
    recipe = recipe_from_dict({"subject": subjects[0], "others": subjects[1:], "stages": [stage]}, stage_types())
    return fit(recipe, runs, Silent(), name=label)


def lines_of(run: RunFolder, pair: str, how: str) -> list[dict]:
    generate(run, TEMPLATES, SEEDS, Silent())
    found = []
    for row in evaluate(run, Silent())["rows"]:
        if "both" in row["scores"]:
            name = row["name"].partition(",")[0]
            kind = how if name == "personalized" else {"base": "base, asked for the class nouns"}.get(name, name)
            found.append({"pair": pair, "kind": kind, **{key: value["value"] for key, value in row["scores"].items()}})
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--pairs", default="earl+grumble,bolt+dash,amphora+ramen")
    parser.add_argument("--runs", type=Path, default=Path("runs/pairs"))
    parser.add_argument("--steps", type=int, default=600, help="of a joint training; half of them of a single one")
    parser.add_argument("--joint-only", action="store_true", help="leave out the merged trainings")
    asked = parser.parse_args()
    lines: list[dict] = []
    pairs = asked.pairs.split(",")
    with Progress().task("pairs", len(pairs)) as task:
        for pair in pairs:
            names = pair.split("+")
            joint = lines_of(trained(names, asked.runs, {"steps": asked.steps}), pair, "trained together")
            if asked.joint_only:
                lines += joint
                task.advance(note=pair)
                asked.out.write_text(json.dumps({"lines": lines}, indent=1) + "\n")
                continue
            apart = [trained([name], asked.runs, {"steps": asked.steps // 2}) for name in names]
            merged = next((RunFolder.open(p.parent) for p in asked.runs.glob(f"{'-and-'.join(names)}-*/run.json") if "merged" in p.read_text("utf-8")), None)
            merged = merged or merge_runs(apart, asked.runs, Silent())[0]
            lines += joint + [line for line in lines_of(merged, pair, "merged from two trainings") if line["kind"].startswith("merged")]
            task.advance(note=pair)
            asked.out.write_text(json.dumps({"lines": lines}, indent=1) + "\n")
    for kind in dict.fromkeys(line["kind"] for line in lines):
        mine = [line for line in lines if line["kind"] == kind]
        print(f"{kind:40} " + "  ".join(f"{key} {sum(line[key] for line in mine) / len(mine):.3f}" for key in ("both", "first", "second")))


if __name__ == "__main__":
    main()
