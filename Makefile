# The project's commands; each makes the virtual environment that it needs. `make` alone lists them.
# Another interpreter: make test PYTHON=python3.12. Options for pytest: make test PYTEST_ARGS="-n auto".

PYTHON ?= python3
PYTEST_ARGS ?=

DEMO := .venv-demo
TEST := .venv-test
ZOO := .venv-zoo
SITE := .venv-docs
BENCH := .venv-bench
ZOO_MODEL ?= open4v-small-lite0-ss
ZOO_PICTURE := examples/data/zoo
PIP := python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
# What ends up in the installed package, and so has to be installed again when it changes.
PACKAGED := $(shell find posebench model_zoo clusters examples/data docs/results -type f -not -path '*/__pycache__/*') README.md

.PHONY: help demo demo-zoo test lint bench docs wheel test-wheel clean python-is-new-enough
.DELETE_ON_ERROR:

help:
	@echo "make demo    score the shipped example in a new virtual environment (core only)"
	@echo "make demo-zoo  predict the pose in a shipped picture with a shipped model (installs torch)"
	@echo "make test    linters, type checker, tests and doctests"
	@echo "make lint    linters and type checker only"
	@echo "make bench   timings against what users would pick instead"
	@echo "make docs    build the documentation site into build/site"
	@echo "make wheel   build the wheel into dist/"
	@echo "make test-wheel  test the wheel outside the checkout: bare, then the whole suite with all extras"
	@echo "make clean   remove virtual environments, caches and builds"

demo: $(DEMO)/.installed
	$(DEMO)/bin/posebench demo

demo-zoo: $(ZOO)/.installed
	mkdir -p build
	$(ZOO)/bin/posebench zoo show $(ZOO_MODEL)
	$(ZOO)/bin/posebench zoo predict --model $(ZOO_MODEL) --images $(ZOO_PICTURE)/person.jpg \
		--camera $(ZOO_PICTURE)/camera.json --device cpu --draw build/demo-zoo -o build/demo-zoo.npz
	$(ZOO)/bin/posebench score --pred build/demo-zoo.npz --gt $(ZOO_PICTURE)/gt.npz -m NMPJPE -m PMPJPE

test: lint
	$(TEST)/bin/python -m pytest $(PYTEST_ARGS)

lint: $(TEST)/.installed
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy

bench: $(BENCH)/.installed
	@set -e; for script in benchmarks/*.py; do \
		$(BENCH)/bin/python "$$script"; \
	done

docs: $(SITE)/.installed
	NO_MKDOCS_2_WARNING=1 $(SITE)/bin/mkdocs build --strict

wheel: $(TEST)/.installed
	$(TEST)/bin/python -m build --wheel

test-wheel: | python-is-new-enough
	PYTHON=$(PYTHON) PYTEST_ARGS="$(PYTEST_ARGS)" .ci/test-wheel

clean:
	rm -rf $(DEMO) $(TEST) $(ZOO) $(SITE) $(BENCH) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find posebench model_zoo tests examples benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment is made anew only when what is to be installed changes.
$(DEMO)/.made $(TEST)/.made $(ZOO)/.made $(SITE)/.made $(BENCH)/.made: pyproject.toml constraints.txt | python-is-new-enough
	rm -rf $(@D)
	$(PYTHON) -m venv $(@D)
	touch $@

$(DEMO)/.installed: $(DEMO)/.made $(PACKAGED)
	@echo "Installing posebench into $(@D)"
	$(@D)/bin/$(PIP) .
	touch $@

$(ZOO)/.installed: $(ZOO)/.made $(PACKAGED)
	@echo "Installing posebench and what its models need into $(@D)"
	$(@D)/bin/$(PIP) '.[zoo]'
	touch $@

# pytorch-lightning is in no extra: posebench runs inside it and needs nothing of it.
$(TEST)/.installed: $(TEST)/.made
	@echo "Installing posebench and what its tests need into $(@D)"
	$(@D)/bin/$(PIP) --editable '.[dev,zoo,distributed,torchmetrics,mmengine]' pytorch-lightning
	touch $@

$(SITE)/.installed: $(SITE)/.made
	@echo "Installing what the documentation site needs into $(@D)"
	$(@D)/bin/$(PIP) --editable '.[docs]'
	touch $@

# MMPose asks for packages that have no wheel; what is timed of it needs none of them.
$(BENCH)/.installed: $(BENCH)/.made benchmarks/requirements.txt
	@echo "Installing posebench and what it is compared with into $(@D)"
	$(@D)/bin/$(PIP) --editable '.[dev,zoo,torchmetrics,distributed]' --requirement benchmarks/requirements.txt
	$(@D)/bin/$(PIP) --no-deps mmpose==1.3.2
	touch $@

python-is-new-enough:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "posebench needs Python 3.11 or newer, and $(PYTHON) is not; name one that is: make PYTHON=python3.12 ..." >&2; \
		exit 1; \
	}
