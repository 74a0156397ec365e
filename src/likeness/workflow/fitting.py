"""Train a recipe into a run folder; take it up again where it stopped; branch a child run off it."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save_file

from ..files.checkpoints import Checkpoint
from ..files.errors import UserError
from ..files.picture import Settings
from ..files.recipe import Recipe, SubjectSpec, changed, recipe_from_dict, recipe_to_dict
from ..files.run_folder import RunFolder
from ..files.subject import Photo, check_identifier, remarks
from ..learning.method import Method, Subject, chance
from ..learning.optimizer_state import optimizer_tensors, restore_optimizer
from ..learning.training import Trained, bf16_is_emulated, make_optimizer, peak_bytes, train
from ..model.base import Base
from ..model.folder import find_base
from ..model.identifier import check_words, meaning_of_its_own
from .drawing import drawn
from .going_on import check_same_recipe, check_was_trained, check_what_is_trained
from .photos import gather_all
from .preflight import check_room
from .progress import Progress
from .stack import attach, check_order, digest_of, names_after, put_beneath, read_card, read_tensors, sampling_of, stage_types, write_layers
from .stopping import Stopped, stop_request

RESUMED = {"optimizer.safetensors", "state.json", "method.safetensors"}  # beside the weights, of a state to go on from
PREVIEW_PROMPTS = ("a photo of a {}", "a {} on the beach", "a {} in the snow", "a {} in the jungle")


def device_for() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"




def fit(recipe: Recipe, parent: Path, progress: Progress, name: str | None = None, force: bool = False) -> RunFolder:
    """Train a recipe from its first step in a new run folder. Photos, memory and disk are checked before any model is loaded.

    force  also where memory or disk cannot be enough
    """
    for subject in recipe.subjects:
        check_identifier(subject.identifier)
    check_order(recipe)
    photos = gather_all(recipe)
    for line in remarks(photos):
        progress.say(f"photos: {line}")
    if not force:
        check_room(recipe, find_base(recipe.base), parent)
    base = open_base(recipe)
    for subject in recipe.subjects:
        if recipe.stages[0].new_words or getattr(recipe.stages[0], "use_captions", False):  # captions need not say the identifier
            continue
        for remark in (check_words(base.tokenizer, subject.identifier, subject.class_noun), meaning_of_its_own(base, subject.identifier, subject.class_noun)):
            if remark:
                progress.say(f"warning: {remark}")
    if any(stage.mixed_precision == "bf16" for stage in recipe.stages) and bf16_is_emulated(base.device):
        progress.say("warning: this CPU has no bf16 instructions; --mixed-precision bf16 is many times slower than no")
    build_name = name or f"{Path(str(recipe.subject.photos).removeprefix('toybox:')).stem}-{recipe.stages[-1].method}"
    run = RunFolder.create(parent, build_name, seed=recipe.seed, base=recipe.base, base_hash=base.hash)
    _begin(run, recipe, photos)
    progress.say(f"run: {run.path}")
    with run.active():
        _train(run, recipe, base, progress)
    return run


def _begin(run: RunFolder, recipe: Recipe, photos: Sequence[Photo]) -> None:
    """What was asked; recipe.toml last, so that a run that has one has all."""
    run.write_photos(photos)
    run.update(recipe=recipe_to_dict(recipe))
    run.write_recipe(recipe)


def resume(run: RunFolder, progress: Progress) -> RunFolder:
    """Go on from the newest sound state; the end is bit for bit that of a run which was never stopped."""
    if not run.begun:
        raise UserError(f"{run.path}: was stopped before its recipe was written. Delete it, and train again.")
    recipe = run.recipe(stage_types())
    check_was_trained(run)
    last = newest_state(run)
    for line in [*run.survey("resume").skipped, *run.survey().skipped]:
        progress.say(f"warning: {line}")
    if run.record().status == "finished" and last == _steps(recipe):
        raise UserError(f"{run.path}: is finished. To train further: likeness continue {run.path} --steps N")
    check_same_recipe(run, recipe, last)
    base = open_base(recipe, run)
    with run.active():
        _train(run, recipe, base, progress)
    return run


def branch(parent: RunFolder, changes: Mapping[str, Any], progress: Progress) -> RunFolder:
    """A child run that goes on from the parent's last step with other options of its last stage.

    Weights, optimizer and step are the parent's; the lineage is recorded in run.json.
    """
    check_was_trained(parent)
    old = parent.recipe(stage_types())
    content = recipe_to_dict(old)
    content["stages"][-1].update(changes)
    last = newest_state(parent)
    if last == 0:
        raise UserError(f"{parent.path}: has no saved state to go on from. Resume it first: likeness resume {parent.path}")
    for kept in {"checkpoints", "previews"} - set(changes):  # the parent's, as far as the child has such steps
        content["stages"][-1][kept] = [s for s in content["stages"][-1][kept] if s <= content["stages"][-1]["steps"]]
    recipe = recipe_from_dict(content, stage_types())
    check_what_is_trained(parent, old.stages[-1], recipe.stages[-1])
    if last >= _steps(recipe):
        more = f"likeness continue {parent.path} --steps {old.stages[-1].steps + last}"
        raise UserError(f"{parent.path}: has done {last} steps already. Say how many in all: {more}")
    base = open_base(recipe, parent)
    lineage = {"run": parent.name, "step": last, "changed": {k: list(v) for k, v in changed(old, recipe).items()}}
    run = RunFolder.create(
        parent.path.parent, f"{parent.name.rsplit('-', 2)[0]}-continued", seed=recipe.seed, base=recipe.base, base_hash=base.hash, lineage=lineage
    )  # fmt: skip
    _begin(run, recipe, [*parent.photos(), *parent.photos(of_class=True)])
    for line in parent.journal():
        if line["step"] <= last:
            run.append_journal(line)
    layers = _layers_at(parent, last)
    run.save_checkpoint(last, lambda folder: _copy(layers, folder, {"card.json", *(e["file"] for e in read_card(layers)["stages"])}))
    run.save_checkpoint(last, lambda folder: _copy(parent.checkpoint(last, "resume"), folder, {path.name for path in parent.checkpoint(last, "resume").path.iterdir()} & RESUMED), "resume")
    progress.say(f"run: {run.path}, from step {last} of {parent.name}")
    with run.active():
        _train(run, recipe, base, progress)
    return run


def open_base(recipe: Recipe, run: RunFolder | None = None) -> Base:
    """The recipe's base; UserError if it is another than the one that `run` was begun with."""
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    base = Base.open(recipe.base, device_for())
    if run and run.record().base_hash not in (None, base.hash):
        raise UserError(f"{run.path}: was begun on another base ({run.record().base_hash}) than {base.name} is now ({base.hash}). Put the first one back there.")
    return base


def newest_state(run: RunFolder) -> int:
    """The newest step of which both weights and optimizer are sound; 0 if there is none."""
    for state in reversed(run.checkpoints("resume")):
        try:
            _layers_at(run, state.step)
            return state.step
        except UserError:  # said by survey()
            continue
    return 0


def _steps(recipe: Recipe) -> int:
    return sum(stage.steps for stage in recipe.stages)


def _copy(state: Checkpoint, folder: Path, names: set[str]) -> None:
    for name in names:
        shutil.copyfile(state.path / name, folder / name)


def _train(run: RunFolder, recipe: Recipe, base: Base, progress: Progress) -> None:
    """All stages of a recipe, from the newest saved state of the run on."""
    began, spent = time.time(), float((run.record().model_extra or {}).get("seconds", 0.0))
    start = newest_state(run)
    run.rewind_journal(start)
    run.update(status="running", exit_reason=None, pid=os.getpid())

    def leave(status: str, reason: str | None) -> None:
        run.update(status=status, exit_reason=reason, pid=None, seconds=round(spent + time.time() - began, 1), peak_bytes=peak_bytes())

    try:
        _stages(run, recipe, base, progress, start)
    except Stopped as stopped:
        leave("paused", str(stopped))
        raise
    except OSError as problem:
        if problem.errno != errno.ENOSPC:
            leave("failed", f"{type(problem).__name__}: {problem}")
            raise
        leave("paused", "the disk is full")
        raise UserError(f"{run.path}: the disk is full. The last checkpoint is intact; free space and go on: likeness resume {run.path}") from problem
    except BaseException as problem:
        leave("failed", f"{type(problem).__name__}: {problem}")
        raise
    leave("finished", None)


def _stages(run: RunFolder, recipe: Recipe, base: Base, progress: Progress, start: int) -> None:
    offset, beneath = 0, None
    methods: list[Method] = []
    for n, stage in enumerate(recipe.stages):
        upto = recipe.model_copy(update={"stages": recipe.stages[: n + 1]})
        if start < offset + stage.steps:
            if beneath and not methods:  # a run that goes on in a later stage
                methods = put_beneath(base, beneath, n)
            base.beneath = digest_of(beneath, n) if beneath else ""
            methods = _stage(run, upto, base, progress, offset, max(start - offset, 0), beneath, methods)
        offset += stage.steps
        beneath = _finished(run, offset)


def _finished(run: RunFolder, offset: int) -> Checkpoint:
    """Where the layers of the stages that end at `offset` lie: in that checkpoint, or a later one, as a child run begins with. Not in a resume state: those go."""
    for kept in run.checkpoints():
        with suppress(UserError):
            if kept.step >= offset:
                return run.checkpoint(kept.step)
    raise UserError(f"{run.path}: no sound checkpoint holds the stages before step {offset}. Train it again: likeness train --recipe {run.path}/recipe.toml")


def _stage(
    run: RunFolder, recipe: Recipe, base: Base, progress: Progress, offset: int, start: int, beneath: Checkpoint | None, below: list[Method]
) -> list[Method]:  # fmt: skip
    """The recipe's last stage, on the finished ones `below` it, which are part of the base and lie in the checkpoint `beneath`."""
    stage = recipe.stages[-1]
    called = names_after(recipe, below)
    method = attach(stage, base, recipe.seed, len(below))
    methods = [*below, method]
    size = stage.photo_size(recipe.resolution or base.resolution)
    subjects = [_subject(run, n, asked, called[n], size) for n, asked in enumerate(recipe.subjects)]
    with stop_request() as stop:
        with progress.task(method.prepares, 1) as task:

            def prepared(done: int, total: int) -> None:
                task.at(done, total)
                if stop:  # what is drawn is kept
                    raise Stopped(stop.number or 2, f"stopped by a signal before the first step. Go on: likeness resume {run.path}")

            method.progress = prepared
            batches = method.batches(subjects, start, recipe.seed)  # before restore: what it prepares is of the model beneath
        optimizer = make_optimizer(method, stage)
        if start:
            _restore(run, method, optimizer, offset + start, len(below))
        with progress.task("training", stage.steps) as task:
            task.advance(start)
            for trained in train(method, optimizer, stage, batches, start, recipe.seed):
                run.append_journal(_journal_line(trained, offset))
                task.advance(note=f"loss {sum(trained.losses.values()):.4f}")
                kept = trained.step in stage.checkpoint_steps or bool(stop)
                if (kept or trained.step % stage.save_every == 0) and method.checkpointable(trained.step):
                    _save(run, recipe, base, methods, optimizer, offset + trained.step, kept, beneath)
                if trained.step in stage.previews:
                    _preview(run, recipe, base, methods, offset + trained.step)
                if stop and trained.step < stage.steps:
                    message = f"stopped by a signal after step {offset + trained.step}. Go on: likeness resume {run.path}"
                    raise Stopped(stop.number or 2, message)
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
        save_file({k: v.cpu().contiguous() for k, v in optimizer_tensors(optimizer).items()}, folder / "optimizer.safetensors")
        if tensors := methods[-1].tensors():
            save_file({k: v.contiguous() for k, v in tensors.items()}, folder / "method.safetensors")
        (folder / "state.json").write_text(json.dumps({"step": step, "state": methods[-1].state()}), encoding="utf-8")

    run.save_checkpoint(step, write_state, "resume")


def _layers_at(run: RunFolder, step: int) -> Checkpoint:
    """Where the weights of a saved state lie; verified."""
    state = run.checkpoint(step, "resume")
    return state if (state.path / "card.json").exists() else run.checkpoint(step)


def _restore(run: RunFolder, method: Method, optimizer: torch.optim.Optimizer, step: int, stage: int) -> None:
    weights, state = _layers_at(run, step), run.checkpoint(step, "resume")
    method.restore(read_tensors(weights.path / read_card(weights)["stages"][stage]["file"]))
    restore_optimizer(optimizer, read_tensors(state.path / "optimizer.safetensors"))
    method.load_state(json.loads((state.path / "state.json").read_text(encoding="utf-8"))["state"])
    if (state.path / "method.safetensors").exists():
        method.load_tensors(read_tensors(state.path / "method.safetensors"))


def _preview(run: RunFolder, recipe: Recipe, base: Base, methods: list[Method], step: int) -> None:
    """Pictures of fixed prompts and seeds. They use no randomness of training and change no weight."""
    called = names_after(recipe, methods)[0]
    wanted = sampling_of(base, methods)
    prompts = [p.format(called) for p in PREVIEW_PROMPTS]
    seeds = [chance(recipe.seed, "preview", n) for n in range(len(prompts))]
    for number, (picture, prompt, seed) in enumerate(zip(drawn(base, prompts, seeds, wanted), prompts, seeds)):
        settings = Settings(
            prompt=prompt, steps=wanted["steps"], sampler=wanted["sampler"], guidance_scale=wanted["guidance_scale"], seed=seed, model=base.name,
            width=picture.width, height=picture.height, model_hash=base.hash, checkpoint=f"{run.name}/{step}",
        )  # fmt: skip
        run.save_preview(step, number, picture, settings)
