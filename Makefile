# make demo | test | check | bench | fuzz | package | docs | az-transcript | probe-transcript | client-check-transcript | lock
# Everything runs in .venv, which the first target that needs it makes with Python 3.11, 3.12 or 3.13 (PYTHON=... to choose).
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PYTHON ?=
SCENARIO ?=
SELECT ?= -m "not slow"
DOCS_GENERATE ?= $(BIN)/python docs/generate.py
DOCS_CHECK ?= $(BIN)/python docs/generate.py --check
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check

.PHONY: help demo test check bench fuzz package docs az-transcript probe-transcript client-check-transcript lock setup

help:
	@sed -n '1,2s/^# //p' Makefile

setup: $(INSTALLED)

$(INSTALLED): requirements-dev.txt pyproject.toml
	@if ! $(BIN)/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
	  for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do
	    if $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
	      found=$$candidate; break
	    fi
	  done
	  if [ -z "$${found:-}" ]; then
	    echo "No Python 3.11, 3.12 or 3.13 found. Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2
	    exit 1
	  fi
	  echo "Setting up $(VENV) with $$($$found --version) ..." >&2
	  rm -rf $(VENV)
	  if ! $$found -m venv $(VENV); then
	    rm -rf $(VENV)
	    echo "Could not create $(VENV). On Debian and Ubuntu the module venv is a package: apt-get install python3-venv" >&2
	    exit 1
	  fi
	fi
	echo "Installing requirements-dev.txt into $(VENV) (once; a minute or two) ..." >&2
	$(PIP) install -r requirements-dev.txt
	$(PIP) install --no-deps -e .
	# The runtime wants 3.13; below it the same pure Python code serves the tests.
	if $(BIN)/python -c 'import sys; sys.exit(sys.version_info >= (3, 13))'; then
	  $(PIP) install --no-deps --ignore-requires-python \
	    $$(sed -nE 's/^(azure-functions-runtime|azurefunctions-extensions-base)(==[^ ;]+).*/\1\2/p' requirements.txt)
	fi
	touch $(INSTALLED)

.ONESHELL:

demo: $(INSTALLED)
	@$(BIN)/rdp-remediate demo $(SCENARIO)

test: $(INSTALLED)
	@$(BIN)/python -m pytest -q -n 2 $(SELECT)

check: $(INSTALLED)
	@step() {
	  echo "check: $$1" >&2; shift
	  output=$$("$$@" 2>&1) || { status=$$?; printf '%s\n' "$$output" >&2; exit $$status; }
	}
	step "ruff check" $(BIN)/ruff check .
	step "ruff format" $(BIN)/ruff format --check .
	step "mypy --strict" $(BIN)/mypy
	step "mypy --strict infra" $(BIN)/mypy infra/package.py infra/roles.py
	step "import-linter" $(BIN)/lint-imports
	step "roles fresh" $(BIN)/python infra/roles.py --check
	step "generated docs fresh" $(DOCS_CHECK)

bench: $(INSTALLED)
	@$(BIN)/python -m benchmarks

# Property tests only, with many more examples.
fuzz: $(INSTALLED)
	@RDP_REMEDIATE_TEST_PROFILE=fuzz $(BIN)/python -m pytest -q -n 2 -m hypothesis

package: $(INSTALLED)
	@$(BIN)/python infra/package.py

docs: $(INSTALLED)
	@$(DOCS_GENERATE)

# The genuine az command line against the lab; installs azure-cli (733 MB) into .venv-az.
az-transcript: $(INSTALLED)
	@if [ ! -x .venv-az/bin/az ]; then
	  echo "Installing azure-cli into .venv-az (733 MB, once) ..." >&2
	  $(BIN)/python -m venv .venv-az
	  .venv-az/bin/python -m pip --quiet --disable-pip-version-check install azure-cli==2.91.0
	fi
	PATH="$(CURDIR)/.venv-az/bin:$$PATH" $(BIN)/python docs/az_transcript.py

# The probe next to nmap, against genuine servers on loopback; names what has to be installed for it.
probe-transcript: $(INSTALLED)
	@$(BIN)/python docs/probe_transcript.py

client-check-transcript: $(INSTALLED)
	@$(BIN)/python docs/client_check_transcript.py

# Writes both locks anew from pyproject.toml (UPGRADE=--upgrade takes newer versions).
lock: $(INSTALLED)
	@[ -x $(BIN)/uv ] || $(PIP) install uv==0.13.9
	compile="$(BIN)/uv pip compile --quiet --universal --python-version 3.11 $(UPGRADE) --no-emit-index-url"
	$$compile --custom-compile-command "make lock" pyproject.toml -o requirements.txt
	$$compile --custom-compile-command "make lock" -c requirements.txt --all-extras pyproject.toml -o requirements-dev.txt
