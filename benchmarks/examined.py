"""What the second judge of individuals says of the grid's pictures: no setting was chosen by it, so it grades what the first one helped to choose.

    python benchmarks/examined.py GRID.json FOLDER…

FOLDERS hold the grid's runs. Each cell of GRID.json, benchmarks/results/grid.json, gets two scores more, and so do its floor and ceiling: `examined`, the mean cosine to the photos,
and `examined_named`, the share of pictures in which the subject is named among ten others of the same words.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from judging import Judged
from PIL import Image
from weights import embedded

from likeness.evaluation.loading import EMBEDDED, load_dino
from likeness.files.atomic import write_json
from likeness.files.run_folder import RunFolder
from likeness.workflow.cells import Cell, asked_of
from likeness.workflow.looking import Judges, open_judges
from likeness.workflow.progress import Progress
from likeness.workflow.stack import stage_types
from likeness.workflow.truth import true_pictures
from likeness.world.subjects import SUBJECTS, NamedSubject, lookalikes


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("grid", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    asked = parser.parse_args()
    grid = json.loads(asked.grid.read_text("utf-8"))
    examiner = Judges(open_judges("toybox").clip, load_dino(EMBEDDED / "examiner"))
    runs = {path.parent.name: path.parent for folder in asked.folders for path in folder.glob("*/run.json")}
    by_subject: dict[str, list[dict]] = defaultdict(list)
    for each in grid["cells"]:
        by_subject[each["subject"]].append(each)
    with Progress().task("cells", len(grid["cells"])) as task:
        for name, cells in by_subject.items():
            subject = SUBJECTS[name.removeprefix("toybox:")]
            judged = Judged(subject, RunFolder.open(runs[cells[0]["run"]]), examiner)
            bounds = {key: scores_of(judged, *true_pictures(subject.class_noun, people, drawn)) for key, people, drawn in bounds_of(subject, cells[0], runs)}
            for each in cells:
                each["scores"] |= scores_of(judged, *drawn_of(RunFolder.open(runs[each["run"]]), each))
                for key, scores in bounds.items():
                    each[key] |= scores
                task.advance()
    grid["measured with"]["examined"] = embedded(["base", "judges", "examiner"])
    write_json(asked.grid, grid)


def cell_of(run: RunFolder, each: dict) -> Cell:
    return Cell("", each["recipe"], each["subject"], each["seed"], run.recipe(stage_types()))


def drawn_of(run: RunFolder, each: dict) -> tuple[list[Image.Image], list[str]]:
    """The pictures that the cell's other scores are of, and what they were asked for. Raises ValueError if some are missing."""
    cell = cell_of(run, each)
    wanted = asked_of(run, cell)
    pictures = [picture for picture in run.pictures() if picture.labels["model"] == "personalized" and wanted(picture)]
    if len(pictures) != len(cell.wanted):
        raise ValueError(f"{run.name}: {len(pictures)} pictures of {len(cell.wanted)}")
    return [Image.open(picture.path).convert("RGB") for picture in pictures], [picture.labels["class_prompt"] for picture in pictures]


def bounds_of(subject: NamedSubject, each: dict, runs: dict[str, Path]) -> list[tuple[str, Sequence, list[str]]]:
    prompts = sorted({prompt for prompt, _ in cell_of(RunFolder.open(runs[each["run"]]), each).wanted})
    return [("floor", lookalikes(subject, len(prompts)), prompts), ("ceiling", [subject.appearance], prompts)]


def scores_of(judged: Judged, pictures: list[Image.Image], prompts: list[str]) -> dict[str, float]:
    found = judged.scores(pictures, prompts)
    return {"examined": float(np.mean(found["dino"])), "examined_named": float(np.mean(found["named"]))}


if __name__ == "__main__":
    main()
