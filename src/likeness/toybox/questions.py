"""Questions that the world knows the answers to: which of some texts is true of a picture. The judge of words and pictures is checked by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, product

from ..world.accessories import ACCESSORIES
from ..world.captions import STYLE_TEMPLATES, accessory_words, article, described
from ..world.classes import CLASSES, LIVE_CLASSES
from ..world.contexts import CONTEXTS
from ..world.random_scenes import NAMED_CONTEXTS
from ..world.scene import COLOURS, EXPRESSIONS, PATTERNS, STYLES

Truth = dict[str, str]  # see data.truth_of
Answer = tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """What is asked, the answers there are with a text of each, and of which pictures it can be asked."""

    fields: tuple[str, ...]
    texts: dict[Answer, str]
    fits: Callable[[Truth], bool]

    def answer(self, truth: Truth) -> Answer:
        found = tuple(truth[f] for f in self.fields)
        return tuple(sorted(found)) if "second class" in self.fields else found

    def among(self, *known: str) -> dict[str, str]:
        """Last field -> text, where the fields before it are `known`: the colours of "a red dog", "a blue dog", …"""
        return {answer[-1]: text for answer, text in self.texts.items() if answer[:-1] == known}


def _alone(truth: Truth) -> bool:
    return truth["second class"] == "none"


def _shows_colour(truth: Truth) -> bool:
    """Pencil has no colours, and an outfit covers the clothes that a person's colour is of."""
    covered = truth["class"] == "person" and truth["accessory"].endswith(("outfit", "shirt"))
    return _alone(truth) and truth["style"] != "pencil" and not covered


def _styled(style: str, noun: str) -> str:
    return (STYLE_TEMPLATES[style][0] if style in STYLE_TEMPLATES else "a photo of {}").format(article(noun))


QUESTIONS: dict[str, Question] = {
    "class": Question(("class",), {(n,): article(n) for n in CLASSES}, _alone),
    "context": Question(
        ("class", "context"), {(n, c): f"{article(n)} {CONTEXTS[c].words}" for n, c in product(CLASSES, NAMED_CONTEXTS)},
        lambda t: _alone(t) and t["context"] in NAMED_CONTEXTS,
    ),
    "colour": Question(("class", "colour"), {(n, c): article(described(n, c, n)) for n, c in product(CLASSES, COLOURS)}, _shows_colour),
    "pattern": Question(
        ("class", "pattern"), {(n, p): article(described(n, p, n)) for n, p in product(CLASSES, PATTERNS[1:])},
        lambda t: _alone(t) and t["pattern"] != "plain",
    ),
    "accessory": Question(
        ("class", "accessory"), {(n, a): f"{article(n)} {accessory_words(a)}" for n, a in product(LIVE_CLASSES, ACCESSORIES)},
        lambda t: _alone(t) and t["accessory"] != "none",
    ),
    "style": Question(("class", "style"), {(n, s): _styled(s, n) for n, s in product(CLASSES, STYLES)}, _alone),
    "expression": Question(
        ("class", "expression"), {("person", e): f"a {e} person" for e in EXPRESSIONS[1:]},
        lambda t: _alone(t) and t["class"] == "person" and t["expression"] != "neutral",
    ),
    "pair": Question(
        ("class", "second class"), {pair: f"{article(pair[0])} next to {article(pair[1])}" for pair in combinations(sorted(CLASSES), 2)},
        lambda t: not _alone(t),
    ),
}  # fmt: skip
