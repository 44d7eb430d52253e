# Every target is one line of shell; longer ones live in scripts/.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV ?= .venv
PYTHON := $(VENV)/bin/python
FAULTS ?= 30
CASES ?= 5000
SEED ?= 1
DB ?= sqlite

help: ## Show what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: ## Make .venv with everything the product needs
	@scripts/setup.sh run

setup-dev: ## Make .venv with what tests and benchmarks need, too
	@scripts/setup.sh dev

demo: setup ## Start the stack, train on real pictures, show the samples (ONCE=1: then stop)
	@$(VENV)/bin/aigc demo $(if $(ONCE),--once) || [ $$? -eq 130 $(if $(ONCE),,-o $$? -eq 3) ] # left with Ctrl-C, or its job was cancelled

up: setup ## Start the stack and stay
	@$(VENV)/bin/aigc up || [ $$? -eq 130 ]

down: ## Stop what make up, make demo or aigc up started here
	@$(VENV)/bin/aigc down

test: ## Set up and pass the tests, saying how long each part took
	@scripts/test.sh

lint: setup-dev ## ruff, mypy, import-linter
	@scripts/lint.sh

format: setup-dev ## Format the code
	@$(VENV)/bin/ruff check --fix . && $(VENV)/bin/ruff format .

chaos: setup-dev ## Do harm under load, count what is lost, try ten mutations (FAULTS=30 SEED=1 DB=sqlite ONLY= KEEP=)
	@$(PYTHON) -m tests.chaos --faults $(FAULTS) --seed $(SEED) --database $(DB) $(ONLY:%=--only %) $(if $(KEEP),--keep $(KEEP))

mutations: setup-dev ## Take ten guards out of a copy, one at a time; the tests must turn red
	@$(PYTHON) -m tests.chaos.mutations

histories: setup-dev ## Random histories and schedules on both databases, 500 of each and 50 steps long
	@$(PYTHON) -m pytest -q tests/backends --hypothesis-profile long --timeout 3600

check-ux: setup-dev ## The acceptance checklist in a real browser, shell and server; which of its 40 items hold
	@scripts/setup_browser.sh
	@$(PYTHON) -m tests.acceptance

lighthouse: setup-dev ## Lighthouse on the list with 10,000 jobs and the home page; performance must be 95 (needs node and npm)
	@scripts/setup_browser.sh
	@$(PYTHON) -m tests.acceptance.lighthouse

fuzz-api: setup-dev ## Send at least 5,000 requests made up from the API's description, with all checks (CASES=5000 SEED=1)
	@$(PYTHON) -m tests.web.fuzz_api --cases $(CASES) --seed $(SEED)

check-gpu: setup-dev ## What works, and how fast, on the GPU of this machine, in about five minutes (LOG=build/gpu)
	@$(PYTHON) -m benchmarks.gpu --log $(or $(LOG),build/gpu)

bench-images: setup-dev ## Quality and speed of the image families beside public examples
	@$(PYTHON) -m benchmarks.images

bench-tables: setup-dev ## Quality, speed and memory of the table families beside CTGAN and TVAE (AIGC_BENCH_DATA)
	@$(PYTHON) -m benchmarks.tables

bench-recommend: setup-dev ## Quality and speed of the recommenders on MovieLens 100K, beside RecBole (AIGC_BENCH_DATA)
	@$(PYTHON) -m benchmarks.recommend

bench-text: setup-dev ## Quality and speed of the text transformer beside nanoGPT's CPU recipe (AIGC_BENCH_DATA)
	@$(PYTHON) -m benchmarks.text

bench-assistant: setup-dev ## The assistant beside TF-IDF and BM25 alone, in English and Chinese (AIGC_BENCH_DATA)
	@$(PYTHON) -m benchmarks.assistant

bench-howto: setup-dev ## How-tos drafted from a log with known steps, beside the commonest sequence and Markov chains
	@$(PYTHON) -m benchmarks.howto

bench-engine: setup-dev ## Jobs a second, latency and submissions beside default Celery and bare Flask
	@$(PYTHON) -m benchmarks.engine

bench-batching: setup-dev ## Many users' small generations on one model: shared calls beside one call for each job
	@$(PYTHON) -m benchmarks.batching

bench-together: setup-dev ## One training by two processes on the CPU beside one process: steps a second, equal losses
	@$(PYTHON) -m benchmarks.together

bench-import: setup-dev ## Read a table of 10 million cells: seconds, and memory of the confined process
	@$(PYTHON) -m benchmarks.table_import

bench-million: setup-dev ## A table of a million rows from import to report: seconds and memory of each process
	@$(PYTHON) -m benchmarks.table_million

bench-web: setup-dev ## Memory of the web process, pages with 10,000 jobs, 200 readers, a warm generation
	@$(PYTHON) -m benchmarks.web

bench-scale: setup-dev ## 1,000,000 jobs beside 10,000, 64 devices beside one, 500 watchers (DB=sqlite ONLY=history)
	@$(PYTHON) -m benchmarks.scale --database $(DB) $(ONLY:%=--only %)

test-cluster: setup-dev ## Cut hosts off in the middle of trainings: PostgreSQL, Valkey, S3, two hosts (FAULTS=0 more at random)
	@$(PYTHON) -m tests.cluster --faults $(if $(filter command line,$(origin FAULTS)),$(FAULTS),0) --seed $(SEED)

docs: setup-dev ## Build the documentation as a site in build/site; a broken link fails
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --quiet && echo "Open build/site/index.html"

reference: setup-dev ## Write docs/reference/ anew from the code
	@$(PYTHON) scripts/write_reference.py

screenshots: setup-dev ## Make the pictures of the documentation from a running stack
	@$(PYTHON) scripts/screenshots.py

clean: ## Remove caches and build output, keep .venv and data
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis test-results

.PHONY: help setup setup-dev demo up down test lint format chaos mutations histories check-ux lighthouse fuzz-api check-gpu bench-images bench-tables bench-recommend bench-text bench-assistant bench-howto bench-engine bench-batching bench-together bench-import bench-million bench-scale bench-web test-cluster docs reference screenshots clean
