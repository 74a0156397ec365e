"""The preference study: a blind page of two runs, and what people's answers say."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from ..files.typed import typed
from .shared import app, run_at

study = App(name="study", help="Ask people which of two runs they prefer: a blind page to send around, and its answers counted.")
app.command(study)


@study.command
def make(first: Path, second: Path, /, *, out: Path = Path("study"), seed: int = 0, most: int = 40) -> None:
    """Write a page that shows pictures of two runs side by side without saying which is whose. It needs nothing but itself.

    Parameters
    ----------
    first
        Folder of a run.
    second
        Folder of another, drawn with the same prompts and seeds.
    out
        Folder for study.html, to send to people, and study.json, to keep.
    seed
        Of what is asked and which side is which.
    most
        Questions of each of the two kinds, at most.
    """
    from ..report.study import make_study

    page = make_study(run_at(first).path, run_at(second).path, out, seed, most)
    print(f"send to people: {page}")
    print(f"next, with the files that they send back: likeness study score {typed(out)} ANSWERS…")


@study.command
def score(folder: Path, /, *answers: Path) -> None:
    """Count answers: each question's share for the first run, its exact binomial p against a coin, and intervals.

    Parameters
    ----------
    folder
        Folder of the study.
    answers
        Files that people saved from its page.
    """
    from ..report.study import QUESTIONS, score_study

    first, second, found = score_study(folder, answers)
    for verdict in found:
        p = verdict.preference
        print(f"{QUESTIONS[verdict.question]}")
        print(f"  {first} over {second}: {verdict.share} of {verdict.answers} answers, interval over prompts")
        print(f"  as papers print it, answers as if independent: p = {p.p_value:.2g}, Wald's interval {p.low:.3f}, {p.high:.3f}")
    print(f"figures: {folder / 'verdicts.json'}")
    print(f"next, with more answers: likeness study score {typed(folder)} ANSWERS…")
