"""The toybox's base from nothing: autoencoder, text encoder, U-Net, and the folder that diffusers opens."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from ..world.drawing import draw
from . import data, models
from .latents import decoded, encode_latents, move_latents, posterior_of
from .loop import Losses, Share, fit, half, on_device, seeded, to_tensor, token_ids, trained, under, whole
from .plan import Plan

Sheet = Callable[[list[list[Image.Image]]], Image.Image]
SAMPLE_PROMPTS = (
    "a photo of a red dog on the beach", "a blue striped cat in the snow", "a yellow car with a city in the background",
    "a smiling person in the jungle", "a purple teapot on top of pink fabric", "a green toy on a cobblestone street",
    "a white rabbit wearing a red hat", "a dog next to a bowl", "a watercolour painting of an orange robot",
    "a pixel art picture of a black clock", "a pink backpack with the Eiffel Tower in the background",
    "a brown dog wearing a purple wizard outfit", "a teal vase on top of a wooden floor", "a grey sneaker floating on top of water",
    "a candle at night under the stars", "a spotted boot with a wheat field in the background",
)  # fmt: skip


def train_vae(plan: Plan) -> None:
    """Whole pictures: of a crop of the same price too many latents would lie at its border."""
    pictures = data.read(plan.rendered, "base", plan.base_pictures)
    vae = on_device(plan, models.build_vae())
    batch, divided = 8, shares(plan)

    def shares_at(step: int) -> list[Share]:
        rng = seeded(plan.seed, "vae", step)
        x = to_tensor(plan, pictures.take(rng.integers(len(pictures), size=batch)))
        side = models.SIZE // models.LATENT_PATCH
        noise = torch.randn(batch, models.LATENT_CHANNELS, side, side).to(plan.device)
        return [partial(loss_of, x[k::divided], noise[k::divided]) for k in range(divided)]

    def loss_of(x: Tensor, noise: Tensor) -> Losses:
        with half(plan):
            posterior = posterior_of(vae, x)
            y = decoded(vae, posterior.mean + posterior.std * noise)
        difference = y.float() - x
        return {
            "square": 4 * difference.square().mean(),
            "edge": difference.abs().mean(),
            "kl": 1e-4 * (posterior.mean.float().square() + posterior.var.float() - posterior.logvar.float() - 1).mean(),
        }

    fit(plan, "vae", vae, plan.vae_steps, shares_at, 1.5e-3, muon=True)


def shares(plan: Plan) -> int:
    """Into how many shares a batch is divided: one for each thread of a CPU, up to two."""
    return min(2, torch.get_num_threads()) if plan.device == "cpu" else 1


@torch.no_grad()
def save_reconstructions(plan: Plan, sheet: Sheet) -> None:
    """Pictures above, their reconstructions below; prints the peak signal-to-noise ratio."""
    vae = trained(plan, "vae", models.build_vae())
    x = to_tensor(plan, np.stack([np.asarray(draw(data.base_scene(plan.seed, k, "check"), models.SIZE)) for k in range(256)]))
    y = decoded(vae, posterior_of(vae, x).mean).clamp(-1, 1)
    psnr = (10 * torch.log10(4 / (x - y).square().mean((1, 2, 3)))).mean().item()
    print(f"vae: {psnr:.2f} dB on {len(x)} pictures it never saw", flush=True)
    shown = [[Image.fromarray(((p.permute(1, 2, 0) + 1) * 127.5).byte().cpu().numpy()) for p in rows[40:48]] for rows in (x, y)]
    sheet(shown).save(plan.folder / "samples" / "vae.png")


def train_text(plan: Plan) -> None:
    """Language before pictures: predict what a caption names and its next word. Minutes here save hours in the U-Net."""
    tokenizer = CLIPTokenizer.from_pretrained(plan.folder / "tokenizer")
    base = data.read(plan.rendered, "base", plan.base_pictures)
    numbers, values = data.caption_labels(n for names in base.names for n in names)
    labels = torch.from_numpy(numbers)
    ids = token_ids(tokenizer, [t for texts in base.captions for t in texts])
    encoder = models.build_text_encoder(tokenizer)
    width = encoder.config.hidden_size
    network = nn.ModuleDict(
        {"encoder": encoder, "next": nn.Linear(width, len(tokenizer)),
         **{f"says {f}": nn.Linear(width, len(values[f]) + 1) for f in data.FIELDS}}
    ).to(plan.device)  # fmt: skip

    def loss_at(step: int) -> Losses:
        rng = seeded(plan.seed, "text", step)
        rows = torch.from_numpy(rng.integers(len(ids), size=96))
        batch, said = ids[rows].to(plan.device), labels[rows].to(plan.device)
        batch = batch[:, : int((batch != tokenizer.eos_token_id).sum(1).max()) + 1]  # the longest of the batch and its end
        with half(plan):
            out = encoder(batch)
            following = network["next"](out.last_hidden_state[:, :-1]).float()
            heads = [F.cross_entropy(network[f"says {f}"](out.pooler_output).float(), said[:, n]) for n, f in enumerate(data.FIELDS)]
        spoken = batch[:, :-1] != tokenizer.eos_token_id
        return {"next": 0.3 * F.cross_entropy(following[spoken], batch[:, 1:][spoken]), "says": torch.stack(heads).mean()}

    fit(plan, "text", network, plan.text_steps, whole(loss_at), 1e-3)


class TextToImage(nn.Module):
    """The text encoder and the U-Net as one network, trained together."""

    def __init__(self, text_encoder: CLIPTextModel, unet: UNet2DConditionModel):
        super().__init__()
        self.text_encoder, self.unet = text_encoder, unet

    def forward(self, latents: Tensor, timesteps: Tensor, ids: Tensor) -> Tensor:
        return self.unet(latents, timesteps, self.text_encoder(ids).last_hidden_state).sample


def train_unet(plan: Plan, sheet: Sheet) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(plan.folder / "tokenizer")
    base = data.read(plan.rendered, "base", plan.base_pictures)
    kept = plan.folder / "latents.safetensors"
    if not kept.exists():
        vae = autoencoder(plan)
        save_file(encode_latents(plan, vae, base), kept)
    latents = load_file(kept, device=plan.device)["latents"]
    ids = token_ids(tokenizer, [t for texts in base.captions for t in texts])
    nothing = token_ids(tokenizer, [""])
    scheduler: Any = models.build_scheduler()  # diffusers annotates timesteps as int32 and takes int64
    network, average = _text_to_image(plan, tokenizer), _text_to_image(plan, tokenizer)
    average.requires_grad_(False)
    if plan.device.startswith("cuda") and find_spec("triton"):  # on a CPU compiling takes minutes and gains nothing
        network.compile(dynamic=False)
    batch = plan.unet_batch
    divided = math.gcd(batch, shares(plan))  # shares are equal

    def shares_at(step: int) -> list[Share]:
        rng = seeded(plan.seed, "unet", step)
        rows = rng.integers(len(base), size=batch)
        z = latents[torch.from_numpy(rows).to(plan.device)].float()
        texts = ids[torch.from_numpy(rows * data.CAPTIONS + rng.integers(data.CAPTIONS, size=batch))].clone()
        texts[torch.rand(batch) < 0.1] = nothing
        # One timestep from each of `batch` equal intervals: the same distribution with less variance between batches.
        timesteps = ((torch.arange(batch) + torch.rand(batch)) * (1000 / batch)).long().clamp(max=999).to(plan.device)  # the last sum may round up to the batch
        noise = torch.randn(z.shape, device=plan.device)
        noisy, target = scheduler.add_noise(z, noise, timesteps), scheduler.get_velocity(z, noise, timesteps)
        return [partial(loss_of, *(part[k::divided] for part in (noisy, timesteps, texts.to(plan.device), target))) for k in range(divided)]

    def loss_of(noisy: Tensor, timesteps: Tensor, texts: Tensor, target: Tensor) -> Losses:
        with half(plan):
            predicted = network(noisy, timesteps, texts)
        return {"denoising": (predicted.float() - target).square().mean()}

    def sample(path: Path) -> None:
        export_base(plan, plan.folder / "base", average)
        (plan.folder / "decoder.safetensors").unlink(missing_ok=True)  # it learned from what another U-Net makes
        save_samples(plan, plan.folder / "base", sheet, path)

    fit(plan, "unet", network, plan.unet_steps, shares_at, 1e-3, average, sample, muon=True)


def _text_to_image(plan: Plan, tokenizer: CLIPTokenizer) -> TextToImage:
    torch.manual_seed(plan.seed)
    if plan.start_from:
        encoder = CLIPTextModel.from_pretrained(plan.start_from / "text_encoder", dtype=torch.float32)
        unet = UNet2DConditionModel.from_pretrained(plan.start_from / "unet", torch_dtype=torch.float32)
    else:
        encoder = models.build_text_encoder(tokenizer)
        encoder.load_state_dict(under("network/encoder.", load_file(plan.folder / "text.safetensors")))
        unet = models.build_unet(encoder.config.hidden_size)
    if plan.device == "cpu":
        unet.set_attn_processor(AttnProcessor())  # matrix products: the fused kernel's backward took 2/5 of a bf16 step
    return TextToImage(encoder, unet).to(plan.device)


def autoencoder(plan: Plan) -> AutoencoderKL:
    if plan.start_from:
        vae = AutoencoderKL.from_pretrained(plan.start_from / "vae", torch_dtype=torch.float32)
        return on_device(plan, vae).eval().requires_grad_(False)
    return trained(plan, "vae", models.build_vae())


def export_base(plan: Plan, folder: Path, network: TextToImage) -> None:
    """The base as an ordinary pipeline folder, half precision."""
    vae = autoencoder(plan)
    nn.Module.cpu(vae)
    with safe_open(plan.folder / "latents.safetensors", "pt") as kept:  # gigabytes of latents lie beside the two
        move_latents(vae, kept.get_tensor("shift"), kept.get_tensor("matrix"))
    tokenizer = CLIPTokenizer.from_pretrained(plan.folder / "tokenizer")
    parts: dict[str, Any] = {  # Any: the pipeline's annotations leave out None and most schedulers
        "vae": vae, "text_encoder": network.text_encoder, "tokenizer": tokenizer, "unet": network.unet,
        "scheduler": models.build_scheduler(), "safety_checker": None, "feature_extractor": None,
    }  # fmt: skip
    pipeline = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    half_precision_folder(pipeline, folder)
    (folder / "likeness.json").write_text(json.dumps(models.ADVICE, indent=1))


def half_precision_folder(pipeline: Any, folder: Path) -> None:
    """Save a pipeline in half precision; its networks, which may be in training, keep their own."""
    halved = {name: part.state_dict() for name, part in pipeline.components.items() if isinstance(part, nn.Module)}
    copies = {name: {k: v.clone() for k, v in state.items()} for name, state in halved.items()}
    pipeline.to(torch.float16).save_pretrained(folder)
    for config in folder.glob("*/config.json"):
        settings = json.loads(config.read_text())
        settings.pop("_name_or_path", None)  # where the base that was trained further lay on this machine
        if config.parent.name == "text_encoder":
            settings["dtype"] = "float32"  # or transformers opens it in half precision beside a U-Net in single
        config.write_text(json.dumps(settings, indent=2) + "\n")
    pipeline.to(torch.float32)
    for name, state in copies.items():
        getattr(pipeline, name).load_state_dict(state)


@torch.no_grad()
def save_samples(plan: Plan, folder: Path, sheet: Sheet, path: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, torch_dtype=torch.float32).to(plan.device)
    pipeline.set_progress_bar_config(disable=True)
    chance = torch.Generator("cpu").manual_seed(1)
    drawn: Any = pipeline(list(SAMPLE_PROMPTS), num_inference_steps=25, guidance_scale=models.GUIDANCE, generator=chance)
    sheet([drawn.images[k : k + 4] for k in range(0, 16, 4)]).save(path)
