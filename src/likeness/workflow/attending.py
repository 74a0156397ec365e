"""Where each checkpoint of a run looks for the words of a prompt: two panels, and a number for how far the words' maps have become alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from ..evaluation.metrics import alike
from ..evaluation.statistics import Estimate, bootstrap
from ..files.errors import UserError
from ..files.run_folder import RunFolder
from ..model.base import Base
from ..model.trajectory import Step, initial_latents, walk
from ..report.grids import contact_sheet
from ..sampling.dreamblend import blended_walk
from ..sampling.looking import looked, words_of
from ..sampling.options import Blend
from ..sampling.steering import Prompts
from .generating import check_blend, checkpoint_of, guide_of, jobs_for
from .progress import Progress
from .stack import device_for, method_class, put_on, read_card

EMPTY_WORDS = {"a", "an", "the", "of", "on", "in", "at", "to", "by", "with", "next", "and", "its", "top", "photo"}  # of them no place is asked
MOST_TIMES = 6  # columns of the panel over the steps
MOST_SEEDS = 8


@dataclass(frozen=True)
class Column:
    """One model's walk: a checkpoint (0: the base), guided by another or not."""

    checkpoint: int
    guide: int | None
    words: list[str]
    picture: Image.Image  # of the first seed
    maps: np.ndarray  # of the first seed, [steps, words, height, width]
    timesteps: list[int]
    alike: Estimate  # over seeds, of the mean over steps
    over_steps: list[float]

    @property
    def title(self) -> str:
        if self.guide is None:
            return f"step {self.checkpoint}" if self.checkpoint else "base"
        return f"step {self.checkpoint} guided by {self.guide or 'base'}"


def attend(
    run: RunFolder, template: str, seeds: Sequence[int], progress: Progress, checkpoints: Sequence[int | None], guide: int | None = None,
    how: Blend | None = None, base_name: str | None = None,
) -> list[Column]:  # fmt: skip
    """Draw a prompt with the base and each of the checkpoints from the same noise, the last of them guided too if asked, and write what they attend to.

    checkpoints  steps; None is the last
    guide        the step whose attention guides the last of them (DreamBlend), 0 for the base
    """
    chosen = [checkpoint_of(run, step) for step in checkpoints]
    card = read_card(chosen[-1])
    if card["sampling"].get("sampler", "DDIM") != "DDIM":
        raise UserError(f"attention: {run.path} was distilled to draw in few steps. Ask the run beneath it.")
    if not 1 <= len(seeds) <= MOST_SEEDS:
        raise UserError(f"--seeds: {len(seeds)} pictures are kept in memory together. Give 1 to {MOST_SEEDS} seeds.")
    check_blend(guide, how)
    guide_of(run, chosen[-1], guide, ())
    prompt = jobs_for([template], [card["subject"], *card.get("others", [])], seeds[:1])[0].prompt
    new_words = any(method_class(entry["method"]).Spec.new_words for entry in card["stages"])  # which the base could not read
    asked: list[tuple[int, int | None]] = [] if new_words else [(0, None)]
    asked += [(checkpoint.step, None) for checkpoint in chosen] + ([] if guide is None else [(chosen[-1].step, guide)])
    columns = []
    with progress.task("walks", len(asked)) as task:
        for step, by in asked:
            columns.append(_column(run, base_name or card["base"]["name"], prompt, seeds, card["sampling"], step, by, how or Blend()))
            task.advance(note=columns[-1].title)
    kept = {"prompt": prompt, "seeds": list(seeds), "words": columns[-1].words, "columns": [_content(column) for column in columns]}
    run.write_attention(prompt, {"checkpoints": over_checkpoints(columns), "steps": over_steps(columns[-1])}, kept)
    return columns


def _column(run: RunFolder, base_name: str, prompt: str, seeds: Sequence[int], sampling: dict[str, Any], step: int, guide: int | None, how: Blend) -> Column:
    base = _model(run, base_name, step)
    words = [(word, where) for word, where in words_of(base, prompt) if word.lower().strip(".,!") not in EMPTY_WORDS]
    if len(words) < 2:
        raise UserError(f"attention: {prompt!r} has {'one word' if words else 'no word'} of which a place can be asked; maps are compared in pairs. Say where the subject is.")
    asked = Prompts([prompt] * len(seeds))
    found = looked(base, _walk(run, base, base_name, asked, seeds, sampling, guide, how), prompt, len(seeds))
    rows = [n for n, (word, _) in enumerate(words_of(base, prompt)) if word in dict(words)]
    maps = found.maps[:, :, rows]  # [steps, b, words, h, w]
    each = np.array([[alike(one.reshape(len(rows), -1)) for one in pictures] for pictures in maps])  # [steps, b]
    times = base.sampler()
    times.set_timesteps(sampling["steps"])
    return Column(step, guide, [word for word, _ in words], base.decode(found.latents[:1])[0], maps[:, 0], times.timesteps.tolist(), bootstrap(each.mean(0)), each.mean(1).tolist())


def _walk(run: RunFolder, base: Base, base_name: str, asked: Prompts, seeds: Sequence[int], sampling: dict[str, Any], guide: int | None, how: Blend) -> Iterator[Step]:
    latents, steps, scale, eta = initial_latents(base, seeds), sampling["steps"], sampling["guidance_scale"], sampling.get("eta", 0.0)
    if guide is not None:
        return blended_walk(_model(run, base_name, guide), base, asked, latents, steps, scale, how, eta, seeds)
    with torch.no_grad():
        told = asked.condition(base)
    return walk(base, latents, told[len(seeds) :], told[: len(seeds)], steps, scale, eta, seeds)


def _model(run: RunFolder, base_name: str, step: int) -> Base:
    base = Base.open(base_name, device_for())
    if step:
        put_on(base, checkpoint_of(run, step))
    return base


def over_checkpoints(columns: Sequence[Column]) -> Image.Image:
    """Figure 3 of DreamBlend: a column a model, its picture above the words' maps, each the mean over the steps."""
    rows = [[column.picture for column in columns]]
    rows += [[heat(column.maps[:, n].mean(0)) for column in columns] for n in range(len(columns[0].words))]
    return contact_sheet(rows, ["picture", *columns[-1].words], [f"{column.title} alike {round(column.alike.value, 2) + 0.0:.2f}" for column in columns])


def over_steps(column: Column) -> Image.Image:
    """The words' maps of one model, from noise to picture."""
    steps = len(column.maps)
    shown = sorted({round(n * (steps - 1) / (MOST_TIMES - 1)) for n in range(MOST_TIMES)})
    rows = [[heat(column.maps[step, n]) for step in shown] for n in range(len(column.words))]
    return contact_sheet(rows, column.words, [f"t = {column.timesteps[step]} alike {round(column.over_steps[step], 2) + 0.0:.2f}" for step in shown])


def heat(values: np.ndarray, side: int = 128) -> Image.Image:
    """A map as a picture, dark where it is 0 and bright where it is highest. [h, w]"""
    grey = Image.fromarray((255 * values / max(values.max(), 1e-12)).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    return ImageOps.colorize(grey, black="#10142b", mid="#b4570f", white="#fff3d0")


def _content(column: Column) -> dict[str, Any]:
    return {"title": column.title, "checkpoint": column.checkpoint, "guide": column.guide, "alike": asdict(column.alike), "timesteps": column.timesteps, "over_steps": [round(value, 4) for value in column.over_steps]}


def table(columns: Sequence[Column]) -> str:
    """How alike the words' maps are, a line a model."""
    lines = [f"{'model':28} how alike the words' maps are (mean correlation; 1: one map for all)"]
    return "\n".join([*lines, *(f"{column.title:28} {column.alike}" for column in columns)])
