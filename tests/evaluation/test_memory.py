"""What a network frees after a layer is there for the next one."""

import ctypes
import sys

import pytest
import torch

from likeness.evaluation.memory import keep_freed_memory

PAGE = 4096


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library is not glibc")
def test_memory_that_was_freed_is_not_asked_of_the_system_again():
    import resource

    keep_freed_memory()
    faults = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        layers = [torch.ones(8 << 20, dtype=torch.uint8) for _ in range(4)]
        del layers
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert sum(faults[1:]) < (32 << 20) // PAGE  # one pass alone would be this many
