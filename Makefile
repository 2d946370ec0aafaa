# The commands of the project. They need Python 3.11 or newer and make; the rest is installed into $(VENV).
#
#   make demo ARGS="--prometheus 9464"      ARGS goes to the command behind the target
#   make test ARGS="tests/test_guard.py -x"
#   make test PYTHON=python3.13 VENV=.venv-3.13

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:

PYTHON ?= python3
VENV ?= .venv
OLDEST ?= .venv-oldest
ARGS ?=

BIN := $(VENV)/bin
CACHE := .cache
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --editable
# An environment is made again when what it is made from changes, in content and not in date.
KEY := $(shell cat pyproject.toml | cksum | cut -d ' ' -f 1)
OLDEST_KEY := $(shell cat pyproject.toml tests/oldest.txt | cksum | cut -d ' ' -f 1)

.PHONY: help demo test lint format proof test-oldest framework-tests frameworks bench measure baselines generate pictures check-generated checklist docs-check clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

demo: $(VENV)/.demo-$(KEY) ## Watch a LangGraph program that nobody instrumented
	@$(BIN)/otel-agents demo $(ARGS)

test: $(VENV)/.test-$(KEY) ## Run the default test suite
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

lint: $(VENV)/.dev-$(KEY) check-generated docs-check ## Check style, types, floors, generated files and links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --cache-dir $(CACHE)/import-linter

format: $(VENV)/.dev-$(KEY) ## Let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

proof: $(VENV)/.test-$(KEY) ## Run what is heavier: builds, installs, slow tests, oldest versions
	$(BIN)/python -m pytest -m "proof or slow" $(ARGS)
	$(MAKE) test-oldest

# Old versions warn about things that only their authors could mend, so warnings are no errors there.
test-oldest: $(OLDEST)/.test-$(OLDEST_KEY) ## Run the adapters' tests with the oldest versions that we support
	$(OLDEST)/bin/python -m pytest -W default tests/adapters $(ARGS)

framework-tests: $(VENV)/.test-$(KEY) ## Run the frameworks' own tests without and with us, and compare; long
	$(BIN)/python -m tests.frameworks $(ARGS)

# With nothing but Python, so that it can be done while other environments are made.
frameworks: ## Make the environments for that
	$(PYTHON) -m tests.frameworks --prepare

# In an environment of its own: opentelemetry-instrument would load the other instrumentations in every test.
bench: ## Measure the cost, beside other instrumentations and hand-written code; minutes
	@$(MAKE) --no-print-directory VENV=.venv-bench measure

measure: $(VENV)/.bench-$(KEY)
	$(BIN)/python -m pytest -q -m bench tests/benchmarks
	$(BIN)/python -m tests.benchmarks $(ARGS)

baselines: $(VENV)/.demo-$(KEY) ## Play the windows behind docs/baselines again, and sum up their audits
	PATH="$(abspath $(BIN)):$$PATH" sh docs/baselines/refresh.sh

generate: $(VENV)/.test-$(KEY) ## Write again what is made from tables: parts of the docs, record.pyi, boards and rules
	$(BIN)/python docs/generate.py
	$(BIN)/python -m dashboards.build
	$(BIN)/python collector/rules.py

# Not in any check: each run draws other numbers.
pictures: collector prometheus $(VENV)/.test-$(KEY) ## Draw the boards for the docs again, from minutes of real runs
	$(BIN)/python -m dashboards.pictures $(ARGS)

check-generated: $(VENV)/.test-$(KEY) ## Fail when something generated is stale
	$(BIN)/python docs/generate.py --check
	$(BIN)/python -m dashboards.build --check
	$(BIN)/python collector/rules.py --check

# Whatever it finds stands on the page; it fails when a test did. Missing parts of the machine are failures, too.
checklist: $(VENV)/.test-$(KEY) ## Prove again what the checklist in the docs is about, and write it; minutes
	CI=true $(BIN)/python -m pytest -p tests.checklist --checklist docs/reference/checklist.json -m proves $(ARGS); \
		failed=$$?; $(BIN)/python -m dashboards.build && exit $$failed

docs-check: $(VENV)/.test-$(KEY) ## Check that what the docs say is there: links, names, commands, examples
	$(BIN)/python -m pytest -q tests/docs

clean: ## Remove environments, caches and builds
	rm -rf $(VENV) $(OLDEST) $(CACHE) build dist

include collector/build.mk

# Environments

define make_environment
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "otel-agents needs Python 3.11 or newer, and '$(PYTHON)' is none." >&2; \
	echo "Say which one to take: make PYTHON=python3.13 $(firstword $(MAKECMDGOALS))" >&2; exit 1; }
@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	echo "'$(PYTHON)' cannot make virtual environments; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
@echo "Making $(patsubst %/bin/python,%,$@) with $$($(PYTHON) --version) ..."
@$(PYTHON) -m venv $(patsubst %/bin/python,%,$@)
endef

$(BIN)/python:
	$(make_environment)

$(OLDEST)/bin/python:
	$(make_environment)

# One stamp for each extra, since `make demo` should not wait for what only a test needs.
$(VENV)/.%-$(KEY): | $(BIN)/python
	@echo "Installing otel-agents[$*] into $(VENV); this happens once ..."
	@$(BIN)/python $(PIP_INSTALL) '.[$*]'
	@touch $@

$(OLDEST)/.test-$(OLDEST_KEY): | $(OLDEST)/bin/python
	@echo "Installing the oldest supported versions into $(OLDEST); this happens once ..."
	@$(OLDEST)/bin/python $(PIP_INSTALL) '.[suite]' --constraint tests/oldest.txt
	@touch $@
