"""One cell of a grid: a recipe, a subject and a seed, trained, drawn and scored as far as it is not; and how processes share a grid.

A cell is an ordinary run. It is found again by its name, its recipe, its base and its photos; a cell of which one has changed is another cell. A lock file tells the other
processes on the same folder, of one machine or of several, that somebody works on it: each takes the next cell that is free. Every cell's randomness is its own, so
who computed it makes no difference, as long as all use the same number of threads.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..evaluation.benchmark import PROTOCOLS
from ..evaluation.options import Encoders
from ..files.errors import UserError, did_you_mean
from ..files.lock import Active, held, holder
from ..files.picture import safe_name
from ..files.prompts import said
from ..files.recipe import Recipe, changed
from ..files.run_folder import RunFolder, SavedPicture, without_time
from ..learning.training import forget_peak
from ..model.folder import find_base, fingerprint
from ..world.classes import CLASSES
from ..world.subjects import prompts_for
from .branching import branch, used_of, with_options
from .evaluating import evaluate
from .fitting import fit, resume
from .generating import NEW_SCENES, checkpoint_of, generate
from .looking import open_judges
from .photos import gather_all, toybox_subject
from .progress import Silent
from .stack import stage_types
from .stopping import Stopped
from .ways import differs, wanted_by

PROMPTS, PICTURES = 10, 2  # where no benchmark is named: of ToyBench's recontextualization prompts, and pictures of each
LOOK_AGAIN = 1.0  # seconds, where every cell that is left is in somebody's hands


@dataclass(frozen=True)
class Drawing:
    """What is drawn of every subject: a benchmark's prompts and pictures, or some of them; None: a few new scenes."""

    benchmark: str | None = None
    prompts: tuple[int, ...] | None = None  # by their number, from 0
    pictures: int | None = None

    def templates(self, class_noun: str, toybox: bool) -> tuple[str, ...]:
        """The chosen prompts for a class; UserError for a number that there is not."""
        if self.benchmark == "toybench" and class_noun not in CLASSES:
            raise UserError(f"--benchmark toybench: has no prompts for a {class_noun}; {did_you_mean(class_noun, CLASSES)}")
        if self.benchmark:
            known = PROTOCOLS[self.benchmark].prompts(class_noun)
        elif toybox:
            known = tuple(p.template for p in prompts_for(class_noun) if p.kind == "recontextualization")[:PROMPTS]
        else:
            known = NEW_SCENES
        if unknown := [n for n in self.prompts or () if n >= len(known)]:
            raise UserError(f"--prompts {unknown[0]}: there are {len(known)}, counted from 0.")
        return known if self.prompts is None else tuple(known[n] for n in self.prompts)

    @property
    def seeds(self) -> range:
        return range(self.pictures or (PROTOCOLS[self.benchmark].pictures if self.benchmark else PICTURES))


@dataclass(frozen=True)
class Cell:
    """One recipe, one subject, one seed, and what is drawn of it."""

    name: str
    recipe: str
    subject: str
    seed: int
    asked: Recipe
    drawing: Drawing = Drawing()
    continued: tuple[dict[str, Any], ...] = ()  # how it goes on in child runs

    @property
    def class_noun(self) -> str:
        return self.asked.subject.class_noun

    @property
    def templates(self) -> tuple[str, ...]:
        return self.drawing.templates(self.class_noun, toybox_subject(self.asked.subject.photos) is not None)

    @property
    def wanted(self) -> set[tuple[str, int]]:
        """Class prompt and seed of every picture."""
        return {(said(template, self.class_noun), seed) for template in self.templates for seed in self.drawing.seeds}


def run_cell(cell: Cell, parent: Path, encoders: Encoders, judges: dict[str, str]) -> RunFolder:
    """The cell's run, trained, drawn and scored as far as it is not. judges: the encoders by name, for scores of others count for nothing."""
    forget_peak()
    run = _trained(_found(cell.name, cell.asked, parent)) or fit(cell.asked, parent, Silent(), name=cell.name)
    for changes in cell.continued:
        run = _trained(_child(run, changes)) or branch(run, changes, Silent())
    if not _scored(run, cell, judges):
        generate(run, cell.templates, cell.drawing.seeds, Silent(), beside_base=False)
        evaluate(run, Silent(), encoders, asked_of(run, cell))
    return run


def asked_of(run: RunFolder, cell: Cell) -> Callable[[SavedPicture], bool]:
    """Whether a picture is the cell's: of its prompts and seeds, and, if it is the subject's, drawn as the checkpoint wants it and with nothing beside it.

    A run may hold others of the same prompts and seeds: drawn by hand in fewer steps, with another run's LoRA, under a negative prompt.
    """
    checkpoint, wanted = checkpoint_of(run), cell.wanted
    how, mark = wanted_by(checkpoint), f"{run.name}/{checkpoint.step}"

    def asked(picture: SavedPicture) -> bool:
        of_subject = picture.labels["model"] == "personalized"
        own = not of_subject or (picture.settings.checkpoint == mark and not differs(picture.settings, how))
        return own and (picture.labels["class_prompt"], picture.settings.seed) in wanted and picture.labels["checkpoint"] in (0, checkpoint.step)

    return asked


def _trained(run: RunFolder | None) -> RunFolder | None:
    return resume(run, Silent()) if run and run.record().status != "finished" else run


def _found(name: str, asked: Recipe, parent: Path, of: str | None = None) -> RunFolder | None:
    """The run of a name and a recipe; of: of which run it is a child. Active if somebody works on it outside of the grid."""
    for path in sorted(parent.glob(f"{name}-*/run.json")):
        run = RunFolder.open(path.parent)
        mine = (run.record().lineage or {}).get("run") == of
        if mine and run.begun and not changed(run.recipe(stage_types()), asked) and _same_sources(run, asked):
            with run.active():  # or Active: somebody is at it by hand
                return run
    return None


def _same_sources(run: RunFolder, asked: Recipe) -> bool:
    """Whether what the recipe names is still what the run learned from: the base's weights and the photos."""
    if run.record().base_hash not in (None, fingerprint(find_base(asked.base))):
        return False
    return used_of(run.all_photos()) == used_of(gather_all(asked))


def _child(run: RunFolder, changes: Mapping[str, Any]) -> RunFolder | None:
    return _found(safe_name(f"{without_time(run.name)}-continued"), with_options(run.recipe(stage_types()), changes), run.path.parent, run.name)


def _scored(run: RunFolder, cell: Cell, judges: dict[str, str]) -> bool:
    """Whether exactly what is asked was scored, by these judges."""
    scores = run.scores()
    if not scores or scores["encoders"] != judges or {(line["prompt"], line["seed"]) for line in scores["each"]} != cell.wanted:
        return False
    asked, files = asked_of(run, cell), {line["file"] for line in scores["each"]}
    return all(asked(picture) for picture in run.pictures() if picture.path.name in files)


def work(
    cells: Sequence[Cell], parent: Path, encoders: Encoders, done: Callable[[Cell, RunFolder], None] = lambda cell, run: None, say: Callable[[str], None] = lambda line: None,
    own: Collection[int | None] = (),
) -> None:  # fmt: skip
    """Run every cell that nobody else is at, again and again, until all are there. say: is told once for whom it waits, but for its own helpers' pids."""
    judges = {base: open_judges(base, encoders).names for base in {cell.asked.base for cell in cells}}
    parent.mkdir(parents=True, exist_ok=True)
    left, told = list(cells), set[str]()
    while left:
        taken, waited = [], []
        for cell in left:
            lock = parent / f".{cell.name}.pid"
            try:
                with held(lock):
                    run = run_cell(cell, parent, encoders, judges[cell.asked.base])
            except Active as busy:
                taken.append(cell)
                waited += [] if holder(lock) in own else [str(busy)]
                continue
            done(cell, run)
        if len(taken) == len(left):
            for line in dict.fromkeys(waited):
                if line not in told:
                    say(f"waiting: {line}")
            told |= {*waited}
            time.sleep(LOOK_AGAIN)
        left = taken


@contextmanager
def helpers(count: int, cells: Sequence[Cell], parent: Path, encoders: Encoders) -> Iterator[list[int | None]]:
    """So many further processes that work on the same cells; they are asked to stop when the work here ends, however it ends. Gives their pids."""
    context = multiprocessing.get_context("spawn")  # a forked torch may hang
    processes = [context.Process(target=_help, args=(list(cells), parent, encoders, torch.get_num_threads(), os.getpid())) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.terminate()  # SIGTERM: a training that is under way keeps its state
        for process in processes:
            process.join()


def _help(cells: Sequence[Cell], parent: Path, encoders: Encoders, threads: int, parent_process: int) -> None:
    torch.set_num_threads(threads)
    threading.Thread(target=_end_with, args=(parent_process,), daemon=True).start()
    with suppress(UserError, Stopped):  # the process that was started by hand meets it too, and says it
        work(cells, parent, encoders)


def _end_with(parent: int) -> None:
    """Ask this process to stop as soon as the one that started it is gone, however it went: nobody else knows that it works."""
    while os.getppid() == parent:
        time.sleep(LOOK_AGAIN)
    os.kill(os.getpid(), signal.SIGTERM)


def values_of(scores: dict[str, Any], names: Sequence[str]) -> dict[str, float]:
    return {name: scores[name]["value"] for name in names if name in scores}
