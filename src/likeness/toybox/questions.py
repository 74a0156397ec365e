"""Questions that the world knows the answers to: which of some texts is true of a picture. Judge and base are checked by them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

from ..world.accessories import ACCESSORIES
from ..world.captions import STYLE_TEMPLATES, accessory_words, article, described
from ..world.classes import CLASSES, LIVE_CLASSES
from ..world.contexts import CONTEXTS
from ..world.random_scenes import NAMED_CONTEXTS
from ..world.scene import COLOURS, STYLES

Answer = tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """What is asked, and the answers there are with a text of each."""

    fields: tuple[str, ...]  # of what is true of a scene, see data.truth_of
    texts: dict[Answer, str]

    def answer(self, truth: dict[str, str]) -> Answer:
        return tuple(truth[f] for f in self.fields)

    def among(self, *known: str) -> dict[str, str]:
        """Last field -> text, where the fields before it are `known`: the colours of "a red dog", "a blue dog", …"""
        return {answer[-1]: text for answer, text in self.texts.items() if answer[:-1] == known}


def _styled(style: str, noun: str) -> str:
    return (STYLE_TEMPLATES[style][0] if style in STYLE_TEMPLATES else "a photo of {}").format(article(noun))


QUESTIONS: dict[str, Question] = {
    "class": Question(("class",), {(n,): article(n) for n in CLASSES}),
    "context": Question(("class", "context"), {(n, c): f"{article(n)} {CONTEXTS[c].words}" for n, c in product(CLASSES, NAMED_CONTEXTS)}),
    "colour": Question(("class", "colour"), {(n, c): article(described(n, c, n)) for n, c in product(CLASSES, COLOURS)}),
    "accessory": Question(("class", "accessory"), {(n, a): f"{article(n)} {accessory_words(a)}" for n, a in product(LIVE_CLASSES, ACCESSORIES)}),
    "style": Question(("class", "style"), {(n, s): _styled(s, n) for n, s in product(CLASSES, STYLES)}),
    "pair": Question(("class", "second class"), {pair: f"{article(pair[0])} next to {article(pair[1])}" for pair in permutations(CLASSES, 2)}),
}
