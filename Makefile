# The front door. `make` lists what it can do; every target works on a fresh clone.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)
OURS := hub console schema resolvers authz adapters audit domain store catalog
STAMPS := $(VENV)/.stamps

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | expand -t 14

demo: $(STAMPS)/run ## the main job: an invented county on SQLite, asked as three posts, log verified
	@$(BIN)/hub demo

serve: $(STAMPS)/run ## the same county, stays up: addresses, accounts, tokens, a curl line
	@$(BIN)/hub demo --serve

test: $(STAMPS)/dev mariadb ## every test but the browser's, on SQLite and on a PostgreSQL and a MariaDB of its own
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

test-browser: $(STAMPS)/dev ## the console in Chromium: each role's day, axe, paper, nothing outside; screenshots in build
	@deploy/chromium-for-tests
	$(BIN)/python -m pytest -q -m browser tests/browser

mariadb: ## MariaDB's server program for the tests, if it is not there (Debian, as root)
	@deploy/mariadb-for-tests

test-nightly: $(STAMPS)/dev ## 20,000 documents, 20,000 policies, 200 kills on each database, and the mutation run: hours
	HUB_TEST_DOCUMENTS=20000 HUB_TEST_POLICIES=20000 $(BIN)/python -m pytest -q -n 2 --dist worksteal \
	  tests/oracle tests/properties tests/authz tests/resolvers/test_answer.py
	HUB_TEST_KILLS=200 $(BIN)/python -m pytest -q -n 2 --dist worksteal \
	  tests/audit/test_kills.py tests/audit/test_disk_calls.py tests/faults/test_kill.py
	@$(MAKE) --no-print-directory mutation

mutation: $(STAMPS)/dev ## faults planted in what decides who sees what: how many a test notices (docs/mutation.md)
	$(BIN)/python -m tests.mutation

conformance: $(STAMPS)/dev ## the running hub held to the public's suites, 15 minutes; SUITE=name for one (tests/conformance)
	@$(BIN)/python -m tests.conformance $(SUITE)

check: $(STAMPS)/dev ## format, lint, types, import contracts, SDL, migration drift, docs
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy $(OURS) tests alembic bench examples/python
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/python -m pytest -q -n 2 -m "not postgres and not loopback" tests/architecture tests/schema \
	  tests/migrations/test_start.py tests/docs

bench: $(STAMPS)/dev ## side by side with peers on one PostgreSQL: reached and demanded, bench/RESULTS.md
	$(BIN)/python -m bench

bench-smoke: $(STAMPS)/dev ## the bench on one per cent of the county beside the hand-written limit, two minutes
	$(BIN)/python -m bench --percent 1 --peers limit --rounds 1 --seconds 1 --no-growth

bench-audit: $(STAMPS)/dev ## the access log: appends, verify, a million records asked, beside what is demanded, ten minutes
	@$(BIN)/python -m bench.audit

bench-authz: $(STAMPS)/dev ## what rights cost, a line a number beside what is demanded, three minutes
	@$(BIN)/python -m bench.authz

bench-sick: $(STAMPS)/dev ## does a sick department slow those who do not ask it, three minutes
	@$(BIN)/python -m bench.sick

bench-edge: $(STAMPS)/dev ## what hostile documents cost, and whether honest questions notice, three minutes
	@$(BIN)/python -m bench.edge

fix: $(STAMPS)/dev ## format the code and mend what ruff can mend
	$(BIN)/ruff format -q .
	$(BIN)/ruff check -q --fix .

schema: $(STAMPS)/run ## write schema/schema.graphql anew
	$(BIN)/hub schema print > schema/schema.graphql.new
	mv schema/schema.graphql.new schema/schema.graphql

lock: ## renew both lock files: hash-pinned names, no addresses
	@test -n "$(UV)" || { echo "lock needs uv: pip install uv"; exit 2; }
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 --extra postgres --extra mariadb --extra otlp --extra prometheus --extra build \
	  pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 --extra dev --extra build -c requirements.lock pyproject.toml \
	  -o requirements-dev.lock

$(STAMPS)/run: requirements.lock pyproject.toml
	@$(MAKE) --no-print-directory install LOCK=requirements.lock
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: requirements-dev.lock pyproject.toml
	@$(MAKE) --no-print-directory install LOCK=requirements-dev.lock
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run

install:
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifdef UV
	@uv pip install -q --python $(BIN)/python --require-hashes -r $(LOCK)
	@uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r $(LOCK)
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
endif

.PHONY: help demo serve test test-browser mariadb test-nightly mutation conformance check bench bench-smoke bench-audit bench-authz bench-sick bench-edge fix schema lock \
  install
