# Two commands on a bare machine: make demo, make test. Both need Python 3.11 or newer and a package registry.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check clean

demo: .venv/ready
	$(BIN)/likeness demo

test: .venv/ready
	$(BIN)/python -m pytest -n 2
	$(BIN)/lint-imports
	$(BIN)/ruff check .
	$(BIN)/pyright

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist src/*.egg-info .pytest_cache .ruff_cache .import_linter_cache
