"""Learning rates against diffusers' schedulers, and the optimizer's state through a file."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from diffusers.optimization import get_scheduler
from safetensors.torch import load_file, save_file

from likeness.files.recipe import Stage
from likeness.learning.optimizer_state import optimizer_tensors, restore_optimizer
from likeness.learning.training import rate_share


@pytest.mark.parametrize(("ours", "theirs"), [("constant", "constant_with_warmup"), ("cosine", "cosine"), ("linear", "linear")])
@pytest.mark.parametrize(("steps", "warmup"), [(20, 0), (20, 5), (20, 20), (1, 0)])
def test_learning_rates_equal_diffusers(ours, theirs, steps, warmup):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = get_scheduler(theirs, optimizer, num_warmup_steps=warmup, num_training_steps=steps)
    stage = Stage(steps=steps, warmup_steps=warmup, learning_rate_schedule=ours)
    for step in range(1, steps + 1):
        assert rate_share(stage, step) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        scheduler.step()


def test_optimizer_state_survives_a_file(tmp_path):
    """Bit for bit: the step after it is the step without it."""

    def steps(parameters, optimizer, first):
        for step in islice(range(first, 100), 3):
            for n, parameter in enumerate(parameters):
                parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(10 * step + n))
            optimizer.step()

    parameters = [torch.nn.Parameter(torch.ones(3, 4)), torch.nn.Parameter(torch.ones(5))]
    optimizer = torch.optim.AdamW(parameters, lr=0.1, fused=True)
    steps(parameters, optimizer, 0)
    save_file(optimizer_tensors(optimizer), tmp_path / "optimizer.safetensors")
    copies = [torch.nn.Parameter(p.detach().clone()) for p in parameters]
    restored = torch.optim.AdamW(copies, lr=0.1, fused=True)
    restore_optimizer(restored, load_file(tmp_path / "optimizer.safetensors"))
    steps(parameters, optimizer, 3)
    steps(copies, restored, 3)
    assert all(torch.equal(a, b) for a, b in zip(parameters, copies))


def test_restored_optimizer_keeps_its_own_learning_rate():
    """`continue --learning-rate` changes it; the moments stay."""
    old, new = (torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))], lr=rate) for rate in (0.1, 0.01))
    old.param_groups[0]["params"][0].grad = torch.ones(2)
    old.step()
    restore_optimizer(new, optimizer_tensors(old))
    assert new.param_groups[0]["lr"] == 0.01
    assert optimizer_tensors(new).keys() == optimizer_tensors(old).keys()


def test_a_fresh_optimizer_has_an_empty_state(tmp_path):
    """A run whose every step was skipped can be saved and resumed."""
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))])
    save_file(optimizer_tensors(optimizer), tmp_path / "optimizer.safetensors")
    restore_optimizer(optimizer, load_file(tmp_path / "optimizer.safetensors"))
    assert optimizer_tensors(optimizer) == {}


def test_a_plateau_falls_in_the_last_quarter():
    stage = Stage(steps=8, learning_rate_schedule="plateau")
    assert [rate_share(stage, step) for step in range(1, 9)] == [1.0] * 7 + [0.5]
