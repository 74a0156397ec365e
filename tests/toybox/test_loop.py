"""The loop of pretraining: a batch in shares is the batch, and matrices learn by Muon."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import nn

from likeness.toybox import loop


def network() -> nn.Module:
    torch.manual_seed(0)
    parts = {"conv_in": nn.Conv2d(3, 4, 3), "conv": nn.Conv2d(4, 4, 3), "linear": nn.Linear(16, 5), "token_embedding": nn.Embedding(7, 5)}
    return nn.ModuleDict(parts)


def loss(parts: nn.Module, x: torch.Tensor) -> torch.Tensor:
    assert isinstance(parts, nn.ModuleDict)
    return parts["linear"](parts["conv"](parts["conv_in"](x)).tanh().flatten(1)).square().mean()


def gradients(shares: int) -> tuple[loop.Losses, list[torch.Tensor | None]]:
    parts, x = network(), torch.linspace(-1, 1, 8 * 3 * 36).sin().reshape(8, 3, 6, 6)
    with ThreadPoolExecutor() as pool:
        losses = loop._backward([lambda k=k: {"loss": loss(parts, x[k::shares])} for k in range(shares)], list(parts.parameters()), pool)
    return losses, [p.grad for p in parts.parameters()]


def test_shares_side_by_side_give_the_gradient_of_the_whole_batch():
    (whole, expected), (halves, found) = gradients(1), gradients(2)
    assert abs(whole["loss"] - halves["loss"]) < 1e-6
    assert sum(g is None for g in expected) == 1  # the embedding had no part in it
    for a, b in zip(expected, found):
        assert (a is None) == (b is None)
        assert a is None or torch.allclose(a, b, atol=1e-6)  # type: ignore[arg-type]


def test_gradients_in_other_layouts_are_laid_out_as_their_parameters():
    """A compiled network's may come with channels last, and flat views of a matrix and AdamW's fused steps read memory in order."""
    parts = network()
    given = parts.to(memory_format=torch.channels_last)
    x = torch.randn(8, 3, 6, 6)
    with ThreadPoolExecutor() as pool:
        loop._backward([lambda: {"loss": loss(given, x)}], list(given.parameters()), pool)
    assert all(p.grad is None or p.grad.is_contiguous() for p in parts.parameters())


def test_muon_moves_the_inner_matrices_and_adamw_the_rest():
    parts = network()
    matrices = loop._matrices(parts)
    assert {n for n, p in parts.named_parameters() if any(p is m for m in matrices)} == {"conv.weight", "linear.weight"}
    optimizers = loop._optimizers(list(parts.parameters()), matrices, 0.01)
    before = {n: p.detach().clone() for n, p in parts.named_parameters()}
    loss(parts, torch.randn(8, 3, 6, 6)).backward()
    loop._descend(optimizers, matrices, 0.5)
    moved = {n: p.detach() - before[n] for n, p in parts.named_parameters()}
    singular = torch.linalg.svdvals(moved["linear.weight"]) / (0.5 * 0.02 * 0.2 * 16**0.5)
    assert (singular > 0.6).all() and (singular < 1.3).all()  # every direction by about the same, whatever the gradient's sizes
    assert torch.allclose(moved["conv_in.weight"].abs(), torch.tensor(0.5 * 0.01), rtol=0.05)  # AdamW's first step: the rate itself
    assert not moved["token_embedding.weight"].any()
