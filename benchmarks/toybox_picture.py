"""docs/pictures/toybox.png: scenes of the toybox world, every class once, as the base's training set has them.

    python benchmarks/toybox_picture.py
"""

from pathlib import Path

from likeness.report.grids import contact_sheet
from likeness.toybox.data import base_scene
from likeness.world.classes import CLASSES
from likeness.world.drawing import draw

COLUMNS = 8


def main() -> None:
    wanted, pictures, k = list(CLASSES), [], 0
    while wanted:
        scene = base_scene(7, k)
        noun = scene.objects[0].appearance.class_noun
        if noun in wanted and len(scene.objects) == 1:
            wanted.remove(noun)
            pictures.append(draw(scene, 128))
        k += 1
    out = Path("docs/pictures/toybox.png")
    out.parent.mkdir(parents=True, exist_ok=True)
    contact_sheet([pictures[n : n + COLUMNS] for n in range(0, len(pictures), COLUMNS)], cell=128).save(out)


if __name__ == "__main__":
    main()
