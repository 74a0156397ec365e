"""The command line. Flags of methods are derived from their specs; nothing here names one.

No torch is imported until a command runs: `likeness --help` answers at once.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, CycloptsError, Parameter

from .files.errors import UserError
from .methods import METHODS, SENTENCES, packaged_recipes
from .toybox.plan import Plan

app = App(
    name="likeness",
    help="Teach a text-to-image diffusion model one subject from three to six photos, draw it in new scenes, and measure how well it worked.",
    version_flags=["--version"],
    help_flags=["--help", "-h"],
)
toybox = App(name="toybox", help="The embedded world: its subjects, and pictures of them.")
app.command(toybox)
Runs = Annotated[Path, Parameter(help="Folder that the run's folder is made in.")]


def _progress():
    from .workflow.progress import Progress

    return Progress()


def _run(path: Path):
    from .files.run_folder import RunFolder

    return RunFolder.open(path)


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
    from .workflow.demo import demo as show

    page = show(runs, subject, seed, _progress())
    print(f"open in a browser: {page}")
    print("next, with your own photos: likeness train dreambooth PHOTOS --class-noun dog")


ABOUT_TRAINING = """

    Parameters
    ----------
    photos
        A folder of photos, one photo, or toybox:NAME for a subject of the embedded world.
    class_noun
        What the subject is, in a word that the base knows: dog, backpack. Known for toybox:NAME.
    identifier
        The word that will name the subject in prompts: a rare one, or the name of a new one.
    base
        toybox, a local folder in diffusers format, or a hub id, of any Stable Diffusion 1.x, 2.x or XL pipeline.
    seed
        Same recipe, seed, machine and thread count: same bytes.
    resolution
        Pixels that photos are trained at. Default: what the base was trained at.
    threads
        CPU threads. Default: what torch chooses.
"""


def _say_trained(path: Path) -> None:
    print(f"trained: {path}")
    print(f'next: likeness generate {path} "a {{}} on the beach" --seeds 0-3')


def _train_command(method: str) -> Any:
    """The command of one method, with a flag for every field of its spec."""
    from .workflow.fitting import fit
    from .workflow.recipes import recipe_for
    from .workflow.stack import method_class

    Spec = method_class(method).Spec

    def command(
        photos: str, /, *, class_noun: str | None = None, identifier: str = "sks", base: str = "toybox", seed: int = 0,
        resolution: int | None = None, threads: int | None = None, runs: Runs = Path("runs"), options: Annotated[Any, Parameter(name="*")] = None,
    ) -> None:  # fmt: skip
        subject = {"photos": photos, "class_noun": class_noun, "identifier": identifier}
        chosen = options.model_dump(include=options.model_fields_set) if options else {}
        recipe = recipe_for(method, chosen, subject=subject, base=base, seed=seed, resolution=resolution, threads=threads)
        run = fit(recipe, runs, _progress())
        _say_trained(run.path)

    command.__annotations__["options"] = Annotated[Spec | None, Parameter(name="*")]
    command.__doc__ = SENTENCES[method] + ABOUT_TRAINING
    return command


def _recipe_command(name: str) -> Any:
    """The command of a recipe that the package carries; its stages' options are changed in a copy of the file."""
    from .workflow.fitting import fit
    from .workflow.recipes import packaged_recipe, sentence_of

    def command(
        photos: str, /, *, class_noun: str | None = None, identifier: str = "sks", base: str = "toybox", seed: int = 0,
        resolution: int | None = None, threads: int | None = None, runs: Runs = Path("runs"),
    ) -> None:  # fmt: skip
        subject = {"photos": photos, "class_noun": class_noun, "identifier": identifier}
        recipe = packaged_recipe(name, subject=subject, base=base, seed=seed, resolution=resolution, threads=threads)
        run = fit(recipe, runs, _progress(), name=f"{Path(photos.removeprefix('toybox:')).stem}-{name}")
        _say_trained(run.path)

    command.__doc__ = sentence_of(packaged_recipes()[name]) + ABOUT_TRAINING
    return command


def _continue_command(run_path: str) -> Any:
    """`continue` with the flags of the method that the run ended with."""
    from .workflow.fitting import branch
    from .workflow.stack import method_class, stage_types

    recipe = _run(Path(run_path)).recipe(stage_types())
    Spec = method_class(recipe.stages[-1].method).Spec

    def command(run: Path, /, *, options: Annotated[Any, Parameter(name="*")] = None) -> None:
        changes = options.model_dump(mode="json", include=options.model_fields_set) if options else {}
        child = branch(_run(run), changes, _progress())
        _say_trained(child.path)

    command.__annotations__["options"] = Annotated[Spec | None, Parameter(name="*")]
    command.__doc__ = """Go on from a run's last step with other options, as a child run; weights, optimizer and step are kept.

    Parameters
    ----------
    run
        Folder of the run to branch off.
    """
    return command


@app.command
def train(*, recipe: Path, runs: Runs = Path("runs")) -> None:
    """Train a recipe; or `likeness train METHOD PHOTOS`, see `likeness train METHOD --help`.

    Parameters
    ----------
    recipe
        A TOML file such as the recipe.toml of any run: it reproduces the run.
    """
    from .files.recipe import read_recipe
    from .workflow.fitting import fit
    from .workflow.stack import stage_types

    run = fit(read_recipe(recipe, stage_types()), runs, _progress())
    _say_trained(run.path)


@app.command
def recipes(name: str | None = None, /) -> None:
    """List the methods and recipes that can be trained, or print a recipe to copy and change.

    Parameters
    ----------
    name
        Of a recipe: prints its TOML.
    """
    from .files.errors import did_you_mean
    from .workflow.recipes import sentence_of

    known = packaged_recipes()
    if name is None:
        for method, sentence in SENTENCES.items():
            print(f"{method:18} {sentence}")
        for recipe, path in known.items():
            print(f"{recipe:18} {sentence_of(path).partition(': ')[2]}")
        print("next: likeness train METHOD PHOTOS --class-noun dog")
    elif name in known:
        print(known[name].read_text("utf-8"), end="")
    else:
        raise UserError(f"no recipe {name!r}: {did_you_mean(name, known)}. List them: likeness recipes")


@app.command(name="continue")
def continue_(run: Path, /) -> None:
    """Go on from a run's last step with other options: `likeness continue RUN --prior-weight 0.5 --steps 1200`.

    Parameters
    ----------
    run
        Folder of the run to branch off. The flags are those of its method.
    """
    _continue_command(str(run))(run)


@app.command
def resume(run: Path, /) -> None:
    """Go on with a run that was stopped or killed; it ends as if it had never been.

    Parameters
    ----------
    run
        Folder of the run.
    """
    from .workflow.fitting import resume as go_on

    go_on(_run(run), _progress())
    _say_trained(run)


@app.command
def generate(
    run: Path, *prompts: str, seeds: str = "0-3", checkpoint: int | None = None, steps: int | None = None, guidance_scale: float | None = None,
    negative_prompt: str = "", base: str | None = None, beside_base: bool = True,
    with_: Annotated[tuple[str, ...], Parameter(name="--with", negative=())] = (),
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
        Step of the checkpoint. Default: the last.
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
    """
    from .workflow.demo import NEW_SCENES
    from .workflow.generating import generate as draw

    opened = _run(run)
    written = draw(
        opened, prompts or NEW_SCENES, parse_seeds(seeds), _progress(), step=checkpoint, steps=steps, guidance_scale=guidance_scale,
        negative=negative_prompt, beside_base=beside_base, base_name=base, others=[_weighted(each) for each in with_],
    )  # fmt: skip
    print(f"{len(written)} new pictures in {run / 'pictures'}")
    print(f"next: likeness evaluate {run}")


@app.command
def evaluate(run: Path, /, *, clip: str | None = None, dino: str | None = None) -> None:
    """Score a run's pictures, with intervals, floor and ceiling.

    Parameters
    ----------
    run
        Folder of the run.
    clip
        CLIP encoder: folder or hub id. Default on the toybox: the embedded judge.
    dino
        DINO or DINOv2 encoder: folder or hub id. Default on the toybox: the embedded judge.
    """
    from .workflow.demo import table
    from .workflow.evaluating import evaluate as score

    print(table(score(_run(run), _progress(), clip, dino)))
    print(f"next: likeness report {run}")


@app.command
def report(run: Path, /) -> None:
    """Write a run's page: photos, pictures, loss, scores. It needs nothing but itself.

    Parameters
    ----------
    run
        Folder of the run.
    """
    from .report.page import write_report

    print(f"open in a browser: {write_report(_run(run).path)}")


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
    from .workflow.exporting import export as write

    opened = _run(run)
    write(opened, to, _progress(), checkpoint, base)
    print(f"next: read {opened.output(to) / 'README.md'}")


@app.command
def compare(*recipes: str, subjects: str = "all", seeds: str = "0", runs: Runs = Path("runs/compare"), base: str = "toybox") -> None:
    """Train, draw and score the grid of recipes, subjects and seeds; only missing cells run. Ends with one table.

    Parameters
    ----------
    recipes
        Methods, packaged recipes, or TOML files with stages. Default: every method and packaged recipe.
    subjects
        Such as toybox:biscuit,toybox:mimi or photos/dog=dog,photos/cup=cup. Default: the toybox's twenty open subjects.
    seeds
        Such as 0-2.
    base
        toybox, a local folder in diffusers format, or a hub id.
    """
    from .workflow.comparing import compare as run_grid
    from .workflow.comparing import table
    from .world.subjects import OPEN_SUBJECTS

    chosen = [f"toybox:{s.name}" for s in OPEN_SUBJECTS] if subjects == "all" else subjects.split(",")
    found = run_grid(recipes or (*METHODS, *packaged_recipes()), chosen, parse_seeds(seeds), runs, _progress(), base)
    print(table(found))
    print(f"figures of every cell: {runs / 'compare.json'}")


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
    from .workflow.identifying import identify

    print(identify(base, words, noun, count, _progress()))
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
    from .workflow.merging import merge_runs

    merged, _ = merge_runs([_run(path) for path in (first, second, *more)], runs, _progress(), base)
    print(f'next: likeness generate {merged.path} "a {{}} next to a {{2}}" --seeds 0-3')


@app.command
def pretrain(
    plan: Annotated[Plan, Parameter(name="*")] = Plan(), *, check: bool = False, stages: str = "all", install: bool = False,
) -> None:  # fmt: skip
    """Train the toybox's base and judges from nothing; stopped at any moment, the same command goes on.

    Parameters
    ----------
    check
        Train nothing; measure the embedded base and judges on pictures that they never saw.
    stages
        all, or some of pictures,vae,text,unet,clip,dino,export.
    install
        Put the result in place of the embedded base and judges.
    """
    if check:
        from .toybox.check import check as measure

        measure(print)
        return
    from .report.grids import contact_sheet
    from .toybox import pretraining

    wanted = pretraining.STAGES if stages == "all" else stages.split(",")
    if unknown := set(wanted) - set(pretraining.STAGES):
        raise UserError(f"--stages: {', '.join(sorted(unknown))} is none of {', '.join(pretraining.STAGES)}.")
    if plan.start_from:
        if not (plan.start_from / "unet").is_dir():
            raise UserError(f"--start-from {plan.start_from}: holds no base (a folder with unet, vae, text_encoder and tokenizer).")
        wanted = [stage for stage in wanted if stage not in ("vae", "text")]  # they come with that base
    pretraining.pretrain(plan, contact_sheet, wanted)
    if install:
        pretraining.install(plan)
    print("next: likeness pretrain --check" if install else f"next: likeness pretrain {plan.folder} --install")


@toybox.command
def subjects() -> None:
    """List the thirty named subjects."""
    from .world.subjects import SUBJECTS, photos_of

    for s in SUBJECTS.values():
        print(f"{s.name:10} {len(photos_of(s))} photos  {s.describable}" + ("  (held out for the last measurement)" if s.held_out else ""))
    print("next: likeness train dreambooth toybox:biscuit")


@toybox.command
def draw(subject: str, prompts: tuple[str, ...] = (), /, *, out: Path = Path("toybox-pictures"), size: int = 256, seeds: str = "0-3") -> None:
    """Draw a named subject's photos, or the truth of prompts that the world knows.

    Parameters
    ----------
    subject
        One of `likeness toybox subjects`.
    prompts
        Such as "a {} in the jungle"; none draws the subject's photos.
    out
        Folder for the PNG files.
    size
        Width and height in pixels.
    seeds
        Such as 0-3: one picture of each prompt for each.
    """
    from .workflow.demo import draw_subject

    paths = draw_subject(subject, prompts, out, size, parse_seeds(seeds))
    print(f"{len(paths)} pictures in {out}")
    print(f"next: likeness train dreambooth toybox:{subject}")


@app.command
def doctor(*, json: bool = False) -> None:
    """Look at this machine: versions, memory, disk, what works and what is missing. Copy its output into an issue.

    Parameters
    ----------
    json
        Print JSON.
    """
    from .workflow.doctor import examine, healthy, printed

    findings = examine()
    print(printed(findings, json))
    if not healthy(findings):
        sys.exit(1)


def _weighted(text: str) -> Any:
    """ "RUN:0.8" as a run and a strength; 1 where none is given."""
    path, colon, number = text.rpartition(":")
    try:
        return _run(Path(path if colon else text)), float(number) if colon else 1.0
    except ValueError:
        raise UserError(f"--with {text!r}: must be a run's folder, or a folder and a strength such as RUN:0.8.") from None


def parse_seeds(text: str) -> list[int]:
    """ "0-3" or "1,5,7" as numbers."""
    try:
        seeds: list[int] = []
        for part in text.split(","):
            first, _, last = part.partition("-")
            seeds += range(int(first), int(last or first) + 1)
        if seeds:
            return seeds
    except ValueError:
        pass
    raise UserError(f"--seeds {text!r}: must be numbers such as 0-3 or 1,5,7.")


def _app_for(words: list[str]) -> tuple[App, list[str]]:
    """The app and words to run: `train METHOD` and `continue RUN` get flags that depend on their second word."""
    if len(words) >= 2 and words[0] == "train" and not words[1].startswith("-"):
        if words[1] in packaged_recipes():
            return _single(f"likeness train {words[1]}", _recipe_command(words[1])), words[2:]
        if words[1] not in METHODS:
            from .files.errors import did_you_mean

            raise UserError(f"unknown method {words[1]!r}: {did_you_mean(words[1], [*METHODS, *packaged_recipes()])}")
        return _single(f"likeness train {words[1]}", _train_command(words[1])), words[2:]
    if len(words) >= 2 and words[0] == "continue" and not words[1].startswith("-"):
        return _single("likeness continue", _continue_command(words[1])), words[1:]
    return app, words


def _single(name: str, command: Any) -> App:
    single = App(name=name, help_flags=["--help", "-h"], version_flags=[])
    single.default(command)
    return single


def main(words: list[str] | None = None) -> None:
    """Run a command. Mistakes that the user can mend end in one line and exit code 2; a pause by signal in 128 + its number."""
    words = sys.argv[1:] if words is None else words
    if unreadable := [word for word in words if not _is_utf8(word)]:
        _fail(f"{unreadable[0]!a}: is not UTF-8, so no recipe or picture can hold it. Type it again, or rename the file.")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    warnings.filterwarnings("ignore", module="(torch|diffusers|transformers)")
    try:
        chosen, rest = _app_for(words)
        chosen(rest, exit_on_error=False, print_error=False)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except CycloptsError as problem:
        _fail(_said(problem))
    except UserError as problem:
        _fail(str(problem))
    except Exception as problem:
        if type(problem).__name__ != "Stopped":  # not imported here: its module is of the torch side
            raise
        print(problem, file=sys.stderr)
        sys.exit(problem.exit_code)  # type: ignore[attr-defined]


def _said(problem: CycloptsError) -> str:
    """What is wrong with the words; where a method's options refuse a value, the flag, the value and why."""
    refused = problem.__cause__
    if not hasattr(refused, "errors"):  # pydantic's; not imported here
        return str(problem).strip()
    first = refused.errors()[0]  # type: ignore[union-attr]
    why = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    flag = "".join(f"--{str(part).replace('_', '-')} " for part in first["loc"][:1])
    return f"{flag}{first['input']!r}: {why}." if flag else f"{why}."


def _is_utf8(word: str) -> bool:
    try:
        word.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _fail(line: str) -> None:
    print(f"likeness: {' '.join(line.split())}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
