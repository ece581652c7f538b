# Two commands for a bare machine with Python 3.11 or newer: make demo, make test.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.ready-bench

# Hundreds of tests start processes: let Python compile its modules once, whatever the machine says.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check soak bench bench-sizes clean

demo: $(READY)
	@$(BIN)/stager demo

test: $(READY)
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tests/dead_links.py

soak: $(READY)
	$(BIN)/pytest -m soak

bench: $(BENCH_READY)
	$(BIN)/python tests/bench/run.py

bench-sizes: $(READY)
	$(BIN)/python tests/bench/run.py --sizes 10k,100k,1m,10m

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build *.egg-info

# Compiled here, so that no command has to wait for it where Python is told to keep nothing.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "stager needs Python 3.11 or newer")'
	@echo "Setting up $(VENV) (once, about a minute)…"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,embedded]'
	@$(BIN)/python -m compileall -q stager tui sample_data
	@touch $@

# What stager is measured beside is installed for that alone.
$(BENCH_READY): $(READY)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,embedded,bench]'
	@touch $@
