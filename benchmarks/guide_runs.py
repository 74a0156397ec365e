"""The runs that the guide's strips are taken from, as far as the methods' grid has none: trained and drawn by likeness itself.

    python benchmarks/guide_runs.py RUNS --grid GRID
    python benchmarks/guide_pictures.py GRID RUNS/* --subjects biscuit,bolt,dash

GRID holds the runs of `likeness compare` on bolt and dash, and the two stages of dash are drawn in it. What is there is neither trained nor drawn again.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from kept import finished

SCENES = ("a {} in the jungle", "a {} on top of green grass with sunflowers around it", "a {} with the Eiffel Tower in the background")
FAST = ("a {} in the jungle", "a {} in the snow", "a {} with a mountain in the background", "a {} on top of green grass with sunflowers around it")


def likeness(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "likeness.cli", *map(str, words)], check=True)


def trained(runs: Path, *words: object) -> Path:
    """The finished run under RUNS, trained if there is none."""
    if not (known := finished(runs, "*")):
        likeness("train", *words, "--runs", runs)
        known = finished(runs, "*")
    assert known is not None
    return known.path


def of_grid(grid: Path, name: str) -> Path:
    run = finished(grid, f"{name}-0-*")
    assert run is not None, f"{grid}: holds no finished {name}"
    return run.path


def draw(run: Path, prompts: tuple[str, ...], seeds: str, *words: object) -> None:
    likeness("generate", run, *prompts, "--seeds", seeds, "--no-beside-base", *words)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path)
    parser.add_argument("--grid", type=Path, required=True)
    asked = parser.parse_args()
    long = trained(asked.runs / "long", "dreambooth", "toybox:biscuit", "--steps", 400, "--checkpoints", "25,50,100,150,200,300")
    draw(long, SCENES, "0,1", "--checkpoint", "all")
    for alpha in (0.1, 0.3, 1):
        draw(long, SCENES, "0,1", "--guide", 50, "--blend.alpha", alpha)
    teacher = trained(asked.runs / "teacher", "dreambooth", "toybox:biscuit")
    for steps in (1, 2, 4, 8, 25):
        draw(teacher, FAST, "0-3", "--steps", steps)
    student = trained(asked.runs / "student", "lcm", teacher, "--checkpoints", "25,50,75")
    for steps in (1, 2, 4, 8):
        draw(student, FAST, "0-3", "--steps", steps)
    draw(student, FAST, "0-3", "--checkpoint", "all")
    draw(of_grid(asked.grid, "two-stage-dash"), SCENES, "0,1", "--checkpoint", "all")
    rewarded = trained(
        asked.runs / "rewarded", "ddpo", of_grid(asked.grid, "lora-rank-8-bolt"), "--rewards", "compressible", "--steps", 10, "--checkpoints", "3,6", "--updates", 1, "--batch-size", 8,
        "--gradient-accumulation", 2, "--draw-steps", 5, "--draw-guidance-scale", 1, "--learning-rate", 5e-3, "--prompts", SCENES[0],
    )  # fmt: skip
    draw(rewarded, SCENES, "0,1", "--checkpoint", "all", "--guidance-scale", 1)


if __name__ == "__main__":
    main()
