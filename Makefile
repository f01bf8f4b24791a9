# The two commands: `make repro` runs the study, `make test` runs the tests. Each sets up .venv where it is missing.

VENV := .venv
INSTALLED := $(VENV)/.installed
# PYTHON is the first Python that TensorFlow has wheels for; choose one with `make PYTHON=/path/to/python3.12 repro`.
IS_SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
CANDIDATES := python3 python3.13 python3.12 python3.11
PYTHON ?= $(shell for p in $(CANDIDATES); do $$p -c '$(IS_SUPPORTED)' >/dev/null 2>&1 && echo $$p && break; done)

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
unexport PYTHONHOME PYTHONPATH

.PHONY: help repro studies live example test unit setup ui server tensorboard publish check format bench figures docs lock
.DEFAULT_GOAL := help

help:
	@echo "make repro    run what is stale of the study, publish it to MLflow, show the result"
	@echo "make test     run the tests                      make unit     run the quick tests"
	@echo "make studies  run grids of changes and remedies, on this machine or a Dask cluster"
	@echo "make example NAME=digits    run one of examples/ in a folder of its own"
	@echo "make ui       open the runs in MLflow            make publish  publish to MLFLOW_TRACKING_URI"
	@echo "make server   serve MLflow to a team: PostgreSQL, users and rights (docs/team-server.md)"
	@echo "make tensorboard   open histograms of gradients and weights, and curves, in TensorBoard"
	@echo "make live     in another terminal: follow the trainings of a \`dvc repro\` in MLflow"
	@echo "make check    check format, lint and types       make format   fix format and imports"
	@echo "make bench    measure speed and memory           make figures  renew the pictures in docs/"
	@echo "make docs     renew the tables of the reference  make lock     renew the locks of packages"
	@echo "make setup    install the locked packages"
	@echo "docs/commands.md lists all commands."

repro: setup
	@python3 -m pipeline.repro

test: setup
	@python3 -m pytest -n 3 --dist worksteal

unit: setup
	@python3 -m pytest -m "not slow and not long and not campaign" -n 2 --dist worksteal

setup: $(INSTALLED)

$(INSTALLED): requirements.lock installer.lock
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(IS_SUPPORTED)' 2>/dev/null || { \
	  version="$$($(or $(PYTHON),python3) --version 2>/dev/null)"; \
	  echo "error: found $${version:-no Python}: must be Python 3.11, 3.12 or 3.13, for which TensorFlow exists;" \
	    "name one with make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version), once: one to three minutes"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(VENV)/bin/python3 -m pipeline.setup
	@touch $@

# EXAMPLE=digits opens the runs of an example.
ui: setup
	@cd $(if $(EXAMPLE),examples/$(EXAMPLE)/run,.) && python3 -m pipeline.tracking.ui.serve $(if $(PORT),--port $(PORT))

# FOLDER=/srv/mlflow PORT=5001 HOST=0.0.0.0 ALLOWED_HOSTS=mlflow.example.org
server: $(VENV)/.server
	@python3 -m pipeline.tracking.server $(if $(FOLDER),--folder $(FOLDER)) serve $(if $(PORT),--port $(PORT)) \
	  $(if $(HOST),--host $(HOST)) $(if $(ALLOWED_HOSTS),--allowed-hosts $(ALLOWED_HOSTS))

# The packages that only a team's server needs: PostgreSQL's driver and what MLflow's authentication needs.
SERVER_LOCK := pipeline/tracking/server/requirements.lock
$(VENV)/.server: $(SERVER_LOCK) $(INSTALLED)
	@$(VENV)/bin/python3 -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

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

# The packages that only the benchmarks need: the peers.
$(VENV)/.bench: benchmarks/requirements.lock $(INSTALLED)
	@$(VENV)/bin/python3 -m pip install --quiet --disable-pip-version-check --require-hashes -r benchmarks/requirements.lock
	@touch $@

figures: setup
	@cp reports/outcomes.png reports/pair_gradients.png reports/survival.png docs/
	@for study in remedies/differences relu_depth/along; do \
	  test ! -f studies/$$study.png || cp studies/$$study.png docs/$$(echo $$study | tr / _).png; done
	@lines=examples/memory/run/studies/length/lines.png; test ! -f $$lines || cp $$lines docs/memory_length.png
	@python3 tests/callback_page.py

# What the pages take from the code: causes, remedies, parameters and metrics.
docs: setup
	@python3 -m docs.generate

LOCK := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
  --custom-compile-command "make lock"

lock: setup
	@$(LOCK) --extra repository --extra dev pyproject.toml -o requirements.lock
	@$(LOCK) --constraint requirements.lock benchmarks/requirements.in -o benchmarks/requirements.lock
	@$(LOCK) --constraint requirements.lock $(SERVER_LOCK:.lock=.in) -o $(SERVER_LOCK)
	@echo uv | $(LOCK) - -o installer.lock
