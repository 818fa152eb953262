# On a new machine, run `make demo` or `make test`: both create .venv first if it is missing.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
WORKERS ?= 2
# The tests that run with the lowest versions: those of the library, and the fast tests of the graph and the server.
LOWEST ?= tests/domain tests/evaluation tests/search tests/heuristic tests/llm tests/storage tests/pipeline tests/results tests/test_corpus.py \
	tests/test_settings_merge.py $(addprefix tests/assets/test_,definitions.py io_manager.py event_log.py home.py \
	dagster_behaviour.py dagster_internals.py celery_launcher.py cli.py dataset_and_template_commands.py search_command.py \
	search_demo.py search_resumed.py) $(addprefix tests/reward/test_,shapes.py rubrics.py search_parity.py \
	blocking.py serve_command.py trainers.py)
export DAGSTER_DISABLE_TELEMETRY := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo ui docs test doctest test-slow test-distributed test-ui pictures test-load test-integration test-event-log test-lowest audit bench bench-short check format lint types imports definitions constraints clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with the versions of constraints.txt

$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "no python3 in PATH; choose one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is older than Python 3.11; choose another: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "setting up $(VENV) (the first time takes a few minutes)"
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --constraint constraints.txt --editable '.[dev]'
	@touch $@

# The search that `make ui` shows, over examples/demo_dataset.json.
demo: $(READY) ## search rubrics for the demo dataset, offline, and print the best
	@$(BIN)/autosr search --search evolutionary --backend heuristic

ui: $(READY) ## open the web UI on the same home as the command line
	@DAGSTER_HOME="$$($(BIN)/python -m autosr_assets.cli.prepare_ui)" \
		DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS=600 DAGSTER_SCHEDULE_GRPC_TIMEOUT_SECONDS=600 $(BIN)/dagster dev -w workspace.yaml

docs: $(READY) ## build the documentation site into build/site; broken links fail
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "the site is in build/site"

doctest: $(READY) ## run the examples in the docstrings
	@$(BIN)/python -m pytest -q --doctest-modules autosr_lib autosr_assets

test: $(READY) doctest ## run the fast tests and the doctests, offline
	@$(BIN)/python -m pytest -q -n $(WORKERS) -m 'not (slow or integration or ui or distributed or load)' $(ARGS)

test-slow: $(READY) ## run the slow tests: whole searches, shells, daemons
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile -m 'slow and not (integration or ui or distributed)' $(ARGS)

test-distributed: $(READY) ## run the tests for several machines, with real Postgres, Redis, S3 server and workers
	@bash .ci/install-services
	@$(BIN)/python -m pytest -q -m distributed $(ARGS)

test-ui: $(READY) ## test the web UI and the report in a browser (chromium)
	@$(BIN)/python -m pytest -q -m ui $(ARGS)

pictures: $(READY) ## update the screenshots of the web UI in docs/images (chromium)
	@$(BIN)/python -m tests.assets.pictures

test-load: $(READY) ## test the server under load for ten minutes (AUTOSR_LOAD_SECONDS)
	@$(BIN)/python -m pytest -q -s -m load tests/reward/test_load.py $(ARGS)

test-integration: $(READY) ## run the tests that use a real endpoint (LLM_API_KEY)
	@$(BIN)/python -m pytest -q -m integration $(ARGS) tests/integration

test-event-log: $(READY) ## run Dagster's event log tests on our event log (downloads Dagster's sources)
	@$(BIN)/python tests/assets/dagster_suite.py -n $(WORKERS) $(ARGS)

bench: $(READY) ## measure speed, memory and waiting (takes an hour; see benchmarks/README.md)
	@$(BIN)/python -m benchmarks.evaluate_speed
	@$(BIN)/python -m benchmarks.client_speed
	@$(BIN)/python -m benchmarks.slow_endpoint
	@$(BIN)/python -m benchmarks.start
	@$(BIN)/python -m benchmarks.waiting
	@$(BIN)/python -m benchmarks.dagster_cost --stopped
	@$(BIN)/python -m benchmarks.dagster_cost --prompts 100 --postgres
	@$(BIN)/python -m benchmarks.growth
	@$(BIN)/python -m benchmarks.memory
	@$(BIN)/python -m benchmarks.asset_page

bench-short: $(READY) ## run a short form of every speed benchmark, to check that it works
	@$(BIN)/python -m benchmarks.evaluate_speed --rounds 3
	@$(BIN)/python -m benchmarks.client_speed --calls 100 --rounds 1
	@$(BIN)/python -m benchmarks.slow_endpoint --prompts 2 --endpoints 64:0.05
	@$(BIN)/python -m benchmarks.start --rounds 1
	@$(BIN)/python -m benchmarks.waiting --worlds 2 --prompts 8 --chunks 4
	@$(BIN)/python -m benchmarks.dagster_cost --prompts 3
	@$(BIN)/python -m benchmarks.growth --sizes 5
	@$(BIN)/python -m benchmarks.memory --sizes 5
	@$(BIN)/python -m benchmarks.asset_page --prompts 5

test-lowest: $(READY) ## run the tests in LOWEST with the lowest versions that pyproject.toml allows
	@WORKERS=$(WORKERS) bash .ci/lowest $(LOWEST) $(ARGS)

audit: $(READY) ## report known vulnerabilities of the pinned packages; never fails
	@bash .ci/audit

check: lint types imports definitions test ## run all checks that every commit must pass

format: $(READY) ## format the code and apply the fixes of ruff
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .

lint: $(READY)
	@$(BIN)/ruff format --check --quiet . || { echo "not formatted: run make format" >&2; exit 1; }
	@$(BIN)/ruff check --quiet .

types: $(READY)
	@$(BIN)/mypy --no-error-summary

imports: $(READY)
	@out=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$out"; exit 1; }

definitions: $(READY)
	@PATH="$(CURDIR)/$(BIN):$$PATH" VIRTUAL_ENV="$(CURDIR)/$(VENV)" $(BIN)/dg check defs
	@PYTHONWARNINGS=ignore $(BIN)/dagster definitions validate -w workspace.yaml --log-level error

constraints: ## update constraints.txt to the newest versions
	@rm -rf $(VENV) && "$(PYTHON)" -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --editable '.[dev,k8s,s3,fuzz]'
	@$(BIN)/python -m pip freeze --exclude-editable | grep -E '^[A-Za-z0-9._-]+==[^ @]+$$' > constraints.txt
	@touch $(READY)

clean: ## remove .venv and caches; keeps data/
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
