"""The embedded world and base, and a look at this machine."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ..files.errors import UserError
from ..files.typed import flags, typed
from ..toybox.plan import Plan
from .shared import app, parse_seeds

toybox = App(name="toybox", help="The embedded world: its subjects, and pictures of them.")
app.command(toybox)


@app.command
def pretrain(
    plan: Annotated[Plan, Parameter(name="*")] = Plan(), *, stages: str = "all", check: bool = False, install: bool = False,
) -> None:  # fmt: skip
    """Train the toybox's base and judges from nothing; stopped at any moment, the same command goes on.

    On two cores it is hours: the base three (its pictures a quarter of one, its autoencoder as much, its U-Net two and a half), the judge of words one and a half, the other judges
    and the second stage half an hour each. Let it run in the background, `nohup likeness pretrain FOLDER > log &`: every 500 steps it keeps a state to go on from, and every 50 it
    says how many minutes are left. What it draws meanwhile lies in FOLDER/samples. Its pictures take 5 GB of disk, those of the base alone two.

    With a GPU, `--device cuda`: an H100 showed the U-Net five times as many pictures in six minutes (`--unet-batch 1024`), sixteen cores drew for it (`--workers 16`), and the embedded base is what came of it (toybox/README.md).

    Parameters
    ----------
    stages
        all, or some of pictures,vae,text,unet,decoder,upscaler,clip,dino,examiner,export. Pictures are drawn for the other stages that are named; for all, if it is named alone.
    check
        Train nothing; measure the base, the second stage and the judges that the folder holds, or the embedded ones if it holds none, on pictures that they never saw.
    install
        Train nothing; put what the folder holds in place of the embedded base, second stage and judges.
    """
    if check or install:
        if check:
            _measure(plan.folder)
        if install:
            _install(plan)
        return
    from ..report.grids import contact_sheet
    from ..toybox import pretraining

    wanted = pretraining.STAGES if stages == "all" else stages.split(",")
    if unknown := set(wanted) - set(pretraining.STAGES):
        raise UserError(f"--stages: {', '.join(sorted(unknown))} is none of {', '.join(pretraining.STAGES)}.")
    if plan.start_from:
        if not (plan.start_from / "unet").is_dir():
            raise UserError(f"--start-from {plan.start_from}: holds no base (a folder with unet, vae, text_encoder and tokenizer).")
        wanted = [stage for stage in wanted if stage not in ("vae", "text")]  # they come with that base
    pretraining.pretrain(plan, contact_sheet, wanted)
    asked = {field.name: value for field in fields(plan) if field.name != "folder" and (value := getattr(plan, field.name)) != field.default}
    print(f"next: likeness pretrain {typed(plan.folder)} {'--check' if _made(plan.folder) else flags(asked)}".rstrip())


def _made(folder: Path) -> dict[str, Path]:
    """The base, second stage and judges that pretraining has written into a folder."""
    return {name: folder / name for name, part in (("base", "unet"), ("upscaler", "unet"), ("judges", "clip")) if (folder / name / part).is_dir()}


def _measure(folder: Path) -> None:
    from ..toybox.check import PICTURES, check
    from ..workflow.progress import Progress

    found = _made(folder)
    if not found and folder != Plan().folder:
        raise UserError(f"{typed(folder)}: holds no base, second stage or judges. Name the folder of `likeness pretrain`, or none to measure the embedded ones.")
    print("measured: " + (" and ".join(str(path) for path in found.values()) or "the embedded base, second stage and judges"))
    say = print if sys.stdout.isatty() else partial(print, file=sys.stdout, flush=True)  # above the bar, which takes stdout for its own, or into the file
    with Progress().task("pictures of the base", 8 * PICTURES) if "base" in found or not found else nullcontext() as task:
        check(say, found, drawn=task.advance if task else lambda: None)
    print(f"next: likeness pretrain {typed(folder)} --install" if found else "next: likeness toybox card")


def _install(plan: Plan) -> None:
    from ..toybox import pretraining

    if not (names := pretraining.install(plan)):
        raise UserError(f"{typed(plan.folder)}: holds no base, second stage or judges to put in place. Train them: likeness pretrain {typed(plan.folder)}")
    print(f"in place of the embedded: {', '.join(names)}")
    print("next: likeness toybox card")


@toybox.command
def subjects() -> None:
    """List the thirty named subjects."""
    from ..world.subjects import SUBJECTS, photos_of

    for s in SUBJECTS.values():
        print(f"{s.name:10} {len(photos_of(s))} photos  {s.describable}" + ("  (held out for the last measurement)" if s.held_out else ""))
    print("next: likeness train dreambooth toybox:biscuit")


@toybox.command
def draw(subject: str, prompts: tuple[str, ...] = (), /, *, out: Path = Path("toybox-pictures"), size: int = 256, seeds: str = "0-3") -> None:
    """Draw a named subject's photos, or the truth of prompts that the world knows.

    Parameters
    ----------
    subject
        One of `likeness toybox subjects`.
    prompts
        Such as "a {} in the jungle"; none draws the subject's photos.
    out
        Folder for the PNG files.
    size
        Width and height in pixels.
    seeds
        Such as 0-3: one picture of each prompt for each.
    """
    from ..workflow.demo import draw_subject

    if not 8 <= size <= 4096:
        raise UserError(f"--size {size}: must be from 8 to 4096 pixels.")
    paths = draw_subject(subject, prompts, out, size, parse_seeds(seeds))
    print(f"{len(paths)} pictures in {out}")
    print(f"next: likeness train dreambooth toybox:{subject}")


@toybox.command
def card(*, out: Path = Path("toybench")) -> None:
    """Write what the benchmark is: subjects, prompts, protocol, floors and ceilings as these judges measure them, weaknesses. A minute.

    Parameters
    ----------
    out
        Folder for toybench.md and subjects.png.
    """
    from ..workflow.card import write_card
    from .shared import progress

    print(write_card(out, progress()).read_text("utf-8"))
    print(f"pictures: {out / 'subjects.png'}")
    print("next: likeness compare dreambooth lora --subjects toybox:biscuit")


@app.command
def doctor(*, json: bool = False) -> None:
    """Look at this machine: versions, memory, disk, what works and what is missing. Copy its output into an issue.

    Parameters
    ----------
    json
        Print JSON.
    """
    from ..workflow.doctor import examine, healthy, printed

    findings = examine()
    print(printed(findings, json))
    if not healthy(findings):
        sys.exit(1)
