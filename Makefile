# Two commands set everything up: `make demo` and `make test`. Each sees to .venv itself.
# Tests of tests/integration wait for brokers, workers and timeouts most of their time: they run one
# after the other, and what only computes runs beside them (tests/conftest.py).
PYTEST := -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadscope --no-loadscope-reorder
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH_STAMP := $(VENV)/.installed-bench
ARGS ?=

.PHONY: demo test hunt lint types bench scoreboard check clean

$(STAMP): pyproject.toml constraints.txt
	@echo "== setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,dev]'
	@touch $(STAMP)

demo: $(STAMP) ## Embedded Kafka and Valkey, a worker and a week of events in two minutes; ARGS=--once ends by itself
	@$(BIN)/hotspots demo $(ARGS)

test: lint types ## Lint, types and every test
	@echo "== tests"
	@$(BIN)/python $(PYTEST) $(ARGS)

hunt: $(STAMP) ## Draw new examples, and more of them, for the laws that tests claim
	@HYPOTHESIS_PROFILE=hunt $(BIN)/python $(PYTEST) -m 'not kafka' tests/models tests/streams $(ARGS)

bench: $(BENCH_STAMP) ## Our monitor and the peers on the same events; ARGS=--quick for a first look
	@PYTHONPATH=. $(BIN)/python -m benchmarks $(ARGS)

scoreboard: $(BENCH_STAMP) ## Measure docs/detection.md and its sub-pages anew, on the data sets in DATA=DIR
	@$(BIN)/python -m streams.scoreboard $(DATA)

$(BENCH_STAMP): $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,dev,bench]'
	@touch $(BENCH_STAMP)

lint: $(STAMP)
	@echo "== lint"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)
	@echo "== types"
	@$(BIN)/mypy

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
