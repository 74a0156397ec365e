"""The world never imports torch: a picture of it costs milliseconds."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import likeness.world


def test_world_never_imports_torch():
    folder = Path(likeness.world.__path__[0])
    modules = ", ".join(f"likeness.world.{module.name}" for module in pkgutil.iter_modules([str(folder)]))
    code = f"import sys, {modules}; print([name for name in ('torch', 'transformers', 'diffusers') if name in sys.modules])"
    environment = {**os.environ, "PYTHONPATH": str(folder.parents[1])}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
