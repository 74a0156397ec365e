"""likeness: teach a text-to-image diffusion model one subject from a few photos, and measure how well it worked."""

import os

# Before MKL is first called: its sums would otherwise depend on where in memory a matrix happens to lie, and with them the bytes of a run.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

__version__ = "0.1.0"
