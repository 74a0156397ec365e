"""Which checkpoint of a run to take: the missing pictures, their scores, and the choice."""

from __future__ import annotations

from collections.abc import Sequence

from ..evaluation.operating_points import Choice, choose_checkpoint
from ..evaluation.options import Encoders
from ..files.errors import UserError
from ..files.recipe import evenly
from ..files.run_folder import RunFolder
from ..files.typed import typed
from .evaluating import evaluate
from .generating import NEW_SCENES, generate
from .looking import open_judges
from .progress import Progress
from .stack import stage_types


def choose(
    run: RunFolder, templates: Sequence[str], seeds: Sequence[int], progress: Progress, encoders: Encoders = Encoders(), base_name: str | None = None
) -> Choice:  # fmt: skip
    """Draw every checkpoint with the same prompts and noise, score all, and choose.

    templates  prompts with {}; none takes those that the run has pictures of, or new scenes
    base_name  where its base lies now, if elsewhere than the recipe says
    """
    steps = [checkpoint.step for checkpoint in run.checkpoints()]
    if len(steps) < 2:
        if made := next((how for how in ("imported", "merged") if how in (run.record().lineage or {})), None):
            raise UserError(f"{run.path}: was {made}, not trained, and has no checkpoints to choose from. Draw it as it is: likeness generate {typed(run.path)}")
        kept = f"only the checkpoint of step {steps[0]}" if steps else "no checkpoint yet"
        raise UserError(f"{run.path}: has {kept}, so there is nothing to choose from. Train with several: likeness train … --checkpoints {evenly(max(50, run.recipe(stage_types()).stages[-1].steps))}")
    open_judges(run.recipe(stage_types()).base, encoders)  # before hours of drawing
    asked = templates or list(dict.fromkeys(p.settings.prompt for p in run.pictures() if p.labels.get("model") == "personalized" and not p.with_others)) or NEW_SCENES
    with progress.task("checkpoints", len(steps)) as task:
        for step in steps:
            generate(run, asked, seeds, progress, step=step, beside_base=step == steps[0], base_name=base_name)
            task.advance(note=f"step {step}")
    choice = choose_checkpoint(evaluate(run, progress, encoders)["each"])
    if choice is None:
        raise UserError(f"{run.path}: its checkpoints have no picture of the same prompt and seed. Draw them: likeness generate {typed(run.path)} --checkpoint all")
    return choice


def to_blend(run: RunFolder, edit: int | None = None) -> tuple[int, int]:
    """The checkpoints to blend, (guidance, edit), by what `choose` has scored: the least learned guides the most learned, or the one that is given."""
    choice = choose_checkpoint((run.scores() or {}).get("each", []))
    if choice is None:
        raise UserError(f"--guide choose: {run.path} has no scores of several checkpoints yet. Score them first: likeness choose {typed(run.path)}")
    edit = choice.overfit if edit is None else edit
    if choice.underfit >= edit:
        raise UserError(
            f"--guide choose: the checkpoint that follows prompts best, {choice.underfit}, is no earlier than the one to guide, {edit}, so there is nothing that it "
            f"has lost. Draw {choice.step} unguided, or give a step: --guide {min(point.step for point in choice.points)} --checkpoint {max(point.step for point in choice.points)}"
        )
    return choice.underfit, edit


def table(choice: Choice) -> str:
    """Each checkpoint's scores, what lies on the front, and the choice with its reason."""
    wide = max(24, *(len(str(score)) for point in choice.points for score in (point.subject, point.prompt, point.f1)))
    lines = [f"{'step':>6}  {'likeness (DINO)':{wide}} {'obedience (CLIP-T)':{wide}} {'F1':{wide}}"]
    for point in choice.points:
        marks = [word for word, step in (("least learned", choice.underfit), ("most learned", choice.overfit), ("take this", choice.step)) if step == point.step]
        front = "" if point.best else "another is better in both"
        lines.append(f"{point.step:>6}  {point.subject!s:{wide}} {point.prompt!s:{wide}} {point.f1!s:{wide}} {', '.join(marks) or front}".rstrip())
    return "\n".join([*lines, choice.reason])
