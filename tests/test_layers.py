"""Imports run one way: import-linter's contracts of pyproject.toml, and what is imported when a layer is."""

import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]


def test_imports_run_one_way(capsys):
    broken = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert broken == 0, capsys.readouterr().out


@pytest.mark.parametrize("layer", ["files", "world", "report"])
def test_a_layer_that_promises_it_never_imports_torch(layer):
    """`likeness --help` must answer at once, a page is written where no torch is, and a picture of the world costs milliseconds."""
    package = importlib.import_module(f"likeness.{layer}")
    modules = ", ".join(module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))
    code = f"import sys, {modules}; print([name for name in ('torch', 'transformers', 'diffusers') if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
