"""Train the toybox from nothing: pictures, autoencoder, text encoder, U-Net, and the judges apart from them.

`likeness pretrain` runs the stages in order; each can be stopped at any moment and goes on from its last
checkpoint.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import torch

from ..files.atomic import follow_umask
from . import data, models
from .base_training import Sheet, save_reconstructions, train_text, train_unet, train_vae
from .decoder_training import train_decoder
from .judge_training import export_judges, train_clip, train_dino, train_examiner
from .plan import Plan
from .upscaler_training import train_upscaler

STAGES = ("pictures", "vae", "text", "unet", "decoder", "upscaler", "clip", "dino", "examiner", "export")
LEARNS_FROM = {
    "vae": ("base",), "text": ("base",), "unet": ("base",), "decoder": ("base",), "upscaler": ("large",),
    "clip": ("words",), "dino": ("judges",), "examiner": ("examiner",), "export": ("judges",),
}  # fmt: skip


def draw_pictures(plan: Plan, stages: Iterable[str]) -> None:
    """Draw the sets that these stages learn from, those of all stages if none learns, and build the tokenizer."""
    wanted = {kind for stage in stages for kind in LEARNS_FROM.get(stage, ())} or set(data.SETS)
    if "words" in wanted and not plan.start_from:
        wanted.add("base")  # the judge of words and the base share a tokenizer, built from the base's captions
    sets = {"base": plan.base_pictures, "large": plan.large_pictures, "judges": plan.judge_pictures, "words": plan.judge_pictures, "examiner": plan.examiner_pictures}
    for kind, count in sets.items():
        if kind in wanted:
            data.render(plan.rendered, kind, count, models.SIZE * (2 if kind == "large" else 1), plan.seed, plan.workers)
    if plan.start_from:
        shutil.copytree(plan.start_from / "tokenizer", plan.folder / "tokenizer", dirs_exist_ok=True)
    elif "base" in wanted and not (plan.folder / "tokenizer").exists():
        base = data.read(plan.rendered, "base", plan.base_pictures)
        models.build_tokenizer([text for texts in base.captions for text in texts], plan.folder / "tokenizer")


def pretrain(plan: Plan, sheet: Sheet, stages: Iterable[str] = STAGES) -> None:
    """Run stages in order, each from its last checkpoint on. `sheet` lays out rows of pictures to look at."""
    (plan.folder / "samples").mkdir(parents=True, exist_ok=True)
    named = {name: folder and folder.name for name, folder in (("folder", plan.folder), ("start_from", plan.start_from), ("judges_from", plan.judges_from))}
    (plan.folder / "plan.json").write_text(json.dumps(asdict(plan) | named, indent=1))  # no path of this machine
    stages = tuple(stages)
    act = {
        "pictures": lambda p: draw_pictures(p, stages), "vae": train_vae, "text": train_text, "unet": lambda p: train_unet(p, sheet),
        "decoder": lambda p: train_decoder(p, sheet), "upscaler": lambda p: train_upscaler(p, sheet), "clip": train_clip, "dino": train_dino, "examiner": train_examiner, "export": lambda p: export_judges(p, p.folder / "judges"),
    }  # fmt: skip
    for stage in stages:
        print(f"{stage}: begins", flush=True)
        torch.manual_seed(plan.seed)  # of the stage's first weights
        act[stage](plan)
        if stage == "vae":
            save_reconstructions(plan, sheet)


def install(plan: Plan) -> list[str]:
    """Put base, super-resolution stage and judges, as far as they were trained, in place of the embedded ones; says which."""
    here = Path(__file__).parent
    names = [name for name in ("base", "upscaler", "judges") if (plan.folder / name).exists()]
    for name in names:
        shutil.copytree(plan.folder / name, here / name, dirs_exist_ok=True)
        follow_umask([path for path in (here / name).rglob("*") if path.is_file()], here)  # safetensors leaves 0600
    return names
