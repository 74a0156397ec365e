"""Where memory runs out: what is done at once becomes less, and the work goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch

from ..files.errors import UserError, out_of_memory

Made = TypeVar("Made")


def free_cached() -> None:
    """Give back what torch keeps of the GPU's memory for later."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def in_batches(count: int, most: int, make: Callable[[slice], Sequence[Made]]) -> Iterator[Made]:
    """What `make` makes of each row, `most` rows at once; half as many from where memory runs out. Raises UserError if it does so with one."""
    first = 0
    while first < count:
        rows = slice(first, min(first + most, count))
        try:
            made = make(rows)
        except (RuntimeError, MemoryError) as problem:  # torch's own OutOfMemoryError is a RuntimeError
            if not out_of_memory(problem):
                raise
            if rows.stop - first == 1:
                raise UserError("out of memory while drawing a single picture. Close what else uses it, or take a smaller base.") from problem
            made, most = None, (rows.stop - first) // 2
        if made is None:  # here the failed pass is forgotten, and with it what it held
            free_cached()
            continue
        yield from made
        first = rows.stop
