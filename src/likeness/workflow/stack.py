"""A checkpoint as a stack of layers on a base: written by training, opened by everything else."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ..files.checkpoints import Checkpoint
from ..files.errors import UserError, did_you_mean
from ..files.recipe import Recipe, Stage
from ..learning.method import Method
from ..methods import METHODS
from ..model.base import Base

SAMPLING = {"steps": 30, "guidance_scale": 7.5}  # of a base that gives no advice


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

    @property
    def sampling(self) -> dict[str, Any]:
        return self.card["sampling"]


def check_order(recipe: Recipe) -> None:
    """Refuse a stage that may not stand on the one before it, before anything is trained."""
    for below, stage in zip(recipe.stages, recipe.stages[1:]):
        follows = method_class(stage.method).follows
        if below.method not in follows:
            allowed = ", ".join(follows) or "the base alone"
            raise UserError(f"{stage.method} cannot stand on {below.method}; it stands on {allowed}. Change the order of the stages.")


def build(recipe: Recipe, base: Base) -> list[Method]:
    """The methods of a recipe's stages, attached to the base in order."""
    return [method_class(stage.method)(stage, base) for stage in recipe.stages]


def sampling_of(base: Base, methods: list[Method]) -> dict[str, Any]:
    wanted = {**SAMPLING, **base.advice.get("sampling", {})}
    for method in methods:
        wanted |= method.sampling()
    return wanted


def write_layers(folder: Path, recipe: Recipe, base: Base, methods: list[Method], step: int) -> None:
    """The content of a checkpoint folder: card.json and one safetensors a stage."""
    called = recipe.subject.class_noun
    stages = []
    for n, (stage, method) in enumerate(zip(recipe.stages, methods)):
        called = method.called(called, recipe.subject.identifier)
        save_file(method.weights(), folder / f"{n}-{stage.method}.safetensors", metadata={"format": "pt"})
        stages.append({"method": stage.method, "file": f"{n}-{stage.method}.safetensors", "spec": stage.model_dump(mode="json")})
    card = {
        "schema": 1, "step": step, "base": {"name": recipe.base, "hash": base.hash},
        "subject": {"class_noun": recipe.subject.class_noun, "identifier": recipe.subject.identifier, "called": called},
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
    """Attach a checkpoint's layers to a freshly opened base."""
    card = read_card(checkpoint)
    check_same_base(card, base, checkpoint)
    for entry in card["stages"]:
        kind = method_class(entry["method"])
        method = kind(kind.Spec.model_validate(entry["spec"]), base)  # type: ignore[call-arg]
        method.restore(read_tensors(checkpoint.path / entry["file"]))
    for network in base.networks:
        network.requires_grad_(False)
    return Personalized(base, card)
