"""Files that plain diffusers loads: a LoRA with its alpha, a new word, Custom Diffusion's keys and values, or a whole pipeline."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from diffusers import IFPipeline, IFSuperResolutionPipeline, StableDiffusionPipeline, StableDiffusionXLPipeline
from peft import LoraConfig
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AddedToken, CLIPTextModel

from ..files.atomic import follow_umask, hidden_name
from ..model.adapters import LowRank
from ..model.base import Base
from ..model.cascade import Upscaler
from ..model.saving import save_tensors
from .writing import check_finite, write_tensors

LORA = "pytorch_lora_weights.safetensors"
EMBEDDINGS = "learned_embeds.safetensors"
CUSTOM_DIFFUSION = "pytorch_custom_diffusion_weights.safetensors"


def ecosystem_name(name: str) -> str:
    """transformers 5.6 and later no longer say `text_model` in CLIP's names; every other tool still expects it."""
    part, _, path = name.partition(".")
    return f"{part}.text_model.{path}" if part.startswith("text_encoder") and path.startswith("encoder.layers.") else name


def lora_file(adapters: Sequence[LowRank], folder: Path) -> Path:
    """pytorch_lora_weights.safetensors. Alpha, rank and the rest stand in the header, or diffusers would take alpha for the rank."""
    tensors = {ecosystem_name(name): value for adapter in adapters for name, value in adapter.weights().items()}
    settings = {f"{adapter.prefix}.{key}": value for adapter in adapters for key, value in plain(_said(adapter.config)).items()}
    return write_tensors(folder / LORA, tensors, {"lora_adapter_metadata": json.dumps(settings, sort_keys=True)})


def _said(config: LoraConfig) -> dict[str, Any]:
    """A LoRA's rank, alpha and layers, and what else is not as PEFT has it by itself. diffusers hands the header's words to PEFT's own, and an older one refuses a name that it does not know."""
    usual, needed = LoraConfig().to_dict(), ("r", "lora_alpha", "target_modules")
    return {name: value for name, value in config.to_dict().items() if name in needed or (value != usual[name] and name != "peft_version")}


def plain(value: Any) -> Any:
    """As JSON has it; sets in order."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, (set, list, tuple)):
        return sorted(value) if isinstance(value, set) else [plain(one) for one in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)


def word_file(rows: Sequence[Tensor], word: str, path: Path) -> Path:
    """A new word: one key, the word, for one text encoder; clip_l and clip_g for SDXL's two, and the word in the header. rows: of each encoder, [vectors, width]

    In lower case, also the word of a run of before: what loads it reads prompts so, and would find its first vector alone.
    """
    keys = [word.lower()] if len(rows) == 1 else ["clip_l", "clip_g"]
    return write_tensors(path, dict(zip(keys, (row.float() for row in rows))), {"word": word.lower()})


def custom_diffusion_file(attention: dict[str, Tensor], folder: Path) -> Path:
    """Trained cross-attention weights under the names of diffusers' script. Its loader takes them without a word and draws without them
    (diffusers#9320); put them into the attention's own weights, or export the pipeline."""
    tensors = {}
    for name, value in attention.items():
        place, _, layer = name.removeprefix("unet.").partition(".attn2.")
        linear, _, rest = layer.partition(".")
        tensors[f"{place}.attn2.processor.{linear}_custom_diffusion.{rest}"] = value
    return write_tensors(folder / CUSTOM_DIFFUSION, tensors)


def pipeline_folder(base: Base, folder: Path) -> Path:
    """The base with all that was learned in its weights, and the new words in tokenizer and text encoders."""
    parts: dict[str, Any] = {**{part: getattr(base, part) for part in base.PICTURES}, "scheduler": deepcopy(base.scheduler), **base.text_encoders}
    for n, (part, network) in enumerate(base.text_encoders.items()):
        tokenizer = base.tokenizers[n]
        if base.words:
            _write_words(base, network, tokenizer)
        parts[part.replace("text_encoder", "tokenizer")] = tokenizer
    rest: Any = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    if len(base.text_encoders) == 2:
        pipeline: Any = StableDiffusionXLPipeline(**parts, force_zeros_for_empty_prompt=base.silent, add_watermarker=False)  # type: ignore[arg-type]
    elif "vae" in parts:
        pipeline = StableDiffusionPipeline(**parts, **rest)  # type: ignore[arg-type]
    else:
        pipeline = IFPipeline(**parts, **rest, watermarker=None)  # type: ignore[arg-type]
    return _written(pipeline, folder)


def upscaler_folder(upscaler: Upscaler, folder: Path) -> Path:
    """A super-resolution stage. It comes without the text encoder, which is the base's: hand its pipeline the states of the prompts (`prompt_embeds`)."""
    nothing: Any = dict.fromkeys(("tokenizer", "text_encoder", "safety_checker", "feature_extractor", "watermarker"))
    pipeline = IFSuperResolutionPipeline(
        **nothing, unet=upscaler.unet, scheduler=upscaler.scheduler, image_noising_scheduler=upscaler.noising, requires_safety_checker=False
    )  # fmt: skip
    return _written(pipeline, folder)


def _written(pipeline: Any, folder: Path) -> Path:
    """Whole or not at all: what lies there of an earlier export makes way when the new one is there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    hidden, before = (folder.with_name(hidden_name()) for _ in range(2))
    try:
        for part, network in pipeline.to(torch.float32).components.items():
            if isinstance(network, nn.Module):
                check_finite(f"{folder.name}/{part}", network.state_dict())
        pipeline.save_pretrained(hidden, safe_serialization=True)
        if isinstance(getattr(pipeline, "text_encoder", None), CLIPTextModel):
            _name_for_all(hidden / "text_encoder" / "model.safetensors")
        for tokenizer in hidden.glob("tokenizer*/tokenizer.json"):
            _spell_out(tokenizer)
        follow_umask([path for path in hidden.rglob("*") if path.is_file()], folder.parent)
        if folder.exists():
            folder.replace(before)
        try:
            hidden.replace(folder)
        except OSError:
            if before.exists():
                before.replace(folder)
            raise
    finally:
        for left in (hidden, before):
            shutil.rmtree(left, ignore_errors=True)
    return folder


def _name_for_all(path: Path) -> None:
    """A CLIP text encoder under the names that every transformers knows: those before 5.6 would find none of its weights, and draw with random ones."""
    tensors = load_file(path)
    save_tensors({name if name.startswith("text_model.") else f"text_model.{name}": value for name, value in tensors.items()}, path, {"format": "pt"})


def _spell_out(path: Path) -> None:
    """Beside a tokenizer.json of byte pairs what transformers 4 reads in its place: it would open no such folder."""
    content, config = json.loads(path.read_text("utf-8")), path.with_name("tokenizer_config.json")
    if content["model"]["type"] != "BPE":
        return
    (path.parent / "vocab.json").write_text(json.dumps(content["model"]["vocab"], ensure_ascii=False), "utf-8")
    (path.parent / "merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, content["model"]["merges"])]) + "\n", "utf-8")
    added = {str(token["id"]): {key: value for key, value in token.items() if key != "id"} for token in content["added_tokens"]}
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "added_tokens_decoder": added}, indent=2, ensure_ascii=False) + "\n", "utf-8")


@torch.no_grad()
def _write_words(base: Base, network: Any, tokenizer: Any) -> None:
    """New words as ordinary tokens: <dog>, <dog>_1, … as diffusers expands them."""
    table = network.get_input_embeddings()
    known = table.num_embeddings
    names, rows = [], []
    for word, ids in base.words.items():
        names += [word if n == 0 else f"{word}_{n}" for n in range(len(ids))]
        rows.append(table(torch.tensor(ids, device=base.device)))
    tokenizer.add_tokens([AddedToken(name, normalized=False) for name in names])  # or a word with capitals, of a run of before, is never found in a prompt
    whole = nn.Embedding(known + len(names), table.embedding_dim)
    whole.weight[:known] = table.weight
    whole.weight[tokenizer.convert_tokens_to_ids(names)] = torch.cat(rows).to(whole.weight)
    network.set_input_embeddings(whole)
    network.config.vocab_size = len(whole.weight)
    network.config.eos_token_id = tokenizer.eos_token_id  # or the pooled vector would be read at the highest id, which is now a new word's
