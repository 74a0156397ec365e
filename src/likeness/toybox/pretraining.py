"""Train the toybox from nothing: pictures, autoencoder, text encoder, U-Net, and the judges apart from them.

`likeness pretrain` runs the stages in order; each can be stopped at any moment and goes on from its last
checkpoint. Every step is seeded by (seed, stage, step), so a resumed run draws the batches of an uninterrupted one.
"""

from __future__ import annotations

import json
import shutil
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPImageProcessorPil, CLIPTextModel, CLIPTokenizer, ViTImageProcessorPil

from ..files.atomic import follow_umask
from ..learning.optimizer_state import optimizer_tensors, restore_optimizer
from . import data, models

STAGES = ("pictures", "vae", "text", "unet", "clip", "dino", "export")
Network = TypeVar("Network", bound=nn.Module)
Sheet = Callable[[list[list[Image.Image]]], Image.Image]
SAMPLE_PROMPTS = (
    "a photo of a red dog on the beach", "a blue striped cat in the snow", "a yellow car with a city in the background",
    "a smiling person in the jungle", "a purple teapot on top of pink fabric", "a green toy on a cobblestone street",
    "a white rabbit wearing a red hat", "a dog next to a bowl", "a watercolour painting of an orange robot",
    "a pixel art picture of a black clock", "a pink backpack with the Eiffel Tower in the background",
    "a brown dog wearing a purple wizard outfit", "a teal vase on top of a wooden floor", "a grey sneaker floating on top of water",
    "a candle at night under the stars", "a spotted boot with a wheat field in the background",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What to train and for how long. The defaults are an afternoon of two CPU cores; docs/log.md says what made the shipped weights."""

    folder: Path
    seed: int = 0
    base_pictures: int = 64_000
    judge_pictures: int = 48_000
    vae_steps: int = 3600
    text_steps: int = 600
    unet_steps: int = 6000
    judge_steps: int = 2000
    workers: int = 2
    device: str = "cpu"
    start_from: Path | None = None  # a base to train further: its VAE, tokenizer, text encoder and U-Net

    @property
    def rendered(self) -> Path:
        return self.folder / "pictures"


def seeded(seed: int, stage: str, step: int) -> tuple[np.random.Generator, torch.Generator]:
    """The chance of one step: numpy's for the batch, torch's for the noise."""
    torch.manual_seed(zlib.crc32(f"{seed}/{stage}/{step}".encode()))
    return np.random.default_rng((seed, zlib.crc32(stage.encode()), step)), torch.default_generator


def fit(
    plan: Plan,
    stage: str,
    network: nn.Module,
    steps: int,
    loss_at: Callable[[int], dict[str, Tensor]],
    learning_rate: float,
    average: nn.Module | None = None,
    sample: Callable[[Path], None] | None = None,
    every: int = 500,
) -> None:
    """The one loop of pretraining: warm-up, plateau and a linear decay over the last third, AdamW, bf16 networks with float32 losses, checkpoints, log, samples.

    A plateau, unlike a cosine, can be made longer or cut short while it runs (Hu et al. 2024, arXiv 2404.06395).

    average  a copy of the network that follows it as an exponential moving average (Karras et al. 2022: the better sampler)
    sample   draws a sheet to look at
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
    start = _resume(plan, stage, network, optimizer, average)
    began, recent = time.time(), {}
    for step in range(start + 1, steps + 1):
        rate = learning_rate * min(1.0, step / 100, 0.01 + (steps - step) / (steps / 3))
        for group in optimizer.param_groups:
            group["lr"] = rate
        losses = loss_at(step)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        if torch.isfinite(norm):
            optimizer.step()
        if average is not None:
            _follow(average, network, min(0.999, (1 + step) / (10 + step)))
        for name, value in losses.items():
            recent[name] = 0.98 * recent.get(name, value.item()) + 0.02 * value.item()
        if step % 50 == 0 or step == steps:
            left = (time.time() - began) / (step - start) * (steps - step) / 60
            print(f"{stage}: step {step} of {steps}, " + ", ".join(f"{k} {v:.4f}" for k, v in recent.items())
                  + f", {(time.time() - began) / (step - start):.2f} s a step, {left:.0f} min left", flush=True)  # fmt: skip
        if step % every == 0 or step == steps:
            _keep(plan, stage, step, network, optimizer, average)
            if sample:
                sample(plan.folder / "samples" / f"{stage}-{step:06d}.png")


def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    with torch.no_grad():
        torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)


def _keep(plan: Plan, stage: str, step: int, network: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module | None) -> None:
    tensors = {f"network/{k}": v for k, v in network.state_dict().items()}
    tensors |= {f"optimizer/{k}": v for k, v in optimizer_tensors(optimizer).items()}
    tensors |= {f"average/{k}": v for k, v in (average.state_dict() if average else {}).items()}
    part = plan.folder / f"{stage}.part"
    save_file({k: v.contiguous() for k, v in tensors.items()}, part, metadata={"step": str(step)})
    part.rename(plan.folder / f"{stage}.safetensors")


def _resume(plan: Plan, stage: str, network: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module | None) -> int:
    path = plan.folder / f"{stage}.safetensors"
    if not path.exists():
        return 0
    with safe_open(path, "pt") as file:
        step = int(file.metadata()["step"])
    tensors = load_file(path, device=plan.device)
    network.load_state_dict(_under("network/", tensors))
    restore_optimizer(optimizer, _under("optimizer/", tensors))
    if average is not None:
        average.load_state_dict(_under("average/", tensors))
    print(f"{stage}: goes on after step {step}", flush=True)
    return step


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _on_device(plan: Plan, network: Network) -> Network:
    """`network.to(device)`, whose types the libraries' wrappers hide."""
    nn.Module.to(network, plan.device)
    return network


def _trained(plan: Plan, stage: str, network: Network) -> Network:
    """The network as its stage left it: averaged weights where there are any; frozen."""
    tensors = load_file(plan.folder / f"{stage}.safetensors", device=plan.device)
    network.load_state_dict(_under("average/", tensors) or _under("network/", tensors))
    return _on_device(plan, network).eval().requires_grad_(False)


def _to_tensor(plan: Plan, pictures: np.ndarray) -> Tensor:
    """uint8 [n, h, w, 3] -> float32 [n, 3, h, w] in [-1, 1]"""
    return torch.from_numpy(pictures).to(plan.device).permute(0, 3, 1, 2).float() / 127.5 - 1


def _half(plan: Plan) -> torch.autocast:
    return torch.autocast(torch.device(plan.device).type, dtype=torch.bfloat16)


def _posterior(vae: AutoencoderKL, x: Tensor) -> DiagonalGaussianDistribution:
    encoded = vae.encode(x)
    assert not isinstance(encoded, tuple)
    return encoded.latent_dist


def _decoded(vae: Any, latents: Tensor) -> Tensor:
    return vae.decode(latents).sample


def draw_pictures(plan: Plan) -> None:
    data.render(plan.rendered, "base", plan.base_pictures, models.SIZE, plan.seed, plan.workers)
    data.render(plan.rendered, "judges", plan.judge_pictures, models.SIZE, plan.seed, plan.workers)
    base = data.read(plan.rendered, "base", plan.base_pictures)
    if plan.start_from:
        shutil.copytree(plan.start_from / "tokenizer", plan.folder / "tokenizer", dirs_exist_ok=True)
    elif not (plan.folder / "tokenizer").exists():
        models.build_tokenizer([text for texts in base.captions for text in texts], plan.folder / "tokenizer")


def train_vae(plan: Plan) -> None:
    """Crops of half the size: a convolutional VAE learns as well from them, at a quarter of the price."""
    pictures = data.read(plan.rendered, "base", plan.base_pictures)
    vae, crop = _on_device(plan, models.build_vae()), models.SIZE // 2

    def loss_at(step: int) -> dict[str, Tensor]:
        rng, _ = seeded(plan.seed, "vae", step)
        whole = pictures.take(rng.integers(len(pictures), size=32))
        corners = rng.integers(models.SIZE - crop + 1, size=(32, 2))
        x = _to_tensor(plan, np.stack([p[t : t + crop, s : s + crop] for p, (t, s) in zip(whole, corners)]))
        with _half(plan):
            posterior = _posterior(vae, x)
            y = _decoded(vae, posterior.sample())
        difference = y.float() - x
        return {
            "square": 4 * difference.square().mean(),
            "edge": difference.abs().mean(),
            "kl": 1e-4 * (posterior.mean.float().square() + posterior.var.float() - posterior.logvar.float() - 1).mean(),
        }

    fit(plan, "vae", vae, plan.vae_steps, loss_at, 1.5e-3)


def caption_labels(names: Iterable[dict[str, str]]) -> tuple[Tensor, dict[str, list[str]]]:
    """What captions say as numbers [n, fields]: 0 where a field is not named. And the values that the numbers stand for."""
    rows = list(names)
    values = {f: sorted({r[f] for r in rows if f in r}) for f in data.FIELDS}
    index = {f: {v: n + 1 for n, v in enumerate(vs)} for f, vs in values.items()}
    return torch.tensor([[index[f].get(r.get(f, ""), 0) for f in data.FIELDS] for r in rows]), values


def _token_ids(tokenizer: CLIPTokenizer, texts: list[str]) -> Tensor:
    return tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids


def train_text(plan: Plan) -> None:
    """Language before pictures: predict what a caption names and its next word. Minutes here save hours in the U-Net."""
    tokenizer = CLIPTokenizer.from_pretrained(plan.folder / "tokenizer")
    base = data.read(plan.rendered, "base", plan.base_pictures)
    labels, values = caption_labels(n for names in base.names for n in names)
    ids = _token_ids(tokenizer, [t for texts in base.captions for t in texts])
    encoder = models.build_text_encoder(tokenizer)
    width = encoder.config.hidden_size
    network = nn.ModuleDict(
        {"encoder": encoder, "next": nn.Linear(width, len(tokenizer)),
         **{f"says {f}": nn.Linear(width, len(values[f]) + 1) for f in data.FIELDS}}
    ).to(plan.device)  # fmt: skip

    def loss_at(step: int) -> dict[str, Tensor]:
        rng, _ = seeded(plan.seed, "text", step)
        rows = torch.from_numpy(rng.integers(len(ids), size=96))
        batch, said = ids[rows].to(plan.device), labels[rows].to(plan.device)
        batch = batch[:, : int((batch != tokenizer.eos_token_id).sum(1).max()) + 1]  # the longest of the batch and its end
        with _half(plan):
            out = encoder(batch)
            following = network["next"](out.last_hidden_state[:, :-1]).float()
            heads = [F.cross_entropy(network[f"says {f}"](out.pooler_output).float(), said[:, n]) for n, f in enumerate(data.FIELDS)]
        spoken = batch[:, :-1] != tokenizer.eos_token_id
        return {"next": 0.3 * F.cross_entropy(following[spoken], batch[:, 1:][spoken]), "says": torch.stack(heads).mean()}

    fit(plan, "text", network, plan.text_steps, loss_at, 1e-3)


class TextToImage(nn.Module):
    """The text encoder and the U-Net as one network, trained together."""

    def __init__(self, text_encoder: CLIPTextModel, unet: UNet2DConditionModel):
        super().__init__()
        self.text_encoder, self.unet = text_encoder, unet

    def forward(self, latents: Tensor, timesteps: Tensor, ids: Tensor) -> Tensor:
        return self.unet(latents, timesteps, self.text_encoder(ids).last_hidden_state).sample


@torch.no_grad()
def encode_latents(plan: Plan, vae: AutoencoderKL, pictures: data.Pictures) -> dict[str, Tensor]:
    """All latent means in the coordinates of `pixel_metric`, half precision; and the shift and matrix that lead there."""
    means = []
    for first in range(0, len(pictures), 128):
        x = _to_tensor(plan, pictures.take(np.arange(first, min(first + 128, len(pictures)))))
        with _half(plan):
            means.append(_posterior(vae, x).mean.float().cpu())
    latents = torch.cat(means)
    if plan.start_from:  # the base has its coordinates already
        return {"latents": latents.half().contiguous(), "shift": torch.zeros(latents.shape[1]), "matrix": torch.eye(latents.shape[1])}
    some = np.arange(min(2000, len(pictures)))
    shift, matrix = pixel_metric(latents[: len(some)], _to_tensor(plan, pictures.take(some)).cpu())
    moved = torch.einsum("dc,nchw->ndhw", matrix, latents - shift[:, None, None])
    return {"latents": moved.half().contiguous(), "shift": shift, "matrix": matrix}


def pixel_metric(latents: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
    """The shift [c] and matrix [c, c] after which distance between latents is, to first order, distance between pixels.

    latents [n, c, h, w], pictures [n, 3, f·h, f·w]. Pixels of a patch are about M^T (z - shift), so the metric is M M^T and its
    root the matrix; scaled to a mean variance of 1. What moves many pixels then outweighs what moves few, in the noise that
    hides it and in the loss. Whitened channels instead spent a U-Net's work on channels that the decoder ignores.
    """
    f = pictures.shape[-1] // latents.shape[-1]
    patches = pictures.unfold(2, f, f).unfold(3, f, f).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * f * f).double()
    rows = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1]).double()
    shift = rows.mean(0)
    rows = rows - shift
    scale = rows.std(0)
    solution = torch.linalg.lstsq(rows / scale, patches - patches.mean(0)).solution / scale[:, None]
    values, vectors = torch.linalg.eigh((solution * scale[:, None]) @ (solution * scale[:, None]).T)
    floor = 0.01 * values.max()  # a direction that the decoder ignores keeps a tenth of the strongest's size: invertible
    matrix = vectors @ values.clamp(min=floor.item()).sqrt().diag() @ vectors.T / scale
    moved = rows @ matrix.T
    return shift.float(), (matrix / moved.var(0).mean().sqrt()).float()


@torch.no_grad()
def move_latents(vae: AutoencoderKL, shift: Tensor, matrix: Tensor) -> None:
    """Write shift and matrix into the 1 x 1 convolutions around the latents: exact for means, and other tools notice nothing."""
    into, out = vae.quant_conv, vae.post_quant_conv
    assert into is not None and into.bias is not None and out is not None and out.bias is not None
    channels = len(shift)
    inverse = torch.linalg.inv(matrix.double()).float()
    into.bias[:channels] = matrix @ (into.bias[:channels] - shift)
    into.weight[:channels] = torch.einsum("dc,cixy->dixy", matrix, into.weight[:channels])
    into.weight[channels:] = 0  # the posterior's spread is no longer one a channel; it was next to nothing
    into.bias[channels:] = -12.0
    out.bias += out.weight[:, :, 0, 0] @ shift
    out.weight.copy_(torch.einsum("ocxy,cd->odxy", out.weight, inverse))
    vae.register_to_config(scaling_factor=1.0)


def train_unet(plan: Plan, sheet: Sheet) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(plan.folder / "tokenizer")
    base = data.read(plan.rendered, "base", plan.base_pictures)
    kept = plan.folder / "latents.safetensors"
    if not kept.exists():
        vae = _autoencoder(plan)
        save_file(encode_latents(plan, vae, base), kept)
    latents = load_file(kept)["latents"]
    ids = _token_ids(tokenizer, [t for texts in base.captions for t in texts])
    nothing = _token_ids(tokenizer, [""])
    scheduler: Any = models.build_scheduler()  # diffusers annotates timesteps as int32 and takes int64
    network, average = _text_to_image(plan, tokenizer), _text_to_image(plan, tokenizer)
    average.requires_grad_(False)
    batch = 32

    def loss_at(step: int) -> dict[str, Tensor]:
        rng, chance = seeded(plan.seed, "unet", step)
        rows = rng.integers(len(base), size=batch)
        z = latents[torch.from_numpy(rows)].float()
        texts = ids[torch.from_numpy(rows * data.CAPTIONS + rng.integers(data.CAPTIONS, size=batch))].clone()
        texts[torch.rand(batch) < 0.1] = nothing
        # One timestep from each of `batch` equal intervals: the same distribution with less variance between batches.
        timesteps = ((torch.arange(batch) + torch.rand(batch)) * (1000 / batch)).long()
        noise = torch.randn(z.shape)
        noisy, target = scheduler.add_noise(z, noise, timesteps), scheduler.get_velocity(z, noise, timesteps)
        with _half(plan):
            predicted = network(noisy.to(plan.device), timesteps.to(plan.device), texts.to(plan.device))
        return {"denoising": (predicted.float() - target.to(plan.device)).square().mean()}

    def sample(path: Path) -> None:
        export_base(plan, plan.folder / "base", average)
        save_samples(plan, plan.folder / "base", sheet, path)

    fit(plan, "unet", network, plan.unet_steps, loss_at, 5e-4, average, sample, every=500)


def _text_to_image(plan: Plan, tokenizer: CLIPTokenizer) -> TextToImage:
    torch.manual_seed(plan.seed)
    if plan.start_from:
        encoder = CLIPTextModel.from_pretrained(plan.start_from / "text_encoder", dtype=torch.float32)
        unet = UNet2DConditionModel.from_pretrained(plan.start_from / "unet", torch_dtype=torch.float32)
        return TextToImage(encoder, unet).to(plan.device)
    encoder = models.build_text_encoder(tokenizer)
    tensors = load_file(plan.folder / "text.safetensors")
    encoder.load_state_dict(_under("network/encoder.", tensors))
    return TextToImage(encoder, models.build_unet(encoder.config.hidden_size)).to(plan.device)


def _autoencoder(plan: Plan) -> AutoencoderKL:
    if plan.start_from:
        vae = AutoencoderKL.from_pretrained(plan.start_from / "vae", torch_dtype=torch.float32)
        return _on_device(plan, vae).eval().requires_grad_(False)
    return _trained(plan, "vae", models.build_vae())


def export_base(plan: Plan, folder: Path, network: TextToImage) -> None:
    """The base as an ordinary pipeline folder, half precision."""
    vae = _autoencoder(plan)
    moved = load_file(plan.folder / "latents.safetensors")
    nn.Module.cpu(vae)
    move_latents(vae, moved["shift"], moved["matrix"])
    tokenizer = CLIPTokenizer.from_pretrained(plan.folder / "tokenizer")
    parts: dict[str, Any] = {  # Any: the pipeline's annotations leave out None and most schedulers
        "vae": vae, "text_encoder": network.text_encoder, "tokenizer": tokenizer, "unet": network.unet,
        "scheduler": models.build_scheduler(), "safety_checker": None, "feature_extractor": None,
    }  # fmt: skip
    pipeline = StableDiffusionPipeline(**parts, requires_safety_checker=False)
    halved = {name: part.state_dict() for name, part in pipeline.components.items() if isinstance(part, nn.Module)}
    copies = {name: {k: v.clone() for k, v in state.items()} for name, state in halved.items()}
    pipeline.to(torch.float16).save_pretrained(folder)
    for config in folder.glob("*/config.json"):
        settings = json.loads(config.read_text())
        settings.pop("_name_or_path", None)  # where the base that was trained further lay on this machine
        if config.parent.name == "text_encoder":
            settings["dtype"] = "float32"  # or transformers opens it in half precision beside a U-Net in single
        config.write_text(json.dumps(settings, indent=2) + "\n")
    (folder / "likeness.json").write_text(json.dumps(models.ADVICE, indent=1))
    pipeline.to(torch.float32)
    for name, state in copies.items():  # the network in training keeps its full precision
        getattr(pipeline, name).load_state_dict(state)


@torch.no_grad()
def save_samples(plan: Plan, folder: Path, sheet: Sheet, path: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, torch_dtype=torch.float32).to(plan.device)
    pipeline.set_progress_bar_config(disable=True)
    chance = torch.Generator("cpu").manual_seed(1)
    drawn: Any = pipeline(list(SAMPLE_PROMPTS), num_inference_steps=25, guidance_scale=4.0, generator=chance)
    sheet([drawn.images[k : k + 4] for k in range(0, 16, 4)]).save(path)


def train_clip(plan: Plan) -> None:
    """Contrast, told by the world which other captions of the batch are true of a picture too; and heads for its labels."""
    tokenizer = CLIPTokenizer.from_pretrained(plan.folder / "tokenizer")
    pictures = data.read(plan.rendered, "judges", plan.judge_pictures)
    said, values = caption_labels(n for names in pictures.names for n in names)
    index = {f: {v: n + 1 for n, v in enumerate(vs)} for f, vs in values.items()}
    true = torch.tensor([[index[f].get(t[f], -1) for f in data.FIELDS] for t in pictures.truths])
    ids = _token_ids(tokenizer, [t for texts in pictures.captions for t in texts])
    clip: Any = models.build_clip(tokenizer)  # its annotations say that its parts may be None
    width = 128
    heads = nn.ModuleDict({f"shows {f}": nn.Linear(width, len(values[f]) + 1) for f in data.FIELDS})
    network = nn.ModuleDict({"clip": clip, **heads}).to(plan.device)

    def loss_at(step: int) -> dict[str, Tensor]:
        rng, _ = seeded(plan.seed, "clip", step)
        rows = _alike(rng, true)
        phrasing = torch.from_numpy(rows * data.CAPTIONS + rng.integers(data.CAPTIONS, size=len(rows)))
        x = _augmented(_to_tensor(plan, pictures.take(rows)))
        names, truth = said[phrasing].to(plan.device), true[torch.from_numpy(rows)].to(plan.device)
        with _half(plan):
            shown = F.normalize(clip.visual_projection(_seen(clip.vision_model, x)).float(), dim=-1)
            batch = ids[phrasing].to(plan.device)
            ends = (batch == tokenizer.eos_token_id).int().argmax(1)  # the first: the others pad
            states = clip.text_model(batch[:, : int(ends.max()) + 1]).last_hidden_state
            read = F.normalize(clip.text_projection(states[torch.arange(len(batch)), ends]).float(), dim=-1)
            labels = torch.stack([F.cross_entropy(network[f"shows {f}"](10 * shown).float(), truth[:, n].clamp(min=0))
                                  for n, f in enumerate(data.FIELDS)]).mean()  # fmt: skip
        logits = shown @ read.T * clip.logit_scale.exp().clamp(max=100)
        also_true = ((names[None] == 0) | (names[None] == truth[:, None])).all(-1)  # caption j is true of picture i
        also_true.fill_diagonal_(False)
        logits = logits.masked_fill(also_true, -1e4)
        own = torch.arange(len(rows), device=plan.device)
        return {"contrast": 0.5 * (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)), "shows": 2 * labels}

    fit(plan, "clip", network, plan.judge_steps, loss_at, 1e-3)


def train_dino(plan: Plan) -> None:
    """Same individual near, its twins (same words, other parts) far: contrast over families of look-alikes."""
    pictures = data.read(plan.rendered, "judges", plan.judge_pictures)
    by_individual = np.argsort(pictures.individuals, kind="stable").reshape(-1, data.PHOTOS)
    families = len(by_individual) // data.TWINS
    torch.manual_seed(plan.seed)
    network = _on_device(plan, models.build_dino())

    def loss_at(step: int) -> dict[str, Tensor]:
        rng, _ = seeded(plan.seed, "dino", step)
        chosen = rng.choice(families, size=10, replace=False)
        people = (chosen[:, None] * data.TWINS + np.arange(data.TWINS)).ravel()
        rows = by_individual[people]
        rows = np.take_along_axis(rows, rng.random(rows.shape).argsort(1)[:, :2], axis=1)
        x = _augmented(_to_tensor(plan, pictures.take(rows.T.ravel())))
        with _half(plan):
            features = _seen(network, x)
        features = F.normalize(features.float(), dim=-1)
        similarity = features @ features.T / 0.07
        similarity.fill_diagonal_(-1e4)
        count = len(people)
        partner = torch.arange(2 * count, device=plan.device).roll(count)
        return {"contrast": F.cross_entropy(similarity, partner)}

    fit(plan, "dino", network, plan.judge_steps, loss_at, 1e-3)


def _alike(rng: np.random.Generator, true: Tensor) -> np.ndarray:
    """Indices of up to 96 pictures: three groups of one context, three of one class. What all share tells no caption from another,
    so the encoders must look for the rest: among pictures by chance the places alone would do."""
    groups = []
    for field in ("context", "class") * 3:
        column = true[:, data.FIELDS.index(field)].numpy()
        same = np.flatnonzero(column == column[rng.integers(len(column))])
        groups.append(rng.choice(same, size=min(16, len(same)), replace=False))
    return np.unique(np.concatenate(groups))


def _seen(vision: Any, x: Tensor) -> Tensor:
    """What a judge's ResNet says of pictures [n, 3, SIZE, SIZE]: [n, d]. Enlarged as its image processor does it."""
    x = F.interpolate(x, size=(models.JUDGE_SIZE,) * 2, mode="bicubic", antialias=True).contiguous(memory_format=torch.channels_last)
    return vision(pixel_values=x).pooler_output.flatten(1)


def _augmented(x: Tensor) -> Tensor:
    """What a generator's pictures differ in from renders: a little blur, noise, shift and light."""
    if torch.rand(()) < 0.4:
        x = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), 3, stride=1) * 0.6 + 0.4 * x
    n = len(x)
    x = x * (0.9 + 0.2 * torch.rand(n, 1, 1, 1, device=x.device)) + 0.05 * torch.randn(n, 1, 1, 1, device=x.device)
    x = torch.roll(x, (int(torch.randint(-3, 4, ())), int(torch.randint(-3, 4, ()))), dims=(2, 3))
    return x + 0.06 * torch.rand(n, 1, 1, 1, device=x.device) * torch.randn_like(x)


def export_judges(plan: Plan, folder: Path) -> None:
    tokenizer = CLIPTokenizer.from_pretrained(plan.folder / "tokenizer")
    clip = models.build_clip(tokenizer)
    clip.load_state_dict(_under("network/clip.", load_file(plan.folder / "clip.safetensors")))
    dino = models.build_dino()
    dino.load_state_dict(_under("network/", load_file(plan.folder / "dino.safetensors")))
    seen = {"size": {"height": models.JUDGE_SIZE, "width": models.JUDGE_SIZE}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3}
    for name, model in (("clip", clip), ("dino", dino)):
        model.half().save_pretrained(folder / name)
    tokenizer.save_pretrained(folder / "clip")
    CLIPImageProcessorPil(**seen, do_center_crop=False).save_pretrained(folder / "clip")
    ViTImageProcessorPil(**seen).save_pretrained(folder / "dino")


def pretrain(plan: Plan, sheet: Sheet, stages: Iterable[str] = STAGES) -> None:
    """Run stages in order, each from its last checkpoint on. `sheet` lays out rows of pictures to look at."""
    (plan.folder / "samples").mkdir(parents=True, exist_ok=True)
    made_from = plan.start_from and plan.start_from.name
    (plan.folder / "plan.json").write_text(json.dumps(plan.__dict__ | {"folder": plan.folder.name, "start_from": made_from}, indent=1))
    act = {
        "pictures": draw_pictures, "vae": train_vae, "text": train_text, "unet": lambda p: train_unet(p, sheet), "clip": train_clip,
        "dino": train_dino, "export": lambda p: export_judges(p, p.folder / "judges"),
    }  # fmt: skip
    for stage in stages:
        print(f"{stage}: begins", flush=True)
        torch.manual_seed(plan.seed)  # of the stage's first weights
        act[stage](plan)
        if stage == "vae":
            save_reconstructions(plan, sheet)


@torch.no_grad()
def save_reconstructions(plan: Plan, sheet: Sheet) -> None:
    """Pictures above, their reconstructions below; prints the peak signal-to-noise ratio."""
    pictures = data.read(plan.rendered, "judges", plan.judge_pictures)
    vae = _trained(plan, "vae", models.build_vae())
    x = _to_tensor(plan, pictures.take(np.arange(min(512, len(pictures)))))
    y = _decoded(vae, _posterior(vae, x).mean).clamp(-1, 1)
    psnr = (10 * torch.log10(4 / (x - y).square().mean((1, 2, 3)))).mean().item()
    print(f"vae: {psnr:.2f} dB on {len(x)} pictures it never saw", flush=True)
    shown = [[Image.fromarray(((p.permute(1, 2, 0) + 1) * 127.5).byte().cpu().numpy()) for p in rows[40:48]] for rows in (x, y)]
    sheet(shown).save(plan.folder / "samples" / "vae.png")


def install(plan: Plan) -> None:
    """Put base and judges in place of the embedded ones; the base's advice stays."""
    here = Path(__file__).parent
    for name in ("base", "judges"):
        shutil.copytree(plan.folder / name, here / name, dirs_exist_ok=True)
        follow_umask([path for path in (here / name).rglob("*") if path.is_file()], here)  # safetensors leaves 0600
