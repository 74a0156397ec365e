"""The one error that a user sees as a line, not as a traceback; and which others are of memory."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "STATUS_ALLOC_FAILED")  # by the CPU's allocator, the driver, cuBLAS and cuDNN, which have no exception class of their own


class UserError(Exception):
    """What the user can mend, in one line: what, why, what to do. The command line prints it and exits with 2."""


def out_of_memory(problem: BaseException) -> bool:
    """Whether memory ran out: torch's own class, which is not imported here, Python's, or plain errors that say so."""
    if not isinstance(problem, (RuntimeError, MemoryError)):
        return False
    return isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError" or any(words in str(problem) for words in NO_MEMORY)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown word: the nearest known one, or all of them."""
    choices = sorted(known)
    near = difflib.get_close_matches(word, choices, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(choices)}."
