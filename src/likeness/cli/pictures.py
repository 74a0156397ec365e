"""Pictures that a run draws: the first of all, and new scenes."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from ..files.errors import UserError
from ..files.typed import encoders_for, typed
from ..sampling.options import Blend
from .shared import Blending, MovedBase, Runs, app, moved_to, parse_seeds, progress, run_at, step_or_choose


@app.command
def demo(runs: Runs = Path("runs"), *, subject: str = "biscuit", seed: int = 0) -> None:
    """Teach the toybox a bundled subject, draw it in new scenes, score it, write a page. Two CPU cores, no network.

    Parameters
    ----------
    subject
        One of `likeness toybox subjects`.
    seed
        Same seed, same pictures.
    """
    from ..workflow.demo import demo as show

    if seed < 0:
        raise UserError(f"--seed {seed}: must be 0 or more.")
    page = show(runs, subject, seed, progress())
    print(f"open in a browser: {page}")
    print("next, with your own photos: likeness train dreambooth PHOTOS --class-noun dog")


@app.command
def generate(
    run: Path, *prompts: str, seeds: str = "0-3", checkpoint: str | None = None, steps: int | None = None, guidance_scale: float | None = None,
    eta: float | None = None, negative_prompt: str = "", base: MovedBase = None, beside_base: bool = True,
    with_: Annotated[tuple[str, ...], Parameter(name="--with", negative=())] = (), guide: str | None = None,
    blend: Blending = Blend(), drift: Annotated[bool, Parameter(negative=())] = False,
    upscaler: str | None = None, noise_level: int | None = None,
) -> None:  # fmt: skip
    """Draw a run's subject: likeness generate RUN "a {} on the beach" --seeds 0-3

    Parameters
    ----------
    run
        Folder of the run.
    prompts
        Prompts with {} where the subject belongs. Default: four new scenes.
    seeds
        Such as 0-3 or 1,5,7: one picture of each prompt for each.
    checkpoint
        Step of the checkpoint, several such as 100,200, or all. Default: the last.
    steps
        Sampling steps. Default: what the base wants.
    guidance_scale
        Classifier-free guidance. Default: what the base wants.
    eta
        How much noise DDIM adds on its way, as a share of DDPM's: 0 and the first noise decides alone, 1 draws as DDPM (Custom Diffusion's protocol). Default: what the base wants, else 0.
    negative_prompt
        What the pictures should not show.
    beside_base
        Also draw what the base makes of the class noun, from the same noise.
    with_
        Another run whose LoRA is added, and how strongly: --with RUN:0.8. May be given several times.
    guide
        DreamBlend: the step of an earlier checkpoint, whose layout the picture takes; 0 is the base itself. The run needs --checkpoints.
        Or choose: the least learned guides the most learned (or --checkpoint), as `likeness choose` scored them.
    drift
        Draw what training should have left alone instead: other things with each seed and the class alone, by the run and by the base. `evaluate` then says how far they moved.
    upscaler
        A super-resolution stage that enlarges the pictures of a run which trained none: toybox, a folder or a hub id. It is told the class noun alone.
    noise_level
        How much a picture is noised before it is enlarged; more leaves more to be made up. Default: what the run was given.
    """
    from ..workflow.choosing import to_blend
    from ..workflow.generating import NEW_SCENES, steps_to_draw
    from ..workflow.generating import generate as draw

    if drift and (prompts or with_ or guide is not None):
        raise UserError("generate: --drift has prompts of its own and is about this run alone. Leave out prompts, --with and --guide.")
    opened, written = run_at(run), 0
    for step in (chosen := steps_to_draw(opened, checkpoint)):
        guiding = step_or_choose(guide)
        if guiding == "choose":
            guiding, step = to_blend(opened, step)
            progress().say(f"checkpoint {guiding} guides checkpoint {step}")
        written += len(draw(
            opened, prompts or NEW_SCENES, parse_seeds(seeds), progress(), step=step, steps=steps, guidance_scale=guidance_scale, eta=eta,
            negative=negative_prompt, beside_base=beside_base, base_name=base, others=[_weighted(each) for each in with_],
            guide=guiding, how=blend, drift=drift, upscaler=upscaler, noise_level=noise_level,
        ))  # fmt: skip
    print(f"{written} new pictures in {run / ('drift' if drift else 'pictures')}")
    if not any(picture.labels.get("model") == "personalized" and not picture.with_others for picture in opened.pictures()):  # evaluate scores them, or nothing
        print(f"next, for evaluate needs pictures of this run alone too: likeness generate {typed(run)}{moved_to(base)}")
        return
    if not any(photo.image for photo in opened.photos()):  # imported without
        print(f"next: likeness report {typed(run)}")
        return
    judges = encoders_for(str(opened.record().base))
    of_checkpoints = len(chosen) > 1 and not (drift or with_ or guide)
    print(f"next: likeness {'choose' if of_checkpoints else 'evaluate'} {typed(run)}{judges}{moved_to(base if of_checkpoints else None)}")


def _weighted(text: str) -> Any:
    """ "RUN:0.8" as a run and a strength; 1 where none is given."""
    if Path(text).is_dir():  # a colon may be a drive's
        return run_at(Path(text)), 1.0
    path, colon, number = text.rpartition(":")
    with suppress(ValueError):
        strength = float(number) if colon else 1.0
        if math.isfinite(strength):
            return run_at(Path(path if colon else text)), strength
    raise UserError(f"--with {text!r}: must be a run's folder, or a folder and a strength such as RUN:0.8.")
