"""What runs are worth: scores, the checkpoint to take, grids, pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ..evaluation.options import Encoders
from ..files.errors import UserError
from ..files.typed import typed
from ..methods import METHODS, packaged_recipes
from .shared import MovedBase, Runs, app, moved_to, parse_seeds, progress, run_at

Judges = Annotated[Encoders, Parameter(name="*")]


@app.command
def evaluate(
    run: Path, /, *, encoders: Judges = Encoders(), references: str | None = None, prompts: Path | None = None, called: str | None = None,
    class_noun: str | None = None,
) -> None:  # fmt: skip
    """Score a run's pictures, or any folder of pictures, with intervals, floor and ceiling.

    Parameters
    ----------
    run
        Folder of the run; with --references any folder of pictures, whoever drew them.
    references
        The subject's photos, a folder or a zip of them, or toybox:NAME: to score a folder of pictures.
    prompts
        What a folder's pictures were asked for: a text file with a prompt a line, in the order of their names. Default: captions beside them, or what they carry inside.
    called
        What those prompts call the subject, such as "sks dog"; they are judged with the class noun in its place.
    class_noun
        What the subject is: dog, backpack.
    """
    from ..workflow.score_table import table

    if references is not None:
        from ..workflow.folders import evaluate_folder

        print(table(evaluate_folder(run, references, progress(), prompts=prompts, called=called, class_noun=class_noun, encoders=encoders)))
        print(f"figures: {run / 'scores.json'}")
        print("next: likeness train dreambooth PHOTOS --class-noun NOUN, and compare")
        return
    if prompts or called or class_noun:
        raise UserError("evaluate: --prompts, --called and --class-noun are for a folder of pictures; give --references, the folder of its subject's photos, too.")
    from ..workflow.evaluating import evaluate as score

    print(table(score(run_at(run), progress(), encoders)))
    print(f"next: likeness report {typed(run)}")


@app.command
def choose(run: Path, *prompts: str, seeds: str = "0-3", base: MovedBase = None, encoders: Judges = Encoders()) -> None:
    """Say which of a run's checkpoints to take: draws each with the same prompts and noise, scores them, and weighs likeness against obedience.

    Parameters
    ----------
    run
        Folder of the run. It needs checkpoints: likeness train … --checkpoints 50-250:50
    prompts
        Prompts with {} where the subject belongs. Default: what the run has pictures of already, or four new scenes.
    seeds
        Such as 0-3: one picture of each prompt for each.
    """
    from ..workflow.choosing import choose as weigh
    from ..workflow.choosing import table

    choice = weigh(run_at(run), prompts, parse_seeds(seeds), progress(), encoders, base)
    print(table(choice))
    print(f"next: likeness export {typed(run)} --to diffusers --checkpoint {choice.step}{moved_to(base)}")


@app.command
def report(*runs: Path, compare: bool = False, out: Path | None = None) -> None:
    """Write a run's page: photos, pictures, loss, scores. It needs nothing but itself; sheets of its pictures lie beside it as PNG.

    Parameters
    ----------
    runs
        Folder of the run; several are a page each, or one together.
    compare
        One page of all: who is ahead in what, on the same prompts and noise, and by how much: likeness report --compare RUN RUN
    out
        Folder for the page that compares. Default: comparison. A page of one run lies in its own folder.
    """
    if not runs:
        raise UserError("report: of which run? Give its folder: likeness report RUN, or several: likeness report --compare RUN RUN")
    if compare:
        from ..report.comparison_page import write_comparison

        page = write_comparison([run_at(run).path for run in runs], out or Path("comparison"))
        print(f"open in a browser: {page}")
        if len(runs) == 2:
            print(f"next, to ask people: likeness study make {typed(runs[0])} {typed(runs[1])}")
        return
    if out:
        raise UserError("report: --out is for the page of several runs, --compare; a run's own page lies in its folder. Leave it out.")
    from ..report.page import write_report

    for run in runs:
        print(f"open in a browser: {write_report(run_at(run).path)}")
    print(f"next: likeness export {typed(runs[-1])} --to diffusers")


@app.command
def compare(
    *recipes: str, subjects: str = "all", seeds: str = "0", benchmark: Literal["toybench", "dreambench", "simple", "ten"] | None = None, data: Path | None = None,
    held_out: Annotated[bool, Parameter(negative=())] = False, prompts: str | None = None, pictures: int | None = None,
    folder: Annotated[tuple[str, ...], Parameter(negative=())] = (), workers: int = 1, runs: Runs = Path("runs/compare"), base: str = "toybox", encoders: Judges = Encoders(),
) -> None:  # fmt: skip
    """Train, draw and score the grid of recipes, subjects and seeds, or a whole benchmark; only missing cells run. Ends with what each recipe trains and takes, its scores, and differences.

    Parameters
    ----------
    recipes
        Methods, with options if wanted (lora:rank=2), packaged recipes and sweeps (likeness recipes), or TOML files of either. Default: every method and packaged recipe but those that enlarge pictures, whose size is another; with --folder: none.
    subjects
        Such as toybox:biscuit,toybox:mimi or photos/dog=dog,photos/cup=cup; names alone for the toybox and for --data. Default: the toybox's twenty open subjects, or all of --data.
    seeds
        Of training, such as 0-2.
    benchmark
        What is drawn: toybench (25 prompts of its kind of subject, 4 pictures of each), dreambench (the same of DreamBench, needs --data), simple (one prompt, 64), ten (10 prompts, 10 each). Default: a few new scenes.
    data
        Local copy of DreamBench's folder, with a folder of photos for each subject.
    held_out
        Also the ten subjects of the toybox that are kept for a last measurement.
    prompts
        Some of the prompts by number, such as 0-4. Default: all.
    pictures
        Pictures of each prompt. Default: the benchmark's.
    folder
        Another system's pictures as NAME=PATH, with a folder for each subject; captions or names such as 03-1.png tell each picture's prompt. May be given several times.
    workers
        Processes that share the cells. Every process on the same folder shares them, also one that was started by hand.
    base
        toybox, a local folder in diffusers format, or a hub id.
    """
    from ..workflow.cells import Drawing
    from ..workflow.comparing import compare as run_grid
    from ..workflow.comparison_table import table
    from ..workflow.grid import Asked, subjects_of

    if workers < 1 or pictures is not None and pictures < 1:
        raise UserError("compare: --workers and --pictures must be at least 1.")
    usual = [name for name in (*METHODS, *packaged_recipes()) if name not in ("super_resolution", "cascade")]
    folders = [_named_folder(text) for text in folder]
    drawing = Drawing(benchmark, tuple(parse_seeds(prompts, "--prompts")) if prompts else None, pictures)
    asked = Asked(
        recipes or (() if folders else usual), subjects_of(benchmark, subjects, data, held_out), parse_seeds(seeds), base, drawing, encoders, folders
    )  # fmt: skip
    found = run_grid(asked, runs, progress(), workers)
    print(table(found))
    print(f"figures of every cell: {runs / 'compare.json'}")
    ours = [line for line in found["cells"] if "run" in line]
    alike = [line["run"] for line in ours if (line["subject"], line["seed"]) == (ours[0]["subject"], ours[0]["seed"])]
    if alike:
        print(f"next: likeness report {'--compare ' if len(alike) > 1 else ''}{' '.join(typed(runs / name) for name in alike[:8])}")


def _named_folder(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not name or not Path(path).is_dir():
        raise UserError(f"--folder {text!r}: must be a name and a folder of pictures, such as their-system=PATH.")
    return name, Path(path)
