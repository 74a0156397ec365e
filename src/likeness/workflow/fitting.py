"""Train a recipe into a run folder; take it up again where it stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from ..files.errors import UserError
from ..files.recipe import Recipe, recipe_from_dict, recipe_to_dict
from ..files.run_folder import RunFolder
from ..files.subject import Photo, check_identifier, remarks
from ..files.typed import flags, typed
from ..learning.precision import bf16_is_emulated
from ..model.base import Base
from ..model.folder import classes_of, find_base
from ..model.identifier import check_words, meaning_of_its_own
from .going_on import check_same_recipe, check_was_trained
from .photos import check_captions, gather_all, title_of
from .preflight import check_room
from .progress import Progress
from .recipe_facts import facts_in_words
from .rehearsing import rehearse
from .settling import check_settling
from .stack import check_order, device_for, stage_types
from .stages import newest_state, train_stages


def fit(
    recipe: Recipe, parent: Path, progress: Progress, name: str | None = None, force: bool = False, then: Sequence[Mapping[str, Any]] = ()
) -> RunFolder:  # fmt: skip
    """Train a recipe from its first step in a new run folder. Photos, memory and disk are checked before any model is loaded.

    force  also where memory or disk cannot be enough
    then   how the recipe goes on afterwards, in runs of their own (`branch`); kept for who resumes this one
    """
    for subject in recipe.subjects:
        check_identifier(subject.identifier)
    check_order(recipe)
    check_settling(recipe)
    for stage in recipe.stages:
        stage.check(recipe.base)
    photos = gather_all(recipe)
    check_captions(recipe, photos)
    for line in remarks(photos):
        progress.say(f"photos: {line}")
    if not force:
        check_room(recipe, find_base(recipe.base), parent)
    base = open_base(recipe)
    rehearse(recipe, base, photos, progress.say)
    for subject in recipe.subjects:
        if recipe.stages[0].new_words or getattr(recipe.stages[0], "use_captions", False):  # captions need not say the identifier
            continue
        for remark in (check_words(base.tokenizer, subject.identifier, subject.class_noun), meaning_of_its_own(base, subject.identifier, subject.class_noun)):
            if remark:
                progress.say(f"warning: {remark}")
    if any(stage.mixed_precision == "bf16" for stage in recipe.stages) and bf16_is_emulated(base.device):
        progress.say("warning: this CPU has no bf16 instructions; --mixed-precision bf16 is many times slower than no")
    build_name = name or f"{title_of(recipe.subject.photos)}-{recipe.stages[-1].method}"
    run = RunFolder.create(parent, build_name, seed=recipe.seed, base=recipe.base, base_hash=base.hash)
    begin(run, recipe, photos, then)
    progress.say(f"run: {run.path}")
    with run.active():
        train_stages(run, recipe, base, progress)
    return run


def begin(run: RunFolder, recipe: Recipe, photos: Sequence[Photo], then: Sequence[Mapping[str, Any]] = ()) -> None:
    """What was asked; recipe.toml last, so that a run that has one has all."""
    run.write_photos(photos)
    run.update(recipe=recipe_to_dict(recipe), then=[dict(changes) for changes in then] or None, **facts_in_words(recipe))
    run.write_recipe(recipe)


def resume(run: RunFolder, progress: Progress, base_name: str | None = None) -> RunFolder:
    """Go on from the newest sound state; the end is bit for bit that of a run which was never stopped.

    base_name  where its base lies now, if elsewhere than the recipe says
    """
    if not run.begun:
        raise UserError(f"{run.path}: was stopped before its recipe was written. Delete it, and train again.")
    recipe = run.recipe(stage_types())
    check_was_trained(run)
    last = newest_state(run)
    for line in [*run.survey("resume").skipped, *run.survey().skipped]:
        progress.say(f"warning: {line}")
    record = run.record()
    if record.status == "finished" and record.exit_reason:
        raise UserError(f"{run.path}: is finished ({record.exit_reason}). To train further: likeness continue {typed(run.path)}")
    if record.status == "finished" and last == steps_of(recipe):
        more = flags(record.then[0]) if record.then else "--steps N"
        raise UserError(f"{run.path}: is finished. To train further: likeness continue {typed(run.path)} {more}")
    check_same_recipe(run, recipe, last)
    asked, recipe = recipe_to_dict(recipe), on_base(recipe, base_name)
    base = open_base(recipe, run)
    with run.active():
        run.update(recipe=asked)  # what the next steps rest on
        train_stages(run, recipe, base, progress)
    return run


def on_base(recipe: Recipe, name: str | None) -> Recipe:
    """The recipe with its base by another name, or as it is."""
    return recipe_from_dict({**recipe_to_dict(recipe), "base": name}, stage_types()) if name else recipe


def open_base(recipe: Recipe, run: RunFolder | None = None) -> Base:
    """The recipe's base; UserError if it is another than the one that `run` was begun with."""
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    base = Base.open(recipe.base, device_for())
    if base.unet.config.time_cond_proj_dim or "LCMScheduler" in classes_of(find_base(recipe.base)).get("scheduler", ()):
        raise UserError(f"base {recipe.base}: was distilled to draw in few steps, and what is taught to it would be drawn by another walk. Train on the model that it was distilled from, then likeness train lcm RUN.")
    if run and run.record().base_hash not in (None, base.hash):
        raise UserError(f"{run.path}: was begun on another base ({run.record().base_hash}) than {base.name} is now ({base.hash}). Put the first one back there, or say where it lies with --base.")
    return base


def steps_of(recipe: Recipe) -> int:
    return sum(stage.steps for stage in recipe.stages)
