# The two commands: `make repro` runs the study, `make test` runs all tests. Each sets up what it needs.

VENV := .venv
INSTALLED := $(VENV)/.installed
# The first Python that TensorFlow has wheels for; name another with `make PYTHON=/path/to/python3.12 repro`.
SERVES := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
CANDIDATES := python3 python3.13 python3.12 python3.11
PYTHON ?= $(shell for p in $(CANDIDATES); do $$p -c '$(SERVES)' >/dev/null 2>&1 && echo $$p && break; done)

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
unexport PYTHONHOME PYTHONPATH

.PHONY: help repro studies live example test unit setup ui tensorboard publish check format bench figures docs lock
.DEFAULT_GOAL := help

help:
	@echo "make repro    set up, run the whole study, publish it to MLflow, show the result"
	@echo "make test     set up, run all tests              make unit     the quick ones only"
	@echo "make studies  grids and remedies, each cell over its replicas: on this machine or a Dask cluster"
	@echo "make live     in another terminal: follow the trainings of a \`dvc repro\` in MLflow"
	@echo "make example NAME=digits    one of examples/, in a folder of its own"
	@echo "make ui       look at the runs in MLflow         make publish  publish to MLFLOW_TRACKING_URI"
	@echo "make tensorboard   histograms of gradients and weights, and curves, in TensorBoard"
	@echo "make check    format, lint, types                make format   mend format and imports"
	@echo "make bench    speed and memory, as ratios        make figures  renew the docs' figures"
	@echo "make docs     renew the pages' tables            make lock     renew both locks of packages"

repro: setup
	@python3 -m pipeline.repro

test: setup
	@python3 -m pytest -n 3 --dist worksteal

unit: setup
	@python3 -m pytest -m "not slow" -n 2 --dist worksteal

setup: $(INSTALLED)

$(INSTALLED): requirements.lock
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(SERVES)' 2>/dev/null || { \
	  found="$$($(or $(PYTHON),python3) --version 2>/dev/null)"; \
	  echo "error: found $${found:-no Python}: must be Python 3.11, 3.12 or 3.13, for which TensorFlow exists;" \
	    "name one with make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version), once: two minutes or more"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/python3 -m pipeline.setup
	@touch $@

# Of the repository's own runs, or of an example's.
ui: setup
	@cd $(if $(EXAMPLE),examples/$(EXAMPLE)/run,.) && python3 -m pipeline.tracking.ui.serve $(if $(PORT),--port $(PORT))

studies: setup
	@python3 -m pipeline.repro --studies

live: setup
	@python3 -m pipeline.tracking.live

example: setup
	@python3 -m examples.run $(NAME)

tensorboard: setup
	@python3 -m pipeline.tracking.tensorboard.open_tensorboard $(if $(PORT),--port $(PORT))

publish: setup
	@python3 -m pipeline.stages.track

check: setup
	@ruff format --check . && ruff check . && mypy

format: setup
	@ruff format . && ruff check --fix .

bench: $(VENV)/.bench
	@python3 -m benchmarks.run

# What only the benchmarks need: the peers.
$(VENV)/.bench: benchmarks/requirements.lock $(INSTALLED)
	@$(VENV)/bin/python3 -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.lock
	@touch $@

figures: setup
	@mkdir -p docs && rm -f docs/*.png && cp reports/outcomes.png reports/pair_gradients.png reports/survival.png docs/
	@for study in remedies/differences relu_depth/along; do \
	  test ! -f studies/$$study.png || cp studies/$$study.png docs/$$(echo $$study | tr / _).png; done

# What the pages take from the code: causes, remedies, parameters and metrics.
docs: setup
	@python3 -m docs.generate

LOCK := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock"

lock: setup
	@command -v uv >/dev/null || { echo "error: uv not found: needed to renew the locks" >&2; exit 1; }
	@$(LOCK) --extra repository --extra dev pyproject.toml -o requirements.lock
	@$(LOCK) --constraint requirements.lock benchmarks/requirements.in -o benchmarks/requirements.lock
