"""What published studies of DreamBooth tabulated and no other benchmark here does, on the toybox.

    likeness compare overfit balanced underfit --subjects toybox:earl,… --runs REGIMES
    likeness compare face --subjects toybox:nora --pictures 10 --runs TEN; likeness compare monster_toy --subjects toybox:grumble --pictures 10 --runs TEN
    python benchmarks/studies.py OUT.json --regimes REGIMES --ten TEN --simple RUN…

OUT.json has the scores of every run of REGIMES; of every run of TEN those of its last checkpoint and of the base, which draws the same prompts from the same noise; and
for each RUN of --simple (`two_stage` and `dreambooth` of the methods' grid) those of 64 pictures of "a photo of a {}".
"""

import argparse
import json
from pathlib import Path
from typing import Any

from judging import Judged
from PIL import Image

from likeness.evaluation.benchmark import PROTOCOLS, SIMPLE
from likeness.files.run_folder import RunFolder
from likeness.workflow.cells import Drawing
from likeness.workflow.evaluating import evaluate
from likeness.workflow.generating import checkpoint_of, generate
from likeness.workflow.looking import Judges, open_judges
from likeness.workflow.progress import Progress, Silent
from likeness.workflow.stack import stage_types
from likeness.workflow.ways import differs, wanted_by
from likeness.world.subjects import SUBJECTS


def about(run: RunFolder) -> tuple[str, str]:
    """Recipe and subject, of a run that compare made."""
    recipe, subject = run.name.rsplit("-", 2)[0].removesuffix("-0").rsplit("-", 1)
    return recipe.replace("-", "_"), subject


def rows_of(run: RunFolder) -> dict[str, dict[str, float]]:
    """The values of its scores, by row."""
    return {row["name"]: {name: estimate["value"] for name, estimate in row["scores"].items()} for row in (run.scores() or {})["rows"]}


def beside_base(run: RunFolder) -> dict[str, Any]:
    """The scores of a run that was continued, beside the base's on the same prompts and noise."""
    drawing = Drawing(pictures=10)
    generate(run, drawing.templates(run.recipe(stage_types()).subject.class_noun, toybox=True), drawing.seeds, Silent())
    evaluate(run, Silent())
    parent = RunFolder.open(run.path.parent / (run.record().lineage or {})["run"])
    recipe, subject = about(parent)
    return {"recipe": recipe, "subject": subject, "steps": run.recipe(stage_types()).stages[-1].steps, "rows": rows_of(run)}


def simple(run: RunFolder, judges: Judges) -> dict[str, Any]:
    recipe, name = about(run)
    seeds = range(PROTOCOLS["simple"].pictures)
    generate(run, [SIMPLE], seeds, Silent(), beside_base=False)
    noun = SUBJECTS[name].class_noun
    alone = SIMPLE.format(noun)
    wanted = wanted_by(checkpoint_of(run))  # others of the same prompt and seeds, in fewer steps, may lie beside them
    own = [p for p in run.pictures() if p.labels["model"] == "personalized" and p.labels["class_prompt"] == alone and p.settings.seed in seeds and not differs(p.settings, wanted)]
    pictures = [Image.open(p.path).convert("RGB") for p in own]
    assert len(pictures) == len(seeds), (run.name, len(pictures))
    return {"recipe": recipe, "subject": name, **Judged(SUBJECTS[name], run, judges).scores(pictures, [alone] * len(pictures))}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--regimes", type=Path, required=True)
    parser.add_argument("--ten", type=Path, required=True)
    parser.add_argument("--simple", type=Path, nargs="+", default=[])
    asked = parser.parse_args()
    regimes = [RunFolder.open(path.parent) for path in sorted(asked.regimes.glob("*/run.json"))]
    continued = [run for path in sorted(asked.ten.glob("*/run.json")) if (run := RunFolder.open(path.parent)).record().lineage]
    found: dict[str, list[dict[str, Any]]] = {"regimes": [], "beside base": [], "simple": []}
    judges = open_judges("toybox")
    with Progress().task("runs", len(regimes) + len(continued) + len(asked.simple)) as task:
        for run in regimes:
            found["regimes"].append(dict(zip(("recipe", "subject"), about(run))) | {"scores": rows_of(run)["personalized"]})
            task.advance(note=run.name)
        for run in continued:
            found["beside base"].append(beside_base(run))
            task.advance(note=run.name)
        for path in asked.simple:
            found["simple"].append(simple(RunFolder.open(path), judges))
            task.advance(note=path.name)
    asked.out.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
