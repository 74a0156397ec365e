"""A checkpoint as a stack of layers on a base: written by training, opened by everything else."""

from __future__ import annotations

import importlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file

from ..files.atomic import sha256_of_all
from ..files.checkpoints import Checkpoint
from ..files.errors import UserError, did_you_mean
from ..files.recipe import Recipe, Stage
from ..learning.method import Method, seed_everything
from ..methods import METHODS
from ..model.base import Base
from ..model.saving import save_tensors
from .recipe_facts import alone, is_one_lora, sets_lengths

SAMPLING = {"sampler": "DDIM", "steps": 30, "guidance_scale": 7.5, "eta": 0.0}  # of a base that gives no advice


def device_for() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def method_class(name: str) -> type[Method]:
    if name not in METHODS:
        raise UserError(f"unknown method {name!r}: {did_you_mean(name, METHODS)}")
    module, _, attribute = METHODS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


def stage_types() -> dict[str, type[Stage]]:
    """Every method's options, for reading recipes."""
    return {name: method_class(name).Spec for name in METHODS}


@dataclass(frozen=True)
class Personalized:
    """A base with the layers of a checkpoint on it, ready to draw."""

    base: Base
    card: dict[str, Any]

    @property
    def called(self) -> str:
        """What the subject is called in prompts: "sks dog"."""
        return self.card["subject"]["called"]


def check_order(recipe: Recipe) -> None:
    """Refuse a stage that may not stand on the one before it, or has one name for several subjects, before anything is trained."""
    if recipe.others and (single := alone(recipe)):
        raise UserError(f"{single[0]}: teaches one subject, and the recipe has {len(recipe.subjects)}. Train them apart, or use custom_diffusion.")
    identifiers = [subject.identifier.lower() for subject in recipe.subjects]  # as tokenizers read them
    if len(set(identifiers)) < len(identifiers):
        raise UserError(f"two subjects have the identifier {max(identifiers, key=identifiers.count)!r}, as it is read in lower case. Give each its own.")
    for number, stage in enumerate(recipe.stages):
        if stage.carries is not None and (wrong := [above.method for above in recipe.stages[number + 1 :] if above.method not in stage.carries]):
            raise UserError(f"{wrong[0]} cannot stand on {stage.method}, which may carry {' and '.join(stage.carries) or 'nothing'} alone. Put {stage.method} above it.")
    lengths: dict[str, int] = {}
    for stage in recipe.stages:
        for word, (_, vectors) in stage.new_rows().items():
            if vectors and vectors != lengths.setdefault(word, vectors):
                raise UserError(f"{stage.method}: a stage beneath has taught {word} as {lengths[word]} vectors. Give as many, or another word.")
            lengths.setdefault(word, 1)
    for below, stage in zip(recipe.stages, recipe.stages[1:]):
        follows = method_class(stage.method).follows
        if follows is not None and below.method not in follows:
            allowed = ", ".join(follows) or "the base alone"
            raise UserError(f"{stage.method} cannot stand on {below.method}; it stands on {allowed}. Change the order of the stages.")


def attach(stage: Stage, base: Base, seed: int, number: int) -> Method:
    """A stage's method on the base as it is by now; its first weights are chance by (seed, number of the stage) alone."""
    seed_everything(seed, stage.method, number, "attach")
    return method_class(stage.method)(stage, base)


def put_beneath(base: Base, checkpoint: Checkpoint, count: int | None = None) -> list[Method]:
    """Make the first `count` layers of a checkpoint, or all, part of the base."""
    methods = []
    for n, _ in enumerate(read_card(checkpoint)["stages"][:count]):
        methods.append(open_layer(base, checkpoint, n))
        methods[-1].freeze()
    return methods


def open_layer(base: Base, checkpoint: Checkpoint, number: int) -> Method:
    """Layer `number` of a checkpoint, attached and restored, on a base that has those beneath it."""
    entry = read_card(checkpoint)["stages"][number]
    method = attach(stage_of(entry), base, 0, number)
    method.restore(read_tensors(checkpoint.path / entry["file"]))
    return method


def stage_of(entry: dict[str, Any]) -> Stage:
    """The options of a card's layer."""
    try:
        return method_class(entry["method"]).Spec.model_validate(entry["spec"])
    except ValidationError as problem:
        named = ", ".join(".".join(map(str, error["loc"])) for error in problem.errors())
        raise UserError(f"{entry['method']}: the checkpoint was written by another version of likeness, whose {named} this one does not know so. Use the version that run.json names.") from None


def sampling_of(base: Base, methods: list[Method]) -> dict[str, Any]:
    wanted = {**SAMPLING, **base.advice.get("sampling", {})}
    for method in methods:
        wanted |= method.sampling()
    return wanted


def digest_of(checkpoint: Checkpoint, count: int) -> str:
    """What names the first `count` layers of a checkpoint."""
    files = [checkpoint.path / entry["file"] for entry in read_card(checkpoint)["stages"][:count]]
    return sha256_of_all(files)[:16]


def check_beside(base: Base, checkpoint: Checkpoint) -> None:
    """Refuse what put_beside cannot add; raises UserError."""
    card = read_card(checkpoint)
    if card["base"]["hash"] != base.hash:
        raise UserError(f"{checkpoint.path}: was trained on another base than the run that it is added to. Train the two on the same.")
    kinds = [entry["method"] for entry in card["stages"]]
    if not is_one_lora(kinds):
        raise UserError(f"{checkpoint.path}: is {' on '.join(reversed(kinds))}. --with adds the additions of one LoRA, with or without a new word beneath it.")
    if any(sets_lengths(stage_of(entry)) for entry in card["stages"]):
        raise UserError(f"{checkpoint.path}: is a DoRA, which sets the length of weights and adds nothing. Draw it by itself, or train a plain LoRA.")
    if shared := [word for entry in card["stages"] if (word := entry["spec"].get("word")) in base.words]:
        raise UserError(f"{checkpoint.path}: its word {shared[0]} is another's already. Train one of the two with another --identifier.")


def put_beside(base: Base, checkpoint: Checkpoint, strength: float) -> str:
    """Add another run's LoRA, so strong, and its new words; what its subject is called."""
    check_beside(base, checkpoint)
    card = read_card(checkpoint)
    for n, entry in enumerate(card["stages"]):
        method = open_layer(base, checkpoint, n)
        method.freeze(strength) if entry["method"] == "lora" else method.freeze()  # type: ignore[call-arg]
    return card["subject"]["called"]


def names_after(recipe: Recipe, methods: list[Method]) -> list[str]:
    """What each subject is called in prompts after the stages."""
    names = []
    for subject in recipe.subjects:
        name = subject.class_noun
        for method in methods:
            name = method.called(name, subject)
        names.append(name)
    return names


def write_layers(folder: Path, recipe: Recipe, base: Base, methods: list[Method], step: int, beneath: Checkpoint | None) -> None:
    """The content of a checkpoint folder: card.json and one safetensors a stage. The finished stages' files are those of `beneath`, byte for byte."""
    stages = [
        {"method": stage.method, "file": f"{n}-{stage.method}.safetensors", "spec": stage.model_dump(mode="json")}
        for n, (stage, _) in enumerate(zip(recipe.stages, methods))
    ]
    for entry in read_card(beneath)["stages"][: len(methods) - 1] if beneath else []:
        shutil.copyfile(beneath.path / entry["file"], folder / entry["file"])  # type: ignore[union-attr]
    save_tensors(methods[-1].weights(), folder / stages[-1]["file"], metadata={"format": "pt"})
    first, *others = (
        {"class_noun": subject.class_noun, "identifier": subject.identifier, "called": name}
        for subject, name in zip(recipe.subjects, names_after(recipe, methods))
    )
    card = {
        "schema": 1, "step": step, "base": {"name": recipe.base, "hash": base.hash}, "subject": first, "others": others,
        "stages": stages, "sampling": sampling_of(base, methods),
    }  # fmt: skip
    (folder / "card.json").write_text(json.dumps(card, indent=1), encoding="utf-8")


def read_card(checkpoint: Checkpoint) -> dict[str, Any]:
    return json.loads((checkpoint.path / "card.json").read_text(encoding="utf-8"))


def read_tensors(path: Path) -> dict[str, Any]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as problem:
        raise UserError(f"{path}: cannot be read as safetensors ({problem}). Use another checkpoint.") from None


def check_same_base(card: dict[str, Any], base: Base, checkpoint: Checkpoint) -> None:
    if card["base"]["hash"] != base.hash:
        raise UserError(
            f"{checkpoint.path}: was trained on {card['base']['name']} ({card['base']['hash']}), but the base given is "
            f"{base.name} ({base.hash}). Give --base the folder of the base it was trained on."
        )


def put_on(base: Base, checkpoint: Checkpoint) -> Personalized:
    """Make a checkpoint's layers part of a freshly opened base, ready to draw."""
    card = read_card(checkpoint)
    check_same_base(card, base, checkpoint)
    put_beneath(base, checkpoint)
    trained = card["sampling"].get("upscaler")
    if trained and base.upscaler and base.upscaler.hash != trained["hash"]:
        raise UserError(f"{checkpoint.path}: was trained on another super-resolution stage ({trained['hash']}) than {trained['name']} is now ({base.upscaler.hash}). Put the first one back there.")
    return Personalized(base, card)
