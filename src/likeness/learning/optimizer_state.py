"""An optimizer's state as plain tensors, so that it can be kept in safetensors: nothing is ever unpickled."""

from __future__ import annotations

import torch
from torch import Tensor


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Everything the optimizer remembers, as "<parameter number>/<name>" -> tensor."""
    state = optimizer.state_dict()["state"]
    return {f"{n}/{name}": torch.as_tensor(value) for n, entries in state.items() for name, value in entries.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Inverse of `optimizer_tensors`; learning rates and other options stay those of the optimizer given."""
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        n, name = key.split("/", 1)
        state.setdefault(int(n), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
