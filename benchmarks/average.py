"""What the moving average does to the base's U-Net: the weights that were trained beside the average that followed them.

    python benchmarks/average.py OUT.json FOLDER [--checkpoint FOLDER/unet.safetensors] [--pictures 256]

FOLDER is one of `likeness pretrain`. Both are asked the same: to denoise renders that neither saw, at the same timesteps through the same noise, and to draw held-out combinations from the same noise.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch
from guidance import CHOSEN_ON
from safetensors import safe_open
from safetensors.torch import load_file

from likeness.evaluation.aesthetic import load_aesthetic_head
from likeness.evaluation.loading import EMBEDDED, load_clip
from likeness.evaluation.statistics import bootstrap, paired_difference
from likeness.learning.denoising import Examples, noised, target
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.toybox import models
from likeness.toybox.asked_scenes import held_out_scenes
from likeness.toybox.base_training import TextToImage
from likeness.toybox.check import facts, right
from likeness.toybox.loop import under
from likeness.workflow.progress import Progress
from likeness.world.drawing import draw

BATCH = 16


@torch.no_grad()
def errors(base: Base, examples: Examples) -> list[float]:
    """Mean squared error of each example."""
    found = []
    for start in range(0, len(examples), BATCH):
        part = examples[start : start + BATCH]
        said = base.condition(part.prompts)
        found.append((base.predict(noised(base, part), part.timesteps, said) - target(base, part)).square().mean((1, 2, 3)))
    return torch.cat(found).tolist()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="another than the folder's last")
    parser.add_argument("--pictures", type=int, default=256)
    asked = parser.parse_args()
    checkpoint = asked.checkpoint or asked.folder / "unet.safetensors"
    with safe_open(checkpoint, "pt") as file:
        step = int(file.metadata()["step"])
    tensors, base = load_file(checkpoint), Base.open(str(asked.folder / "base"))
    clip = load_clip(EMBEDDED / "clip")
    head = load_aesthetic_head(EMBEDDED / "aesthetic.safetensors", clip)
    scenes, prompts = (list(column) for column in zip(*held_out_scenes(asked.pictures, CHOSEN_ON)))
    mean, _ = base.moments([draw(scene, models.SIZE) for scene in scenes])
    examples = Examples.with_noise(base, mean, tuple(prompts), torch.Generator().manual_seed(0))
    found: dict[str, dict[str, list[float]]] = {}
    with Progress().task("pictures", 2 * asked.pictures) as task:
        for which in ("network", "average"):
            TextToImage(base.text_encoders["text_encoder"], base.unet).load_state_dict(under(f"{which}/", tensors))
            drawn = []
            for picture in sample(base, prompts, list(range(len(prompts))), **base.advice["sampling"]):
                drawn.append(picture)
                task.advance()
            hits = right(clip, drawn, "class", facts(scenes, "class"))
            found[which] = {"denoising": errors(base, examples), "class": list(map(float, hits)), "looks": head.scores(clip.pictures(drawn)).tolist()}
    lines = {}
    for score, average in found["average"].items():
        network = found["network"][score]
        lines[score] = {"network": bootstrap(network), "average": bootstrap(average), "average less network": paired_difference(average, network)}
        print(f"{score}: " + ", ".join(f"{name} {e.value:.4f} [{e.low:.4f}, {e.high:.4f}]" for name, e in lines[score].items()))
    figures = {score: {name: asdict(estimate) for name, estimate in line.items()} for score, line in lines.items()}
    asked.out.write_text(json.dumps({"step": step, "pictures": asked.pictures, **figures}, indent=1) + "\n")


if __name__ == "__main__":
    main()
