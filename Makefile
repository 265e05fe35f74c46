# The two commands: make run, make test. The virtual environment in .venv is made from the lock files on first use.
# To add a library: name it in requirements.in (or requirements-dev.in), then `make lock`, and commit both. That keeps the
# versions that are locked; `make lock LOCK=--upgrade` takes the newest of all.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help run test lint bench docs lock clean environment environment-dev components

# The first Python of at least 3.11 that is found; override with PYTHON=...
PYTHON ?= $(shell for name in python3 python python3.14 python3.13 python3.12 python3.11; do \
    "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; done)
BIN := .venv/bin
# Further arguments of pytest, as in: make test PYTEST="tests/daemons -k restart"
PYTEST ?=
# Tests run in two processes, a file's tests together, the slow files first; WORKERS=0 runs them in one.
WORKERS ?= 2
# Further arguments of the benchmarks, as in: make bench BENCH="P1 --seconds 5"
BENCH ?=
LOCK ?=

help:
	@echo "make run    start MultiFlexi (MULTIFLEXI_PORT and MULTIFLEXI_DATA choose port and data folder)"
	@echo "make test   set up and run all tests"
	@echo "make lint   ruff, pyright and the rule of imports"
	@echo "make bench  run the benchmarks"
	@echo "make docs   write docs/permissions.md anew from what the program decides"
	@echo "make lock   write the lock files anew from requirements*.in"
	@echo "make clean  remove the environment and caches; the data folder stays"

environment environment-dev:
	@test -n "$(PYTHON)" || { echo "MultiFlexi needs Python 3.11 or newer; none was found. Install it, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" ops/environment.py $(if $(filter environment-dev,$@),dev,run)

components:
	@sh ops/components.sh

run: environment
	@exec "$(BIN)/python" -m daemons

test: environment-dev components
	@"$(BIN)/python" -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST)

lint: environment-dev
	@"$(BIN)/ruff" check .
	@"$(BIN)/ruff" format --check .
	@"$(BIN)/python" -m pyright
	@"$(BIN)/lint-imports" --cache-dir .cache/import_linter

docs: environment-dev
	@"$(BIN)/python" -m cli.permission_table

bench: environment-dev
	@"$(BIN)/python" -m benchmarks $(BENCH)

lock: environment-dev
	@"$(BIN)/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links $(LOCK) requirements.in -o requirements.lock
	@"$(BIN)/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-index-url --no-emit-find-links $(LOCK) -c requirements.lock requirements-dev.in -o requirements-dev.lock

clean:
	rm -rf .venv .cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist test-results *.egg-info
	find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +
