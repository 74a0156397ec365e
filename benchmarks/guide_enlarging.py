"""What the toybox's second stage makes of true small pictures, by noise level; benchmarks/guide_pictures.py takes it for the guide where a stage is embedded."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from guide_figures import rounded
from PIL import Image

from likeness.evaluation.statistics import bootstrap
from likeness.model.cascade import Upscaler
from likeness.model.folder import TOYBOX_UPSCALER
from likeness.model.trajectory import enlarge
from likeness.toybox.models import ADVICE, SIZE
from likeness.toybox.upscaler_training import STEPS, psnr
from likeness.world.drawing import draw
from likeness.world.subjects import SUBJECTS, photos_of

LEVELS = (0, 10, 50, 100, 200)
SHOWN, SCORED = 6, 24  # pictures


def enlarging_strip() -> dict[str, Any] | None:
    """Rows by level, then the enlargement without a network, then the truth; None where no second stage is embedded."""
    if not (TOYBOX_UPSCALER / "model_index.json").exists():
        return None
    upscaler = Upscaler(TOYBOX_UPSCALER, "toybox")
    steps = ADVICE["super_resolution"].get("draw_steps", STEPS)
    scenes = [scene for number in range(SCORED // SHOWN) for subject in list(SUBJECTS.values())[:SHOWN] for scene in photos_of(subject)[number : number + 1]]
    truth = [draw(scene, 2 * SIZE) for scene in scenes]
    small = [picture.resize((SIZE, SIZE), Image.Resampling.BOX) for picture in truth]
    drawn = {level: list(enlarge(upscaler, small, [""] * len(small), range(len(small)), steps, 1.0, level)) for level in LEVELS}
    bicubic = [picture.resize(truth[0].size, Image.Resampling.BICUBIC) for picture in small]
    return {
        "columns": [["photo", n] for n in range(SHOWN)], "tiles": [row[:SHOWN] for row in (*drawn.values(), bicubic, truth)],
        "rows": [{"value": str(level), "psnr": decibels(row, truth)} for level, row in drawn.items()], "bicubic": decibels(bicubic, truth),
        "about": {"steps": steps, "hash": upscaler.hash, "pictures": len(truth)},
    }  # fmt: skip


def decibels(pictures: Sequence[Image.Image], truth: Sequence[Image.Image]) -> dict[str, Any]:
    """Mean peak signal-to-noise ratio, with its interval over pictures."""
    return rounded(asdict(bootstrap([psnr(one, other) for one, other in zip(pictures, truth)])))
