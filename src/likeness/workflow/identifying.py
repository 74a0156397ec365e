"""Words to name subjects by, and how much each of them says to a base before it is taught anything."""

from __future__ import annotations

from collections.abc import Sequence

from ..files.errors import UserError
from ..files.subject import check_identifier
from ..model.base import Base
from ..model.identifier import candidates, meanings
from .progress import Progress
from .stack import device_for

KNOWN = ("red", "striped", "sks")  # beside rare words: what words with a meaning do, and the usual identifier
SHOWN = 10


def identify(base_name: str, words: Sequence[str], noun: str, count: int, progress: Progress) -> str:
    """A table: word, its pieces, how much it changes what is predicted; the least meaning first."""
    for word in words:
        check_identifier(word)
    if count < 1:
        raise UserError(f"--count {count}: must be 1 or more.")
    if not noun.strip():
        raise UserError("--noun '': is empty. Say what is pictured, such as dog.")
    base = Base.open(base_name, device_for())
    tried = list(words or dict.fromkeys((*candidates(base.tokenizer, count), *KNOWN)))
    with progress.task("words", len(tried)) as task:
        found = meanings(base, tried, noun, told=lambda word: task.advance(note=word))
    best = sorted(found, key=lambda word: found[word])
    shown = best if words else list(dict.fromkeys((*best[:SHOWN], *KNOWN)))
    lines = [f"{'word':12} {'pieces':24} change of the prediction against 'a photo of a {noun}'"]
    for word in sorted(shown, key=lambda word: found[word]):
        lines.append(f"{word:12} {' '.join(piece.removesuffix('</w>') for piece in base.tokenizer.tokenize(word)):24} {found[word]:.4f}")
    return "\n".join(lines)
