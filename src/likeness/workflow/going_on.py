"""What a run that goes on, resumed or as a child, may not change: what its saved steps rest on."""

from __future__ import annotations

from ..files.errors import UserError
from ..files.recipe import Recipe, Stage, changed, recipe_from_dict
from ..files.run_folder import RunFolder
from ..files.typed import flags, typed
from .stack import stage_types

MAY_CHANGE = ("steps", "checkpoints", "save_every", "previews")  # of a stage, when a run is resumed
TAKEN_IN = ("photos", "class_photos")  # of a subject, before the first step


def check_same_recipe(run: RunFolder, recipe: Recipe, last: int) -> None:
    """Refuse to resume where recipe.toml was changed by hand in what the saved steps rest on."""
    lineage = run.record().lineage or {}
    if lineage.get("step", 0) > last:
        changes = lineage.get("chosen") or {name.rpartition(".")[2]: new for name, (_, new) in lineage.get("changed", {}).items()}
        parent, asked = typed(run.path.absolute().parent / lineage["run"]), {name: value for name, value in changes.items() if value is not None}
        again = f"{'continue' if lineage.get('changed') else f'train {recipe.stages[-1].method}'} {parent} {flags(asked)}".rstrip()
        raise UserError(f"{run.path}: was stopped while it was made from {lineage['run']}. Delete it, and make it again: likeness {again}")
    begun = (run.record().model_extra or {}).get("recipe")
    if begun is None:
        return
    old = recipe_from_dict(begun, stage_types())
    all_changes = changed(old, recipe)
    if not last:
        if taken_in := [name for name in all_changes if name == "resolution" or name.rpartition(".")[2] in TAKEN_IN or name.startswith("others")]:
            raise UserError(f"{run.path}: {', '.join(taken_in)} changed in recipe.toml, and the photos were taken in before. Put it back, or train anew.")
        return
    differ = {name: values for name, values in all_changes.items() if name != "base" and name.rpartition(".")[2] not in MAY_CHANGE}  # a base may lie elsewhere: its hash tells
    if differ:
        shown = ", ".join(f"{name} ({before} -> {after})" for name, (before, after) in differ.items())
        raise UserError(f"{run.path}: {shown} changed in recipe.toml after training began. Put it back, or branch off: likeness continue {typed(run.path)}")
    offset = 0
    for before, now in zip(old.stages, recipe.stages):
        done = last - offset
        offset += before.steps
        fixed = done > before.steps or before.learning_rate_schedule != "constant"  # a later stage stands on it, or its rates follow from its steps
        if done > 0 and before.steps != now.steps and (fixed or now.steps < done):
            raise UserError(f"{run.path}: steps ({before.steps} -> {now.steps}) changed in recipe.toml, and {min(done, before.steps)} are done that rest on them. Put them back.")


def check_what_is_trained(old: Stage, new: Stage) -> None:
    """Refuse a child run that would train something else: what is saved would not fit."""
    differ = [f"{name} ({getattr(old, name)} -> {getattr(new, name)})" for name in new.decides if getattr(old, name) != getattr(new, name)]
    if differ:
        raise UserError(f"{', '.join(differ)} cannot change where a run goes on: its weights, optimizer or steps would not fit. Train it anew.")


def check_was_trained(run: RunFolder) -> None:
    lineage = run.record().lineage or {}
    if merged := lineage.get("merged"):
        raise UserError(f"{run.path}: was merged from {' and '.join(merged)}, not trained. Train those further and merge them again.")
    if "imported" in lineage:
        raise UserError(f"{run.path}: was imported from {lineage['imported']} and has no state to go on from. Train anew.")
