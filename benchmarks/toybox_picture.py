"""Pictures of the toybox for the docs: what the world draws, and what the base does with it.

    python benchmarks/toybox_picture.py world           docs/pictures/toybox.png: every class once, as the base's training set has them
    python benchmarks/toybox_picture.py base            docs/pictures/base.png: held-out combinations, renders above and the base's pictures beneath, three times; then eight prompts
                                                        from left to right with the same noise in each row
    python benchmarks/toybox_picture.py reconstructed   docs/pictures/reconstructed.png: renders, and what the base's autoencoder keeps of them
    python benchmarks/toybox_picture.py subjects        docs/pictures/subjects.png: the thirty subjects, as `likeness toybox card` shows them
"""

import argparse
from pathlib import Path

from PIL import Image

from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.report.grids import contact_sheet
from likeness.toybox.asked_scenes import held_out_scenes
from likeness.toybox.data import base_scene
from likeness.workflow.card import subjects_sheet
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
    rows += [drawn(prompts[:COLUMNS], [seed] * COLUMNS) for seed in range(SAME_NOISE)]
    return contact_sheet(rows, [*("drawn by the world", "by the base") * ROWS, *("one noise, the first prompts" for _ in range(SAME_NOISE))], cell=80)


def reconstructed() -> Image.Image:
    """Emblems, stripes, glasses, laces and eyes: the first renders that have an emblem or wear something."""
    opened, rows = Base.open("toybox"), []
    detailed = [s for s in (base_scene(7, k) for k in range(400)) if s.objects[0].accessory != "none" or s.objects[0].appearance.emblem != "none"]
    real = [draw(scene, 64) for scene in detailed[: ROWS * COLUMNS]]
    for row in range(ROWS):
        part = real[row * COLUMNS : (row + 1) * COLUMNS]
        rows += [part, opened.decode(opened.moments(part)[0])]
    return contact_sheet(rows, ("drawn by the world", "kept by the autoencoder") * ROWS, cell=128)


def drawn(prompts: list[str], seeds: list[int]) -> list[Image.Image]:
    opened = Base.open("toybox")
    return list(sample(opened, prompts, seeds, **opened.advice["sampling"]))


def main() -> None:
    parser = argparse.ArgumentParser()
    made = {"world": (world, "toybox"), "base": (base, "base"), "reconstructed": (reconstructed, "reconstructed"), "subjects": (lambda: subjects_sheet().quantize(256), "subjects")}
    parser.add_argument("what", choices=made)
    sheet, name = made[parser.parse_args().what]
    FOLDER.mkdir(parents=True, exist_ok=True)
    sheet().save(FOLDER / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
