"""What is made of runs: pictures, scores, pages, files for other tools, grids."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ..evaluation.options import Encoders
from ..files.errors import UserError
from ..methods import METHODS, packaged_recipes
from ..sampling.options import Blend
from .shared import Runs, app, parse_seeds, progress, run_at, step_or_choose

Judges = Annotated[Encoders, Parameter(name="*")]


@app.command
def demo(runs: Runs = Path("runs"), *, subject: str = "biscuit", seed: int = 0) -> None:
    """Teach the toybox a bundled subject, draw it in new scenes, score it, write a page. Two CPU cores, no network.

    Parameters
    ----------
    subject
        One of `likeness toybox subjects`.
    seed
        Same seed, same pictures.
    """
    from ..workflow.demo import demo as show

    page = show(runs, subject, seed, progress())
    print(f"open in a browser: {page}")
    print("next, with your own photos: likeness train dreambooth PHOTOS --class-noun dog")


@app.command
def generate(
    run: Path, *prompts: str, seeds: str = "0-3", checkpoint: str | None = None, steps: int | None = None, guidance_scale: float | None = None,
    negative_prompt: str = "", base: str | None = None, beside_base: bool = True,
    with_: Annotated[tuple[str, ...], Parameter(name="--with", negative=())] = (), guide: str | None = None,
    blend: Annotated[Blend, Parameter(name="blend")] = Blend(), drift: Annotated[bool, Parameter(negative=())] = False,
    upscaler: str | None = None, noise_level: int | None = None,
) -> None:  # fmt: skip
    """Draw a run's subject: likeness generate RUN "a {} on the beach" --seeds 0-3

    Parameters
    ----------
    run
        Folder of the run.
    prompts
        Prompts with {} where the subject belongs. Default: four new scenes.
    seeds
        Such as 0-3 or 1,5,7: one picture of each prompt for each.
    checkpoint
        Step of the checkpoint, several such as 100,200, or all. Default: the last.
    steps
        Sampling steps. Default: what the base wants.
    guidance_scale
        Classifier-free guidance. Default: what the base wants.
    negative_prompt
        What the pictures should not show.
    base
        Where the base lies now, if it was moved since training.
    beside_base
        Also draw what the base makes of the class noun, from the same noise.
    with_
        Another run whose LoRA is added, and how strongly: --with RUN:0.8. May be given several times.
    guide
        DreamBlend: the step of an earlier checkpoint, whose layout the picture takes; 0 is the base itself. The run needs --checkpoints.
        Or choose: the least learned guides the most learned (or --checkpoint), as `likeness choose` scored them.
    drift
        Draw what training should have left alone instead: other things with each seed and the class alone, by the run and by the base. `evaluate` then says how far they moved.
    upscaler
        A super-resolution stage that enlarges the pictures of a run which trained none: toybox, a folder or a hub id. It is told the class noun alone.
    noise_level
        How much a picture is noised before it is enlarged; more leaves more to be made up. Default: what the run was given.
    """
    from ..workflow.choosing import to_blend
    from ..workflow.demo import NEW_SCENES
    from ..workflow.generating import generate as draw
    from ..workflow.generating import steps_to_draw

    if drift and (prompts or with_ or guide is not None):
        raise UserError("generate: --drift has prompts of its own and is about this run alone. Leave out prompts, --with and --guide.")
    opened, written = run_at(run), 0
    for step in (chosen := steps_to_draw(opened, checkpoint)):
        guiding = step_or_choose(guide)
        if guiding == "choose":
            guiding, step = to_blend(opened, step)
            progress().say(f"checkpoint {guiding} guides checkpoint {step}")
        written += len(draw(
            opened, prompts or NEW_SCENES, parse_seeds(seeds), progress(), step=step, steps=steps, guidance_scale=guidance_scale,
            negative=negative_prompt, beside_base=beside_base, base_name=base, others=[_weighted(each) for each in with_],
            guide=guiding, how=blend, drift=drift, upscaler=upscaler, noise_level=noise_level,
        ))  # fmt: skip
    print(f"{written} new pictures in {run / ('drift' if drift else 'pictures')}")
    print(f"next: likeness {'choose' if len(chosen) > 1 else 'evaluate'} {run}")


@app.command
def evaluate(
    run: Path, /, *, encoders: Judges = Encoders(), references: Path | None = None, prompts: Path | None = None, called: str | None = None,
    class_noun: str | None = None,
) -> None:  # fmt: skip
    """Score a run's pictures, or any folder of pictures, with intervals, floor and ceiling.

    Parameters
    ----------
    run
        Folder of the run; with --references any folder of pictures, whoever drew them.
    references
        Folder of the subject's photos, to score a folder of pictures.
    prompts
        What a folder's pictures were asked for: a text file with a prompt a line, in the order of their names. Default: captions beside them, or what they carry inside.
    called
        What those prompts call the subject, such as "sks dog"; they are judged with the class noun in its place.
    class_noun
        What the subject is: dog, backpack.
    """
    from ..workflow.demo import table

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
    print(f"next: likeness report {run}")


@app.command
def choose(run: Path, *prompts: str, seeds: str = "0-3", encoders: Judges = Encoders()) -> None:
    """Say which of a run's checkpoints to take: draws each with the same prompts and noise, scores them, and weighs likeness against obedience.

    Parameters
    ----------
    run
        Folder of the run. It needs checkpoints: likeness train … --checkpoints 50-400:50
    prompts
        Prompts with {} where the subject belongs. Default: what the run has pictures of already, or four new scenes.
    seeds
        Such as 0-3: one picture of each prompt for each.
    """
    from ..workflow.choosing import choose as weigh
    from ..workflow.choosing import table

    choice = weigh(run_at(run), prompts, parse_seeds(seeds), progress(), encoders)
    print(table(choice))
    print(f"next: likeness export {run} --to diffusers --checkpoint {choice.step}")


@app.command
def report(*runs: Path, compare: bool = False, out: Path = Path("comparison")) -> None:
    """Write a run's page: photos, pictures, loss, scores. It needs nothing but itself; sheets of its pictures lie beside it as PNG.

    Parameters
    ----------
    runs
        Folder of the run; several are a page each, or one together.
    compare
        One page of all: who is ahead in what, on the same prompts and noise, and by how much: likeness report --compare RUN RUN
    out
        Folder for the page that compares.
    """
    if not runs:
        raise UserError("report: of which run? Give its folder: likeness report RUN, or several: likeness report --compare RUN RUN")
    if compare:
        from ..report.comparison_page import write_comparison

        print(f"open in a browser: {write_comparison([run_at(run).path for run in runs], out)}")
        return
    from ..report.page import write_report

    for run in runs:
        print(f"open in a browser: {write_report(run_at(run).path)}")


@app.command
def export(run: Path, /, *, to: str, checkpoint: int | None = None, base: str | None = None) -> None:
    """Write what a run learned as files of other tools, with a model card.

    Parameters
    ----------
    run
        Folder of the run.
    to
        diffusers, kohya, a1111, comfyui, peft or custom-diffusion.
    checkpoint
        Step of the checkpoint. Default: the last.
    base
        Where the base lies now, if it was moved since training.
    """
    from ..workflow.exporting import export as write

    opened = run_at(run)
    write(opened, to, progress(), checkpoint, base)
    print(f"next: read {opened.output(to) / 'README.md'}")


@app.command(name="import")
def import_(
    path: Path, /, *, class_noun: str | None = None, identifier: str | None = None, photos: Path | None = None, base: str = "toybox",
    runs: Runs = Path("runs"),
) -> None:  # fmt: skip
    """Take in what another tool has trained, as a run: a LoRA (diffusers, kohya, PEFT), a new word, Custom Diffusion's weights.

    Parameters
    ----------
    path
        A .safetensors file, or a folder of such.
    class_noun
        What the subject is: dog, backpack. Default: what the file's trigger phrase says.
    identifier
        The word that names it in prompts. Default: the file's trigger phrase or new word.
    photos
        Photos of the subject, if its pictures are to be scored.
    base
        The base that it was trained on: toybox, a local folder in diffusers format, or a hub id.
    """
    from ..workflow.importing import import_files

    run = import_files(path, runs, progress(), base, class_noun, identifier, photos)
    print(f'next: likeness generate {run.path} "a {{}} on the beach" --seeds 0-3')


@app.command
def compare(
    *recipes: str, subjects: str = "all", seeds: str = "0", benchmark: Literal["toybench", "dreambench", "simple", "ten"] | None = None, data: Path | None = None,
    held_out: Annotated[bool, Parameter(negative=())] = False, prompts: str | None = None, pictures: int | None = None,
    folder: Annotated[tuple[str, ...], Parameter(negative=())] = (), workers: int = 1, runs: Runs = Path("runs/compare"), base: str = "toybox", encoders: Judges = Encoders(),
) -> None:  # fmt: skip
    """Train, draw and score the grid of recipes, subjects and seeds, or a whole benchmark; only missing cells run. Ends with one table.

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
    from ..workflow.comparing import Asked, subjects_of, table
    from ..workflow.comparing import compare as run_grid

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
        print(f"next: likeness report {'--compare ' if len(alike) > 1 else ''}{' '.join(str(runs / name) for name in alike[:8])}")


def _named_folder(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not equals or not name or not Path(path).is_dir():
        raise UserError(f"--folder {text!r}: must be a name and a folder of pictures, such as their-system=PATH.")
    return name, Path(path)


@app.command
def identifiers(*words: str, base: str = "toybox", noun: str = "dog", count: int = 40) -> None:
    """Find words that mean little to a base, to name subjects by: the fewer meanings of its own, the less a word brings along.

    Parameters
    ----------
    words
        Words to look at. Default: rare ones of the base's vocabulary, and sks.
    base
        toybox, a local folder in diffusers format, or a hub id.
    noun
        What is pictured: the word is tried before it.
    count
        How many rare words are tried.
    """
    from ..workflow.identifying import identify

    print(identify(base, words, noun, count, progress()))
    print("next: likeness train dreambooth PHOTOS --class-noun NOUN --identifier WORD")


@app.command
def merge(first: Path, second: Path, *more: Path, runs: Runs = Path("runs"), base: str | None = None) -> None:
    """Put subjects that Custom Diffusion learned apart into one run, without training.

    Parameters
    ----------
    first
        Folder of a run.
    second
        Folder of another, of another subject.
    more
        And so on.
    base
        Where the base lies now, if it was moved since training.
    """
    from ..workflow.merging import merge_runs

    merged, _ = merge_runs([run_at(path) for path in (first, second, *more)], runs, progress(), base)
    print(f'next: likeness generate {merged.path} "a {{}} next to a {{2}}" --seeds 0-3')


def _weighted(text: str) -> Any:
    """ "RUN:0.8" as a run and a strength; 1 where none is given."""
    path, colon, number = text.rpartition(":")
    with suppress(ValueError):
        strength = float(number) if colon else 1.0
        if math.isfinite(strength):
            return run_at(Path(path if colon else text)), strength
    raise UserError(f"--with {text!r}: must be a run's folder, or a folder and a strength such as RUN:0.8.")
