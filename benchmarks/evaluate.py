"""Seconds of scoring a folder of pictures beside the bare forward passes of its encoders on the same pictures, made ready beforehand.

    python benchmarks/evaluate.py [--pictures 1000] [--judges embedded|published] [--rounds 3]

Both sides run in turn in one process, so that a busy machine slows both. "published" are networks of the shapes of CLIP ViT-B/32 and DINO ViT-S/16 with random
weights, at 224 pixels, and pictures of 512; "embedded" the toybox's judges, and pictures of 64. Processor seconds are of all threads: what wall-clock
seconds hide behind a second core. Scoring decodes, prepares, encodes, compares with five photos and writes scores.json; opening the judges is not counted.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import BitImageProcessorPil, CLIPConfig, CLIPImageProcessorPil, CLIPModel, ViTConfig, ViTModel

from likeness.evaluation.encoders import BATCH, CLIP, DINO
from likeness.evaluation.loading import EMBEDDED, PUBLISHED_DINO_PREPROCESSING, load_clip, load_dino
from likeness.workflow import folders
from likeness.workflow.looking import Judges, read
from likeness.workflow.progress import Silent
from likeness.world.drawing import draw
from likeness.world.subjects import SUBJECTS, photos_of, prompts_for


def published() -> Judges:
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(vision_config={"patch_size": 32}, projection_dim=512))
    shapes: dict[str, Any] = {"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}
    clip = CLIP(model, load_clip(EMBEDDED / "clip").tokenizer, CLIPImageProcessorPil(**shapes), "CLIP ViT-B/32, random")
    vit = ViTModel(ViTConfig(hidden_size=384, num_attention_heads=6, intermediate_size=1536), add_pooling_layer=False)
    return Judges(clip, DINO(vit, BitImageProcessorPil.from_dict(PUBLISHED_DINO_PREPROCESSING), "DINO ViT-S/16, random"))  # type: ignore[arg-type]


def draw_folder(folder: Path, count: int, size: int) -> None:
    """True pictures of all prompts, as a model would have drawn them, with their prompts beside them."""
    subject, prompts = SUBJECTS["biscuit"], prompts_for("dog")
    for n in range(count):
        prompt = prompts[n % len(prompts)]
        image = draw(prompt.scene(subject.appearance, n), 64).resize((size, size), Image.Resampling.BICUBIC)
        image.save(folder / f"{n:04d}.png")
        (folder / f"{n:04d}.txt").write_text(prompt.template.format("dog"))


@torch.no_grad()
def bare(judges: Judges, ready: list[dict[str, torch.Tensor]]) -> None:
    for pixels in ready:
        judges.clip.embed(pixels["clip"])
        judges.dino.embed(pixels["dino"])


def measure(judges: Judges, count: int, size: int, rounds: int) -> dict[str, Any]:
    folders.open_judges = lambda *_: judges  # type: ignore[assignment]  # opened once, and those of random weights lie in no folder
    with tempfile.TemporaryDirectory() as scratch:
        pictures, photos = Path(scratch) / "pictures", Path(scratch) / "photos"
        pictures.mkdir()
        photos.mkdir()
        draw_folder(pictures, count, size)
        for n, scene in enumerate(photos_of(SUBJECTS["biscuit"])):
            draw(scene, size).save(photos / f"{n}.png")
        files = sorted(pictures.glob("*.png"))
        ready = []
        for first in range(0, count, BATCH):
            images = [read(file) for file in files[first : first + BATCH]]
            ready.append({"clip": judges.clip.pixels(images), "dino": judges.dino.pixels(images)})
        seconds: dict[str, list[tuple[float, float]]] = {"bare": [], "evaluate": []}
        for _ in range(1 + rounds):
            for name, step in (("bare", lambda: bare(judges, ready)), ("evaluate", lambda: folders.evaluate_folder(pictures, photos, Silent(), class_noun="dog"))):
                began = time.perf_counter(), time.process_time()
                step()
                seconds[name].append((time.perf_counter() - began[0], time.process_time() - began[1]))
    best = {name: [min(column) for column in zip(*values[1:])] for name, values in seconds.items()}  # the first round warms up
    return {
        "pictures": count, "size": size, "threads": torch.get_num_threads(), "seconds": {name: values[0] for name, values in best.items()},
        "processor seconds": {name: values[1] for name, values in best.items()},
        "ratio": best["evaluate"][0] / best["bare"][0], "ratio of processor seconds": best["evaluate"][1] / best["bare"][1],
    }  # fmt: skip


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--pictures", type=int, default=1000)
    asked.add_argument("--judges", choices=("embedded", "published"), default="embedded")
    asked.add_argument("--rounds", type=int, default=3)
    options = asked.parse_args()
    if options.judges == "published":
        chosen, pixels = published(), 512
    else:
        chosen, pixels = Judges(load_clip(EMBEDDED / "clip"), load_dino(EMBEDDED / "dino")), 64
    print(json.dumps({"judges": options.judges, **measure(chosen, options.pictures, pixels, options.rounds)}, indent=2))
