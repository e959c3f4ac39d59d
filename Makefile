# One file does the set-up: `make demo` and `make test` need only Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
DEMO_PORT ?= 8000
export DEBUG ?= 1

.PHONY: demo test lint types check bench format clean help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(VENV)/.runtime: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit("Meishi Bridge needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.development: requirements-dev.txt $(VENV)/.runtime
	$(PY) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

demo: $(VENV)/.runtime ## the product over a sandbox, with a first sync before your eyes
	@DEMO_PORT=$(DEMO_PORT) $(PY) manage.py demo

test: $(VENV)/.development ## every test (TESTS="-k name" narrows it)
	$(PY) -m pytest -n auto --dist loadscope --no-loadscope-reorder $(TESTS)

lint: $(VENV)/.development ## ruff, formatting and import rules
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .

types: $(VENV)/.development ## mypy, strict where it matters
	$(VENV)/bin/mypy

check: $(VENV)/.development ## migrations complete, settings fit for production
	$(PY) manage.py makemigrations --check --dry-run
	env DEBUG=0 SECRET_KEY=check-only-$$(head -c 40 /dev/urandom | od -An -tx1 | tr -d ' \n') FERNET_KEYS=$$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n') \
		ALLOWED_HOSTS=example.com $(PY) manage.py check --deploy --fail-level WARNING

format: $(VENV)/.development ## puts the code in shape
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(VENV)/.runtime ## how fast it is on this machine
	$(PY) manage.py bench

clean: ## removes what the demo and the tests made
	rm -rf demo .pytest_cache .ruff_cache .mypy_cache .hypothesis
