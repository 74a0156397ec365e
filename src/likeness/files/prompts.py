"""Prompts with a hole for a subject's name."""

from __future__ import annotations

import re


def said(template: str, name: str) -> str:
    """A prompt template with a name in its holes; "a {}" becomes "an orange dog" where the name asks for it."""
    if name.startswith(tuple("aeiou")):
        template = re.sub(r"\b([Aa]) \{\}", r"\1n {}", template)
    return template.replace("{}", name)
