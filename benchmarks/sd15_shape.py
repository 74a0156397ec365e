"""Memory of DreamBooth on a network of Stable Diffusion 1.5's shape: the real configuration, random weights.

    python benchmarks/sd15_shape.py FOLDER [--resolution 256] [--steps 2]

Builds the pipeline in FOLDER (2.1 GB), trains in bf16, is stopped by a signal after two of three steps, resumes, and
prints the peak memory and seconds of each step. Needs some 20 GiB of memory and 25 GB of disk.
"""

import argparse
import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path

from real_size import build

from likeness.files.run_folder import RunFolder
from likeness.workflow.fitting import fit, resume
from likeness.workflow.progress import Progress
from likeness.workflow.recipes import recipe_for
from likeness.workflow.stopping import Stopped


class StopsAfter(Progress):
    """A person who stops the training after some steps."""

    def __init__(self, steps: int):
        super().__init__()
        self.steps = steps

    @contextmanager
    def task(self, title, total):
        with super().task(title, total) as task:
            shown = task._show

            def show(task, note):
                shown(task, note)
                if title == "training" and task.done == self.steps:
                    os.kill(os.getpid(), signal.SIGTERM)

            task._show = show
            yield task


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", default="toybox:biscuit")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2)
    asked = parser.parse_args()
    if not (asked.folder / "base" / "model_index.json").exists():
        build("sd15", asked.folder / "base")
    options = {"steps": asked.steps + 1, "mixed_precision": "bf16", "prior_weight": 0.0, "gradient_checkpointing": True}
    recipe = recipe_for("dreambooth", options, subject={"photos": asked.photos}, base=str(asked.folder / "base"), resolution=asked.resolution)
    try:
        fit(recipe, asked.folder / "runs", StopsAfter(asked.steps))
    except Stopped as stopped:
        print(stopped)
    run = resume(RunFolder.open(max((asked.folder / "runs").iterdir(), key=lambda path: path.stat().st_mtime)), Progress())
    lines = run.journal()
    print(json.dumps({"status": run.record().status, "seconds": [round(line["seconds"], 1) for line in lines],
                      "peak GiB": round(max(line["peak_bytes"] for line in lines) / 2**30, 2),
                      "losses": [line["losses"] for line in lines]}, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
