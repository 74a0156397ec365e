"""Two runs of Custom Diffusion, each with its own subject, as one run with both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..files.errors import UserError
from ..files.recipe import Recipe, recipe_from_dict, recipe_to_dict
from ..files.run_folder import RunFolder
from ..interchange.merging import Residuals, merge
from ..model import tokens
from ..model.base import Base
from ..world.captions import caption
from ..world.random_scenes import random_scene
from .generating import checkpoint_of
from .progress import Progress
from .recipe_facts import can_be_merged, facts_in_words
from .stack import attach, check_same_base, read_card, read_tensors, stage_types, write_layers

ORDINARY = 200  # captions, as many as the paper's code


def merge_runs(runs: Sequence[RunFolder], parent: Path, progress: Progress, base_name: str | None = None) -> tuple[RunFolder, Residuals]:
    """A new run whose checkpoint holds the subjects of all; and the two residuals of the merge."""
    recipe = _joint_recipe(runs)
    base = Base.open(base_name or recipe.base)
    learned = [_learned(run, base) for run in runs]
    method = attach(recipe.stages[0], base, recipe.seed, 0)
    rows = {name: value for tensors in learned for name, value in tensors.items() if not name.startswith("unet.")}
    names = [name for name in method.weights() if name.startswith("unet.")]
    before = [base.unet.get_parameter(name.removeprefix("unet.")).detach().clone() for name in names]
    method.restore({**dict(zip(names, before)), **rows})
    own = [torch.cat([_encoded(base, [called]), _encoded(base, [f"photo of a {called}"], after="photo of a")]) for called in _called(recipe)]
    wanted = [torch.cat([encoded.double() @ tensors[name].to(encoded).double().T for encoded, tensors in zip(own, learned)]) for name in names]
    went = sum(sum((tensors[name] - old.cpu()).square().sum().item() for name, old in zip(names, before)) ** 0.5 for tensors in learned)
    merged, residuals = merge(before, wanted, torch.cat(own), _encoded(base, _ordinary_captions()), went)
    method.restore({**dict(zip(names, merged)), **rows})
    lineage = {"merged": [run.name for run in runs]}
    name = "-and-".join(s.identifier for s in recipe.subjects)
    run = RunFolder.create(parent, name, seed=recipe.seed, base=recipe.base, base_hash=base.hash, lineage=lineage)
    run.write_recipe(recipe)
    run.write_photos([replace(photo, subject=n) for n, one in enumerate(runs) for photo in one.photos()])
    run.save_checkpoint(0, lambda folder: write_layers(folder, recipe, base, [method], 0, None))
    run.update(status="finished", pid=None, **facts_in_words(recipe))
    if recipe.base != "toybox":
        progress.say("ordinary words are those of the toybox's captions: what the merge does to others was not asked")
    if not residuals.exact:
        progress.say("what the subjects' words ask for together is farther from the base than their trainings went: they were met half way, and each subject may be less like. To have both as they are, train them together ([[others]] in a recipe)")
    progress.say(f"concepts' own keys and values: {residuals.concepts:.1e} off; ordinary words' moved by {residuals.ordinary:.1e} of their size")
    return run, residuals


def _joint_recipe(runs: Sequence[RunFolder]) -> Recipe:
    recipes = [run.recipe(stage_types()) for run in runs]
    for run, recipe in zip(runs, recipes):
        if not can_be_merged(recipe):
            raise UserError(f"{run.path}: only runs of custom_diffusion alone, of one subject each, with trained = kv, can be merged. Train the subjects together instead.")
    words = [recipe.stages[0].words[0] for recipe in recipes]  # type: ignore[attr-defined]
    read = [word.lower() for word in words]  # as tokenizers do
    if len(set(read)) < len(read):
        raise UserError(f"merge: two runs call theirs {max(read, key=read.count)}. Train one of them with another --identifier.")
    content = recipe_to_dict(recipes[0])
    subjects = [recipe_to_dict(recipe)["subject"] | {"identifier": word.strip("<>")} for recipe, word in zip(recipes, words)]
    content["subject"], content["others"] = subjects[0], subjects[1:]
    content["stages"][0] |= {"words": words, "initializers": [recipe.stages[0].initializers[0] for recipe in recipes]}  # type: ignore[attr-defined]
    return recipe_from_dict(content, stage_types())


def _learned(run: RunFolder, base: Base) -> dict[str, Tensor]:
    checkpoint = checkpoint_of(run)
    card = read_card(checkpoint)
    check_same_base(card, base, checkpoint)
    return read_tensors(checkpoint.path / card["stages"][0]["file"])


def _called(recipe: Recipe) -> list[str]:
    return [f"{word} {subject.class_noun}" for word, subject in zip(recipe.stages[0].words, recipe.subjects)]  # type: ignore[attr-defined]


@torch.no_grad()
def _encoded(base: Base, prompts: Sequence[str], after: str = "") -> Tensor:
    """Encodings of the prompts' tokens and their end, without start and padding, and without the words that they begin with, `after`."""
    rows, skipped = [], len(tokens.pieces(base.tokenizer, after)) if after else 0
    for prompt in prompts:
        length = len(tokens.read(base.tokenizer, prompt, base.words))
        rows.append(base.condition([prompt]).states[0, 1 + skipped : length + 2])
    return torch.cat(rows)


def _ordinary_captions() -> list[str]:
    rng = np.random.default_rng(0)
    return [caption(random_scene(rng), rng).text for _ in range(ORDINARY)]
