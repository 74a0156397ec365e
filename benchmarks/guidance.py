"""What guidance, and noise on the way, give the embedded base and what they take: right things, and how varied a prompt's pictures are.

    python benchmarks/guidance.py OUT.json [--ways 1:0,2:0,4:0,2:1,3:1,4:1] [--pictures 256]

Ways are guidance scales and η of DDIM. Held-out combinations, the same noise for every way. As `likeness pretrain --check` measures: shares of pictures with the right class and colour, the spread of a prompt's pictures as a share
of the world's, and how much of the border's colour the seed decides.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from PIL import Image

from likeness.evaluation.loading import EMBEDDED, load_clip, load_dino
from likeness.model.base import Base
from likeness.model.trajectory import sample
from likeness.toybox.check import answered, by_seed, facts, held_out_scenes, spread_of
from likeness.toybox.variety import seed_cast
from likeness.workflow.progress import Progress

CHOSEN_ON = 20_260  # scenes that settings are chosen on; the check has others


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--ways", default="1:0,2:0,4:0,2:1,3:1,4:1")
    parser.add_argument("--pictures", type=int, default=256)
    asked = parser.parse_args()
    base, clip, dino = Base.open("toybox"), load_clip(EMBEDDED / "clip"), load_dino(EMBEDDED / "dino")
    scenes, prompts = (list(column) for column in zip(*held_out_scenes(asked.pictures, CHOSEN_ON)))
    ways, lines = [tuple(map(float, way.split(":"))) for way in asked.ways.split(",")], []
    with Progress().task("ways", len(ways)) as task:
        for scale, eta in ways:

            def generated(texts: list[str], seeds: Sequence[int] | None = None, scale: float = scale, eta: float = eta) -> list[Image.Image]:
                return list(sample(base, texts, list(seeds or range(len(texts))), **{**base.advice["sampling"], "guidance_scale": scale, "eta": eta}))

            drawn = generated(prompts)
            found = {question: answered(clip, drawn, question, facts(scenes, question), prompts) for question in ("class", "colour")}
            found |= {"spread": spread_of(dino, generated, 24, CHOSEN_ON), "cast": seed_cast(by_seed(generated, 16, CHOSEN_ON))}
            lines.append({"scale": scale, "eta": eta, **{name: asdict(estimate) for name, estimate in found.items()}})
            asked.out.write_text("[\n" + ",\n".join(json.dumps(line) for line in lines) + "\n]\n", encoding="utf-8")
            task.advance(note=f"{scale:g}, η {eta:g}: " + ", ".join(f"{name} {estimate}" for name, estimate in found.items()))


if __name__ == "__main__":
    main()
