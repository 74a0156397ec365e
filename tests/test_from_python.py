"""docs/from-python.md is true, and `import likeness` is light."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import likeness

ROOT = Path(__file__).parents[1]


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    """With fewer steps."""
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "from-python.md").read_text("utf-8"), re.DOTALL))
    code = code.replace('"steps": 300', '"steps": 2').replace("steps=250", "steps=2").replace("steps=25,", "steps=2,")
    names: dict = {}
    exec(compile(code, "from-python.md", "exec"), names)
    assert len(names["losses"]) == 2 and len(names["drawn"]) == 4
    assert {"value", "low", "high"} <= set(names["means"]["personalized"])
    assert names["page"].is_file() and [path.name for path in names["files"]] == ["pytorch_lora_weights.safetensors"]
    assert len(names["pictures"]) == 2 and capsys.readouterr().out.splitlines()[-1].startswith("2 {'denoising'")


def test_every_name_is_there():
    assert set(likeness.NAMES) <= set(dir(likeness))
    for name in likeness.NAMES:
        assert getattr(likeness, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'fitt'"):
        likeness.fitt  # noqa: B018


def test_importing_it_loads_nothing_heavy():
    code = "import sys, likeness; assert 'fit' in dir(likeness); print([name for name in ('torch', 'diffusers', 'pydantic', 'rich') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
