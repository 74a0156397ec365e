"""The LoRA layout of kohya's scripts, which ComfyUI, A1111, Forge and InvokeAI read.

Loaders scale by alpha / rank, so alpha is written as it was, times sqrt(rank) where a run scaled by alpha / sqrt(rank). diffusers' own
converter writes alpha = rank whatever it was, and leaves the U-Net's names alone beside a text encoder's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..files.errors import UserError
from ..model.adapters import LowRank
from .diffusers import ecosystem_name
from .writing import write_tensors

PARTS = {"lora_A.weight": "lora_down.weight", "lora_B.weight": "lora_up.weight"}


def lora_file(adapters: Sequence[LowRank], path: Path, about: Mapping[str, Any]) -> Path:
    """<name>.safetensors. `about`: what the header says beside rank and alpha; nothing private belongs there."""
    if adapters[0].config.use_dora:
        raise UserError("kohya: DoRA's magnitudes are another number there than in PEFT, so what would be drawn is not what was trained. Use --to diffusers.")
    both = sum(adapter.prefix.startswith("text_encoder") for adapter in adapters) == 2
    tensors: dict[str, Tensor] = {}
    for adapter in adapters:
        for name, value in adapter.weights().items():
            layer, part = _split(ecosystem_name(name).partition(".")[2])
            key = f"{_prefix(adapter.prefix, both)}_{layer.replace('.', '_')}"
            tensors[f"{key}.{PARTS[part]}"] = value.float()
            tensors[f"{key}.alpha"] = torch.tensor(effective_alpha(adapter))
    header = {
        "ss_network_module": "networks.lora", "ss_network_dim": adapters[0].config.r, "ss_network_alpha": effective_alpha(adapters[0]),
        "modelspec.sai_model_spec": "1.0.1", **about,
    }  # fmt: skip
    return write_tensors(path, tensors, {key: value if isinstance(value, str) else json.dumps(value) for key, value in header.items()})


def effective_alpha(adapter: LowRank) -> float:
    """The alpha with which alpha / rank is the scale that was trained."""
    config = adapter.config
    return float(config.lora_alpha * (math.sqrt(config.r) if config.use_rslora else 1))


def _split(name: str) -> tuple[str, str]:
    part = next(part for part in PARTS if name.endswith(part))
    return name.removesuffix(f".{part}"), part


def _prefix(network: str, both: bool) -> str:
    if network == "unet":
        return "lora_unet"
    return {"text_encoder": "lora_te1" if both else "lora_te", "text_encoder_2": "lora_te2"}[network]
