# Everything that people and the CI run. `make serve` and `make test` set up what they need.

export PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile --quiet --generate-hashes \
  --no-emit-index-url --no-emit-find-links --strip-extras --allow-unsafe \
  --build-deps-for editable
SOURCES := src tests bench tools
TEST_PROCESSES ?= 5
TEST_ARGS ?=
PYTEST = $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal \
  --durations 15 --durations-min 1
SERVE_ARGS ?=
SEED ?=
SEEDS ?= 1000
KILLS ?= 50
QUERIES ?= 10000
export ENGINE_TESTS ?=

.DEFAULT_GOAL := help
.PHONY: help serve setup test test-all check format simulate soak bench docs lock clean

help: ## Show this list.
	@sed -n 's/^\([a-z-]*\):.*## /  make \1  /p' Makefile

serve: $(VENV)/.setup ## Start a node on 127.0.0.1:8080 (SERVE_ARGS="--port 9000" and so on).
	@exec $(BIN)/weir serve $(SERVE_ARGS)

setup: $(VENV)/.setup ## Install what the node needs into .venv; a second call does nothing.

test: $(VENV)/.dev ## Units, contracts, a test for each promise (TEST_ARGS="tests/unit" for a part).
	@$(PYTEST) $(TEST_ARGS)

test-all: $(VENV)/.dev ## All tests: also browsers, kills, damage, oracles at length.
	@$(PYTEST) --all $(TEST_ARGS)

check: $(VENV)/.dev ## Lint, formatting, types, layers.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev ## Format the code and mend what the linter can.
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

simulate: $(VENV)/.dev ## Play histories of faults (SEEDS=1000), or one again (SEED=4711).
	@$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(SEEDS))

# ENGINE_TESTS names the folder test/sql of the engine's sources; without it they are left out.
soak: $(VENV)/.dev ## 100,000 histories, four times KILLS=50 kills, QUERIES=10000: a few hours.
	@$(BIN)/python -m pytest -q -s tests/end_to_end/test_kills.py --kills $(KILLS) --timeout 3600
	@$(BIN)/python -m pytest -q -m soak tests/end_to_end tests/clients
	@$(BIN)/python -m pytest -q -s -m soak tests/differential --queries $(QUERIES)
	@$(BIN)/python -m tests.simulation --seeds 100000

bench: $(VENV)/.dev ## Measure this machine; figures, not verdicts.
	$(BIN)/python -m bench

docs: $(VENV)/.dev ## Write docs/reference from the tables in the code.
	$(BIN)/python -m tools.reference

lock: $(VENV)/.dev ## Choose new versions of all dependencies.
	$(COMPILE) --upgrade --output-file requirements.lock pyproject.toml
	$(COMPILE) --upgrade --extra dev --constraint requirements.lock \
	  --output-file requirements-dev.lock pyproject.toml

clean: ## Remove the environment and the caches.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@tools/make-venv $(VENV)

$(VENV)/.setup: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what Weir needs (once)."
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-build-isolation --no-deps -e .
	@$(BIN)/python -m compileall -q src
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.setup
	@echo "Installing what the tests need (once)."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@
