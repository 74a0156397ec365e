"""Train a recipe into a run folder; take it up again where it stopped; branch a child run off it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..files.checkpoints import Checkpoint
from ..files.errors import UserError
from ..files.recipe import Recipe, changed, recipe_from_dict, recipe_to_dict
from ..files.run_folder import RunFolder
from ..files.subject import Photo, check_identifier, remarks
from ..learning.training import bf16_is_emulated
from ..model.base import Base
from ..model.folder import find_base
from ..model.identifier import check_words, meaning_of_its_own
from .going_on import check_same_recipe, check_was_trained, check_what_is_trained
from .photos import gather_all
from .preflight import check_room
from .progress import Progress
from .settling import check_settling
from .stack import check_order, device_for, read_card, stage_types
from .stages import layers_at, newest_state, train_stages

RESUMED = {"optimizer.safetensors", "state.json", "method.safetensors"}  # beside the weights, of a state to go on from


def fit(recipe: Recipe, parent: Path, progress: Progress, name: str | None = None, force: bool = False) -> RunFolder:
    """Train a recipe from its first step in a new run folder. Photos, memory and disk are checked before any model is loaded.

    force  also where memory or disk cannot be enough
    """
    for subject in recipe.subjects:
        check_identifier(subject.identifier)
    check_order(recipe)
    check_settling(recipe)
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
        train_stages(run, recipe, base, progress)
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
    if run.record().status == "finished" and run.record().exit_reason:
        raise UserError(f"{run.path}: is finished ({run.record().exit_reason}). To train further: likeness continue {run.path}")
    if run.record().status == "finished" and last == _steps(recipe):
        raise UserError(f"{run.path}: is finished. To train further: likeness continue {run.path} --steps N")
    check_same_recipe(run, recipe, last)
    base = open_base(recipe, run)
    with run.active():
        train_stages(run, recipe, base, progress)
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
    layers = layers_at(parent, last)
    run.save_checkpoint(last, lambda folder: _copy(layers, folder, {"card.json", *(e["file"] for e in read_card(layers)["stages"])}))
    run.save_checkpoint(last, lambda folder: _copy(parent.checkpoint(last, "resume"), folder, {path.name for path in parent.checkpoint(last, "resume").path.iterdir()} & RESUMED), "resume")
    progress.say(f"run: {run.path}, from step {last} of {parent.name}")
    with run.active():
        train_stages(run, recipe, base, progress)
    return run


def open_base(recipe: Recipe, run: RunFolder | None = None) -> Base:
    """The recipe's base; UserError if it is another than the one that `run` was begun with."""
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    base = Base.open(recipe.base, device_for())
    if run and run.record().base_hash not in (None, base.hash):
        raise UserError(f"{run.path}: was begun on another base ({run.record().base_hash}) than {base.name} is now ({base.hash}). Put the first one back there.")
    return base


def _steps(recipe: Recipe) -> int:
    return sum(stage.steps for stage in recipe.stages)


def _copy(state: Checkpoint, folder: Path, names: set[str]) -> None:
    for name in names:
        shutil.copyfile(state.path / name, folder / name)
