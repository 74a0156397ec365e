"""Memory of DreamBooth on a network of Stable Diffusion 1.5's shape: the real configuration, random weights.

    python benchmarks/sd15_shape.py FOLDER [--resolution 256] [--steps 2]

Builds the pipeline in FOLDER (3.4 GB in float32), trains in bf16, is stopped by a signal after two of three steps, resumes, and
prints the peak memory and seconds of each step. Needs some 20 GiB of memory and 25 GB of disk.
"""

import argparse
import json
import os
import signal
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from likeness.files.run_folder import RunFolder
from likeness.toybox.models import build_tokenizer
from likeness.workflow.fitting import fit, resume
from likeness.workflow.progress import Progress
from likeness.workflow.recipes import recipe_for
from likeness.workflow.stopping import Stopped


def build(folder: Path) -> None:
    """Stable Diffusion 1.5's configuration; the vocabulary alone is our own and small."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer(["a photo of a dog"] * 20, folder / "tokenizer")
    text = CLIPTextConfig(
        vocab_size=49408, hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, max_position_embeddings=77,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, block_out_channels=(128, 256, 512, 512),
        layers_per_block=2, latent_channels=4, sample_size=512,
    )  # fmt: skip
    scheduler = PNDMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False)
    StableDiffusionPipeline(
        vae=vae, text_encoder=CLIPTextModel(text), tokenizer=tokenizer, unet=unet, scheduler=scheduler, safety_checker=None,
        feature_extractor=None, requires_safety_checker=False,
    ).save_pretrained(folder)  # fmt: skip


class StopsAfter(Progress):
    """A person who stops the training after some steps."""

    def __init__(self, steps: int):
        super().__init__()
        self.steps = steps

    @contextmanager
    def task(self, title, total):
        with super().task(title, total) as task:
            shown = task._show

            def show(task, note):
                shown(task, note)
                if title == "training" and task.done == self.steps:
                    os.kill(os.getpid(), signal.SIGTERM)

            task._show = show
            yield task


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", default="toybox:biscuit")
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2)
    asked = parser.parse_args()
    if not (asked.folder / "base" / "model_index.json").exists():
        build(asked.folder / "base")
    options = {"steps": asked.steps + 1, "mixed_precision": "bf16", "prior_weight": 0.0, "gradient_checkpointing": True}
    recipe = recipe_for("dreambooth", options, subject={"photos": asked.photos}, base=str(asked.folder / "base"), resolution=asked.resolution)
    try:
        fit(recipe, asked.folder / "runs", StopsAfter(asked.steps))
    except Stopped as stopped:
        print(stopped)
    run = resume(RunFolder.open(max((asked.folder / "runs").iterdir(), key=lambda path: path.stat().st_mtime)), Progress())
    lines = run.journal()
    print(json.dumps({"status": run.record().status, "seconds": [round(line["seconds"], 1) for line in lines],
                      "peak GiB": round(max(line["peak_bytes"] for line in lines) / 2**30, 2),
                      "losses": [line["losses"] for line in lines]}, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
