"""The one loop. Every method trains through it: the only backward pass of the package.

It is a generator that yields after every optimizer step; logging, saving, previewing and stopping are the
caller's ordinary code.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..files.errors import UserError, out_of_memory
from ..files.recipe import Stage
from ..model.memory import free_cached
from .method import Method, seed_everything
from .precision import precision

PATIENCE = 3  # steps in a row that may be skipped for a loss or gradient that is not finite


class Diverged(UserError):
    """The loss or its gradient was not finite several times in a row."""


@dataclass(frozen=True)
class Trained:
    """What one optimizer step did, for the journal."""

    step: int
    losses: dict[str, float]
    learning_rates: list[float]  # read back from the optimizer: what was used, not what was asked
    gradient_norm: float
    seconds: float
    peak_bytes: int
    skipped: str | None = None
    noted: dict[str, float] | None = None  # beside the losses: what the method measured


def make_optimizer(method: Method, stage: Stage) -> torch.optim.AdamW:
    return torch.optim.AdamW(method.parameter_groups(), weight_decay=stage.weight_decay, fused=True)


def rate_share(stage: Stage, step: int) -> float:
    """The share of the learning rate that step 1, 2, … uses: linear warm-up, then constant, cosine, linear, or a plateau and its end."""
    done = step - 1
    if done < stage.warmup_steps:
        return done / stage.warmup_steps
    progress = (done - stage.warmup_steps) / max(1, stage.steps - stage.warmup_steps)
    match stage.learning_rate_schedule:
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * progress))
        case "linear":
            return 1 - progress
        case "plateau":
            return min(1.0, 4 * (1 - progress))
        case _:
            return 1.0


def train(method: Method, optimizer: torch.optim.Optimizer, stage: Stage, batches: Iterator[list], start: int, seed: int) -> Iterator[Trained]:
    """Optimizer steps start + 1 … stage.steps; each is seeded by its number, so a resumed run is the uninterrupted one."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    asked = [group["lr"] for group in method.parameter_groups()]
    failures = 0
    for step in range(start + 1, stage.steps + 1):
        began = time.perf_counter()
        seed_everything(seed, stage.method, step, 0, "step")
        for group, rate in zip(optimizer.param_groups, asked):
            group["lr"] = rate * rate_share(stage, step)
        losses = _gradients(method, next(batches), stage, parameters, step)
        norm = torch.nn.utils.clip_grad_norm_(parameters, stage.max_gradient_norm).item()
        # Before the step: one NaN gradient makes weights and moments NaN for ever.
        skipped = None if math.isfinite(norm) and all(map(math.isfinite, losses.values())) else "loss or gradient is not finite"
        failures = failures + 1 if skipped else 0
        if not skipped:
            optimizer.step()
            method.after_step()
        optimizer.zero_grad(set_to_none=True)
        rates = [float(group["lr"]) for group in optimizer.param_groups]
        yield Trained(step, losses, rates, norm, time.perf_counter() - began, peak_bytes(), skipped, method.noted() or None)
        if failures == PATIENCE:
            raise Diverged(
                f"step {step}: loss or gradient was not finite {PATIENCE} times in a row. The last checkpoint is intact. "
                "Lower --learning-rate, or use --mixed-precision no, and start again."
            )


def _gradients(method: Method, micro_batches: list, stage: Stage, parameters: list[Tensor], step: int) -> dict[str, float]:
    """Accumulate the gradients of an optimizer step; where memory runs out, once more with every micro-batch halved."""
    while True:
        losses = value = None
        try:
            totals: dict[str, float] = {}
            for batch in micro_batches:
                with precision(stage.mixed_precision, parameters[0].device):
                    losses = method.loss(batch)
                torch.stack(list(losses.values())).sum().backward()
                for name, value in losses.items():
                    totals[name] = totals.get(name, 0.0) + value.item()
            return totals
        except (RuntimeError, MemoryError) as problem:  # torch's own OutOfMemoryError is a RuntimeError
            if not out_of_memory(problem):
                raise
            micro_batches = _halved(micro_batches, step, problem)
        del losses, value  # only here, behind the exception, is the failed pass forgotten, and with it what it held
        for parameter in parameters:
            parameter.grad = None
        free_cached()


def _halved(micro_batches: list, step: int, problem: Exception) -> list:
    if any(len(batch) < 2 for batch in micro_batches):
        raise UserError(
            f"step {step}: out of memory with a single photo in the batch. Use --gradient-checkpointing, --mixed-precision bf16 "
            "or a smaller --resolution. The last checkpoint is intact."
        ) from problem
    return [half for batch in micro_batches for half in batch.halves()]


STATUS = Path("/proc/self/status")


def peak_bytes() -> int:
    """The most memory that this process has held, since forget_peak() if it was called: the GPU's if there is one, else resident memory; 0 where the system does not tell."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    if STATUS.exists():
        return next(int(line.split()[1]) * 1024 for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    with suppress(ImportError):  # Unix has it, Windows does not
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return 0


def forget_peak() -> None:
    """Let peak_bytes() begin anew, where the system can: on CUDA, and on Linux."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
