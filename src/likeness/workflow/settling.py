"""Ends a run when its checkpoints get no better: each kept one draws a few fixed prompts and is scored while the run trains.

What decides is read back from the run's pictures, so that a run which was stopped decides as one that was not. Drawing uses no randomness of training and
changes no weight. The pictures stay with the run, for `likeness choose` and its page.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from ..evaluation import metrics
from ..evaluation.operating_points import choose_checkpoint
from ..evaluation.options import Encoders
from ..files.errors import UserError
from ..files.picture import Settings
from ..files.recipe import Recipe
from ..files.run_folder import RunFolder
from ..learning.method import Method
from ..model.base import Base
from .drawing import drawn
from .generating import NEW_SCENES, Job, drawn_as, jobs_for
from .looking import Judges, References, open_judges
from .progress import Progress
from .stack import names_after, sampling_of

SEEDS = (0, 1)  # with the scenes one batch of drawing: its pictures are computed together or not at all


def check_settling(recipe: Recipe) -> None:
    """Refuse a recipe that could not be judged, before anything is loaded."""
    if recipe.settle:
        try:
            open_judges(recipe.base, Encoders(clip=recipe.settle.clip, dino=recipe.settle.dino))
        except UserError as problem:
            raise UserError(f"settle: {str(problem).removeprefix('evaluate: ')}") from None


@dataclass
class Settling:
    """Judges a run's checkpoints as they come. `ended`: the reason, once the run has settled."""

    run: RunFolder
    recipe: Recipe
    base: Base
    progress: Progress
    judges: Judges
    references: References
    scored: dict[int, list[dict[str, Any]]] = field(default_factory=dict)  # by step, a line a picture
    ended: str | None = None

    @classmethod
    def of(cls, run: RunFolder, recipe: Recipe, base: Base, progress: Progress) -> Settling | None:
        """None where the recipe does not ask for it."""
        if recipe.settle is None:
            return None
        judges = open_judges(recipe.base, Encoders(clip=recipe.settle.clip, dino=recipe.settle.dino))
        photos = [photo.image for photo in run.photos() if photo.image and photo.subject == 0]
        progress.say(
            f"settling: every checkpoint of the last stage draws {len(NEW_SCENES) * len(SEEDS)} pictures and is scored; {recipe.settle.after} in a row without a higher F1 of likeness and obedience end the run"
        )
        return cls(run, recipe, base, progress, judges, References.of(photos, judges))

    def at(self, step: int, methods: list[Method]) -> str | None:
        """Draw and score what this checkpoint has not been drawn with, and say why the run ends, if it does."""
        began = time.monotonic()
        asked = self._asked(step, methods)
        for kept in [checkpoint.step for checkpoint in self.run.checkpoints() if checkpoint.step <= step]:
            if kept not in self.scored:
                wanted = asked if kept == step else self._asked(kept, methods)
                pictures = self._pictures(wanted, methods if kept == step else None)
                if len(pictures) == len(wanted):
                    self.scored[kept] = self._lines(kept, [job for job, _ in wanted], pictures)
        return self._judged(step, time.monotonic() - began)

    def _asked(self, step: int, methods: list[Method]) -> list[tuple[Job, Settings]]:
        """As `likeness generate` asks for the same prompts of that checkpoint, so that neither draws what the other has."""
        called = names_after(self.recipe, methods)
        subjects = [{"called": name, "class_noun": asked.class_noun} for name, asked in zip(called, self.recipe.subjects)]
        how = sampling_of(self.base, methods)
        return [(job, drawn_as(self.base, job.prompt, job.seed, how, f"{self.run.name}/{step}")) for job in jobs_for(NEW_SCENES, subjects, SEEDS)]

    def _pictures(self, asked: list[tuple[Job, Settings]], methods: list[Method] | None) -> list[Image.Image]:
        """Those that the run has; drawn first, all together, where one is missing and the weights are still there."""
        there = {p.settings.model_dump_json(): p.path for p in self.run.pictures() if p.labels.get("model") == "personalized"}
        missing = [settings for _, settings in asked if settings.model_dump_json() not in there]
        if missing and methods:
            now = drawn(self.base, [s.prompt for _, s in asked], [s.seed for _, s in asked], sampling_of(self.base, methods))
            for picture, (job, settings) in zip(list(now), asked):
                if settings in missing:
                    step = int(str(settings.checkpoint).rpartition("/")[2])
                    path = self.run.add_picture(picture, settings, {"model": "personalized", "class_prompt": job.class_prompt, "checkpoint": step})
                    there[settings.model_dump_json()] = path
        paths = [there[key] for _, settings in asked if (key := settings.model_dump_json()) in there]
        return [Image.open(path).convert("RGB") for path in paths]

    def _lines(self, step: int, jobs: list[Job], pictures: list[Image.Image]) -> list[dict[str, Any]]:
        likeness = metrics.subject_similarity_mean(self.judges.dino.pictures(pictures), self.references.dino)
        obedience = metrics.prompt_similarity(self.judges.clip.pictures(pictures), self.judges.clip.texts([job.class_prompt for job in jobs]))
        return [
            {"step": step, "prompt": job.class_prompt, "seed": job.seed, "dino": float(a), "clip_t_class": float(b)} for job, a, b in zip(jobs, likeness, obedience)
        ]  # fmt: skip

    def _judged(self, step: int, seconds: float) -> str | None:
        assert self.recipe.settle
        choice = choose_checkpoint([line for lines in self.scored.values() for line in lines])
        if choice is None:
            self.progress.say(f"settling: step {step} is the first that is scored; {seconds:.1f} s")
            return None
        now, best = (next(point for point in choice.points if point.step == each) for each in (step, choice.step))
        self.progress.say(f"settling: step {step}: F1 {now.f1}, likeness {now.subject.value:.3f}, obedience {now.prompt.value:.3f}; highest so far at step {best.step}; {seconds:.1f} s")
        waited = sum(point.step > best.step for point in choice.points)
        if waited >= self.recipe.settle.after and step < sum(stage.steps for stage in self.recipe.stages):
            self.ended = f"settled after step {step}: the F1 of likeness and obedience has not risen above {best.f1.value:.3f} of step {best.step} for {waited} checkpoints"
            self.progress.say(self.ended)
        return self.ended
