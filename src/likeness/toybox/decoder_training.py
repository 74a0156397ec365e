"""The toybox's decoder once more, on latents as the U-Net makes them.

A decoder that has met the latents of pictures alone draws every small error of a U-Net as grain. Here half of what it is shown has gone a part of the way that
pictures are drawn on: a picture's latents, noised as a late step finds them, and led back by the U-Net. The encoder stays, and so do latents and U-Net.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from ..files.errors import UserError
from . import data, models
from .base_training import Sheet, save_samples, shares
from .latents import posterior_of
from .loop import Losses, Share, fit, half, on_device, seeded, to_tensor, token_ids
from .plan import Plan

STEPS, LAST = 25, 6  # steps of a whole way, and of how many of the last ones pictures go at most
BATCH = 8


def train_decoder(plan: Plan, sheet: Sheet) -> None:
    folder = plan.folder / "base"
    if not folder.exists():
        if plan.start_from is None:
            raise UserError(f"{folder}: there is no base yet whose decoder could learn on. Run the stage unet first, or name one by --start-from.")
        shutil.copytree(plan.start_from, folder)
    pictures = data.read(plan.rendered, "base", plan.base_pictures)
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    ids = token_ids(tokenizer, [texts[0] for texts in pictures.captions])
    vae, encoder, unet = _opened(plan, folder)
    network, average = (_decoder(plan, folder) for _ in range(2))
    average.requires_grad_(False)
    scheduler: Any = models.build_scheduler()  # diffusers annotates timesteps as int32 and takes int64
    scheduler.set_timesteps(STEPS)
    divided = shares(plan)

    def shares_at(step: int) -> list[Share]:
        rng = seeded(plan.seed, "decoder", step)
        rows = rng.integers(len(pictures), size=BATCH)
        x = to_tensor(plan, pictures.take(rows))
        with torch.no_grad(), half(plan):
            z = posterior_of(vae, x).mean.float()
            made = led_back(unet, scheduler, z[::2], encoder(ids[torch.from_numpy(rows[::2])].to(plan.device)).last_hidden_state, int(rng.integers(1, LAST + 1)))
        z = torch.stack([made, z[1::2]], 1).flatten(0, 1)
        return [partial(loss_of, x[k::divided], z[k::divided]) for k in range(divided)]

    def loss_of(x: Tensor, z: Tensor) -> Losses:
        with half(plan):
            y = network["decoder"](network["post_quant_conv"](z))
        difference = y.float() - x
        return {"square": 4 * difference.square().mean(), "edge": difference.abs().mean()}

    def sample(path: Path) -> None:
        state = {**vae.state_dict(), **average.state_dict()}
        save_file({k: v.half().contiguous() for k, v in state.items()}, folder / "vae" / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
        save_samples(plan, folder, sheet, path)

    fit(plan, "decoder", network, plan.decoder_steps, shares_at, 5e-4, average, sample, muon=True)


def led_back(unet: Any, scheduler: Any, z: Tensor, states: Tensor, steps: int) -> Tensor:
    """Latents [n, c, h, w] noised as the first of so many last steps finds them, and what the U-Net makes of that. states [n, l, d]: what is said of them."""
    times = scheduler.timesteps[-steps:]
    z = scheduler.add_noise(z, torch.randn(z.shape).to(z.device), times[:1].expand(len(z)))
    for t in times:
        z = scheduler.step(unet(z, t, states).sample.float(), t, z).prev_sample
    return z


def _opened(plan: Plan, folder: Path) -> tuple[AutoencoderKL, CLIPTextModel, UNet2DConditionModel]:
    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    encoder = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32)
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32)
    if plan.device == "cpu":
        unet.set_attn_processor(AttnProcessor())
    return tuple(on_device(plan, part).eval().requires_grad_(False) for part in (vae, encoder, unet))  # type: ignore[return-value]


def _decoder(plan: Plan, folder: Path) -> nn.ModuleDict:
    """The way from latents to pictures, under the names that it has in the autoencoder."""
    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    assert vae.post_quant_conv is not None
    return on_device(plan, nn.ModuleDict({"post_quant_conv": vae.post_quant_conv, "decoder": vae.decoder}))
