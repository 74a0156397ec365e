"""The toybox's super-resolution stage from nothing: 64 pixels to 128, as the second stage of DeepFloyd IF works.

A pair is a render of 128 pixels and its half, enlarged again and noised at a level that the network is told. Every other half
has passed the base's autoencoder, since that is where the pictures come from that it will be given. The network predicts the picture and not its noise: most of the
picture it is shown, and the noise it would have to carry through its few channels.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import IFSuperResolutionPipeline, UNet2DConditionModel
from PIL import Image
from torch import Tensor

from ..model.cascade import Upscaler, enlarged
from ..model.denoiser import pixels_of
from ..model.trajectory import enlarge
from ..world.drawing import draw
from . import data, models
from .base_training import Sheet, autoencoder, half_precision_folder
from .latents import decoded, posterior_of
from .loop import Losses, Share, fit, half, on_device, seeded, to_tensor
from .plan import Plan

LEVELS = 300  # noise levels that it learns, of 1000: more than any picture of the base needs
BATCH = 4  # whole pictures: where the enlargement lies between the pixels depends on the place in the picture
HELD_OUT, STEPS, LEVEL = 48, 2, 10  # pictures, and how they are drawn, of the sheets to look at


def train_upscaler(plan: Plan, sheet: Sheet) -> None:
    pictures = data.read(plan.rendered, "large", plan.large_pictures)
    vae = autoencoder(plan)
    network, average = (on_device(plan, models.build_upscaler()) for _ in range(2))
    average.load_state_dict(network.state_dict())
    average.requires_grad_(False)
    scheduler, noising = models.build_pixel_scheduler("sample"), models.build_pixel_scheduler("epsilon")

    def shares_at(step: int) -> list[Share]:
        rng = seeded(plan.seed, "upscaler", step)
        x = to_tensor(plan, pictures.take(rng.integers(len(pictures), size=BATCH)))
        small = F.avg_pool2d(x, 2)
        small = torch.where((torch.rand(BATCH) < 0.5)[:, None, None, None].to(x.device), reconstructed(plan, vae, small), small)
        levels = (torch.rand(BATCH).square() * LEVELS).long()  # half of them below a quarter: what pictures are drawn at
        told = noising.add_noise(enlarged(small, x.shape[-1]), torch.randn(x.shape), levels)  # type: ignore[arg-type]
        timesteps = ((torch.arange(BATCH) + torch.rand(BATCH)) * (1000 / BATCH)).long()
        noisy = scheduler.add_noise(x, torch.randn(x.shape), timesteps)  # type: ignore[arg-type]  # annotated as int32, takes int64
        return [partial(loss_of, torch.cat([noisy, told], 1), timesteps, levels, x)]

    def loss_of(seen: Tensor, timesteps: Tensor, levels: Tensor, x: Tensor) -> Losses:
        with half(plan):
            predicted = network(seen, timesteps, None, class_labels=levels).sample
        return {"picture": (predicted.float() - x).square().mean()}

    def sample(path: Path) -> None:
        export_upscaler(average, plan.folder / "upscaler")
        save_enlarged(plan, plan.folder / "upscaler", sheet, path)

    fit(plan, "upscaler", network, plan.upscaler_steps, shares_at, 1e-3, average, sample, muon=True)


@torch.no_grad()
def reconstructed(plan: Plan, vae: Any, pictures: Tensor) -> Tensor:
    """Pictures as the base's autoencoder gives them back."""
    with half(plan):
        return decoded(vae, posterior_of(vae, pictures).mean).float().clamp(-1, 1)


def export_upscaler(network: UNet2DConditionModel, folder: Path) -> None:
    """An ordinary pipeline folder in half precision; it has no text encoder, since it reads no words."""
    nothing: dict[str, Any] = dict.fromkeys(("tokenizer", "text_encoder", "safety_checker", "feature_extractor", "watermarker"))
    pipeline = IFSuperResolutionPipeline(
        **nothing, unet=network, scheduler=models.build_pixel_scheduler("sample"),
        image_noising_scheduler=models.build_pixel_scheduler("epsilon"), requires_safety_checker=False,
    )  # fmt: skip
    half_precision_folder(pipeline, folder)


@torch.no_grad()
def save_enlarged(plan: Plan, folder: Path, sheet: Sheet, path: Path) -> None:
    """Halves of renders that it never saw, enlarged bicubically, by the network, and the renders; prints peak signal-to-noise ratios."""
    scenes = [data.base_scene(plan.seed, k, "check") for k in range(HELD_OUT)]
    truth = [draw(scene, 2 * models.SIZE) for scene in scenes]
    small = [picture.resize((models.SIZE, models.SIZE), Image.Resampling.BOX) for picture in truth]
    rows = [[picture.resize(truth[0].size, Image.Resampling.BICUBIC) for picture in small]]
    upscaler = Upscaler(folder, "toybox", plan.device)
    rows.append(list(enlarge(upscaler, small, [""] * HELD_OUT, range(HELD_OUT), STEPS, 1.0, LEVEL)))
    for name, row in zip(("bicubic", "upscaler"), rows):
        print(f"upscaler: {name} {np.mean([psnr(one, other) for one, other in zip(row, truth)]):.2f} dB on {HELD_OUT} pictures it never saw", flush=True)
    shown = [[pictures[k] for k in range(0, 16, 2)] for pictures in (*rows, truth)]
    sheet(shown).save(path)


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio of two pictures in dB."""
    return float(10 * torch.log10(4 / (pixels_of(one) - pixels_of(other)).square().mean()))
