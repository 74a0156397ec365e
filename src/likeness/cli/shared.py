"""What every command uses: the app, the run and the progress bar, and numbers as they are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from ..files.errors import UserError
from ..files.typed import typed
from ..sampling.options import Blend

app = App(
    name="likeness",
    help="Teach a text-to-image diffusion model one subject from three to six photos, draw it in new scenes, and measure how well it worked.",
    version_flags=["--version"],
    help_flags=["--help", "-h"],
)
Runs = Annotated[Path, Parameter(help="Folder that the run's folder is made in.")]
RunsOrBeside = Annotated[Path | None, Parameter(help="Folder that the run's folder is made in. Default: runs; of a stage on a run, where that run lies.")]
MovedBase = Annotated[str | None, Parameter(help="Where the base lies now, if it was moved since training.")]
Blending = Annotated[Blend, Parameter(name="blend")]


MOST_SEEDS = 100_000


def progress():
    from ..workflow.progress import Progress

    return Progress()


def run_at(path: Path):
    from ..files.run_folder import RunFolder

    return RunFolder.open(path)


def moved_to(base: str | None) -> str:
    """ " --base PATH", for the next command to find it too."""
    return f" --base {typed(base)}" if base else ""


def parse_seeds(text: str, flag: str = "--seeds") -> list[int]:
    """ "0-3" or "1,5,7" as numbers."""
    try:
        seeds: list[int] = []
        for part in text.split(","):
            first, _, last = part.partition("-")
            low, high = int(first), int(last or first)
            if high < low:
                raise ValueError
            if len(seeds) + high - low >= MOST_SEEDS:
                raise UserError(f"{flag} {text!r}: is more than {MOST_SEEDS:,} pictures of a prompt. Ask for fewer.")
            seeds += range(low, high + 1)
        return list(dict.fromkeys(seeds))
    except ValueError:
        pass
    raise UserError(f"{flag} {text!r}: must be numbers such as 0-3 or 1,5,7.")


def step_or_choose(text: str | None) -> Any:
    """--guide as it is typed: a step, "choose", or nothing."""
    if text is None or text == "choose":
        return text
    try:
        return int(text)
    except ValueError:
        raise UserError(f"--guide {text!r}: must be the step of a checkpoint, 0 for the base, or choose.") from None
