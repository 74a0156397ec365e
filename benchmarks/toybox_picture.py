"""Pictures of the toybox for the docs: what the world draws, and what the base does with it.

    python benchmarks/toybox_picture.py world    docs/pictures/toybox.png: every class once, as the base's training set has them
    python benchmarks/toybox_picture.py base     docs/pictures/base.png: held-out combinations, renders above and the base's pictures beneath, three times; then eight prompts
                                                 from left to right with the same noise in each row
"""

import argparse
from pathlib import Path

from PIL import Image

from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.report.grids import contact_sheet
from likeness.toybox.check import held_out_scenes
from likeness.toybox.data import base_scene
from likeness.world.classes import CLASSES
from likeness.world.drawing import draw

COLUMNS = 8
FOLDER = Path("docs/pictures")
ROWS, SAME_NOISE = 3, 3


def world() -> Image.Image:
    wanted, pictures, k = list(CLASSES), [], 0
    while wanted:
        scene = base_scene(7, k)
        noun = scene.objects[0].appearance.class_noun
        if noun in wanted and len(scene.objects) == 1:
            wanted.remove(noun)
            pictures.append(draw(scene, 128))
        k += 1
    return contact_sheet([pictures[n : n + COLUMNS] for n in range(0, len(pictures), COLUMNS)], cell=128)


def base() -> Image.Image:
    scenes, prompts = (list(column) for column in zip(*held_out_scenes(ROWS * COLUMNS)))
    real, made = [draw(scene, 64) for scene in scenes], drawn(prompts, list(range(len(prompts))))
    rows = []
    for row in range(ROWS):
        part = slice(row * COLUMNS, (row + 1) * COLUMNS)
        rows += [real[part], made[part]]
    return contact_sheet([*rows, *(drawn(prompts[:COLUMNS], [seed] * COLUMNS) for seed in range(SAME_NOISE))], cell=80)


def drawn(prompts: list[str], seeds: list[int]) -> list[Image.Image]:
    opened = Base.open("toybox")
    return list(sample(opened, prompts, seeds, **opened.advice["sampling"]))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["world", "base"])
    what = parser.parse_args().what
    FOLDER.mkdir(parents=True, exist_ok=True)
    {"world": world, "base": base}[what]().save(FOLDER / {"world": "toybox.png", "base": "base.png"}[what])


if __name__ == "__main__":
    main()
