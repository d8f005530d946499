# make demo    the main job: two points on several architectures, and real images; prints where the pages are
# make test    the tests, heavy ones on reduced sizes (SYZYGY_FULL=1 make test for all of it)
# make check   what else must hold: lint, format, types

PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check clean

demo: .venv/installed
	@$(BIN)/syzygy run studies/architectures.toml --out runs
	@$(BIN)/syzygy run studies/digits.toml --out runs

test: .venv/developed
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

check: .venv/developed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.venv/installed: pyproject.toml constraints.txt
	@echo "installing into .venv (once; a few minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Syzygy needs Python 3.11 or newer; name one: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	@touch $@

# silero-vad is a small pretrained network for the tests; nothing of its code is used, nor of what that needs.
.venv/developed: .venv/installed
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps silero-vad
	@touch $@

clean:
	rm -rf .venv runs
