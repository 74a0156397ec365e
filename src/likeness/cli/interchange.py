"""Runs to and from the files of other tools, and several runs in one."""

from __future__ import annotations

from pathlib import Path

from ..files.typed import typed
from .shared import MovedBase, Runs, app, moved_to, progress, run_at


@app.command
def export(run: Path, /, *, to: str, checkpoint: int | None = None, base: MovedBase = None) -> None:
    """Write what a run learned as files of other tools, with a model card.

    Parameters
    ----------
    run
        Folder of the run.
    to
        diffusers, kohya, a1111, comfyui, peft or custom-diffusion.
    checkpoint
        Step of the checkpoint. Default: the last.
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
    print(f'next: likeness generate {typed(run.path)} "a {{}} on the beach" --seeds 0-3')


@app.command
def merge(first: Path, second: Path, *more: Path, runs: Runs = Path("runs"), base: MovedBase = None) -> None:
    """Put subjects that Custom Diffusion learned apart into one run, without training.

    Parameters
    ----------
    first
        Folder of a run.
    second
        Folder of another, of another subject.
    more
        And so on.
    """
    from ..workflow.merging import merge_runs

    merged, _ = merge_runs([run_at(path) for path in (first, second, *more)], runs, progress(), base)
    print(f'next: likeness generate {typed(merged.path)} "a {{}} next to a {{2}}" --seeds 0-3{moved_to(base)}')
