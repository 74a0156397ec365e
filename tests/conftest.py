"""A tiny pipeline of the real classes, photos for it, and walls: no network, no cache outside the test's folder."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["OMP_NUM_THREADS"] = "1"  # read when torch is first imported, here and in every process that a test starts
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
def one_thread():
    """Same bytes are promised for the same thread count: a run here and one in a process of its own must have the same."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """Of the session, so that fixtures of a module have it too: pictures of an earlier session, whose vocabulary may order ties otherwise, are none of ours."""
    os.environ["LIKENESS_CACHE"] = str(tmp_path_factory.getbasetemp() / "cache")


def build_tiny_sdxl(folder: Path) -> Path:
    """Stable Diffusion XL's classes and ways: two text encoders, pooled vector, time ids; as small as the others."""
    import torch
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    from likeness.toybox.models import build_tokenizer

    torch.manual_seed(1)
    tokenizer = build_tokenizer(["a photo of a dog on the beach", "a cat in the snow"] * 20, folder / "tokenizer")
    text = {
        "vocab_size": len(tokenizer), "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "projection_dim": 16,
        "max_position_embeddings": tokenizer.model_max_length, "bos_token_id": tokenizer.bos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip
    first = CLIPTextConfig(**text, hidden_size=16, eos_token_id=tokenizer.eos_token_id)
    second = CLIPTextConfig(**text, hidden_size=24, eos_token_id=2)  # the wrong id that published configurations have
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, layers_per_block=1, block_out_channels=(16, 32), norm_num_groups=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4), cross_attention_dim=40, transformer_layers_per_block=(1, 2), use_linear_projection=True,
        addition_embed_type="text_time", addition_time_embed_dim=8, projection_class_embeddings_input_dim=16 + 6 * 8,
    )  # fmt: skip
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2, block_out_channels=(8, 16),
        layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=16, scaling_factor=0.13025,
    )  # fmt: skip
    scheduler = EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, steps_offset=1, timestep_spacing="leading")
    StableDiffusionXLPipeline(
        vae=vae, text_encoder=CLIPTextModel(first), text_encoder_2=CLIPTextModelWithProjection(second), tokenizer=tokenizer,
        tokenizer_2=tokenizer, unet=unet, scheduler=scheduler, add_watermarker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


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
    scheduler = DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, clip_sample=False, steps_offset=1, prediction_type=prediction_type)
    StableDiffusionPipeline(
        vae=vae, text_encoder=CLIPTextModel(text), tokenizer=tokenizer, unet=unet, scheduler=scheduler, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


IF_WAYS = {  # of DeepFloyd IF's U-Nets, as scripts/convert_if.py of diffusers writes them
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn", "addition_embed_type": "text", "addition_embed_type_num_heads": 2, "cross_attention_norm": "group_norm",
    "resnet_time_scale_shift": "scale_shift", "act_fn": "gelu", "attention_head_dim": 8, "layers_per_block": 1, "block_out_channels": (16, 32), "norm_num_groups": 8,
    "down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"), "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
}  # fmt: skip
IF_SCHEDULE = {"beta_schedule": "squaredcos_cap_v2", "variance_type": "learned_range", "thresholding": True, "dynamic_thresholding_ratio": 0.95}
WIDTHS = {"epsilon": 16, "v_prediction": 16, "sample": 16, "sdxl": 40, "deepfloyd": 24}  # of the states that a text encoder gives


def build_tiny_deepfloyd(folder: Path) -> Path:
    """DeepFloyd IF's first stage: pixels, T5, six channels out, a learned range of variances; 16 x 16 pixels."""
    import torch
    from diffusers import DDPMScheduler, IFPipeline, UNet2DConditionModel
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    torch.manual_seed(2)
    words = "a photo of dog cat the on beach in snow jungle sks with red car mountain background".split()
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    letters = [(letter, -9.0) for letter in "▁abcdefghijklmnopqrstuvwxyz"]
    tokenizer = T5Tokenizer(vocab=[*special, *letters, *((f"▁{word}", -2.0) for word in words)], extra_ids=0)
    text = T5Config(
        vocab_size=len(tokenizer), d_model=WIDTHS["deepfloyd"], d_kv=8, d_ff=32, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu", is_encoder_decoder=False
    )  # fmt: skip
    unet = UNet2DConditionModel(sample_size=16, in_channels=3, out_channels=6, cross_attention_dim=32, encoder_hid_dim=24, **IF_WAYS)  # type: ignore[arg-type]
    IFPipeline(
        tokenizer=tokenizer, text_encoder=T5EncoderModel(text), unet=unet, scheduler=DDPMScheduler(**IF_SCHEDULE, sample_max_value=1.5),  # type: ignore[arg-type]
        safety_checker=None, feature_extractor=None, watermarker=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


def build_tiny_upscaler(folder: Path, width: int, seed: int = 3) -> Path:
    """DeepFloyd IF's second stage, to 32 x 32 pixels, for a base whose text encoder says `width` numbers a word. Its own text encoder is left out, as may be."""
    import torch
    from diffusers import DDPMScheduler, IFSuperResolutionPipeline, UNet2DConditionModel

    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=32, in_channels=6, out_channels=6, cross_attention_dim=32, encoder_hid_dim=width, class_embed_type="timestep", **IF_WAYS,  # type: ignore[arg-type]
    )  # fmt: skip
    IFSuperResolutionPipeline(
        tokenizer=None, text_encoder=None, unet=unet, scheduler=DDPMScheduler(**IF_SCHEDULE, sample_max_value=1.0),  # type: ignore[arg-type]
        image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"), safety_checker=None, feature_extractor=None, watermarker=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory) -> dict[str, Path]:
    """One pipeline folder for each prediction type, one of SDXL and one of DeepFloyd IF's first stage."""
    folder = tmp_path_factory.mktemp("tiny")
    others = {"sdxl": build_tiny_sdxl(folder / "sdxl"), "deepfloyd": build_tiny_deepfloyd(folder / "deepfloyd")}
    return {kind: build_tiny_pipeline(folder / kind, kind) for kind in PREDICTIONS} | others


@pytest.fixture(scope="session")
def tiny_upscalers(tmp_path_factory) -> dict[str, Path]:
    """A super-resolution stage for each base of `tiny_folders`, and "another" for the first three."""
    folder = tmp_path_factory.mktemp("upscalers")
    return {kind: build_tiny_upscaler(folder / kind, width) for kind, width in WIDTHS.items()} | {"another": build_tiny_upscaler(folder / "another", 16, seed=4)}


@pytest.fixture(scope="session")
def tiny_folder(tiny_folders) -> Path:
    return tiny_folders["epsilon"]


@pytest.fixture
def tiny_base(tiny_folder):
    from likeness.model.base import Base

    return Base(tiny_folder, "tiny")


@pytest.fixture(scope="session")
def photo_folder(tmp_path_factory) -> Path:
    """Four small photographs that differ, with captions beside them."""
    folder = tmp_path_factory.mktemp("photos")
    for n in range(4):
        noise = np.random.default_rng(n).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(noise).resize((40, 32), Image.Resampling.BICUBIC).save(folder / f"{n}.png")
        (folder / f"{n}.txt").write_text(f"a {{}} in the {'snow' if n % 2 else 'jungle'}\n")
    return folder


@pytest.fixture(scope="session")
def quick_recipe(tiny_folder, photo_folder):
    """DreamBooth on the tiny pipeline, a second or less."""
    from likeness.files.recipe import recipe_from_dict
    from likeness.workflow.stack import stage_types

    def recipe(base: Path = tiny_folder, photos: Path = photo_folder, identifier: str = "sks", class_noun: str = "dog", **options):
        stage = {"method": "dreambooth", "steps": 3, "learning_rate": 1e-3, "class_pictures": 4, "class_steps": 2, **options}
        subject = {"photos": photos, "class_noun": class_noun, "identifier": identifier}
        return recipe_from_dict({"base": str(base), "subject": subject, "stages": [stage]}, stage_types())

    return recipe


@pytest.fixture(scope="session")
def paused():
    """A run that was begun and stopped by SIGTERM after some steps."""
    from likeness.files.run_folder import RunFolder
    from likeness.workflow.fitting import fit
    from likeness.workflow.progress import Silent
    from likeness.workflow.stopping import Stopped

    class SignalAt(Silent):
        """A person who watches the bar of `title` and stops the run."""

        def __init__(self, step: int, title: str):
            super().__init__()
            self.step, self.title = step, title

        @contextmanager
        def task(self, title, total, done=0):
            with super().task(title, total, done) as task:
                if title == self.title:
                    task._show = self.watch
                yield task

        def watch(self, task, note):
            if task.done == self.step:
                os.kill(os.getpid(), signal.SIGTERM)

    def run(recipe, parent: Path, step: int, title: str = "training", **options):
        with pytest.raises(Stopped):
            fit(recipe, parent, SignalAt(step, title), **options)
        (path,) = parent.iterdir()
        return RunFolder.open(path)

    return run


@pytest.fixture(scope="session")
def likeness():
    """The command line in this process; its exit code."""
    from likeness.cli import main

    def run(*words: object) -> int:
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else 0
        return 0

    return run


@pytest.fixture(scope="session")
def subject_photos(photo_folder):
    from likeness.files.subject import prepare_photos

    return [photo.image for photo in prepare_photos(photo_folder, 16) if photo.image]
