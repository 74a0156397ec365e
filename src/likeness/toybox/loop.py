"""The loop that every network of the toybox is trained by: seeded steps, checkpoints, an average that follows.

Every step is seeded by (seed, stage, step), so a resumed run draws the batches of an uninterrupted one.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTokenizer

from ..learning.optimizer_state import optimizer_tensors, restore_optimizer
from ..learning.precision import bf16_is_emulated
from .plan import Plan

Network = TypeVar("Network", bound=nn.Module)
Losses = dict[str, Tensor]
Share = Callable[[], Losses]


def seeded(seed: int, stage: str, step: int) -> np.random.Generator:
    """The chance of one step: numpy's for the batch, returned, and torch's for the noise, set."""
    torch.manual_seed(zlib.crc32(f"{seed}/{stage}/{step}".encode()))
    return np.random.default_rng((seed, zlib.crc32(stage.encode()), step))


def whole(loss_at: Callable[[int], Losses]) -> Callable[[int], list[Share]]:
    """Batches in one share: what contrasts the pictures of a batch with each other cannot be divided."""
    return lambda step: [lambda: loss_at(step)]


def fit(
    plan: Plan,
    stage: str,
    network: nn.Module,
    steps: int,
    shares_at: Callable[[int], list[Share]],
    learning_rate: float,
    average: nn.Module | None = None,
    sample: Callable[[Path], None] | None = None,
    muon: bool = False,
    every: int | None = None,
) -> None:
    """The one loop of pretraining: warm-up, plateau and a linear decay over the last third, bf16 networks with float32 losses, checkpoints, log, samples.

    A plateau, unlike a cosine, can be made longer or cut short while it runs (Hu et al. 2024, arXiv 2404.06395).

    shares_at  the equal shares of a step's batch; several are gone through side by side, a thread each
    average    a copy of the network that follows it as an exponential moving average (Karras et al. 2022: the better sampler)
    sample     draws a sheet to look at
    muon       whether matrices are trained by Muon, at twice the rate, and only the rest by AdamW
    every      steps between checkpoints
    """
    parameters = list(network.parameters())
    matrices = _matrices(network) if muon else []
    optimizers = _optimizers(parameters, matrices, learning_rate)
    start = _resume(plan, stage, network, optimizers, average)
    every = every or (500 if plan.device == "cpu" else 2000)  # minutes on either
    began, recent = time.time(), {}
    with ThreadPoolExecutor(initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for step in range(start + 1, steps + 1):
            losses = _backward(shares_at(step), parameters, pool)
            norm = nn.utils.clip_grad_norm_(parameters, 1.0)
            if torch.isfinite(norm):
                with one_thread():
                    _descend(optimizers, matrices, min(1.0, step / 100, 0.01 + (steps - step) / (steps / 3)))
            if average is not None:
                _follow(average, network, min(0.999, (1 + step) / (10 + step)))
            for name, value in losses.items():
                recent[name] = 0.98 * recent.get(name, value) + 0.02 * value  # stays on the device: reading it waits for the step
            if step % 50 == 0 or step == steps:
                left = (time.time() - began) / (step - start) * (steps - step) / 60
                print(f"{stage}: step {step} of {steps}, " + ", ".join(f"{k} {v:.4f}" for k, v in recent.items())
                      + f", {(time.time() - began) / (step - start):.2f} s a step, {left:.0f} min left", flush=True)  # fmt: skip
            if step % every == 0 or step == steps:
                _keep(plan, stage, step, network, optimizers, average)
                if sample:
                    sample(plan.folder / "samples" / f"{stage}-{step:06d}.png")


def _backward(shares: list[Share], parameters: list[nn.Parameter], pool: ThreadPoolExecutor) -> Losses:
    """Leave the mean of the shares' gradients in `parameters`; return the mean losses.

    Two threads with half a batch each get through 1.7 times the pictures of one; two within every small convolution through 1.4.
    """

    def one(share: Share) -> tuple[Losses, tuple[Tensor | None, ...]]:
        losses = share()
        total = torch.stack(list(losses.values())).sum() / len(shares)
        return {k: v.detach() / len(shares) for k, v in losses.items()}, torch.autograd.grad(total, parameters, allow_unused=True)

    found = [one(shares[0])] if len(shares) == 1 else list(pool.map(one, shares))
    for parameter, *parts in zip(parameters, *(gradients for _, gradients in found)):
        known = [g.contiguous() for g in parts if g is not None]  # a compiled network may give them in layouts of its own
        parameter.grad = sum(known[1:], known[0]) if known else None
    return {name: torch.stack([losses[name] for losses, _ in found]).sum() for name in found[0][0]}


def _matrices(network: nn.Module) -> list[nn.Parameter]:
    """Weights inside the network that map vectors to vectors: neither embeddings nor the first and last convolution."""
    outer = ("embedding", "conv_in", "conv_out")
    return [p for name, p in network.named_parameters() if p.ndim >= 2 and not any(word in name for word in outer)]


def _optimizers(parameters: list[nn.Parameter], matrices: list[nn.Parameter], learning_rate: float) -> dict[str, torch.optim.Optimizer]:
    """AdamW; and for `matrices` Muon (Jordan et al. 2024), its steps as large as AdamW's (Liu et al. 2025, arXiv 2502.16982)."""
    others = [p for p in parameters if not any(p is m for m in matrices)]
    chosen: dict[str, torch.optim.Optimizer] = {
        "optimizer": torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
    }
    if matrices:
        flat = [nn.Parameter(m.detach().flatten(1)) for m in matrices]  # share their memory: a convolution as the matrix that it is
        chosen["muon"] = torch.optim.Muon(flat, lr=2 * learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
    for optimizer in chosen.values():
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return chosen


@contextmanager
def one_thread() -> Iterator[None]:
    """For Muon's many small products: beside another process two threads wait for each other, and a step took 7 s instead of .9."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _descend(optimizers: dict[str, torch.optim.Optimizer], matrices: list[nn.Parameter], share: float) -> None:
    """One step at `share` of the learning rates' peaks."""
    for name, optimizer in optimizers.items():
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share
            if name == "muon":
                for flat, matrix in zip(group["params"], matrices):
                    flat.grad = None if matrix.grad is None else matrix.grad.flatten(1)
        optimizer.step()


def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
        for kept, now in zip(average.buffers(), network.buffers()):  # a normalization's running means belong to the weights
            kept.lerp_(now, 1 - decay) if kept.is_floating_point() else kept.copy_(now)


def _keep(plan: Plan, stage: str, step: int, network: nn.Module, optimizers: dict[str, torch.optim.Optimizer], average: nn.Module | None) -> None:
    tensors = {f"network/{k}": v for k, v in network.state_dict().items()}
    for name, optimizer in optimizers.items():
        tensors |= {f"{name}/{k}": v for k, v in optimizer_tensors(optimizer).items()}
    tensors |= {f"average/{k}": v for k, v in (average.state_dict() if average else {}).items()}
    part = plan.folder / f"{stage}.part"
    save_file({k: v.contiguous() for k, v in tensors.items()}, part, metadata={"step": str(step)})
    part.replace(plan.folder / f"{stage}.safetensors")


def _resume(plan: Plan, stage: str, network: nn.Module, optimizers: dict[str, torch.optim.Optimizer], average: nn.Module | None) -> int:
    path = plan.folder / f"{stage}.safetensors"
    if not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        step = int(file.metadata()["step"])
    tensors = load_file(path, device=plan.device)
    network.load_state_dict(under("network/", tensors))
    for name, optimizer in optimizers.items():
        restore_optimizer(optimizer, under(f"{name}/", tensors))
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
    """bf16 in the networks, where the device has it."""
    device = torch.device(plan.device)
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=not bf16_is_emulated(device))


def token_ids(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    """int64 [n, length], cut and filled up to the tokenizer's length; by its backend, as the wrapper keeps three quarters of the time for half a million captions."""
    tokenizer(texts[:1], padding="max_length", truncation=True)  # tells the backend of both
    return torch.from_numpy(np.array([encoding.ids for encoding in tokenizer.backend_tokenizer.encode_batch_fast(texts)], np.int64))
