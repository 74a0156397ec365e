"""PEFT's own adapter folder of a U-Net: adapter_config.json and adapter_model.safetensors."""

from __future__ import annotations

from pathlib import Path

from ..files.atomic import write_json
from ..model.adapters import LowRank
from .diffusers import plain
from .writing import write_tensors


def adapter_folder(adapter: LowRank, folder: Path) -> Path:
    """What `PeftModel.from_pretrained(network, folder)` opens."""
    tensors = {f"base_model.model.{name.partition('.')[2]}": value for name, value in adapter.weights().items()}
    tensors = {name.replace("lora_magnitude_vector.weight", "lora_magnitude_vector"): value for name, value in tensors.items()}
    write_tensors(folder / "adapter_model.safetensors", tensors)
    write_json(folder / "adapter_config.json", plain(adapter.config.to_dict()))
    return folder
