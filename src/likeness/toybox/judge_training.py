"""The toybox's judges from nothing, on pictures that the base never saw: one for words and pictures, two for individuals."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import CLIPImageProcessorPil, CLIPTokenizer, ViTImageProcessorPil

from ..evaluation.loading import load_clip
from . import data, models
from .aesthetic_training import train_aesthetic_head
from .loop import Losses, fit, half, on_device, seeded, to_tensor, token_ids, trained, under, whole
from .plan import Plan

FROM_NOTHING = 5e-4  # rate of a judge that begins so; Muon's own is twice that
BY_CHANCE = 150  # steps in which the heads, which begin by chance, only learn to read what there is: a known judge would lose it to them
UNSEEN = ("teapot", "robot", "backpack")  # classes that the examiner never saw


def train_clip(plan: Plan) -> None:
    """Contrast, told by the world which other captions of the batch are true of a picture too; and heads for its labels."""
    tokenizer = CLIPTokenizer.from_pretrained(plan.folder / "tokenizer")
    pictures = data.read(plan.rendered, "words", plan.judge_pictures)
    numbers, values = data.caption_labels(n for names in pictures.names for n in names)
    said = torch.from_numpy(numbers)
    index = {f: {v: n + 1 for n, v in enumerate(vs)} for f, vs in values.items()}
    true = torch.tensor([[index[f].get(t[f], -1) for f in data.FIELDS] for t in pictures.truths])
    ids = token_ids(tokenizer, [t for texts in pictures.captions for t in texts])
    clip: Any = models.build_clip(tokenizer)  # its annotations say that its parts may be None
    _begin_from(plan, "clip", clip)
    width = 128
    heads = nn.ModuleDict({f"shows {f}": nn.Linear(width, len(values[f]) + 1) for f in data.FIELDS})
    network = nn.ModuleDict({"clip": clip, **heads}).to(plan.device)

    def loss_at(step: int) -> Losses:
        rng = seeded(plan.seed, "clip", step)
        rows = _alike(rng, true)
        phrasing = torch.from_numpy(rows * data.CAPTIONS + rng.integers(data.CAPTIONS, size=len(rows)))
        x = _augmented(to_tensor(plan, pictures.take(rows)))
        names, truth = said[phrasing].to(plan.device), true[torch.from_numpy(rows)].to(plan.device)
        with half(plan):
            shown = F.normalize(clip.visual_projection(_seen(clip.vision_model, x)).float(), dim=-1)
            batch = ids[phrasing].to(plan.device)
            ends = (batch == tokenizer.eos_token_id).int().argmax(1)  # the first: the others pad
            states = clip.text_model(batch[:, : int(ends.max()) + 1]).last_hidden_state
            read = F.normalize(clip.text_projection(states[torch.arange(len(batch)), ends]).float(), dim=-1)
            known = shown.detach() if step <= BY_CHANCE else shown
            labels = torch.stack([F.cross_entropy(network[f"shows {f}"](10 * known).float(), truth[:, n].clamp(min=0))
                                  for n, f in enumerate(data.FIELDS)]).mean()  # fmt: skip
        logits = shown @ read.T * clip.logit_scale.exp().clamp(max=100)
        also_true = ((names[None] == 0) | (names[None] == truth[:, None])).all(-1)  # caption j is true of picture i
        also_true.fill_diagonal_(False)
        logits = logits.masked_fill(also_true, -1e4)
        own = torch.arange(len(rows), device=plan.device)
        return {"contrast": 0.5 * (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)), "shows": 2 * labels}

    fit(plan, "clip", network, plan.clip_steps, whole(loss_at), _rate(plan), deepcopy(network).requires_grad_(False), muon=True)


def _rate(plan: Plan) -> float:
    """A judge that knows something already forgets it at the rate that teaches one from nothing."""
    return FROM_NOTHING if plan.judges_from is None else 2e-4


def _begin_from(plan: Plan, name: str, network: nn.Module) -> None:
    """The weights of a judge trained before, if the plan has one."""
    if plan.judges_from is not None:
        known, state = load_file(plan.judges_from / name / "model.safetensors"), network.state_dict()
        network.load_state_dict({key: value.to(state[key].dtype) for key, value in known.items()})


def train_dino(plan: Plan) -> None:
    network = on_device(plan, models.build_dino())
    _begin_from(plan, "dino", network)
    _tell_apart(plan, "dino", network, data.read(plan.rendered, "judges", plan.judge_pictures), plan.dino_steps, _rate(plan))


def train_examiner(plan: Plan) -> None:
    """A second judge of individuals, unlike the first in its network and its pictures. Some classes it never sees."""
    network = on_device(plan, models.build_examiner())
    _tell_apart(plan, "examiner", network, data.read(plan.rendered, "examiner", plan.examiner_pictures), plan.examiner_steps, FROM_NOTHING, without=UNSEEN)


def _tell_apart(plan: Plan, stage: str, network: nn.Module, pictures: data.Pictures, steps: int, rate: float, without: tuple[str, ...] = ()) -> None:
    """Same individual near, its twins (same words, other parts) far: contrast over families of look-alikes."""
    by_individual = np.argsort(pictures.individuals, kind="stable").reshape(-1, data.PHOTOS)
    whole_families = len(by_individual) // data.TWINS
    families = np.array([n for n in range(whole_families) if pictures.truths[by_individual[n * data.TWINS, 0]]["class"] not in without])
    average = deepcopy(network).requires_grad_(False)

    def loss_at(step: int) -> Losses:
        rng = seeded(plan.seed, stage, step)
        chosen = rng.choice(families, size=min(12, len(families)), replace=False)
        people = (chosen[:, None] * data.TWINS + np.arange(data.TWINS)).ravel()
        rows = by_individual[people]
        rows = np.take_along_axis(rows, rng.random(rows.shape).argsort(1)[:, :2], axis=1)
        x = _augmented(to_tensor(plan, pictures.take(rows.T.ravel())))
        with half(plan):
            features = _seen(network, x)
        features = F.normalize(features.float(), dim=-1)
        similarity = features @ features.T / 0.07
        similarity.fill_diagonal_(-1e4)
        count = len(people)
        partner = torch.arange(2 * count, device=plan.device).roll(count)
        return {"contrast": F.cross_entropy(similarity, partner)}

    fit(plan, stage, network, steps, whole(loss_at), rate, average, muon=True)


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
    clip.load_state_dict(under("average/clip.", load_file(plan.folder / "clip.safetensors")))
    dino, examiner = trained(plan, "dino", models.build_dino()), trained(plan, "examiner", models.build_examiner())
    seen = {"size": {"height": models.JUDGE_SIZE, "width": models.JUDGE_SIZE}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3}
    for name, model in (("clip", clip), ("dino", dino), ("examiner", examiner)):
        model.half().save_pretrained(folder / name)
    tokenizer.save_pretrained(folder / "clip")
    CLIPImageProcessorPil(**seen, do_center_crop=False).save_pretrained(folder / "clip")
    for name in ("dino", "examiner"):
        ViTImageProcessorPil(**seen).save_pretrained(folder / name)
    train_aesthetic_head(plan, load_clip(folder / "clip"), folder / "aesthetic.safetensors")
