PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO ?= demo
# Two processes, each with a Ray and an S3 server of its own for all of its files.
TWO := -n 2 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help demo test test-quick browser fuzz bench bench-method bench-scale chaos chaos-model gpu-check lint types clean

help:  ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(READY)  ## The whole way on this machine: drawn pictures to verified pairs, in folder demo/
	$(BIN)/adabldm demo --output $(DEMO)

test: $(READY)  ## Every promise (two processes; needs about 6 GB)
	$(BIN)/pytest $(TWO) --ignore=tests/bench

test-quick: $(READY)  ## The promises that are checked in seconds: no Ray, no training, no programs
	$(BIN)/pytest $(TWO) --ignore=tests/bench -m "not ray and not slow"

browser:  ## Chromium, in which the report is tested (Debian, as root); without it those tests are skipped
	@command -v chromium && command -v chromedriver || { apt-get update -qq && \
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver; }

fuzz: $(READY)  ## 100,000 mutated inputs through every door (about 15 minutes)
	$(BIN)/python -m tests.fuzz --count 100000 --seed 0

bench: $(READY)  ## All measurements; prints, asserts no times
	$(BIN)/pytest tests/bench -s

chaos: $(READY)  ## 200 faults strike generate on a cluster of this machine's own (about 15 minutes)
	$(BIN)/python -m jobs.chaos --faults 200 --seed 0

chaos-model: $(READY)  ## A short one, with the embedded model
	$(BIN)/python -m jobs.chaos --faults 30 --requests 40 --model embedded

gpu-check: $(READY)  ## On a machine with a GPU: what only it can show, as a page
	$(BIN)/python -m jobs.gpu_check --output gpu-check.md

bench-method: $(READY)  ## Modes exact and fast side by side, and the frontier of adaptation
	$(BIN)/pytest tests/bench/test_method_bench.py -s

bench-scale: $(READY)  ## A driver of 512 simulated workers, commits onto 10 million rows, a resume of them
	$(BIN)/python -m jobs.bench.scale pool
	$(BIN)/python -m jobs.bench.scale commits
	$(BIN)/python -m jobs.bench.scale resume

lint: $(READY)  ## Style, and the laws of who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)  ## Static types
	$(BIN)/mypy

clean:  ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
