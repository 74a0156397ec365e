"""All figures of docs/results.md made anew: what another base or other judges cost.

    python benchmarks/everything.py RUNS [--at-once 2] [--only grid,lcm]

Trains what is missing under RUNS and judges it: some ten hours of one core from nothing, half an hour where all runs are there. Each job is one of the commands that the page names, on one thread; what it
printed lies in RUNS/logs. A job that ended is not run again, unless the judges are others than when it did; runs of another base are refused: begin in a new folder. What is stopped goes on. At the end benchmarks/results/*.json have the new figures; their notes are prose about the
figures of before and are to be read again, then `python benchmarks/results.py` writes the page. What the guide shows is trained and drawn too, for `guide_pictures.py`. Not here: what times the machine by the clock (steps, scoring, DreamBlend's cost), and the first base, whose weights lie in the history alone.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from weights import embedded

from likeness.files.atomic import write_text
from likeness.world.subjects import REPORTED

HERE = Path(__file__).parent
TEN, FIVE = REPORTED, REPORTED[:5]
BENCHMARKED = ("dreambooth", "lora:rank=8", "textual_inversion:vectors=4", "custom_diffusion:trained=kv")
METHODS = (*BENCHMARKED, "two_stage", "few_steps")
SWEEPS = (
    *(f"dreambooth:prior_weight={w}" for w in ("0.25", "0.5", "0.75", "1")), *(f"lora:rank={r}" for r in (2, 4, 16)),
    *(f"textual_inversion:vectors={v}" for v in (1, 2, 8)), "custom_diffusion:trained=all",
)  # fmt: skip
REWARDED = ("updates=1", "batch_size=16", "gradient_accumulation=2", "draw_steps=5", "draw_guidance_scale=1")
WAYS = {  # of rewarding, said on the page with a comma: subjects, settings
    "f1 LoRA": (TEN, ("rewards=f1", "steps=24", "learning_rate=5e-4")),
    "f1 whole U-Net": (FIVE, ("rewards=f1", "trained=full", "steps=16", "learning_rate=2e-5")),
    "aesthetic LoRA": (FIVE, ("rewards=aesthetic", "steps=16", "learning_rate=2e-3")),
    "aesthetic whole U-Net": (FIVE, ("rewards=aesthetic", "trained=full", "steps=16", "learning_rate=2e-5")),
}
PAGE = {"sweeps": "grid", "rewarded": "grid"}  # further rows of a table


def place(subject: str) -> int:
    return TEN.index(subject) if subject in TEN else len(TEN)


def said(way: str) -> str:
    return way.replace(" ", ", ", 1)


MERGING = Lock()  # jobs share files of figures


@dataclass
class Job:
    """A command, what must have ended before it, the file that it writes, if it is one of figures, and the parts of the toybox that these are of."""

    name: str
    command: list[str]
    after: list[str] = field(default_factory=list)
    written: Path | None = None
    of: tuple[str, ...] = ("base", "judges")


def jobs(runs: Path, figures: Path) -> list[Job]:
    """In the order in which they begin: the longest first."""

    def script(name: str, *words: str) -> list[str]:
        return [sys.executable, str(HERE / f"{name}.py"), *words]

    def compared(folder: str, recipes: tuple[str, ...], names: tuple[str, ...], *words: str) -> list[str]:
        subjects = ",".join(f"toybox:{name}" for name in names)
        return [sys.executable, "-m", "likeness.cli", "compare", *recipes, "--subjects", subjects, "--seeds", "0", "--runs", str(runs / folder), *words]

    def benchmark(name: str, *words: str, after: tuple[str, ...] = (), file: str = "", also: tuple[str, ...] = ()) -> Job:
        out = figures / f"{file or name}.json"
        return Job(name, script(words[0], *(str(out) if w == "OUT" else w for w in words[1:])), list(after), out, (*Job.of, *also))

    def trained(recipe: str, names: tuple[str, ...] = TEN) -> list[str]:
        """Run folders of the grid as patterns: they are there once it is."""
        return [f"{runs / 'grid'}/{recipe}-{name}-0-*" for name in names]

    now = embedded()
    rewarded, ddpo, cascade = (f"{name}-{now[part]}" for name, part in (("rewarded", "judges"), ("ddpo", "judges"), ("cascade", "upscaler")))  # what rewarded them, or what they go on from, is in the runs
    halves = {"1": TEN[:5], "2": TEN[5:]}
    blends = str(runs / "choice")
    made = [Job(f"{part} {half}", compared(part, recipes, names)) for part, recipes in (("grid", METHODS), ("sweeps", SWEEPS)) for half, names in halves.items()]
    made += [Job(f"regimes {half}", compared("regimes", ("overfit", "balanced", "underfit"), names)) for half, names in halves.items()]
    made += [
        benchmark("choice", "choice", "OUT", "--runs", blends),
        Job("tuned", script("choice", str(figures / "tuned.json"), "--runs", blends, "--subjects", "biscuit,mimi")),
        Job("rewarded", compared(rewarded, ("rewarded",), TEN), written=runs / rewarded / "compare.json"),
        *(Job(part, compared(part, recipes, TEN), [f"{part} 1", f"{part} 2"], runs / part / "compare.json") for part, recipes in (("grid", METHODS), ("sweeps", SWEEPS))),
        Job("toybench", compared("grid", BENCHMARKED, TEN, "--benchmark", "toybench", "--pictures", "1"), ["grid"], runs / "grid" / "compare.json"),
        *(benchmark(way, "ddpo", "OUT", *trained("lora-rank-8", names), "--way", said(way), "--runs", str(runs / ddpo / str(n)), "--set", *settings, *REWARDED, after=("grid",), file=f"ddpo {n}", also=("examiner",))
          for n, (way, (names, settings)) in enumerate(WAYS.items())),
        Job("seconds", script("seconds", str(HERE / "results" / "grid.json"), *(f"{runs / part}/*-{TEN[0]}-0-*" for part in ("grid", "sweeps", rewarded))), ["grid", "sweeps", "rewarded"]),
        Job("examined", script("examined", str(HERE / "results" / "grid.json"), str(runs / "grid"), str(runs / "sweeps"), str(runs / rewarded)), ["seconds"]),
        benchmark("lcm", "lcm", "OUT", *trained("dreambooth"), "--runs", str(runs / "lcm"), after=("grid",)),
        benchmark("curves", "choice", "OUT", "--recipes", "overfit,balanced,underfit", "--set", "checkpoints=25-150:25", "--subjects", "bolt,earl", "--runs", str(runs / "curves"), file="regimes"),
        Job("face", compared("ten", ("face",), ("nora",), "--pictures", "10")),
        Job("toy", compared("ten", ("monster_toy",), ("grumble",), "--pictures", "10"), ["face"]),
        benchmark("studies", "studies", "OUT", "--regimes", str(runs / "regimes"), "--ten", str(runs / "ten"), "--simple", *trained("two-stage"), *trained("dreambooth"), after=("grid", "toybench", "regimes 1", "regimes 2", "toy")),
        benchmark("roundtrip", "dreamblend", "roundtrip", "OUT", file="dreamblend"),
        benchmark("calibrate", "dreamblend", "calibrate", "OUT", "--runs", blends, "--subjects", "biscuit,mimi", after=("tuned", "roundtrip"), file="dreamblend"),
        benchmark("report", "dreamblend", "report", "OUT", "--runs", blends, "--subjects", ",".join(TEN), after=("choice", "calibrate"), file="dreamblend"),
        benchmark("blended pairs", "dreamblend", "pairs", "OUT", "--runs", blends, "--subjects", "wick", after=("report",), file="dreamblend"),
        Job("guide", script("guide_runs", str(runs / "guide"), "--grid", str(runs / "grid")), ["grid", "toybench"]),
        benchmark("cascade", "cascade", "OUT", "--runs", str(runs / cascade), "--sheet", str(figures / "cascade.png"), also=("upscaler",)),
        benchmark("pairs", "pairs", "OUT", "--pairs", "bolt+dash", "--runs", str(runs / "pairs")),
        benchmark("style", "style", "OUT", "--runs", str(runs / "style")),
        benchmark("world", "check", "OUT", also=("examiner", "upscaler")),
        benchmark("guidance", "guidance", "OUT", "--ways", "1:0,2.5:0,4:0,2.5:1", "--pictures", "96"),
    ]  # fmt: skip
    return made


def run(job: Job, runs: Path, threads: dict[str, str]) -> int:
    """The job's exit status; its figures are merged into those of the page if it is 0."""
    words = [found for word in job.command for found in (sorted(map(str, Path("/").glob(word.lstrip("/")))) if "*" in word else [word])]
    began = time.monotonic()
    with (runs / "logs" / f"{job.name}.log").open("w") as log:
        status = subprocess.run(words, stdout=log, stderr=subprocess.STDOUT, env=threads).returncode
    print(f"{job.name}: {'done' if status == 0 else f'ended with {status}, see {log.name}'}, {(time.monotonic() - began) / 60:.0f} min", flush=True)
    if status == 0:
        if job.written:
            with MERGING:
                merge(job)
        (runs / "done" / job.name).touch()
    return status


def merge(job: Job) -> None:
    """New figures in the place of old ones; what else the page's file says stays."""
    assert job.written is not None
    name = "ddpo" if job.name in WAYS else job.written.stem if job.written.stem != "compare" else PAGE.get(job.name, job.name)
    page = HERE / "results" / f"{name}.json"
    known, found = json.loads(page.read_text("utf-8")), json.loads(job.written.read_text("utf-8"))
    if name == "ddpo":  # a line of each way
        known["lines"] = [line for line in known["lines"] if line["way"] != said(job.name)] + found
    elif job.written.stem == "compare":
        if name == "grid":
            known["jobs"] = known.get("jobs", {}) | dict.fromkeys((cell["recipe"] for cell in found["cells"]), job.name)
        order = list(dict.fromkeys(cell["recipe"] for cell in (*known["cells"], *found["cells"])))
        measured = {cell["recipe"] for cell in found["cells"]}
        cells = sorted([*found["cells"], *(cell for cell in known["cells"] if cell["recipe"] not in measured)], key=lambda cell: (order.index(cell["recipe"]), place(cell["subject"].removeprefix("toybox:"))))
        known |= {key: found[key] for key in ("pictures", "encoders") if key in known} | {"cells": [{key: cell[key] for key in known["cells"][0]} for cell in cells]}
    else:
        known |= found if isinstance(found, dict) else {"lines": found}
    known["measured with"] = known.get("measured with", {}) | {job.name: embedded(job.of)}
    write_text(page, json.dumps(known, ensure_ascii=False) + "\n")


def begin(runs: Path, known: Sequence[Job]) -> None:
    """Refuse runs of another base; forget which of the known jobs ended with other judges or another second stage."""
    for folder in ("logs", "done", "figures"):
        (runs / folder).mkdir(parents=True, exist_ok=True)
    now, kept = embedded(), runs / "weights.json"
    before = json.loads(kept.read_text()) if kept.exists() else now
    others = {part for part, name in now.items() if before[part] != name}
    if "base" in others:
        raise SystemExit(f"{runs}: its runs were trained on another base, or drawn otherwise, than the toybox's now. Begin in a new folder.")
    for job in known:
        if others.intersection(job.of):
            (runs / "done" / job.name).unlink(missing_ok=True)
    write_text(kept, json.dumps(now))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--only", default="", help="names of jobs; what they wait for must be done")
    asked = parser.parse_args()
    runs = asked.runs.resolve()
    waiting, only = jobs(runs, runs / "figures"), set(asked.only.split(",")) - {""}
    begin(runs, waiting)
    threads = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = {path.name for path in (runs / "done").iterdir()}
    if unknown := only - {job.name for job in waiting}:
        raise SystemExit(f"--only {', '.join(sorted(unknown))}: the jobs are {', '.join(job.name for job in waiting)}.")
    waiting = [job for job in waiting if job.name not in done and (not only or job.name in only)]
    failed, going = set[str](), dict[Future[int], str]()
    with ThreadPoolExecutor(asked.at_once) as pool:
        while True:
            for job in [job for job in waiting if done.issuperset(job.after)][: asked.at_once - len(going)]:
                waiting.remove(job)
                going[pool.submit(run, job, runs, threads)] = job.name
            if not going:
                break
            for ended in wait(going, return_when=FIRST_COMPLETED).done:
                name = going.pop(ended)
                (failed if ended.exception() or ended.result() else done).add(name)
                if error := ended.exception():
                    print(f"{name}: its figures could not be merged: {error!r}", flush=True)
    if left := [*failed, *(job.name for job in waiting)]:
        raise SystemExit(f"not made: {', '.join(left)}. The logs say why; the same command goes on.")
    print(f"next: read the notes in benchmarks/results/ again, then python benchmarks/results.py and benchmarks/guide_pictures.py {runs / 'grid'} {runs / 'sweeps'} {runs / 'guide'}/* --subjects biscuit,bolt,dash")


if __name__ == "__main__":
    main()
