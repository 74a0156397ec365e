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
from .stack import attach, check_same_base, read_card, read_tensors, stage_types, write_layers

ORDINARY = 200  # captions, as many as the paper's code
KEYS_AND_VALUES = ("attn2.to_k.weight", "attn2.to_v.weight")


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
    own = [_encoded(base, [subject_called, f"photo of a {subject_called}"], after=3) for subject_called in _called(recipe)]
    wanted = [torch.cat([encoded.double() @ tensors[name].to(encoded).double().T for encoded, tensors in zip(own, learned)]) for name in names]
    merged, residuals = merge(before, wanted, torch.cat(own), _encoded(base, _ordinary_captions()))
    method.restore({**dict(zip(names, merged)), **rows})
    run = RunFolder.create(parent, "-and-".join(s.identifier for s in recipe.subjects), seed=recipe.seed, base=recipe.base, base_hash=base.hash)
    run.write_recipe(recipe)
    run.write_photos([replace(photo, subject=n) for n, one in enumerate(runs) for photo in one.photos()])
    run.save_checkpoint(0, lambda folder: write_layers(folder, recipe, base, [method], 0, None))
    run.update(status="finished", pid=None)
    progress.say(f"concepts' own keys and values: {residuals.concepts:.1e} off; ordinary words' moved by {residuals.ordinary:.1e} of their size")
    return run, residuals


def _joint_recipe(runs: Sequence[RunFolder]) -> Recipe:
    recipes = [run.recipe(stage_types()) for run in runs]
    for run, recipe in zip(runs, recipes):
        (stage, *more) = recipe.stages
        if more or stage.method != "custom_diffusion" or getattr(stage, "trained", "") != "kv":
            raise UserError(f"{run.path}: only runs of custom_diffusion alone, with trained = kv, can be merged. Train the subjects together instead.")
    content = recipe_to_dict(recipes[0])
    content["others"] = [recipe_to_dict(recipe)["subject"] for recipe in recipes[1:]]
    stages = [recipe.stages[0] for recipe in recipes]
    for option in ("words", "initializers"):
        content["stages"][0][option] = [value for stage in stages for value in getattr(stage, option)[: len(stage.words)]]  # type: ignore[attr-defined]
    return recipe_from_dict(content, stage_types())


def _learned(run: RunFolder, base: Base) -> dict[str, Tensor]:
    checkpoint = checkpoint_of(run)
    card = read_card(checkpoint)
    check_same_base(card, base, checkpoint)
    return read_tensors(checkpoint.path / card["stages"][0]["file"])


def _called(recipe: Recipe) -> list[str]:
    return [f"{word} {subject.class_noun}" for word, subject in zip(recipe.stages[0].words, recipe.subjects)]  # type: ignore[attr-defined]


@torch.no_grad()
def _encoded(base: Base, prompts: Sequence[str], after: int = 0) -> Tensor:
    """Encodings of the prompts' tokens and their end, without start and padding; of a longer phrase what follows its first `after` words."""
    rows = []
    for prompt in prompts:
        length = len(tokens.read(base.tokenizer, prompt, base.words))
        skipped = after if after and len(prompt.split()) > after else 0
        rows.append(base.condition([prompt]).states[0, 1 + skipped : length + 2])
    return torch.cat(rows)


def _ordinary_captions() -> list[str]:
    rng = np.random.default_rng(0)
    return [caption(random_scene(rng), rng).text for _ in range(ORDINARY)]
