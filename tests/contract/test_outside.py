"""A method of another package: the example of docs/adding-a-method.md, installed by an entry point, keeps every law."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def installed(folder: Path) -> dict[str, str]:
    """The page's example as a package in `folder`; the environment in which it is found."""
    page = (ROOT / "docs" / "adding-a-method.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (folder / "biases.py").write_text(code)
    about = folder / "biases-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: biases\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[likeness.methods]\nbiases = biases:Biases\n")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]), "OMP_NUM_THREADS": "1"}


def test_the_laws_hold_for_a_method_of_another_package(tmp_path):
    laws = [str(ROOT / "tests" / "contract" / name) for name in ("test_laws.py", "test_options.py", "test_runs.py")]
    chosen = "biases and (not test_runs or resumed) and not dreambooth and not lora and not custom_diffusion and not textual_inversion"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *laws, "-k", chosen]
    done = subprocess.run(command, env=installed(tmp_path), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) > 40  # type: ignore[union-attr]


def test_it_says_in_words_what_it_trains(tmp_path):
    code = """
from likeness.workflow.grid import Asked, cells_of
from likeness.workflow.recipe_facts import facts_in_words
print([facts_in_words(cell.asked) for cell in cells_of(Asked(["biases", "biases:norms=false"], ["toybox:biscuit"]))])
"""
    done = subprocess.run([sys.executable, "-c", code], env=installed(tmp_path), capture_output=True, text=True)
    assert done.stdout.strip() == str([{"trains": words, "several_subjects": "together"} for words in ("biases", "biases but the norms'")]), done.stderr


def test_its_command_has_a_flag_for_every_option(tmp_path):
    done = subprocess.run([sys.executable, "-m", "likeness.cli", "train", "biases", "--help"], env=installed(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0 and "From the package biases." in done.stdout and "--norms" in done.stdout
