"""Ways to alter a base: attach, weights, restore. So far one: a whole network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..files.errors import UserError


class WholeModule:
    """All parameters of a network are trained. Attaching changes nothing; weights are named "<prefix>.<parameter>"."""

    def __init__(self, module: nn.Module, prefix: str):
        self.module, self.prefix = module.requires_grad_(True), prefix

    def parameters(self) -> list[nn.Parameter]:
        return list(self.module.parameters())

    def weights(self) -> dict[str, Tensor]:
        """Copies on the CPU, in the precision that they are trained in."""
        return {f"{self.prefix}.{name}": p.detach().cpu().clone() for name, p in self.module.named_parameters()}

    @torch.no_grad()
    def restore(self, weights: dict[str, Tensor]) -> None:
        """Inverse of weights(); raises UserError where names or shapes are not those of this network."""
        for name, parameter in self.module.named_parameters():
            key = f"{self.prefix}.{name}"
            if key not in weights or weights[key].shape != parameter.shape:
                raise UserError(f"checkpoint: {key} is missing or of another shape, so it belongs to another base model. Give the base it was trained on.")
            parameter.copy_(weights[key])
