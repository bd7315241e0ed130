# Every command of the project. Needs Python 3.11 or newer with venv; everything else goes into .venv.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
MODEL ?=
PORT ?=
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# Plain "torch" is a CUDA build of several gigabytes on Linux: without a GPU take the CPU build.
TORCH_VERSION := 2.13.0
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu
TORCH_BUILD := $(shell if [ "$$(uname)" != Linux ] || nvidia-smi >/dev/null 2>&1; then echo default; else echo cpu; fi)
ifeq ($(TORCH_BUILD),cpu)
TORCH := --extra-index-url $(TORCH_CPU_INDEX) "torch==$(TORCH_VERSION)+cpu"
else
TORCH := "torch==$(TORCH_VERSION)"
endif

# A stamp carries the hash of what it was installed from, so that a second run does nothing.
SOURCES := pyproject.toml constraints.txt Makefile hatch_build.py $(wildcard kernels/native/*)
HASH := $(shell cat $(SOURCES) | cksum | cut -d' ' -f1)
INSTALLED := $(VENV)/.installed-$(HASH)
INSTALLED_DEV := $(VENV)/.installed-dev-$(HASH)
NPM_INSTALLED := tests/npm/node_modules/.installed-$(shell cksum < tests/npm/package-lock.json | cut -d' ' -f1)
PIP := $(BIN)/python -m pip --disable-pip-version-check
FAST := -m "not slow and not gpu"

.PHONY: help install serve test check fix docs bench clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(INSTALLED) ## set up .venv with granite-server in it

serve: $(INSTALLED) ## serve the demo model; MODEL=<dir or hub id> PORT=<port> ARGS="<more flags>"
	$(BIN)/granite-server serve $(if $(MODEL),--model "$(MODEL)") $(if $(PORT),--port "$(PORT)") $(ARGS)

test: $(INSTALLED_DEV) $(NPM_INSTALLED) ## the whole test suite; ARGS="<pytest arguments>"
	$(BIN)/python -m pytest $(ARGS)

check: $(INSTALLED_DEV) ## format, lint, types, import contracts and the fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q $(FAST) $(ARGS)

fix: $(INSTALLED_DEV) ## format and repair what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(INSTALLED_DEV) ## write the generated parts of docs/*.md from the request models
	$(BIN)/python -m reference

bench: $(INSTALLED_DEV) ## compare with llama.cpp; LLAMA_SERVER=<program> LLAMA_WEIGHTS=<dir of *.gguf> ARGS="--formats int4"
	$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove .venv and caches
	rm -rf $(VENV) tests/npm/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "granite-server needs Python 3.11 or newer; try: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)

# --no-deps: one look at PyTorch's index, and none at it for anything else.
$(INSTALLED): $(SOURCES) | $(BIN)/python
	@if [ ! -f $@ ]; then \
	  echo "Installing granite-server into $(VENV) (once; a few minutes on a slow network)"; \
	  $(PIP) install --quiet --no-deps --retries 2 $(TORCH); \
	  $(PIP) install --quiet --constraint constraints.txt --editable .; \
	  rm -f $(VENV)/.installed-*; \
	fi
	@touch $@

$(INSTALLED_DEV): $(INSTALLED)
	@if [ ! -f $@ ]; then \
	  echo "Installing the development tools into $(VENV)"; \
	  $(PIP) install --quiet --constraint constraints.txt --editable ".[dev]"; \
	fi
	@touch $@

$(NPM_INSTALLED):
	@if command -v npm >/dev/null; then \
	  npm ci --prefix tests/npm --no-audit --no-fund --loglevel=error && touch $@; \
	else \
	  echo "npm is not installed: the tests with clients in JavaScript will be skipped"; \
	fi
