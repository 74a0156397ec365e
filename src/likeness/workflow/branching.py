"""Child runs: one that goes on from a run's last step with other options, one that stands on what a run has learned."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files.atomic import write_text
from ..files.checkpoints import Checkpoint
from ..files.errors import UserError
from ..files.recipe import Recipe, changed, continued_in, read_recipe, recipe_from_dict, recipe_to_dict, write_recipe
from ..files.run_folder import RunFolder, without_time
from ..files.subject import Photo
from ..files.typed import flags, typed
from ..model.folder import advised, find_base
from .fitting import begin, on_base, open_base, steps_of
from .generating import checkpoint_of
from .going_on import check_was_trained, check_what_is_trained
from .photos import check_captions, gather_all, resolution_for
from .preflight import check_room
from .progress import Progress
from .recipes import check_read
from .rehearsing import rehearse
from .settling import check_settling
from .stack import check_order, read_card, stage_types
from .stages import layers_at, newest_state, train_stages

WHOLE = "whole.toml"  # of a child run: its first ancestor's recipe, and a table [[continued]] for each that goes on
RESUMED = {"optimizer.safetensors", "state.json", "method.safetensors"}  # beside the weights, of a state to go on from


def check_continued(recipe: Recipe, continued: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a mistake in how a recipe goes on before its first stage is trained. Raises UserError."""
    for n, changes in enumerate(continued, 1):
        before = recipe.stages[-1]
        try:
            recipe = with_options(recipe, changes)
            check_read(recipe.stages[-1], changes)
            check_what_is_trained(before, recipe.stages[-1])
        except UserError as problem:
            raise UserError(f"continued {n}: {problem}") from problem
        if recipe.stages[-1].steps <= before.steps:
            raise UserError(f"continued {n}: {recipe.stages[-1].steps} steps in all, and {before.steps} are done before it. Say how many there are in all.")


def with_options(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """The recipe with other options of its last stage; its checkpoints and previews as far as there are such steps."""
    content = recipe_to_dict(recipe)
    last = content["stages"][-1]
    last.update(changes)
    for kept in {"checkpoints", "previews"} - set(changes) if isinstance(last["steps"], int) else ():
        last[kept] = [step for step in last[kept] if step <= last["steps"]]
    return recipe_from_dict(content, stage_types())


def branch(
    parent: RunFolder, changes: Mapping[str, Any], progress: Progress, base_name: str | None = None, then: Sequence[Mapping[str, Any]] = ()
) -> RunFolder:  # fmt: skip
    """A child run that goes on from the parent's last step with other options of its last stage.

    Weights, optimizer and step are the parent's; the lineage is recorded in run.json, and in whole.toml the recipe that leads here from the photos.

    base_name  where its base lies now, if elsewhere than the parent's recipe says
    then       how the recipe goes on after the child, kept for who resumes that
    """
    check_was_trained(parent)
    old = on_base(parent.recipe(stage_types()), base_name)
    last = newest_state(parent)
    if last not in {state.step for state in parent.checkpoints("resume")}:  # 0, or the end of a stage, which the next can begin on
        raise UserError(f"{parent.path}: has no saved state to go on from. Resume it first: likeness resume {typed(parent.path)}")
    recipe = with_options(old, changes)
    check_read(recipe.stages[-1], changes)
    check_what_is_trained(old.stages[-1], recipe.stages[-1])
    if last >= steps_of(recipe):
        where = {"base": base_name} if base_name else {}
        more = f"likeness continue {typed(parent.path)} {flags({**where, **changes, 'steps': old.stages[-1].steps + last})}"
        raise UserError(f"{parent.path}: has done {last} steps already. Say how many in all: {more}")
    photos = parent.all_photos()
    recipe.stages[-1].check(recipe.base)
    check_captions(recipe, photos)
    for line in (line for kind in ("checkpoints", "resume") for line in parent.survey(kind).skipped):
        progress.say(f"warning: {line}")
    base = open_base(recipe, parent)
    lineage = {"run": parent.name, "step": last, "changed": {k: list(v) for k, v in changed(old, recipe).items()}}
    run = RunFolder.create(
        parent.path.absolute().parent, f"{without_time(parent.name)}-continued", seed=recipe.seed, base=recipe.base, base_hash=base.hash, lineage=lineage
    )  # fmt: skip
    begin(run, recipe, photos, then)
    write_text(run.path / WHOLE, write_recipe(*_whole(parent, changes, base_name)))
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


def _whole(parent: RunFolder, changes: Mapping[str, Any], base_name: str | None) -> tuple[Recipe, list[dict[str, Any]]]:
    """The recipe of the run that the first of a row of children was branched off, and how each went on."""
    path, said = parent.path / WHOLE, {name: value for name, value in changes.items() if value is not None}
    first, before = (read_recipe(path, stage_types()), continued_in(path)) if path.exists() else (parent.recipe(stage_types()), [])
    return on_base(first, base_name), [*before, said]


def stand(
    parent: RunFolder, method: str, chosen: Mapping[str, Any], progress: Progress, runs: Path | None = None, force: bool = False,
    settle: Mapping[str, Any] | None = None, base_name: str | None = None,
) -> RunFolder:  # fmt: skip
    """A child run with one more stage, on all that the parent has learned: its photos, names and layers, and none of its training again.

    chosen  options of the stage; the base's advice fills what is left open
    force   also where memory or disk cannot be enough
    settle  when to end it early, as a recipe says it; empty: never
    base_name  where its base lies now, if elsewhere than the parent's recipe says
    """
    recipe, layers = on_base(parent.recipe(stage_types()), base_name), checkpoint_of(parent)
    if parent.record().status != "finished":
        raise UserError(f"{parent.path}: is not finished, and a stage stands on finished ones. Go on with it first: likeness resume {typed(parent.path)}")
    content = {**{key: value for key, value in recipe_to_dict(recipe).items() if key != "settle"}, **(settle or {})}
    content["stages"].append({"method": method, **advised(find_base(recipe.base), method, chosen)})
    beneath, recipe = steps_of(recipe), recipe_from_dict(content, stage_types())
    check_read(recipe.stages[-1], chosen)
    check_order(recipe)
    check_settling(recipe)
    recipe.stages[-1].check(recipe.base)  # those beneath it are trained
    photos = _photos_for(parent, recipe)
    _check_photos(parent, method, photos)
    check_captions(recipe, photos)
    runs = runs or parent.path.absolute().parent
    if not force:
        check_room(recipe, find_base(recipe.base), runs)
    base = open_base(recipe, parent)
    rehearse(recipe, base, photos, progress.say, len(recipe.stages) - 1)
    lineage = {"run": parent.name, "step": beneath, "changed": {}, "chosen": dict(chosen)}
    run = RunFolder.create(runs, f"{without_time(parent.name)}-{method}", seed=recipe.seed, base=recipe.base, base_hash=base.hash, lineage=lineage)
    begin(run, recipe, photos)
    for line in parent.journal():
        run.append_journal(line)
    run.save_checkpoint(beneath, lambda folder: _as_step(layers, folder, beneath))
    progress.say(f"run: {run.path}, on {parent.name}")
    with run.active():
        train_stages(run, recipe, base, progress)
    return run


def _photos_for(parent: RunFolder, recipe: Recipe) -> list[Photo]:
    """The parent's copies of its photos; where the new stage sees more pixels than they have, the photos themselves once more, if they are still the same."""
    photos, wanted = parent.all_photos(), recipe.stages[-1].photo_size(resolution_for(recipe))
    has = max((photo.image.width for photo in photos if photo.image), default=wanted)
    if wanted <= has:
        return photos
    own = parent.recipe(stage_types())
    try:
        same = used_of(gather_all(own)) == used_of(photos)
    except UserError:
        same = False
    if not same:
        raise UserError(
            f"{parent.path}: the new stage sees {wanted} pixels, its copies of the photos have {has}, and {own.subject.photos} no longer holds what they were made of. Put the photos back, or train both stages at once: likeness train cascade PHOTOS"
        )
    return gather_all(recipe)


def used_of(photos: Sequence[Photo]) -> list[tuple[int, bool, str]]:
    """What tells the photos that are trained on from others: whose, of what, and their sums."""
    return sorted((photo.subject, photo.of_class, photo.sha256) for photo in photos if photo.used)


def _check_photos(parent: RunFolder, method: str, photos: Sequence[Photo]) -> None:
    if method != "lcm" and not any(photo.used and not photo.of_class for photo in photos):
        raise UserError(f"{parent.path}: has no photos to learn from. Import it with them: likeness import FILE --photos FOLDER")


def _as_step(layers: Checkpoint, folder: Path, step: int) -> None:
    """The layers as the checkpoint of that step: an imported run's have no steps of their own."""
    card = read_card(layers)
    _copy(layers, folder, {entry["file"] for entry in card["stages"]})
    (folder / "card.json").write_text(json.dumps({**card, "step": step}, indent=1), encoding="utf-8")


def _copy(state: Checkpoint, folder: Path, names: set[str]) -> None:
    for name in names:
        shutil.copyfile(state.path / name, folder / name)
