"""Carry a run through the stages of its recipe: journal, checkpoints, states to resume from, previews, and why it ended."""

from __future__ import annotations

import errno
import json
import os
import time
from contextlib import suppress
from dataclasses import asdict
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ..files.checkpoints import Checkpoint
from ..files.errors import UserError
from ..files.prompts import said
from ..files.recipe import Recipe, SubjectSpec
from ..files.run_folder import RunFolder
from ..files.subject import Photo
from ..files.typed import typed
from ..learning.method import Method, Subject, chance
from ..learning.optimizer_state import optimizer_tensors, restore_optimizer
from ..learning.training import PATIENCE, Trained, make_optimizer, peak_bytes, train
from ..model.base import Base
from ..model.saving import save_tensors
from .drawing import drawn
from .generating import drawn_as
from .progress import Progress
from .settling import Settling
from .stack import attach, digest_of, names_after, put_beneath, read_card, read_tensors, sampling_of, stage_types, write_layers
from .stopping import Stopped, stop_request

PREVIEW_PROMPTS = ("a photo of a {}", "a {} on the beach", "a {} in the snow", "a {} in the jungle")


def train_stages(run: RunFolder, recipe: Recipe, base: Base, progress: Progress) -> None:
    """All stages of a recipe, from the newest saved state of the run on."""
    start = newest_state(run)
    began, spent = time.time(), _spent(run, start)
    run.rewind_journal(start)
    run.update(status="running", exit_reason=None, pid=os.getpid())

    def leave(status: str, reason: str | None) -> None:
        with suppress(OSError):  # a disk may be too full for this too; then run.json says that it is running, of a process that is gone
            run.update(status=status, exit_reason=reason, pid=None, seconds=round(spent + time.time() - began, 1), peak_bytes=peak_bytes())

    try:
        settled = _stages(run, recipe, base, progress, start)
    except Stopped as stopped:
        leave("paused", str(stopped))
        raise
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            leave("failed", f"{type(problem).__name__}: {problem}")
            raise
        leave("paused", "the disk is full")
        raise UserError(f"{run.path}: the disk is full. What was written before is intact; free space and go on: likeness resume {typed(run.path)}") from problem
    except KeyboardInterrupt:  # a second signal, or one that came before the first step
        leave("paused", "stopped at once")
        raise
    except BaseException as problem:
        leave("failed", f"{type(problem).__name__}: {problem}")
        raise
    leave("finished", settled)


def _spent(run: RunFolder, start: int) -> float:
    """Seconds that this run has worked before; at least those of its steps that are kept: a process that is killed writes no sum."""
    record, beneath = run.record(), (run.record().lineage or {}).get("step", 0)
    steps = sum(line.get("seconds", 0.0) for line in run.journal() if beneath < line["step"] <= start)
    return max(float((record.model_extra or {}).get("seconds", 0.0)), steps)


def _stages(run: RunFolder, recipe: Recipe, base: Base, progress: Progress, start: int) -> str | None:
    """Why the run ended before its last step; None where it did not."""
    offset, beneath = 0, None
    settling = Settling.of(run, recipe, base, progress)
    methods: list[Method] = []
    for n, stage in enumerate(recipe.stages):
        upto = recipe.model_copy(update={"stages": recipe.stages[: n + 1]})
        if start < offset + stage.steps:
            if beneath and not methods:  # a run that goes on in a later stage
                methods = put_beneath(base, beneath, n)
            base.beneath = digest_of(beneath, n) if beneath else ""
            last = settling if n == len(recipe.stages) - 1 else None
            methods = _stage(run, upto, base, progress, offset, max(start - offset, 0), beneath, methods, last, n < len(recipe.stages) - 1)
            if last and last.ended:
                return last.ended
        offset += stage.steps
        beneath = _finished(run, offset)
    return None


def _finished(run: RunFolder, offset: int) -> Checkpoint:
    """Where the layers of the stages that end at `offset` lie: in that checkpoint, or a later one, as a child run begins with. Not in a resume state: those go."""
    for kept in run.checkpoints():
        with suppress(UserError):
            if kept.step >= offset:
                return run.checkpoint(kept.step)
    raise UserError(f"{run.path}: no sound checkpoint holds the stages before step {offset}. Train it again: likeness train --recipe {typed(run.path / 'recipe.toml')}")


def _stage(
    run: RunFolder, recipe: Recipe, base: Base, progress: Progress, offset: int, start: int, beneath: Checkpoint | None, below: list[Method],
    settling: Settling | None, more: bool = False,
) -> list[Method]:  # fmt: skip
    """The recipe's last stage, on the finished ones `below` it, which are part of the base and lie in the checkpoint `beneath`; ended by `settling` if that says so. more: another stage follows."""
    stage = recipe.stages[-1]
    called = names_after(recipe, below)
    base.keep_activations()
    method = attach(stage, base, recipe.seed, len(below))
    methods = [*below, method]
    size = stage.photo_size(recipe.resolution or base.resolution)
    subjects = [_subject(run, n, asked, called[n], size) for n, asked in enumerate(recipe.subjects)]
    with stop_request() as stop:
        with progress.task(method.prepares, 1) as task:

            def prepared(done: int, total: int) -> None:
                task.at(done, total)
                if stop:  # what is drawn is kept
                    raise Stopped(stop.number or 2, f"stopped by a signal before the first step. Go on: likeness resume {typed(run.path)}")

            method.progress = prepared
            batches = method.batches(subjects, start, recipe.seed)  # before restore: what it prepares is of the model beneath
        optimizer = make_optimizer(method, stage)
        if start:
            _restore(run, method, optimizer, offset + start, len(below))
            if settling and start in stage.checkpoint_steps and settling.at(offset + start, methods):  # stopped between a checkpoint and its judgement
                return methods
        with progress.task("training", stage.steps, done=start) as task:
            at = start

            def drawing(done: int, total: int) -> None:
                """Between two steps, where nothing is half done."""
                task.note(f"{method.prepares}: {done} of {total}")
                if stop:
                    save(at, kept=True)
                    raise Stopped(stop.number or 2, f"stopped by a signal after step {offset + at}. Go on: likeness resume {typed(run.path)}")

            def save(step: int, kept: bool) -> None:
                if step > start:
                    _save(run, recipe, base, methods, optimizer, offset + step, kept, beneath)

            method.progress = drawing
            failed, due = 0, False  # steps in a row that were skipped; whether a state is to be kept as soon as one can be
            for trained in train(method, optimizer, stage, batches, start, recipe.seed):
                at, failed = trained.step, failed + 1 if trained.skipped else 0
                run.append_journal(_journal_line(trained, offset))
                task.advance(note=f"loss {sum(trained.losses.values()):.4f}")
                whole = method.checkpointable(at) and failed < PATIENCE  # or the run would go on from steps that it never trained
                kept = at in stage.checkpoint_steps or bool(stop)
                due = due or at % stage.save_every == 0
                if (kept or due) and whole:
                    save(at, kept)
                    due = False
                if at in stage.previews:
                    _preview(run, recipe, base, methods, offset + at)
                if settling and at in stage.checkpoint_steps and settling.at(offset + at, methods):
                    break
                if stop and (at < stage.steps or more) and whole:
                    raise Stopped(stop.number or 2, f"stopped by a signal after step {offset + at}. Go on: likeness resume {typed(run.path)}")
    method.progress = None  # or the optimizer would stay in memory, through it, as long as the method does
    method.freeze()
    return methods


def _subject(run: RunFolder, number: int, asked: SubjectSpec, called: str, size: int) -> Subject:
    """size: width and height in pixels of the photos; the run's copies are of what the stage asks that sees most"""
    photos, of_class = ([photo for photo in run.photos(of_class) if photo.image and photo.subject == number] for of_class in (False, True))
    return Subject(
        [_sized(photo, size) for photo in photos], asked.class_noun, asked.identifier, called, [photo.caption for photo in photos],
        [_sized(photo, size) for photo in of_class], [photo.caption for photo in of_class], *([photo.frame(size) for photo in each] for each in (photos, of_class)),
    )  # fmt: skip


def _sized(photo: Photo, size: int) -> Image.Image:
    assert photo.image
    return photo.image if photo.image.width == size else photo.image.resize((size, size), Image.Resampling.LANCZOS)


def _journal_line(trained: Trained, offset: int) -> dict[str, Any]:
    line = asdict(trained) | {"step": offset + trained.step}
    return {k: v for k, v in line.items() if v is not None}


def _save(
    run: RunFolder, recipe: Recipe, base: Base, methods: list[Method], optimizer: torch.optim.Optimizer, step: int, kept: bool,
    beneath: Checkpoint | None,
) -> None:  # fmt: skip
    """The checkpoint if it is one to keep, then the state to resume from, which holds the weights where no checkpoint does."""
    if kept:
        run.save_checkpoint(step, lambda folder: write_layers(folder, recipe, base, methods, step, beneath))

    def write_state(folder: Path) -> None:
        if not kept:
            write_layers(folder, recipe, base, methods, step, beneath)
        save_tensors(optimizer_tensors(optimizer), folder / "optimizer.safetensors")
        if tensors := methods[-1].tensors():
            save_tensors(tensors, folder / "method.safetensors")
        (folder / "state.json").write_text(json.dumps({"step": step, "state": methods[-1].state()}), encoding="utf-8")

    run.save_checkpoint(step, write_state, "resume")


def newest_state(run: RunFolder) -> int:
    """The newest step that can be gone on from: weights and optimizer are sound, or a stage ends there, and the next needs its weights alone. 0 if there is none."""
    for state in reversed(run.checkpoints("resume")):
        try:
            layers_at(run, state.step)
            return state.step
        except UserError:  # said by survey()
            continue
    ends = set(accumulate(stage.steps for stage in run.recipe(stage_types()).stages[:-1]))
    for kept in reversed(run.checkpoints()):
        with suppress(UserError):
            if kept.step in ends:
                return run.checkpoint(kept.step).step
    return 0


def layers_at(run: RunFolder, step: int) -> Checkpoint:
    """Where the weights of a saved state lie; verified."""
    state = run.checkpoint(step, "resume")
    return state if (state.path / "card.json").exists() else run.checkpoint(step)


def _restore(run: RunFolder, method: Method, optimizer: torch.optim.Optimizer, step: int, stage: int) -> None:
    weights, state = layers_at(run, step), run.checkpoint(step, "resume")
    layers = read_card(weights)["stages"]
    if len(layers) != stage + 1:
        raise UserError(f"{run.path}: its state of step {step} is of stage {len(layers)}, and by recipe.toml stage {stage + 1} is at that step. Put the steps of its stages back.")
    method.restore(read_tensors(weights.path / layers[stage]["file"]))
    restore_optimizer(optimizer, read_tensors(state.path / "optimizer.safetensors"))
    method.load_state(json.loads((state.path / "state.json").read_text(encoding="utf-8"))["state"])
    if (state.path / "method.safetensors").exists():
        method.load_tensors(read_tensors(state.path / "method.safetensors"))


def _preview(run: RunFolder, recipe: Recipe, base: Base, methods: list[Method], step: int) -> None:
    """Pictures of fixed prompts and seeds. They use no randomness of training and change no weight."""
    called = names_after(recipe, methods)[0]
    wanted = sampling_of(base, methods)
    prompts = [said(p, called) for p in PREVIEW_PROMPTS]
    seeds = [chance(recipe.seed, "preview", n) for n in range(len(prompts))]
    for number, (picture, prompt, seed) in enumerate(zip(drawn(base, prompts, seeds, wanted), prompts, seeds)):
        run.save_preview(step, number, picture, drawn_as(base, prompt, seed, wanted, f"{run.name}/{step}"))
