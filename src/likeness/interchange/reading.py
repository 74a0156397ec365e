"""Files of other tools, taken in: LoRAs in the layouts of diffusers, kohya's scripts and PEFT, new words, Custom Diffusion's weights.

Layers are matched by their names on the base itself, and a layer that the base does not have is an error: tools that skip unknown names
draw pictures that were never trained (ComfyUI#1144). Pickles are refused.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.lora_conversion_utils import _maybe_map_sgm_blocks_to_diffusers
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..files.errors import UserError
from ..files.words import word_of
from ..model.base import Base
from ..model.folder import PICKLES
from .diffusers import CUSTOM_DIFFUSION, ecosystem_name

CUSTOM = "_custom_diffusion"
ENDINGS = {  # of a layer's tensors, in the layouts that are known
    "lora_A.weight": "A", "lora_down.weight": "A", "lora.down.weight": "A", "lora_linear_layer.down.weight": "A",
    "lora_B.weight": "B", "lora_up.weight": "B", "lora.up.weight": "B", "lora_linear_layer.up.weight": "B",
    "lora_magnitude_vector": "magnitude", "lora_magnitude_vector.weight": "magnitude", "alpha": "alpha",
}  # fmt: skip
KOHYA = {"lora_unet_": "unet", "lora_te_": "text_encoder", "lora_te1_": "text_encoder", "lora_te2_": "text_encoder_2"}

BLOCKS = ("input_blocks", "middle_block", "output_blocks")
FIRST_NAMES = {
    "input_blocks": "down_blocks", "middle_block": "mid_block", "output_blocks": "up_blocks", "in_layers_2": "conv1", "out_layers_3": "conv2",
    "emb_layers_1": "time_emb_proj", "skip_connection": "conv_shortcut", "downsamplers_0_op": "downsamplers_0_conv",
}  # fmt: skip
PROCESSOR = re.compile(r"\.processor\.(to_q|to_k|to_v|to_out)_lora\.(down|up)\.weight")


@dataclass(frozen=True)
class File:
    """A safetensors file: its tensors and what its header says."""

    path: Path
    tensors: dict[str, Tensor]
    header: dict[str, str] = field(default_factory=dict)


def read_file(path: Path) -> File:
    if path.suffix in PICKLES:
        raise UserError(f"{path}: is a pickle, which could run code when it is opened. Convert it to safetensors and import that.")
    try:
        with safe_open(path, "pt") as file:
            return File(path, {_as_now(name): file.get_tensor(name) for name in file.keys()}, file.metadata() or {})  # noqa: SIM118
    except (SafetensorError, OSError) as problem:
        raise UserError(f"{path}: cannot be read as safetensors ({problem}). Get the file again.") from None


def files_at(path: Path) -> list[Path]:
    """The weight files of an export: the path itself, or those in a folder."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder. Give a .safetensors file, or a folder of them.")
    if (path / "model_index.json").exists():
        raise UserError(f"{path}: is a whole pipeline. It needs no import: give it as --base.")
    if (path / "pipeline" / "model_index.json").exists():
        raise UserError(f"{path}: its pipeline is whole. It needs no import: give {path / 'pipeline'} as --base.")
    places = [path, *(path / part for part in ("unet", "text_encoder", "text_encoder_2"))]  # PEFT's adapters lie in folders of their own
    found = sorted(p for place in places for p in place.glob("*.safetensors") if not p.name.startswith("."))
    if not found:
        pickled = [p.name for p in path.rglob("*") if p.suffix in PICKLES]
        why = f"only {pickled[0]}, a pickle that could run code" if pickled else "no .safetensors file"
        raise UserError(f"{path}: has {why}. Convert it to safetensors and import that.")
    return found


def kind_of(file: File) -> str:
    """lora | word | custom_diffusion; UserError for anything else."""
    if any(_layer(name) for name in file.tensors):
        return "lora"
    if file.path.name == CUSTOM_DIFFUSION or any(CUSTOM in name for name in file.tensors):
        return "custom_diffusion"
    if file.tensors and all(value.ndim in (1, 2) for value in file.tensors.values()) and len(file.tensors) <= 2:
        return "word"
    raise UserError(f"{file.path}: holds neither a LoRA, nor a new word, nor Custom Diffusion's weights, by the names of its tensors.")


def _layer(name: str) -> tuple[str, str] | None:
    """ "unet.x.lora_A.weight" -> ("unet.x", "A"); None where the name is of no LoRA."""
    return next(((name.removesuffix(f".{ending}"), part) for ending, part in ENDINGS.items() if name.endswith(f".{ending}")), None)


@dataclass(frozen=True)
class ReadLoRA:
    """Of each layer, by our name for it ("unet.<module>"): A, B, what B·A is multiplied by, and DoRA's magnitude if there is one."""

    layers: dict[str, dict[str, Tensor]]
    scales: dict[str, tuple[int, float]]  # rank, scale
    dora: bool

    def weights(self, wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """As a method calls them, every scale multiplied into B; a layer that the file does not have adds nothing.

        wanted  what a method of the file's rank, and alpha = rank, trains: names and shapes
        """
        found = {}
        for name, shape in wanted.items():
            layer, part = _layer(name) or (name, "")
            given = self.layers.get(layer)
            value = torch.zeros_like(shape)
            if given is not None and part in given:
                tensor = given[part].float() * (self.scales[layer][1] if part == "B" else 1)
                value[tuple(slice(side) for side in tensor.shape)] = tensor  # A has fewer rows, B fewer columns, where the rank is lower
            elif part == "magnitude":
                raise UserError(f"{layer}: has no DoRA magnitude, and others have. Convert it to a plain LoRA first.")
            found[name] = value
        return found


def read_lora(files: Iterable[File], base: Base) -> ReadLoRA:
    """The layers of LoRA files, matched with the base's; UserError on a layer that it does not have."""
    layers: dict[str, dict[str, Tensor]] = defaultdict(dict)
    settings: dict[str, Any] = {}
    for file in files:
        tensors, told = _diffusers_names(file, base), _settings(file)
        settings |= told
        for name, value in tensors.items():
            layer, part = _layer(name) or (name, "")
            if not part:
                raise UserError(f"{file.path}: {name} is of no LoRA that likeness knows (LoKr, LoHa and others are not read).")
            if part in layers[layer]:
                raise UserError(f"{file.path.parent}: holds two LoRAs ({file.path.name} is one of them). Give the file that is meant.")
            layers[layer][part] = value
    _check_layers(layers, base)
    scales = {}
    for layer, parts in layers.items():
        network, rank = layer.partition(".")[0], parts["A"].shape[0]
        alpha = (float(parts["alpha"]) or rank) if "alpha" in parts else settings.get(f"{network}.lora_alpha", rank)  # kohya's scripts take 0 for the rank
        scales[layer] = rank, alpha / (math.sqrt(rank) if settings.get(f"{network}.use_rslora") else rank)
    dora = any("magnitude" in parts for parts in layers.values())
    return ReadLoRA(dict(layers), scales, dora)


def _settings(file: File) -> dict[str, Any]:
    """What a header, or PEFT's adapter_config.json beside the file, says of alpha."""
    config = file.path.parent / "adapter_config.json"
    try:
        if "lora_adapter_metadata" in file.header:
            told = json.loads(file.header["lora_adapter_metadata"])
        elif config.exists():
            told = {f"{_network_of(file.path)}.{key}": value for key, value in json.loads(config.read_text("utf-8")).items()}
        else:
            return {}
    except (ValueError, AttributeError) as problem:
        raise UserError(f"{file.path}: what it says of its alpha cannot be read ({problem}). Export it again.") from None
    if patterns := [key for key, value in told.items() if key.endswith("_pattern") and value and not key.endswith("exclude_pattern")]:
        raise UserError(f"{file.path}: gives layers alphas or ranks of their own ({patterns[0]}), which likeness does not read. Export it in kohya's layout.")
    return told


def _network_of(path: Path) -> str:
    return path.parent.name if path.parent.name.startswith("text_encoder") else "unet"


def _diffusers_names(file: File, base: Base) -> dict[str, Tensor]:
    """Every tensor under "<network>.<module>.<ending>", whichever tool named it."""
    if any(name.startswith("base_model.model.") for name in file.tensors):
        return {_of_this_transformers(name.replace("base_model.model", _network_of(file.path), 1), base): value for name, value in file.tensors.items()}
    if not any(name.startswith(tuple(KOHYA)) for name in file.tensors):
        return {_of_this_transformers(name, base): value for name, value in file.tensors.items()}
    tensors = _numbered_as_here(file, base)
    if dora := [name for name in tensors if name.endswith("dora_scale")]:
        raise UserError(f"{file.path}: is a DoRA ({dora[0]}), whose magnitudes are another number in this layout. Export it for diffusers.")
    modules = {}
    for prefix, network in KOHYA.items():
        if network == "unet" or network in base.text_encoders:
            module = base.unet if network == "unet" else base.text_encoders[network]
            for path, _ in module.named_modules():
                modules[prefix + ecosystem_name(f"{network}.{path}").partition(".")[2].replace(".", "_")] = f"{network}.{path}"
    named = {}
    for name, value in tensors.items():
        layer, _, ending = name.partition(".")
        if layer.startswith("lora_unet"):
            for theirs, ours in FIRST_NAMES.items():
                layer = layer.replace(theirs, ours)
        if layer not in modules:
            raise UserError(f"{file.path}: {layer} is no layer of {base.name}, so the LoRA is of another kind of base. Give its own with --base.")
        named[f"{modules[layer]}.{ending}"] = value
    return named


def _numbered_as_here(file: File, base: Base) -> dict[str, Tensor]:
    """SDXL's blocks, if they are numbered as in its first publication."""
    kinds = {any(block in name for block in BLOCKS) for name in file.tensors if name.startswith("lora_unet")}
    if len(kinds) > 1:
        raise UserError(f"{file.path}: names blocks in two ways, and one of them would be lost. Convert it with the tool that wrote it.")
    try:
        return _maybe_map_sgm_blocks_to_diffusers(dict(file.tensors), base.unet.config)
    except (ValueError, IndexError) as problem:
        raise UserError(f"{file.path}: its blocks cannot be matched with {base.name} ({str(problem).strip().splitlines()[0]}). Give its own base with --base.") from None


def _as_now(name: str) -> str:
    """A LoRA's tensor as diffusers' scripts wrote it before, of a U-Net that was not named ("down_blocks…") or that PEFT had wrapped, as they do now."""
    name = PROCESSOR.sub(_in_module, name).replace("unet.base_model.model.", "unet.", 1)
    return f"unet.{name}" if name.startswith(("down_blocks.", "mid_block.", "up_blocks.")) and _layer(name) else name


def _in_module(match: re.Match) -> str:
    """ "attn1.processor.to_q_lora.down.weight", as diffusers wrote in 2023, under the name of the layer."""
    return f".{match[1]}{'.0' if match[1] == 'to_out' else ''}.lora.{match[2]}.weight"


def _of_this_transformers(name: str, base: Base) -> str:
    """Without `text_model` where the installed transformers no longer says it."""
    part, _, path = name.partition(".")
    inner = path.removeprefix("text_model.")
    return f"{part}.{inner}" if part in base.text_encoders and hasattr(base.text_encoders[part], inner.partition(".")[0]) else name


def _check_layers(layers: Mapping[str, dict[str, Tensor]], base: Base) -> None:
    """Refuse what does not fit, and give every matrix the dimensions of its layer: some tools write those of linear layers as convolutions of 1 x 1."""
    networks: dict[str, Any] = {"unet": base.unet, **base.text_encoders}
    modules = {f"{name}.{path}": module for name, network in networks.items() for path, module in network.named_modules()}
    for layer, parts in layers.items():
        if layer not in modules or not {"A", "B"} <= set(parts):
            why = "is no layer of the base" if layer not in modules else "lacks one of its two matrices for the base"
            raise UserError(f"LoRA: {layer} {why} {base.name}. Give the base that it was trained on with --base.")
        shape = modules[layer].weight.shape
        for part in ("A", "B"):
            parts[part] = parts[part].reshape(*parts[part].shape[:2], *([1, 1] if len(shape) == 4 else [])) if parts[part].shape[2:].numel() == 1 else parts[part]
        rank = parts["A"].shape[0]
        if parts["A"].shape != (rank, *shape[1:]) or parts["B"].shape != (shape[0], rank, *(1 for _ in shape[2:])):
            raise UserError(f"LoRA: {layer} is of another size than in {base.name}, so it was trained on another base. Give that with --base.")


def read_word(file: File, base: Base, name: str | None = None) -> tuple[str, dict[str, Tensor]]:
    """The word, or `name` for it, and its rows, "<text encoder>.<word>": [vectors, width], as likeness calls them."""
    parts = list(base.text_encoders)
    keys = list(file.tensors)
    if set(keys) == {"clip_l", "clip_g"}:
        rows, word = [file.tensors["clip_l"], file.tensors["clip_g"]], file.header.get("word") or file.path.stem
    elif len(keys) == 1:
        rows, word = [file.tensors[keys[0]]], file.path.stem if keys[0] in ("emb_params", "clip_l") else keys[0]  # these name the encoder, not the word
    else:
        raise UserError(f"{file.path}: holds {len(keys)} tensors, and a new word is one, or clip_l and clip_g. Give a file of a single word.")
    rows = [row[None] if row.ndim == 1 else row for row in rows]
    widths = [network.get_input_embeddings().weight.shape[1] for network in base.text_encoders.values()]
    if [row.shape[1] for row in rows] != widths:
        raise UserError(f"{file.path}: is {', '.join(str(r.shape[1]) for r in rows)} wide, and the text encoder of {base.name} {', '.join(map(str, widths))}. Give its own base with --base.")
    word = word_of((name or word).replace(" ", "-"))
    return word, {f"{part}.{word}": row.float() for part, row in zip(parts, rows)}


def read_custom_diffusion(file: File) -> dict[str, Tensor]:
    """Cross-attention weights as likeness calls them, from the names of diffusers' script."""
    return {f"unet.{name.replace('processor.', '').replace(CUSTOM, '')}": value for name, value in file.tensors.items()}
