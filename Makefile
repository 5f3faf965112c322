# Two commands do everything on a machine with Python 3.11 or newer and make: `make demo`, `make test`.
.DEFAULT_GOAL := help
.PHONY: help demo nightly test check exact chaos bench bench-push reference clean

PYTHON ?= python3
BOOTSTRAP := .bootstrap
UV := $(or $(shell command -v uv 2>/dev/null),$(BOOTSTRAP)/bin/uv)

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Another port for the sandbox is one for tap and target, too.
ifdef AUTOMATE_SANDBOX_PORT
demo: export TAP_AUTOMATE_API_URL := http://127.0.0.1:$(AUTOMATE_SANDBOX_PORT)
demo: export TARGET_AUTOMATE_API_URL := http://127.0.0.1:$(AUTOMATE_SANDBOX_PORT)
endif

# A .env holds a dealer's own login, which would win over the sandbox's.
demo: $(UV)  ## A sandbox dealership, loaded into output/warehouse.duckdb and shown
	$(UV) run meltano --env-file /dev/null run demo

nightly: $(UV)  ## What a scheduler runs every night, in the environment prod
	$(UV) run meltano --environment prod run nightly

test: $(UV)  ## All tests but the slow ones; SLOW=1 runs those as well
	$(UV) run pytest $(if $(SLOW),-m "slow or not slow")

check: $(UV)  ## Lint, formatting and types
	$(UV) run ruff check
	$(UV) run ruff format --check
	$(UV) run mypy

RUNS ?= 1000
PROCESSES ?= 5
SEED ?= 1

exact: $(UV)  ## Reads while rows change, in every page order, judged: RUNS= of models, PROCESSES= SEED=
	@PYTHONPATH=tests $(UV) run python -m proof.exact --runs $(RUNS) --processes $(PROCESSES) --seed $(SEED)

CREATES ?= 2000
KILLS ?= 30
KEYS ?= honoured

chaos: $(UV)  ## Creates, changes and files through faults and SIGKILLs, judged: CREATES= KILLS= SEED= KEYS=honoured|ignored
	@PYTHONPATH=tests $(UV) run python -m proof.chaos --creates $(CREATES) --kills $(KILLS) --seed $(SEED) --keys $(KEYS)

bench: $(UV)  ## How fast is read and loaded, beside other tools; QUICK=1 within a minute
	$(UV) run python -m benchmarks.read $(if $(QUICK),--quick)

bench-push: $(UV)  ## How fast target-automate pushes, beside a plain SDK target; QUICK=1 within a minute
	$(UV) run python -m benchmarks.push $(if $(QUICK),--quick)

reference: $(UV)  ## Write docs/reference anew, from the contract, the settings and the errors
	$(UV) run automate-dms reference

clean:  ## Stop the sandbox; remove what demo and Meltano made
	@if [ -x .venv/bin/automate-dms ]; then .venv/bin/automate-dms sandbox down; fi
	rm -rf output .meltano

# uv comes from PyPI into a folder of the project where the machine has none.
$(BOOTSTRAP)/bin/uv:
	$(PYTHON) -m venv $(BOOTSTRAP)
	$(BOOTSTRAP)/bin/python -m pip install --quiet "uv>=0.8,<1"
