"""Ways to alter a base: a network's own weights, low-rank additions to them, new words. Attaching changes no picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from ..files.errors import UserError
from .base import Base

NAME = "default"  # PEFT's, of the one adapter that a network has at a time: a finished stage's is folded into the weights


class Adapter:
    """What is trained of one network: `chosen`, by the names that it has in a checkpoint."""

    chosen: dict[str, Tensor]

    def parameters(self) -> list[Tensor]:
        return list(self.chosen.values())

    def weights(self) -> dict[str, Tensor]:
        """Copies on the CPU, in the precision that they are trained in."""
        return {name: p.detach().cpu().clone() for name, p in self.chosen.items()}

    @torch.no_grad()
    def restore(self, weights: Mapping[str, Tensor]) -> None:
        """Inverse of weights(); raises UserError where one is missing or of another shape."""
        for name, parameter in self.chosen.items():
            if name not in weights or weights[name].shape != parameter.shape:
                raise UserError(f"checkpoint: {name} is missing or of another shape, so it belongs to another base model or to other options (rank, targets, vectors, …). Give those it was trained with.")
            parameter.copy_(weights[name])

    @contextmanager
    def holding(self, values: Mapping[str, Tensor]) -> Iterator[None]:
        """With other values of what is trained, for what is computed without gradients; none: with its own."""
        own = {name: self.chosen[name].data for name in values}
        try:
            self._take(values)
            yield
        finally:
            self._take(own)

    def _take(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self.chosen[name].data = value
        torch.clear_autocast_cache()  # it holds casts of the values of before

    def fold(self, strength: float = 1.0) -> None:
        """Make it part of the network, for good."""


class Weights(Adapter):
    """A network's own weights: all, or those whose name is `wanted`. They are called "<prefix>.<parameter>"."""

    def __init__(self, module: nn.Module, prefix: str, wanted: Callable[[str], bool] = lambda name: True):
        self.chosen = {f"{prefix}.{name}": p.requires_grad_(True) for name, p in module.named_parameters() if wanted(name)}


class NewWord(Adapter):
    """The rows of a new word in each of a base's text encoders, called "<text encoder>.<word>"."""

    def __init__(self, base: Base, word: str, initializer: str, vectors: int = 1):
        self.chosen = {f"{part}.{word}": rows for part, rows in base.add_word(word, initializer, vectors).items()}


class LowRank(Adapter):
    """Low-rank additions to a network's layers, W + (α/r)·B·A (arXiv 2106.09685), by PEFT. B begins at zero.

    Weights are called "<prefix>.<layer>.lora_A.weight" and so on, as PEFT and diffusers call them.
    """

    def __init__(self, module: nn.Module, prefix: str, config: LoraConfig):
        inject_adapter_in_model(config, module, NAME)
        self.prefix, self.config = prefix, config
        self.layers = {path: layer for path, layer in module.named_modules() if isinstance(layer, LoraLayer)}
        self.module = module
        self.chosen = {f"{prefix}.{name.replace(f'.{NAME}', '')}": p.requires_grad_(True) for name, p in module.named_parameters() if f".{NAME}." in name}
        if config.lora_dropout:
            for layer in self.layers.values():
                layer.lora_dropout[NAME] = TrainingDropout(config.lora_dropout)

    @contextmanager
    def off(self) -> Iterator[None]:
        """The network without its additions, for what is computed without gradients."""
        layers: list[Any] = list(self.layers.values())
        for layer in layers:
            layer._disable_adapters = True  # enable_adapters() would set requires_grad too, which is not ours to change between two steps
        try:
            yield
        finally:
            for layer in layers:
                layer._disable_adapters = False

    def fold(self, strength: float = 1.0) -> None:
        """Add `strength` times the additions to the weights, and take the adapter off."""
        layers: dict[str, Any] = dict(self.layers)  # type checkers take a module's methods for tensors
        for path, layer in layers.items():
            layer.set_scale(NAME, strength)
            layer.merge(safe_merge=True, adapter_names=[NAME])
            parent, _, child = path.rpartition(".")
            setattr(self.module.get_submodule(parent), child, layer.get_base_layer())
        if hasattr(self.module, "peft_config"):
            del self.module.peft_config  # or PEFT would warn of the next stage's


class TrainingDropout(nn.Dropout):
    """Drops out only where gradients are computed: a base is never in training mode, and pictures have no dropout."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, torch.is_grad_enabled())
