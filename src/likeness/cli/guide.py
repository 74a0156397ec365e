"""The guide: every method explained on one page."""

from __future__ import annotations

from pathlib import Path

from ..methods import SENTENCES, packaged_recipes, sentence_of
from .shared import app


@app.command
def guide(*, out: Path = Path("guide.html")) -> None:
    """Write a page that explains every method: its formula, what it trains, how data flows, what its options do, how it is measured. It needs nothing but itself.

    Parameters
    ----------
    out
        File to write.
    """
    from ..report.guide.writing import write_guide

    page = write_guide(out, SENTENCES | {name: sentence_of(path) for name, path in packaged_recipes().items()})
    print(f"open in a browser: {page}")
    print("next: likeness demo")
