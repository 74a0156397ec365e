"""Seconds of a training step and peak memory on networks of Stable Diffusion 1.5's and SDXL's size, beside the bare loop: real configurations, random weights.

    python benchmarks/real_size.py OUT.json FOLDER [--rows sd15:dreambooth:1,sdxl:lora:1] [--rounds 10]

A row is shape, method and batch, at the shape's own resolution (512 and 1024 pixels): bf16 in networks that are kept in float32, no class pictures, no
gradient checkpointing. Every row is measured in a process of its own; one that does not fit says so. Builds the pipelines in FOLDER (2.1 and 7 GB, half precision). Needs a GPU.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, PNDMScheduler, StableDiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel
from step import in_turn, ratio, steps_of
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from likeness.toybox.models import build_tokenizer

ROWS = ("sd15:dreambooth:1", "sd15:lora:1", "sd15:textual_inversion:1", "sd15:custom_diffusion:1", "sd15:lora:4", "sdxl:lora:1", "sdxl:dreambooth:1")
NOISE: dict[str, Any] = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}
VAE: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4, "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2, "latent_channels": 4,
}  # fmt: skip


def build(shape: str, folder: Path) -> None:
    """The published configurations; the vocabulary alone is our own and small. Weights of half precision, drawn where they are quickest drawn."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(["a photo of a dog"] * 20, folder / "tokenizer")
    ids: dict[str, Any] = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    clip = CLIPTextConfig(vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, max_position_embeddings=77, **ids)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        if shape == "sd15":
            unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
            parts: dict[str, Any] = {"text_encoder": CLIPTextModel(clip), "vae": AutoencoderKL(**VAE, sample_size=512)}
            scheduler, kind = PNDMScheduler(**NOISE, skip_prk_steps=True, set_alpha_to_one=False), StableDiffusionPipeline
            options: dict[str, Any] = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        else:
            big = CLIPTextConfig(
                vocab_size=49408, hidden_size=1280, intermediate_size=5120, num_hidden_layers=32, num_attention_heads=20, max_position_embeddings=77,
                projection_dim=1280, hidden_act="gelu", **ids,
            )  # fmt: skip
            unet = UNet2DConditionModel(
                sample_size=128, block_out_channels=(320, 640, 1280), down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), attention_head_dim=(5, 10, 20), transformer_layers_per_block=(1, 2, 10),
                cross_attention_dim=2048, use_linear_projection=True, addition_embed_type="text_time", addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816,
            )  # fmt: skip
            parts = {
                "text_encoder": CLIPTextModel(clip), "text_encoder_2": CLIPTextModelWithProjection(big), "tokenizer_2": tokenizer,
                "vae": AutoencoderKL(**VAE, sample_size=1024, scaling_factor=0.13025),
            }  # fmt: skip
            scheduler, kind, options = EulerDiscreteScheduler(**NOISE, timestep_spacing="leading"), StableDiffusionXLPipeline, {"add_watermarker": False}
    pipeline = kind(unet=unet, tokenizer=tokenizer, scheduler=scheduler, **parts, **options)
    pipeline.to(torch.float16).save_pretrained(folder)


def measure(shape: str, method: str, batch: int, folder: Path, rounds: int) -> dict[str, Any]:
    """Both steps in turn; the peaks are those of one process, which holds the network, its gradients and AdamW's state once."""
    ours, bare = steps_of(method, str(folder), batch, True, "bf16")
    taken, peaks = in_turn({"likeness": ours, "bare": bare}, rounds)
    median, quartiles = ratio(taken["likeness"], taken["bare"])
    return {
        "shape": shape, "method": method, "batch": batch, "seconds": {key: statistics.median(values) for key, values in taken.items()},
        "ratio": median, "ratio, quartiles of rounds": quartiles, "peak GiB": {key: value / 2**30 for key, value in peaks.items()},
        "card": torch.cuda.get_device_name(), "torch": torch.__version__,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--one", action="store_true", help="measure the one row in this process and print it")
    asked = parser.parse_args()
    found = []
    for row in asked.rows.split(","):
        shape, method, batch = row.split(":")
        if not (asked.folder / shape / "model_index.json").exists():
            build(shape, asked.folder / shape)
        if asked.one:
            print(json.dumps(measure(shape, method, int(batch), asked.folder / shape, asked.rounds)))
            return
        done = subprocess.run([sys.executable, __file__, str(asked.out), str(asked.folder), "--rows", row, "--rounds", str(asked.rounds), "--one"], capture_output=True, text=True)
        found.append(json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"shape": shape, "method": method, "batch": int(batch), "failed": done.stderr.strip().splitlines()[-1]})
        print(json.dumps(found[-1]), flush=True)
        asked.out.write_text(json.dumps({"rows": found}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
