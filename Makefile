# Every target sets itself up: Python 3.11 or newer and a package registry are all that it needs.

VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
INSTALLED := $(VENV)/installed.stamp
ARGS ?=
JOBS ?= 2
CONSOLE := pipeline/inferometer/web/console
DENO := $(abspath $(BIN))/deno

# The first interpreter that starts and is new enough: a shim on the path may do neither.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo $$python; break; }; done)

.DEFAULT_GOAL := help
.PHONY: help demo test test-again lint bench bench-check faults incidents screenshots format lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: $(INSTALLED) ## simulated fleet through broker, worker and store, live; flags in ARGS="..."
	@$(BIN)/inferometer demo $(ARGS)

test: $(INSTALLED) ## all tests with branch coverage, JOBS=2 files at once; pytest flags in ARGS="..."
	$(BIN)/python -m pytest --numprocesses=$(JOBS) --dist=loadfile --no-loadscope-reorder \
		--cov --cov-report=term $(ARGS)

test-again: $(INSTALLED) ## up to three tests that failed in the last whole run, alone
	$(BIN)/python -m pytest --again --last-failed --last-failed-no-failures=none $(ARGS)

lint: $(INSTALLED) ## what CI checks besides tests: style, types, schemas, compose file
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/check-jsonschema --check-metaschema schemas/*.schema.json schemas/events/*.schema.json
	cd $(CONSOLE) && $(DENO) fmt --check && $(DENO) lint && $(DENO) check app.js pages

bench: $(INSTALLED) ## events per CPU-second, ours and its peers'; ONLY=ours is quick; flags in ARGS="..."
	@$(BIN)/python -m tests.benchmarks $(if $(ONLY),--only $(ONLY)) $(ARGS)

bench-check: $(INSTALLED) ## fails if slower than BASE=<commit> (last tag, else the parent) by more than 15 %
	@$(BIN)/python -m tests.benchmarks.check $(if $(BASE),--base $(BASE)) $(ARGS)

faults: $(INSTALLED) ## kills, freezes and outages against an oracle; SEED= EVENTS= MINUTES=, flags in ARGS="..."
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) $(if $(EVENTS),--events $(EVENTS)) \
		$(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

incidents: $(INSTALLED) ## 40 labelled incidents: precision, recall, detection, every goal of alerts; flags in ARGS="..."
	@$(BIN)/python -m tests.incidents $(ARGS)

screenshots: $(INSTALLED) ## every page of the console, light and dark, into deploy/screenshots (needs chromium)
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

format: $(INSTALLED) ## rewrite the code as lint wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cd $(CONSOLE) && $(DENO) fmt

lock: $(BIN)/uv ## resolve the dependencies anew into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
		--all-extras --group dev --no-emit-index-url --no-header --upgrade --quiet \
		--output-file requirements.lock

clean: ## remove everything that the targets made
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* dist
	find pipeline tests -type d -name __pycache__ -prune -exec rm -rf {} +

$(INSTALLED): $(BIN)/uv requirements.lock pyproject.toml
	@echo "installing the locked dependencies into $(VENV)"
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --python $(BIN)/python --quiet --no-deps --editable .
	@touch $@

$(BIN)/uv: | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo >&2 "Python 3.11 or newer is needed and was not found on PATH;" \
		"install it (Debian, Ubuntu: apt-get install python3 python3-venv; without root:" \
		"pip install --user uv && uv python install 3.11) or name it: make PYTHON=/path/to/python"; \
		exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo >&2 "$(PYTHON) is missing or older than Python 3.11; name another: make PYTHON=/path/to/python"; \
		exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo >&2 "$(PYTHON) has no venv module;" \
		"install it (Debian, Ubuntu: apt-get install python3-venv), or make the environment without" \
		"root: pip install --user uv && uv venv --seed --python $(PYTHON) $(VENV)"; exit 2; }
	@echo "making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
