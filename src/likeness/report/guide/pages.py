"""A method's page as data: pages/NAME.toml. Order, index and chapters follow from the files that lie there.

Prose, formulas and signs are HTML and MathML of ours and go into the page as they are; everything else is escaped.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PAGES = Path(__file__).parent / "pages"
Part = Literal[
    "words", "text", "time", "resnet", "self.q", "self.k", "self.v", "self.o", "cross.q", "cross.k", "cross.v", "cross.o", "ff",
    "self", "cross", "unet",  # for several at once
]  # fmt: skip
PARTS = tuple(part for part in get_args(Part) if part not in ("self", "cross", "unet"))


class Piece(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Paper(Piece):
    name: str
    url: str


class Symbol(Piece):
    """A sign of the formula and what it means."""

    sign: str  # MathML
    says: str  # HTML


class Network(Piece):
    """Which parts of the pretrained model are altered: trained themselves, given additions, or only looked at."""

    title: str = ""
    stage: Literal["base", "second"] = "base"  # the pretrained model, or the one of a cascade that enlarges what it drew
    trained: tuple[Part, ...] = ()
    added: tuple[Part, ...] = ()
    watched: tuple[Part, ...] = ()
    says: str = ""


class Node(Piece):
    """A box of the flow, at a column 0 to 2 and a row; either may be a half."""

    name: str
    at: tuple[float, float]
    label: str
    sub: str = ""
    kind: Literal["data", "frozen", "trained", "loss"] = "data"
    wide: float = 1


class Edge(Piece):
    """An arrow: data, or the gradient's way back. It belongs to the step of that number, from 1."""

    from_: str = Field(alias="from")
    to: str
    step: int
    kind: Literal["data", "gradient"] = "data"
    bend: float = 0  # how far it swerves to the side, in the drawing's units


class Flow(Piece):
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    steps: tuple[str, ...]  # HTML, one for each number of the edges


class Shown(Piece):
    """What one option does, on pictures: a row of them for each of its values.

    vary  option: runs that differ in it alone; checkpoint: one run's checkpoints; sampling: one run drawn with other settings;
          enlarging: the toybox's own second stage, of no run
    """

    title: str
    says: str
    option: str
    sign: str = ""  # how the option is written before its value; its name where empty
    vary: Literal["option", "checkpoint", "sampling", "enlarging"] = "option"
    where: dict[str, str] = {}  # of runs whose last stage has these options alone
    stages: tuple[str, ...] = ()  # the methods of the runs that are shown; the page's own where empty


class Page(Piece):
    """A chapter of the guide."""

    name: str  # of the file
    order: int
    title: str
    kind: str
    says: str
    papers: tuple[Paper, ...]
    idea: str
    formula: str
    formula_says: str = ""
    symbols: tuple[Symbol, ...]
    networks: tuple[Network, ...]
    flow: Flow
    shown: tuple[Shown, ...] = ()
    recipes: tuple[str, ...] = ()  # its rows of the comparison, the usual one first
    take: tuple[str, ...]
    beware: tuple[str, ...]
    command: str


def read_pages(folder: Path = PAGES) -> list[Page]:
    """Every page that lies in the folder, in their order. ValueError names the file and the place of a mistake."""
    pages = []
    for path in sorted(folder.glob("*.toml")):
        try:
            pages.append(Page(name=path.stem, **tomllib.loads(path.read_text("utf-8"))))
        except (ValidationError, tomllib.TOMLDecodeError) as problem:
            raise ValueError(f"{path.name}: {problem}") from None
    return sorted(pages, key=lambda page: (page.order, page.name))
