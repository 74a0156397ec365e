"""New words as they are written: in angle brackets, so that they are no part of ordinary words, and in lower case.

CLIP's tokenizer puts all that it reads into lower case, words that other tools add to it too, and then finds none with a capital:
such a word would be drawn by its first vector alone.
"""

from __future__ import annotations

import re

from .errors import UserError

BRACKETED = "must be one word in angle brackets, such as <my-dog>, so that it is no part of ordinary words"


def word_of(name: str) -> str:
    """The new word for an identifier, or for what another tool called it: "Biscuit" -> "<biscuit>"."""
    return f"<{name.strip('<>').lower()}>"


def is_bracketed(word: str) -> bool:
    return re.fullmatch(r"<[^<>\s]+>", word) is not None


def bracketed(*words: str) -> None:
    """For options; raises ValueError."""
    if not all(map(is_bracketed, words)):
        raise ValueError(BRACKETED)


def begun_with(*initializers: str) -> None:
    """Likewise, of what new words begin as."""
    if not all(map(str.strip, initializers)):
        raise ValueError("holds no word. Give one that is near the subject, such as its class noun")


def check_lower_case(*words: str) -> None:
    """Refuse capitals in words that are yet to be taught; runs of before may have some. Raises UserError."""
    for word in words:
        if word != word.lower():
            raise UserError(f"word {word!r}: has capitals, which other tools do not find again. Write {word.lower()}.")
