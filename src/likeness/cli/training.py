"""train, continue, resume: runs, and words to name their subjects by. Flags of methods are derived from their specs; nothing here names one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..files.errors import UserError
from ..files.typed import flags, typed
from ..methods import SENTENCES, packaged_recipes, packaged_sweeps, sentence_of
from .shared import MovedBase, Runs, RunsOrBeside, app, progress, run_at

ABOUT_TRAINING = """

    Parameters
    ----------
    photos
        A folder or zip of photos, one photo, or toybox:NAME for a subject of the embedded world.{on_runs}
    class_noun
        What the subject is, in a word that the base knows: dog, backpack. Known for toybox:NAME.
    identifier
        The word that will name the subject in prompts: a rare one, or the name of a new one.
    base
        toybox, a local folder in diffusers format, or a hub id, of any Stable Diffusion 1.x, 2.x or XL pipeline, or DeepFloyd IF's first stage.{moved}
    seed
        Same recipe, seed, machine and thread count: same bytes.
    resolution
        Pixels that photos are trained at. Default: what the base was trained at.
    threads
        CPU threads. Default: what torch chooses.
    force
        Begin also where memory or disk cannot be enough.
"""
LEFT_OUT = "An option that is left out is as the base advises, where it does, and else the default below."
MOVED = " With a run's folder: where the run's base lies now."
ON_RUNS = " A run's folder: the stage stands on what that run has learned."
ABOUT_THE_CLASS = """    class_photos
        Folder of real pictures of the class for prior preservation, captioned by the texts beside them. Default: the base draws its own.
    until_settled
        Ends the run after this many kept checkpoints in a row without a higher F1 of likeness and obedience; each draws eight pictures while training, on the toybox the cost of some thirty steps of DreamBooth. Needs --checkpoints. 0: never.
    clip
        CLIP encoder that scores them: folder or hub id. Default on the toybox: the embedded judge.
    dino
        DINO or DINOv2 encoder that scores them: folder or hub id. Default on the toybox: the embedded judge.
"""


def _say_trained(path: Path) -> None:
    print(f"trained: {path}")
    print(f'next: likeness generate {typed(path)} "a {{}} on the beach" --seeds 0-3')


def train_command(method: str) -> Any:
    """The command of one method, with a flag for every field of its spec."""
    from ..model.folder import advice, find_base
    from ..workflow.branching import stand
    from ..workflow.fitting import fit
    from ..workflow.recipes import recipe_for
    from ..workflow.stack import method_class

    Spec = method_class(method).Spec
    advised = advice(find_base("toybox")).get(method)

    def command(
        photos: str, /, *, class_noun: str | None = None, identifier: str = "sks", class_photos: Path | None = None, base: str = "toybox",
        seed: int = 0, resolution: int | None = None, threads: int | None = None, runs: RunsOrBeside = None, force: bool = False,
        until_settled: int = 0, clip: str | None = None, dino: str | None = None, options: Annotated[Any, Parameter(name="*")] = None,
    ) -> None:  # fmt: skip
        if (clip or dino) and not until_settled:
            raise UserError("train: --clip and --dino score checkpoints while training; give --until-settled, such as 3, too.")
        settle: dict[str, Any] = {"settle": {key: value for key, value in (("after", until_settled), ("clip", clip), ("dino", dino)) if value}} if until_settled else {}
        subject = {"photos": photos, "class_noun": class_noun, "identifier": identifier, "class_photos": class_photos}
        chosen = options.model_dump(include=options.model_fields_set) if options else {}
        about: dict[str, Any] = {"base": base, "seed": seed, "resolution": resolution, "threads": threads}
        if (Path(photos) / "run.json").exists():
            _only_options(Path(photos), {**subject, **about})
            chosen = options.model_dump(mode="json", include=options.model_fields_set) if options else {}
            run = stand(run_at(Path(photos)), method, chosen, progress(), runs, force, settle, None if base == "toybox" else base)
        else:
            run = fit(recipe_for(method, chosen, subject=subject, **about, **settle), runs or Path("runs"), progress(), force=force)
        _say_trained(run.path)

    command.__annotations__["options"] = Annotated[Spec | None, Parameter(name="*")]
    of_toybox = f" The toybox advises {flags(advised)}" if advised else ""
    command.__doc__ = f"{SENTENCES[method]}\n\n    {LEFT_OUT}{of_toybox}" + ABOUT_TRAINING.format(on_runs=ON_RUNS, moved=MOVED) + ABOUT_THE_CLASS
    return command


def _only_options(run: Path, about: dict[str, Any]) -> None:
    """What a run has settled is not said again of a stage that stands on it."""
    settled = {"class_noun": None, "identifier": "sks", "class_photos": None, "seed": 0, "resolution": None, "threads": None}
    if said := [name for name, value in settled.items() if about[name] != value]:
        raise UserError(f"--{said[0].replace('_', '-')}: {run} has settled it, and a stage on a run has the run's. Leave it out, or train from photos.")


def recipe_command(name: str) -> Any:
    """The command of a recipe that the package carries; its stages' options are changed in a copy of the file."""
    from ..workflow.fitting import fit
    from ..workflow.photos import title_of
    from ..workflow.recipes import packaged_continuations, packaged_recipe

    def command(
        photos: str, /, *, class_noun: str | None = None, identifier: str | None = None, base: str = "toybox", seed: int = 0,
        resolution: int | None = None, threads: int | None = None, runs: Runs = Path("runs"), force: bool = False,
    ) -> None:  # fmt: skip
        subject = {"photos": photos, "class_noun": class_noun, **({"identifier": identifier} if identifier else {})}
        recipe = packaged_recipe(name, subject=subject, base=base, seed=seed, resolution=resolution, threads=threads)
        then = packaged_continuations(name, base)
        _say_trained(_continued(fit(recipe, runs, progress(), f"{title_of(photos)}-{name}", force, then), then).path)

    command.__doc__ = sentence_of(packaged_recipes()[name]) + ABOUT_TRAINING.format(on_runs="", moved="")
    return command


def _continued(run: Any, changes: list[dict[str, Any]], base: str | None = None) -> Any:
    """The last of the child runs that a recipe asks for; the run itself where it asks for none. base: where it lies now, if it was moved"""
    from ..workflow.branching import branch

    for n, each in enumerate(changes, 1):
        progress().say(f"next of this recipe, also by hand if it is stopped here: likeness continue {typed(run.path)} {flags(each)}")
        run = branch(run, each, progress(), base, changes[n:])
    return run


def continue_command(run_path: str) -> Any:
    """`continue` with the flags of the method that the run ended with."""
    from ..workflow.branching import branch
    from ..workflow.stack import method_class, stage_types

    recipe = run_at(Path(run_path)).recipe(stage_types())
    Spec = method_class(recipe.stages[-1].method).Spec

    def command(run: Path, /, *, base: MovedBase = None, options: Annotated[Any, Parameter(name="*")] = None) -> None:
        changes = options.model_dump(mode="json", include=options.model_fields_set) if options else {}
        child = branch(run_at(run), changes, progress(), base)
        _say_trained(child.path)

    command.__annotations__["options"] = Annotated[Spec | None, Parameter(name="*")]
    command.__doc__ = """Go on from a run's last step with other options, as a child run; weights, optimizer and step are kept.

    An option that is left out is as the run had it, whatever default stands below.

    Parameters
    ----------
    run
        Folder of the run to branch off.
    """
    return command


@app.command
def train(*, recipe: Path, runs: Runs = Path("runs"), force: bool = False) -> None:
    """Train a recipe; or `likeness train METHOD PHOTOS`, see `likeness train METHOD --help`.

    Parameters
    ----------
    recipe
        A TOML file such as the recipe.toml of a run that was trained from its photos: it reproduces the run. Of one that was continued, its whole.toml does.
    force
        Begin also where memory or disk cannot be enough.
    """
    from ..files.recipe import continued_in, read_recipe
    from ..workflow.branching import check_continued
    from ..workflow.fitting import fit
    from ..workflow.stack import stage_types

    asked, then = read_recipe(recipe, stage_types()), continued_in(recipe)
    check_continued(asked, then)
    _say_trained(_continued(fit(asked, runs, progress(), force=force, then=then), then).path)


@app.command
def recipes(name: str | None = None, /, *, base: str | None = None) -> None:
    """List the methods and recipes that can be trained and the sweeps that can be compared, or print one to copy and change.

    Parameters
    ----------
    name
        Of a recipe or sweep: prints its TOML, with the settings of its source, which are for Stable Diffusion.
    base
        Prints a recipe as it is trained on this base, with the base's own advice: toybox, a folder or a hub id.
    """
    from ..files.errors import did_you_mean

    known, sweeps = packaged_recipes(), packaged_sweeps()
    if base and name not in known:
        raise UserError(f"recipes: --base {base} is for one of the recipes {', '.join(known)}: likeness recipes two_stage --base {typed(base)}")
    if name is None:
        for method, sentence in SENTENCES.items():
            print(f"{method:18} {sentence}")
        for recipe, path in known.items():
            print(f"{recipe:18} {sentence_of(path).partition('. ')[0]}")
        print("\nsweeps, for likeness compare SWEEP:")
        for sweep, path in sweeps.items():
            print(f"{sweep:18} {sentence_of(path).partition('. ')[0]}")
        print("next: likeness train METHOD PHOTOS --class-noun dog")
    elif name in known and base:
        print(_advised(name, base), end="")
    elif name in known:
        head, _, tables = known[name].read_text("utf-8").partition("\n[[")  # the base is no part of a stage
        print(f'{head}\nbase = "BASE"  # whom the settings below are for; likeness recipes {name} --base toybox prints those of the toybox\n\n[[{tables}', end="")
        print('\n[subject]\nphotos = "PHOTOS"\nclass_noun = "dog"')
    elif name in sweeps:
        print(sweeps[name].read_text("utf-8"), end="")
    else:
        if name in SENTENCES:
            raise UserError(f"{name}: is a method, not a recipe. Train it, likeness train {name} PHOTOS --class-noun dog, and copy the recipe.toml of its run.")
        raise UserError(f"no recipe {name!r}: {did_you_mean(name, [*known, *sweeps])} List them: likeness recipes")


def _advised(name: str, base: str) -> str:
    """A packaged recipe and how it goes on, with a base's advice."""
    from ..files.recipe import write_recipe
    from ..workflow.recipes import packaged_continuations, packaged_recipe

    recipe = packaged_recipe(name, {"photos": "PHOTOS", "class_noun": "dog"}, base)
    return write_recipe(recipe, packaged_continuations(name, base))


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


@app.command(name="continue")
def continue_(run: Path, /) -> None:
    """Go on from a run's last step with other options: `likeness continue RUN --prior-weight 0.5 --steps 1200`.

    Parameters
    ----------
    run
        Folder of the run to branch off. The flags are those of its method.
    """
    continue_command(str(run))(run)


@app.command
def resume(run: Path, /, *, base: MovedBase = None) -> None:
    """Go on with a run that was stopped or killed; it ends as if it had never been, and so does what its recipe has follow it.

    Parameters
    ----------
    run
        Folder of the run.
    """
    from ..workflow.fitting import resume as go_on

    opened = go_on(run_at(run), progress(), base)
    _say_trained(_continued(opened, opened.record().then or [], base).path)
