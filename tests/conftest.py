"""A tiny pipeline of the real classes, photos for it, and walls: no network, no cache outside the test's folder."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("HF_HUB_OFFLINE", "1")
PREDICTIONS = ("epsilon", "v_prediction", "sample")


@pytest.fixture(autouse=True, scope="session")
def no_network():
    """T36: everything runs without one. Loopback is left alone."""
    connect = socket.socket.connect

    def refuse(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"the tests may not reach {address}")
        return connect(self, address)

    socket.socket.connect = refuse  # type: ignore[method-assign]
    yield
    socket.socket.connect = connect  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("LIKENESS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def build_tiny_pipeline(folder: Path, prediction_type: str = "epsilon", seed: int = 0) -> Path:
    """A Stable Diffusion pipeline of some 100,000 random weights, 16 x 16 pixels, 8 x 8 latents."""
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from likeness.toybox.models import build_tokenizer

    torch.manual_seed(seed)
    tokenizer = build_tokenizer(["a photo of a dog on the beach", "a cat in the snow"] * 20, folder / "tokenizer")
    text = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=tokenizer.model_max_length, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(16, 32), norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=2, cross_attention_dim=16,
    )  # fmt: skip
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, block_out_channels=(8, 16),
        layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=16,
    )  # fmt: skip
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, prediction_type=prediction_type)
    StableDiffusionPipeline(
        vae=vae, text_encoder=CLIPTextModel(text), tokenizer=tokenizer, unet=unet, scheduler=scheduler, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory) -> dict[str, Path]:
    """One pipeline folder for each prediction type."""
    return {kind: build_tiny_pipeline(tmp_path_factory.mktemp("tiny") / kind, kind) for kind in PREDICTIONS}


@pytest.fixture(scope="session")
def tiny_folder(tiny_folders) -> Path:
    return tiny_folders["epsilon"]


@pytest.fixture
def tiny_base(tiny_folder):
    from likeness.model.base import Base

    return Base(tiny_folder, "tiny")


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory) -> Path:
    """Four small photographs that differ."""
    folder = tmp_path_factory.mktemp("photos")
    for n in range(4):
        noise = np.random.default_rng(n).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((40, 32), Image.Resampling.BICUBIC).save(folder / f"{n}.png")
    return folder
