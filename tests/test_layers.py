"""Imports run one way: import-linter's contracts of pyproject.toml."""

from pathlib import Path

from importlinter.cli import lint_imports


def test_imports_run_one_way(capsys):
    broken = lint_imports(config_filename=str(Path(__file__).parents[1] / "pyproject.toml"), no_cache=True)
    assert broken == 0, capsys.readouterr().out
