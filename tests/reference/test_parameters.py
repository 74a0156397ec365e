"""How many numbers each method trains on Stable Diffusion 1.x, against the counts of the papers and of diffusers' scripts.

Networks of the full shape on the meta device: no memory, no weights.
"""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig

from likeness.methods.custom_diffusion import TRAINED
from likeness.methods.lora import TARGETS
from likeness.model.adapters import LowRank, Weights


@pytest.fixture
def unet() -> UNet2DConditionModel:
    """runwayml/stable-diffusion-v1-5's: diffusers' defaults with 768-wide prompts."""
    with torch.device("meta"):
        return UNet2DConditionModel(sample_size=64, cross_attention_dim=768)


@pytest.mark.parametrize(("part", "count"), [("kv", 19_169_280), ("all", 19_169_280 + 24_793_280)])
def test_custom_diffusion_trains_75_megabytes(part, count, unet):
    adapter = Weights(unet, "unet", lambda name: any(words in name for words in TRAINED[part]))
    assert sum(p.numel() for p in adapter.parameters()) == count


@pytest.mark.parametrize(("rank", "count"), [(4, 797_184), (8, 1_594_368), (16, 3_188_736)])
def test_lora_of_attention(rank, count, unet):
    with torch.device("meta"):
        adapter = LowRank(unet, "unet", LoraConfig(r=rank, lora_alpha=rank, target_modules=TARGETS["attention"]))
    assert sum(p.numel() for p in adapter.parameters()) == count


def test_dreambooth_trains_860_million(unet):
    assert sum(p.numel() for p in Weights(unet, "unet").parameters()) == 859_520_964
