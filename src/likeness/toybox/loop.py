"""The loop that every network of the toybox is trained by: seeded steps, checkpoints, an average that follows.

Every step is seeded by (seed, stage, step), so a resumed run draws the batches of an uninterrupted one.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTokenizer

from ..learning.optimizer_state import optimizer_tensors, restore_optimizer
from .plan import Plan

Network = TypeVar("Network", bound=nn.Module)


def seeded(seed: int, stage: str, step: int) -> tuple[np.random.Generator, torch.Generator]:
    """The chance of one step: numpy's for the batch, torch's for the noise."""
    torch.manual_seed(zlib.crc32(f"{seed}/{stage}/{step}".encode()))
    return np.random.default_rng((seed, zlib.crc32(stage.encode()), step)), torch.default_generator


def fit(
    plan: Plan,
    stage: str,
    network: nn.Module,
    steps: int,
    loss_at: Callable[[int], dict[str, Tensor]],
    learning_rate: float,
    average: nn.Module | None = None,
    sample: Callable[[Path], None] | None = None,
    every: int = 500,
) -> None:
    """The one loop of pretraining: warm-up, plateau and a linear decay over the last third, AdamW, bf16 networks with float32 losses, checkpoints, log, samples.

    A plateau, unlike a cosine, can be made longer or cut short while it runs (Hu et al. 2024, arXiv 2404.06395).

    average  a copy of the network that follows it as an exponential moving average (Karras et al. 2022: the better sampler)
    sample   draws a sheet to look at
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
    start = _resume(plan, stage, network, optimizer, average)
    began, recent = time.time(), {}
    for step in range(start + 1, steps + 1):
        rate = learning_rate * min(1.0, step / 100, 0.01 + (steps - step) / (steps / 3))
        for group in optimizer.param_groups:
            group["lr"] = rate
        losses = loss_at(step)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        if torch.isfinite(norm):
            optimizer.step()
        if average is not None:
            _follow(average, network, min(0.999, (1 + step) / (10 + step)))
        for name, value in losses.items():
            recent[name] = 0.98 * recent.get(name, value.item()) + 0.02 * value.item()
        if step % 50 == 0 or step == steps:
            left = (time.time() - began) / (step - start) * (steps - step) / 60
            print(f"{stage}: step {step} of {steps}, " + ", ".join(f"{k} {v:.4f}" for k, v in recent.items())
                  + f", {(time.time() - began) / (step - start):.2f} s a step, {left:.0f} min left", flush=True)  # fmt: skip
        if step % every == 0 or step == steps:
            _keep(plan, stage, step, network, optimizer, average)
            if sample:
                sample(plan.folder / "samples" / f"{stage}-{step:06d}.png")


def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)


def _keep(plan: Plan, stage: str, step: int, network: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module | None) -> None:
    tensors = {f"network/{k}": v for k, v in network.state_dict().items()}
    tensors |= {f"optimizer/{k}": v for k, v in optimizer_tensors(optimizer).items()}
    tensors |= {f"average/{k}": v for k, v in (average.state_dict() if average else {}).items()}
    part = plan.folder / f"{stage}.part"
    save_file({k: v.contiguous() for k, v in tensors.items()}, part, metadata={"step": str(step)})
    part.rename(plan.folder / f"{stage}.safetensors")


def _resume(plan: Plan, stage: str, network: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module | None) -> int:
    path = plan.folder / f"{stage}.safetensors"
    if not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        step = int(file.metadata()["step"])
    tensors = load_file(path, device=plan.device)
    network.load_state_dict(under("network/", tensors))
    restore_optimizer(optimizer, under("optimizer/", tensors))
    if average is not None:
        average.load_state_dict(under("average/", tensors))
    print(f"{stage}: goes on after step {step}", flush=True)
    return step


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def on_device(plan: Plan, network: Network) -> Network:
    """`network.to(device)`, whose types the libraries' wrappers hide."""
    nn.Module.to(network, plan.device)
    return network


def trained(plan: Plan, stage: str, network: Network) -> Network:
    """The network as its stage left it: averaged weights where there are any; frozen."""
    tensors = load_file(plan.folder / f"{stage}.safetensors", device=plan.device)
    network.load_state_dict(under("average/", tensors) or under("network/", tensors))
    return on_device(plan, network).eval().requires_grad_(False)


def to_tensor(plan: Plan, pictures: np.ndarray) -> Tensor:
    """uint8 [n, h, w, 3] -> float32 [n, 3, h, w] in [-1, 1]"""
    return torch.from_numpy(pictures).to(plan.device).permute(0, 3, 1, 2).float() / 127.5 - 1


def half(plan: Plan) -> torch.autocast:
    return torch.autocast(torch.device(plan.device).type, dtype=torch.bfloat16)


def token_ids(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    return tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids
