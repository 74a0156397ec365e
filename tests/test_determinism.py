"""Same recipe, seed, machine and thread count: same bytes. What a process must not depend on."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("before", "after"), [(None, "AUTO,STRICT"), ("COMPATIBLE", "COMPATIBLE")])
def test_mkl_is_told_to_be_reproducible(before, after):
    """Or runs of one process differ in their last bits: seen on an AMD EPYC with AVX2, where the tests of the world, run first, changed
    what later tests drew. Who has chosen a mode keeps it."""
    environment = {k: v for k, v in os.environ.items() if k != "MKL_CBWR"} | ({"MKL_CBWR": before} if before else {})
    code = "import likeness, os; print(os.environ['MKL_CBWR'])"
    assert subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True).stdout.strip() == after
