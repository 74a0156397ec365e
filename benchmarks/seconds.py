"""Processor seconds of a picture, each recipe's as its run draws it: on one thread, eight at a time, medians of rounds in which all take turns.

    python benchmarks/seconds.py GRID.json RUN…

The runs are of one subject, a recipe each; GRID.json, what likeness compare wrote or benchmarks/results/grid.json, gets "processor seconds of a picture" by recipe.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from weights import embedded

from likeness.files.atomic import write_json
from likeness.files.run_folder import RunFolder
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.workflow.generating import checkpoint_of
from likeness.workflow.stack import put_on
from likeness.workflow.ways import wanted_by

ROUNDS, AT_ONCE = 3, 8


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("grid", type=Path)
    parser.add_argument("runs", type=Path, nargs="+")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    grid = json.loads(asked.grid.read_text("utf-8"))
    recipes = {cell["run"]: cell["recipe"] for cell in grid["cells"]}
    taken: dict[str, list[float]] = {}
    for _ in range(ROUNDS + 1):
        for path in asked.runs:
            run = RunFolder.open(path)
            model, how = put_on(Base.open("toybox"), checkpoint_of(run)), wanted_by(checkpoint_of(run))
            began = time.process_time()
            list(sample(model.base, [f"a photo of {model.called}"] * AT_ONCE, list(range(AT_ONCE)), how["steps"], how["guidance_scale"], eta=how["eta"], sampler=how["sampler"]))
            taken.setdefault(recipes[run.name], []).append((time.process_time() - began) / AT_ONCE)
    grid.setdefault("processor seconds of a picture", {}).update({recipe: round(statistics.median(each[1:]), 4) for recipe, each in taken.items()})  # the first round warms up
    grid.setdefault("measured with", {})["seconds"] = embedded(["base"])
    print(grid["processor seconds of a picture"])
    write_json(asked.grid, grid)


if __name__ == "__main__":
    main()
