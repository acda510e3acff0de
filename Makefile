# `make test` and `make demo` set up all they need: a Python >= 3.11 is enough.
# Another interpreter: make test PYTHON=python3.12

VENV ?= .venv
# The first of these that runs, is new enough and can make an environment is taken.
PYTHON ?= python3.13 python3.12 python3.11 python3.14 python3 python
ARGS ?=

BIN := $(VENV)/bin
USABLE := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))

.PHONY: test demo lint types layers rules wheel clean
.NOTPARALLEL:

# One process for each processor, and one more. In one: make test ARGS="-n 0"
test: $(VENV)/.installed-cli,test
	@$(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

# Where the extra "local" has no wheel, the demo says so and simulates.
demo: | $(BIN)/pip
	@$(MAKE) -s $(VENV)/.installed-cli,local || \
	  { echo "The extra 'local' cannot be installed here."; \
	    $(MAKE) -s $(VENV)/.installed-cli; }
	@$(BIN)/bytebuddy-hf demo $(ARGS)

lint: $(VENV)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	@$(BIN)/mypy
	@PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python

layers: $(VENV)/.installed-dev
	@$(BIN)/lint-imports

rules: $(VENV)/.installed-dev
	@$(BIN)/python .ci/rules.py

wheel: $(VENV)/.installed-dev
	@rm -rf build dist
	@$(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps -w dist .
	@rm -rf build
	@ls dist/*.whl

clean:
	@rm -rf $(VENV) build dist *.egg-info .*_cache .hypothesis

$(VENV)/.installed-%: setup.cfg pyproject.toml | $(BIN)/pip
	@echo "installing .[$*] into $(VENV)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[$*]'
	@touch $@

$(BIN)/pip:
	@for python in $(PYTHON); do \
	  if $$python -c '$(USABLE)' >/dev/null 2>&1; then \
	    echo "making $(VENV) with $$($$python --version)"; \
	    exec $$python -m venv $(VENV); \
	  fi; \
	done; \
	echo "No Python >= 3.11 that can make a virtual environment: $(PYTHON)"; \
	echo "Name one with PYTHON=..., or (Debian, Ubuntu) install python3-venv."; \
	exit 1
