# make run: from nothing to a table of results. make test: every check.
# Both create .venv when it is missing; use another interpreter with PYTHON=python3.12.

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed
UV := $(VENV)/bin/uv
# Bytecode is written even where the environment says not to, or every process of a pipeline and of
# the tests would compile the package anew.
export PYTHONDONTWRITEBYTECODE :=
# Tests run in an order of their own (tests/conftest.py): what takes long begins first.
PROCESSES := -n auto --maxprocesses 4 --dist loadgroup --no-loadscope-reorder
# Stages call plain `python`, so that the activated environment decides.
ACTIVATE := . $(VENV)/bin/activate

.DEFAULT_GOAL := help
.PHONY: help install run test test-all test-fast pytest lint audit versions release faults soak ui clean

help: ## show this help
	@echo "Usage: make TARGET"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-10s %s\n", $$1, $$2}'
	@echo
	@echo "Real data: see examples/README.md"

install: $(STAMP) ## create .venv and install the package into it

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	# uv is faster than pip, which does it where uv cannot be fetched or fails. Bytecode is compiled
	# once, as by pip: without it every process of a pipeline starts four times as slowly.
	($(VENV)/bin/python -m pip install --quiet uv && \
		$(UV) pip install --quiet --compile-bytecode --python $(VENV)/bin/python \
			--editable '.[dev]') || \
		$(VENV)/bin/python -m pip install --quiet --editable '.[dev]'
	@touch $@

run: $(STAMP) ## run the whole pipeline on the built-in corpora and print the results
	@$(ACTIVATE) && dvc repro
	@echo
	@cat reports/results.md
	@echo
	@echo "Report: open reports/index.html in a browser"
	@echo "Models: models/   metrics: metrics/ and figures/   plots: plots/"
	@echo "Runs:   make ui, then open http://127.0.0.1:5000/?workflowType=machine_learning"
	@echo "Use:    . $(VENV)/bin/activate; echo 'good , not bad at all' | nlp-rnn predict models/sentiment-bilstm - -"

lint: $(STAMP) ## check style and types
	$(VENV)/bin/ruff check benchmarks faults nlp_rnn pipelines tests
	$(VENV)/bin/ruff format --check benchmarks faults nlp_rnn pipelines tests
	$(VENV)/bin/mypy

# Types are checked beside the tests, which leave a core free at their beginning and end.
test: $(STAMP) ## check style and types, run the tests
	@$(MAKE) --no-print-directory --jobs 2 lint pytest SELECTED="not exhaustive"

test-all: $(STAMP) ## the same with every case of every grid: before a release
	@$(MAKE) --no-print-directory --jobs 2 lint pytest SELECTED=

test-fast: $(STAMP) ## check style and types, run the tests that are not slow
	@$(MAKE) --no-print-directory --jobs 2 lint pytest SELECTED="not slow and not exhaustive"

pytest: $(STAMP)
	$(VENV)/bin/python -m pytest $(PROCESSES) $(if $(SELECTED),-m "$(SELECTED)")

audit: $(STAMP) ## look for known faults in the code and the libraries; skips without a network
	@.ci/audit $(VENV)/bin/python

release: $(STAMP) ## build the wheel, and list every library that it installs (SBOM), in dist/
	rm -rf dist
	$(UV) build --quiet --out-dir dist
	$(UV) pip compile --quiet pyproject.toml --extra train --extra serve --generate-hashes \
		--no-header --output-file dist/requirements.txt
	$(UV) tool run --quiet --from 'cyclonedx-bom>=7,<8' cyclonedx-py requirements \
		dist/requirements.txt --pyproject pyproject.toml --output-reproducible \
		--output-file dist/nlp_rnn.cdx.json

versions: $(STAMP) ## run the core of the tests with older and newer libraries; skips without a network
	@.ci/versions $(UV)

faults: $(STAMP) ## break a small project in many ways and see what survives; QUICK=1 is a few minutes
	@$(ACTIVATE) && python -m faults $(if $(QUICK),--quick)

soak: $(STAMP) ## predict, serve, search and log runs for an hour, and see whether memory stays flat
	@$(ACTIVATE) && python -m faults.soak

ui: $(STAMP) ## show the runs in MLflow's web interface
	@case "$$MLFLOW_TRACKING_URI" in \
		http*) echo "Open $$MLFLOW_TRACKING_URI" ;; \
		*) $(VENV)/bin/mlflow ui --backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}" ;; \
	esac

clean: ## remove what the pipeline wrote; keeps raw data and MLflow's runs
	rm -rf data/prepared data/checksums embeddings vectors/*/ checkpoints models runs metrics figures plots predictions reports
