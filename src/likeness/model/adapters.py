"""Ways to alter a base: a network's own weights, and low-rank additions to them. Attaching changes no picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from ..files.errors import UserError

NAME = "default"  # PEFT's, of the one adapter that a network has at a time: a finished stage's is folded into the weights


class Weights:
    """A network's own weights are trained: all, or those whose name is `wanted`. They are called "<prefix>.<parameter>"."""

    def __init__(self, module: nn.Module, prefix: str, wanted: Callable[[str], bool] = lambda name: True):
        self.chosen = {f"{prefix}.{name}": p.requires_grad_(True) for name, p in module.named_parameters() if wanted(name)}

    def parameters(self) -> list[Tensor]:
        return list(self.chosen.values())

    def weights(self) -> dict[str, Tensor]:
        """Copies on the CPU, in the precision that they are trained in."""
        return {name: p.detach().cpu().clone() for name, p in self.chosen.items()}

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Inverse of weights(); raises UserError where names or shapes are not those of this network."""
        fill(self.chosen, weights)


@torch.no_grad()
def fill(parameters: Mapping[str, Tensor], weights: dict[str, Tensor]) -> None:
    """Copy weights into the parameters of the same name; raises UserError where one is missing or of another shape."""
    for name, parameter in parameters.items():
        if name not in weights or weights[name].shape != parameter.shape:
            raise UserError(f"checkpoint: {name} is missing or of another shape, so it belongs to another base model. Give the base it was trained on.")
        parameter.copy_(weights[name])


class LowRank:
    """Low-rank additions to a network's layers, W + (α/r)·B·A (arXiv 2106.09685), by PEFT. B begins at zero.

    Weights are called "<prefix>.<layer>.lora_A.weight" and so on, as PEFT and diffusers call them.
    """

    def __init__(self, module: nn.Module, prefix: str, config: LoraConfig):
        inject_adapter_in_model(config, module, NAME)
        self.layers = {path: layer for path, layer in module.named_modules() if isinstance(layer, LoraLayer)}
        self.module = module
        self.chosen = {f"{prefix}.{name.replace(f'.{NAME}', '')}": p.requires_grad_(True) for name, p in module.named_parameters() if f".{NAME}." in name}
        if config.lora_dropout:
            for layer in self.layers.values():
                layer.lora_dropout[NAME] = TrainingDropout(config.lora_dropout)

    def parameters(self) -> list[Tensor]:
        return list(self.chosen.values())

    def weights(self) -> dict[str, Tensor]:
        """Copies on the CPU, in the precision that they are trained in."""
        return {name: p.detach().cpu().clone() for name, p in self.chosen.items()}

    def restore(self, weights: dict[str, Tensor]) -> None:
        """Inverse of weights(); raises UserError where names or shapes are not those of this network."""
        fill(self.chosen, weights)

    def fold(self, strength: float = 1.0) -> Callable[[], None]:
        """Add `strength` times the additions to the weights and take the adapter off. Returns what puts the first weights back, bit for bit."""
        before: dict[nn.Module, Tensor] = {}
        layers: dict[str, Any] = dict(self.layers)  # type checkers take a module's methods for tensors
        for path, layer in layers.items():
            plain = layer.get_base_layer()
            before[plain] = plain.weight.detach().clone()
            layer.set_scale(NAME, strength)
            layer.merge(safe_merge=True, adapter_names=[NAME])
            parent, _, child = path.rpartition(".")
            setattr(self.module.get_submodule(parent), child, plain)

        @torch.no_grad()
        def undo() -> None:
            for plain, weight in before.items():
                plain.weight.copy_(weight)

        return undo


class TrainingDropout(nn.Dropout):
    """Drops out only where gradients are computed: a base is never in training mode, and pictures have no dropout."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, torch.is_grad_enabled())
