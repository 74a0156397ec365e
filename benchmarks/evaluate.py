"""Seconds of scoring a folder of pictures beside the bare forward passes of its encoders on the same pictures.

    python benchmarks/evaluate.py OUT.json [--judges embedded|published] [--pictures 1000] [--rounds 9]

The promise: 1,000 pictures are scored in at most 1.10 times the seconds of the bare forward passes. The seconds are those of the clock. Scoring is what
`likeness evaluate FOLDER --references PHOTOS` does from pictures on disk to scores.json with all intervals: reading and decoding, preprocessing, the encoders,
photos and prompts, distances within a prompt, statistics. Opening the encoders and starting Python are not counted. Bare is every picture encoder on tensors that are
there already, in the same batches and precision, by the same number of torch's threads; pictures that two encoders prepare alike are one tensor, as in scoring.

Scoring decodes in a thread of its own beside the forward passes, so with one thread for torch it may use a second core. Processor seconds of all threads stand beside the
clock's for that: they are what a machine with one core would take, and what a second core hides. `parts` is where they go: each part alone, milliseconds per picture.

A round is half of the bare batches, one scoring, the other half, in one process: a machine that others use slows both alike. Medians and quartiles are of the
rounds' ratios; a round before them warms up. "published" are networks of the shapes of CLIP ViT-B/32 and DINO ViT-S/16 with random weights, at 224 pixels, and
pictures of 512; "embedded" the toybox's judges, at 96, and pictures of 64.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import BitImageProcessorPil, CLIPConfig, CLIPImageProcessorPil, CLIPModel, ViTConfig, ViTModel

from likeness.evaluation import metrics
from likeness.evaluation.encoders import BATCH, CLIP, DINO
from likeness.evaluation.loading import EMBEDDED, PUBLISHED_DINO_PREPROCESSING, load_clip, load_dino
from likeness.evaluation.perceptual import Spread, unit_maps
from likeness.evaluation.preprocessing import prepared
from likeness.workflow import folders
from likeness.workflow.looking import Judges, References, read
from likeness.workflow.progress import Silent
from likeness.world.drawing import draw
from likeness.world.subjects import SUBJECTS, photos_of, prompts_for

SIZE = {"embedded": 64, "published": 512}  # of the pictures
SAMPLE = 64  # pictures that the parts are measured on

Ready = list[tuple[torch.Tensor, torch.Tensor]]  # batches for CLIP and DINO


def embedded() -> Judges:
    return Judges(load_clip(EMBEDDED / "clip"), load_dino(EMBEDDED / "dino"))


def published() -> Judges:
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(vision_config={"patch_size": 32}, projection_dim=512))
    shapes: dict[str, Any] = {"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 224}}
    clip = CLIP(model, load_clip(EMBEDDED / "clip").tokenizer, CLIPImageProcessorPil(**shapes), "CLIP ViT-B/32, random")
    vit = ViTModel(ViTConfig(hidden_size=384, num_attention_heads=6, intermediate_size=1536), add_pooling_layer=False)
    return Judges(clip, DINO(vit, BitImageProcessorPil.from_dict(PUBLISHED_DINO_PREPROCESSING), "DINO ViT-S/16, random"))  # type: ignore[arg-type]


def draw_folders(scratch: Path, count: int, size: int) -> tuple[Path, Path]:
    """True pictures of all prompts, as a model would have drawn them, with their prompts beside them; and five photos."""
    subject, prompts = SUBJECTS["biscuit"], prompts_for("dog")
    pictures, photos = scratch / "pictures", scratch / "photos"
    pictures.mkdir()
    photos.mkdir()
    for n in range(count):
        prompt = prompts[n % len(prompts)]
        image = draw(prompt.scene(subject.appearance, n), 64).resize((size, size), Image.Resampling.BICUBIC)
        image.save(pictures / f"{n:04d}.png")
        (pictures / f"{n:04d}.txt").write_text(prompt.template.format("dog"))
    for n, scene in enumerate(photos_of(subject)):
        draw(scene, size).save(photos / f"{n}.png")
    return pictures, photos


def made_ready(files: Sequence[Path], judges: Judges) -> Ready:
    ready = []
    for first in range(0, len(files), BATCH):
        images = [read(file) for file in files[first : first + BATCH]]
        shown = judges.clip.pixels(images)
        ready.append((shown, shown if judges.dino.preparation == judges.clip.preparation else judges.dino.pixels(images)))
    return ready


@torch.no_grad()
def bare(judges: Judges, ready: Ready) -> None:
    for for_clip, for_dino in ready:
        judges.clip.embed(for_clip)
        judges.dino.embed(for_dino)


def measure(judges: Judges, count: int, size: int, rounds: int) -> dict[str, Any]:
    folders.open_judges = lambda *_: replace(judges)  # type: ignore[assignment]  # opened once, since random weights lie in no folder; no text is known from the round before
    with tempfile.TemporaryDirectory() as scratch:
        pictures, photos = draw_folders(Path(scratch), count, size)
        ready = made_ready(sorted(pictures.glob("*.png")), judges)
        half = len(ready) // 2
        taken = []
        for n in range(1 + rounds):
            before = spent(lambda: bare(judges, ready[:half]))
            scoring = spent(lambda: folders.evaluate_folder(pictures, photos, Silent(), class_noun="dog"))
            after = spent(lambda: bare(judges, ready[half:]))
            taken.append({"bare": [a + b for a, b in zip(before, after)], "scoring": scoring})
            print(f"round {n}: {scoring[0] / taken[-1]['bare'][0]:.3f} by the clock, {scoring[1] / taken[-1]['bare'][1]:.3f} in processor seconds", flush=True)
        parts = parts_of(judges, pictures, photos, ready)
    found: dict[str, Any] = {"pictures": count, "size": size, "rounds": rounds, "threads": torch.get_num_threads(), "parts": parts}
    for column, name in enumerate(("clock", "processor")):
        ratios = sorted(each["scoring"][column] / each["bare"][column] for each in taken[1:])
        seconds = {side: statistics.median(each[side][column] for each in taken[1:]) for side in ("bare", "scoring")}
        found[name] = {"seconds": seconds, "ratio": statistics.median(ratios), "quartiles": [ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]]}
    return found


def spent(run: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the clock, and of processors in all threads."""
    began = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - began[0], time.process_time() - began[1]


def parts_of(judges: Judges, pictures: Path, photos: Path, ready: Ready) -> dict[str, float]:
    """Processor milliseconds per picture of everything that scoring does, each part alone; what is done once per folder is divided by all pictures."""
    files = sorted(pictures.glob("*.png"))
    sample, few = files[:SAMPLE], ready[: SAMPLE // BATCH]
    images = [read(file) for file in sample]
    processors = {encoder.preparation: encoder.processor for encoder in (judges.clip, judges.dino)}.values()
    maps = [judges.dino.embed_with_maps(shown)[1] for _, shown in few]
    prompts = [file.with_suffix(".txt").read_text() for file in files]
    seen = folders.look([folders.Asked(file.name, prompt, prompt, n) for n, (file, prompt) in enumerate(zip(files, prompts))], files, judges)
    judges.texts(prompts)
    known = References.of([read(file) for file in photos.glob("*.png")], judges)

    def distances() -> None:
        spread = Spread(prompts)
        for n, each in enumerate(maps):
            spread.add(prompts[n * BATCH :][:BATCH], unit_maps(each))

    def rest() -> None:
        shown = folders.files_in(pictures)
        folders.captions_of(pictures, shown)
        folders.counts_of(seen, list(folders.pictures_in(photos).items()))
        folders.write_json(pictures / "scores.json", {"rows": folders.rows_of_folder(seen, judges, known, "dog")})

    each: dict[str, tuple[Callable[[], Any], int]] = {
        "the bare forward": (lambda: bare(judges, few), len(sample)),
        "reading and decoding": (lambda: [read(file) for file in sample], len(sample)),
        "preprocessing": (lambda: [prepared(processor, image) for image in images for processor in processors], len(sample)),
        "thumbnails, blank pictures": (lambda: [(metrics.thumbnail(image), metrics.is_blank(image)) for image in images], len(sample)),
        "distances within a prompt": (distances, len(sample)),
        "five photos": (lambda: References.of([read(file) for file in photos.glob("*.png")], judges), len(files)),
        "prompts": (lambda: replace(judges).texts(prompts), len(files)),
        "captions, statistics, scores.json": (rest, len(files)),
    }
    return {name: 1000 * statistics.median(spent(run)[1] for _ in range(5)) / count for name, (run, count) in each.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--judges", choices=tuple(SIZE), default="embedded")
    parser.add_argument("--pictures", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    judges = published() if asked.judges == "published" else embedded()
    found = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    found[asked.judges] = measure(judges, asked.pictures, SIZE[asked.judges], asked.rounds)
    print(json.dumps(found[asked.judges], indent=1))
    asked.out.write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
