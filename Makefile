# The project's commands. `make` alone lists them.
# The first of them to run makes .venv; a stamp in it says what is installed, so that the next run is quick.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check

# Settings of the caller's Ansible must not change what is tested; and nothing is fetched by a linter.
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench build clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/demo.stamp ## deploy a small application four times, twice badly; no root, no database server
	@$(BIN)/python examples/demo.py

# Molecule keeps its state in ANSIBLE_HOME: a folder of its own, so that no earlier run's state is believed.
test: packages $(VENV)/dev.stamp ## install what the tests need (root), then run molecule and pytest
	@home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && ANSIBLE_HOME="$$home" $(BIN)/molecule test --all
	@$(BIN)/pytest

lint: $(VENV)/dev.stamp ## ruff, mypy and ansible-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/ansible-lint --offline --profile production

bench: packages $(VENV)/dev.stamp ## measure backups and deploys against plain tools (minutes)
	@$(BIN)/python -m pytest tests/bench -s

build: $(VENV)/demo.stamp ## build the collection into build/
	@mkdir -p build
	@$(BIN)/ansible-galaxy collection build --force --output-path build .

clean: ## remove .venv, build/ and every cache
	rm -rf $(VENV) build .ansible .pytest_cache .mypy_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: packages
packages:
	@tests/install-packages

$(BIN)/python:
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "Python's venv is not whole on this machine. On Debian: apt-get install python3-venv" >&2; exit 1; }

# The demo needs Ansible alone, nothing else of pyproject.toml.
$(VENV)/demo.stamp: | $(BIN)/python
	@echo "Installing Ansible into $(VENV) (once)"
	@$(PIP) 'ansible-core>=2.16'
	@touch $@

$(VENV)/dev.stamp: pyproject.toml | $(BIN)/python
	@echo "Installing the packages of pyproject.toml into $(VENV) (once)"
	@$(PIP) --editable '.[dev]'
	@touch $@ $(VENV)/demo.stamp
