"""Which number type the networks compute in."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def precision(mixed_precision: str, device: torch.device | str) -> AbstractContextManager[object]:
    """Half precision inside the networks alone; schedules, noise, targets and losses are float32."""
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16) if mixed_precision == "bf16" else nullcontext()


def bf16_is_emulated(device: torch.device) -> bool:
    """Whether the CPU lacks instructions for bf16: a convolution's step then took twenty times float32's (AMD Zen 3, torch 2.13)."""
    if device.type != "cpu" or not hasattr(torch.cpu, "get_capabilities"):
        return False
    has = torch.cpu.get_capabilities()
    return has.get("architecture") == "x86_64" and not (has.get("avx512_bf16") or has.get("amx_bf16"))
