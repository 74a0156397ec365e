"""What is held for a while is what is computed with, also under autocast, which keeps casts of weights."""

import torch
from torch import nn

from likeness.model.adapters import Weights


def test_held_values_are_those_that_are_computed_with():
    layer, x = nn.Linear(4, 4), torch.ones(1, 4)
    adapter = Weights(layer, "layer")
    other = {name: value + 1 for name, value in adapter.weights().items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        own = layer(x)  # keeps the casts of what is trained
        with adapter.holding(other), torch.no_grad():
            held = layer(x)
        again = layer(x)
    assert not torch.equal(own, held) and torch.equal(own, again)
