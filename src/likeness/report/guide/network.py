"""The pretrained model as a drawing, with the parts marked that a method alters.

Above, the whole: vocabulary, text encoder, U-Net, VAE; of a second stage the pictures that it is shown, and the one that it draws. Below, one block of the U-Net from inside.
As in plots.py, colours are the page's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from markupsafe import Markup

from likeness.report.guide.pages import PARTS, Network
from likeness.report.plots import svg

WIDTH, HEIGHT = 384, 268
NAMES = {"words": "a new word's row", "text": "the text encoder", "time": "the time embedding", "resnet": "the convolutions", "ff": "the feed-forward layers"}
IN_ONE = ("cross.q", "cross.o", "ff")  # what a second stage has not: words are further keys and values of its one attention
LETTERS = {"q": "queries", "k": "keys", "v": "values", "o": "output"}


def network_drawing(network: Network) -> Markup:
    """An SVG whose label says in words what the marks say."""
    state = {part: "frozen" for part in PARTS}
    for name in ("watched", "added", "trained"):
        state |= dict.fromkeys(parts_named(getattr(network, name)), name)
    if network.stage == "second":
        state |= dict.fromkeys(IN_ONE, "absent")
    parts = [*(_second if network.stage == "second" else _whole)(state), *_inside(state)]
    return svg(WIDTH, HEIGHT, _label(network, state), parts)


def parts_named(names: Iterable[str]) -> Iterator[str]:
    """ "cross" stands for its four, "unet" for all that is inside."""
    for name in names:
        yield from (part for part in PARTS if part == name or part.startswith(f"{name}.") or (name == "unet" and part not in ("words", "text")))


def _label(network: Network, state: dict[str, str]) -> str:
    said = []
    for name, words in (("trained", "Trained"), ("added", "Given low-rank additions"), ("watched", "Looked at")):
        parts = [part for part in PARTS if state[part] == name]
        if parts:
            said.append(f"{words}: {', '.join(map(_named, parts))}")
    return f"{network.title}{': ' if network.title else ''}{'. '.join(said) or 'Nothing is trained'}. All else stays as it was."


def _named(part: str) -> str:
    kind, _, letter = part.partition(".")
    return f"{LETTERS[letter]} of the {kind}-attention" if letter else NAMES[part]


def _whole(state: dict[str, str]) -> Iterator[Markup]:
    for row in range(6):
        yield _box(10, 26 + 11 * row, 46, 8, "frozen", 2)
    yield _box(10, 98, 46, 9, state["words"] if state["words"] != "frozen" else "absent", 2)
    yield _text(33, 16, "words")
    yield _arrow(60, 66, 76)
    for row in range(3):
        yield _box(80, 34 + 23 * row, 58, 18, state["text"], 4)
    yield _text(109, 16, "text encoder")
    yield _arrow(142, 66, 158)
    yield from _blocks(state)
    yield _text(235, 16, "U-Net")
    yield _arrow(312, 66, 326)
    yield Markup('<path class="frozen" d="M330 46 L374 30 V102 L330 86 Z"/>')
    yield _text(352, 16, "VAE")


def _second(state: dict[str, str]) -> Iterator[Markup]:
    """A small picture becomes a large one with noise, and goes in with the noisy large one."""
    yield _box(10, 35, 16, 16, "frozen", 2)
    yield _arrow(31, 43, 48)
    for y, name in ((24, "enlarged"), (70, "noise")):
        yield _box(54, y, 38, 38, "frozen", 4)
        yield from (Markup('<circle class="grain" cx="{:.1f}" cy="{:.1f}" r="1.1"/>').format(58 + 10 * (n % 4), y + 4 + 10 * (n // 4)) for n in range(16) if name == "noise" or n % 3 == 0)
    yield _text(50, 16, "small, enlarged")
    yield _text(48, 93, "noise", "end")
    yield _arrow(98, 43, 154)
    yield _arrow(98, 89, 154)
    yield from _blocks(state)
    yield _text(235, 16, "second U-Net")
    yield _arrow(312, 66, 326)
    yield _box(330, 44, 44, 44, "frozen", 4)
    yield _text(352, 16, "large")


def _blocks(state: dict[str, str]) -> Iterator[Markup]:
    unet = _unet({state[part] for part in PARTS if part not in ("words", "text")} - {"absent"})
    for n, height in enumerate((78, 58, 38, 24, 38, 58, 78)):
        yield _box(164 + 21 * n, 66 - height / 2, 16, height, unet, 3)
    yield Markup('<path class="zoom" d="M164 106 L8 138 M306 106 L376 138"/>')


def _unet(states: set[str]) -> str:
    """How its blocks are drawn: as their parts, if those are alike; else with an edge that says that something in them is altered, or looked at."""
    if states in ({"frozen"}, {"trained"}):
        return states.pop()
    return "partly" if states & {"trained", "added"} else "seen"


def _inside(state: dict[str, str]) -> Iterator[Markup]:
    yield Markup('<rect class="panel" x="8" y="138" width="368" height="122" rx="10"/>')
    yield _text(22, 156, "inside a block", "start", "small")
    yield _part(20, 170, 54, 50, state["resnet"], "")
    yield _text(47, 238, "convolution")
    for left, kind in ((92, "self"), (204, "cross")):
        for n, letter in enumerate("qkvo"):
            yield _part(left + 25 * n, 170, 19, 50, state[f"{kind}.{letter}"], letter.upper())
        yield _text(left + 47, 238, f"{kind}-attention")
    yield _text(251, 252, "looks at the words", "middle", "small")
    yield _text(139, 252, "looks at the picture", "middle", "small")
    yield _part(316, 170, 46, 50, state["ff"], "")
    yield _text(339, 238, "feed-fwd")


def _part(x: float, y: float, width: float, height: float, state: str, letter: str) -> Markup:
    """A weight; one that has an addition keeps its place and gets two thin matrices."""
    drawn = _box(x, y, width, height, "frozen" if state == "added" else state, 4)
    if state == "added":
        drawn += _box(x + 2, y + height + 3, width - 4, 3.5, "added", 1) + _box(x + width + 0.8, y + 2, 3.5, height - 4, "added", 1)
    return drawn + _text(x + width / 2, y + height / 2 + 4.5, letter, "middle", f"letter on-{state}") if letter else drawn


def _box(x: float, y: float, width: float, height: float, state: str, round_: float) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="{}"/>').format(state, x, y, width, height, round_)


def _text(x: float, y: float, text: str, anchor: str = "middle", kind: str = "") -> Markup:
    return Markup('<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>').format(kind or "tag", x, y, anchor, text)


def _arrow(x: float, y: float, to: float) -> Markup:
    return Markup('<path class="way" d="M{0} {1} H{2} m-4 -3.5 l4 3.5 l-4 3.5"/>').format(x, y, to)
