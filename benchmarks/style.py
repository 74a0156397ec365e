"""A style taught to a LoRA: pictures captioned with what they show and not with how they are painted.

    python benchmarks/style.py OUT.json [--style watercolour] [--runs DIR] [--pictures 12] [--set k=v …]

Drawn by the world: scenes of other subjects, all in one style. Then plain prompts ("a cat in the jungle") are drawn with the LoRA and by the base, and
the judge is asked which style each picture has and where it is. The base asked for the style in words, and true renders, stand beside.
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from PIL import Image

from likeness.evaluation.statistics import wilson
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.toybox.check import answered, named
from likeness.workflow.fitting import fit
from likeness.workflow.looking import open_judges
from likeness.workflow.progress import Progress
from likeness.workflow.recipes import recipe_for
from likeness.workflow.stack import put_on
from likeness.world.captions import article
from likeness.world.classes import CLASSES
from likeness.world.contexts import CONTEXTS
from likeness.world.drawing import draw
from likeness.world.random_scenes import NAMED_CONTEXTS, random_appearance, random_light, random_placement
from likeness.world.scene import Scene

WORDS = {"watercolour": "a watercolour painting of {}", "pencil": "a pencil drawing of {}", "pixel art": "pixel art of {}", "oil painting": "an oil painting of {}"}
ASKED = 40  # prompts drawn


def scenes(count: int, seed: int) -> list[tuple[Scene, str]]:
    """Scenes of random individuals in random places, and what a plain caption says of them."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        noun, place = str(rng.choice(list(CLASSES))), str(rng.choice(NAMED_CONTEXTS))
        placed = random_placement(rng, random_appearance(rng, noun), 0.5, 0.65)
        found.append((Scene((placed,), place, seed=int(rng.integers(2**31)), **random_light(rng)), f"{article(noun)} {CONTEXTS[place].words}"))
    return found


def folder_of(style: str, count: int, at: Path) -> Path:
    """A captioned folder, as a person would bring it."""
    folder = at / style.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    for n, (scene, caption) in enumerate(scenes(count, 1)):
        draw(replace(scene, style=style), 64).save(folder / f"{n:02d}.png")
        (folder / f"{n:02d}.txt").write_text(caption)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--style", default="watercolour", choices=list(WORDS))
    parser.add_argument("--runs", type=Path, default=Path("runs/style"))
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--set", nargs="*", default=[], dest="options")
    asked = parser.parse_args()
    options = {key: json.loads(value) for key, _, value in (o.partition("=") for o in asked.options)}
    photos = {"photos": str(folder_of(asked.style, asked.pictures, asked.runs))}
    run = fit(recipe_for("lora", {"use_captions": True, **options}, photos), asked.runs, Progress(), name="style")
    shown = scenes(ASKED, 2)
    prompts, seeds = [caption for _, caption in shown], list(range(ASKED))
    base = Base.open("toybox")
    wanted = base.advice["sampling"]
    images = {
        "base, plain prompts": list(sample(base, prompts, seeds, **wanted)),
        "base, told the style in words": list(sample(base, [WORDS[asked.style].format(prompt) for prompt in prompts], seeds, **wanted)),
    }
    put_on(base, run.latest())  # type: ignore[arg-type]
    images[f"LoRA of {asked.pictures} pictures, plain prompts"] = list(sample(base, prompts, seeds, **wanted))
    images["true renders in the style"] = [draw(replace(scene, style=asked.style), 64) for scene, _ in shown]
    clip, lines = open_judges("toybox").clip, []
    for kind, pictures in images.items():
        texts = [[f"{caption.split(' ', 2)[0]} {caption.split(' ', 2)[1]} {CONTEXTS[place].words}" for place in NAMED_CONTEXTS] for _, caption in shown]
        right = named(clip, clip.pictures(pictures), texts) == [NAMED_CONTEXTS.index(scene.context) for scene, _ in shown]
        lines.append({"kind": kind, "styled": asdict(answered(clip, pictures, "style", [(caption.split(" ", 2)[1], asked.style) for _, caption in shown])), "placed": asdict(wilson(int(right.sum()), ASKED))})
        print(f"{kind:40} in the style {lines[-1]['styled']['value']:.3f}  placed {lines[-1]['placed']['value']:.3f}")
    sheet = Image.new("RGB", (8 * 64, len(images) * 64))
    for row, pictures in enumerate(images.values()):
        for column, picture in enumerate(pictures[:8]):
            sheet.paste(picture, (column * 64, row * 64))
    sheet.resize((2 * sheet.width, 2 * sheet.height)).save(asked.out.with_suffix(".png"))
    asked.out.write_text(json.dumps({"style": asked.style, "lines": lines}, indent=1) + "\n")


if __name__ == "__main__":
    main()
