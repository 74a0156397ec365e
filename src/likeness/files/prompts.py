"""Prompts with a hole for a subject's name."""

from __future__ import annotations

import re


def said(template: str, name: str) -> str:
    """A prompt template with a name in its holes; "a {}" becomes "an orange dog" where the name asks for it."""
    if _begins_with_a_vowel(name):
        template = re.sub(r"\b([Aa]) \{\}", r"\1n {}", template)
    return template.replace("{}", name)


def renamed(prompt: str, name: str, other: str) -> str:
    """The prompt with another name in the place of one: of "an ohwx dog in the snow", with "dog" for "ohwx dog", "a dog in the snow"."""
    article = "n " if _begins_with_a_vowel(other) else " "
    return re.sub(rf"(?:\b([Aa])n? )?{re.escape(name)}", lambda found: f"{found[1]}{article}{other}" if found[1] else other, prompt)


def _begins_with_a_vowel(word: str) -> bool:
    """As it is spoken: an orange, a unicorn."""
    return re.match(r"(?!uni[cfqtv]|eu|one\b)[aeiou]", word) is not None
