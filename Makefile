PYTHON ?= python3
PY = .venv/bin/python
BOOTSTRAP = $(PYTHON) tools/bootstrap.py

.PHONY: run run-scaled setup local-model test test-fast test-scaled chaos fuzz soak check format lock
.SILENT:

# Install what is missing, migrate, and serve on RUNSITE_HOST and RUNSITE_PORT.
run: ; $(BOOTSTRAP) run

# The same with two web processes and two workers, on PostgreSQL and Redis (DATABASE_URL, REDIS_URL).
run-scaled: ; $(PYTHON) tools/run_scaled.py $(if $(WEB),--web $(WEB)) $(if $(WORKERS),--workers $(WORKERS))

# The environment with the tools for development.
setup: ; $(BOOTSTRAP) setup

# Try the download of the local model again.
local-model: ; $(BOOTSTRAP) local-model

# Everything: SQLite, PostgreSQL, real processes, both SDKs, the browser.
test: setup ; $(PY) tools/suite.py

# What needs no process, no browser and no patience.
test-fast: setup ; $(PY) -m pytest -q -n auto --dist=worksteal -m "not process and not browser and not sdk and not node and not services and not slow"

# Real processes and services that are broken on purpose, in both modes; six minutes, best with
# nothing beside it.
chaos: setup ; RUNSITE_TEST_REQUIRE=services DATABASE_URL=$${RUNSITE_TEST_POSTGRES:-postgresql://runsite:runsite@127.0.0.1:5432/runsite} $(PY) -m pytest -q -n2 --dist=loadfile -m "chaos and not sqlite"

# The SDKs and the browser once more, with a web process and a worker on PostgreSQL and Redis.
test-scaled: setup ; RUNSITE_TEST_SCALED=1 $(PY) -m pytest -q -n2 --dist=loadfile -m "(sdk or node or browser) and not services"

# Longer than any suite: schemathesis, hostile upstreams, random games. About half an hour.
fuzz: setup ; $(PY) tools/fuzz.py

# A run's page that is left open for three minutes; prints what it holds then.
soak: setup ; RUNSITE_TEST_SOAK_SECONDS=180 $(PY) -m pytest -q -s tests/browser/test_long_open.py

# Format, lint, import layers, types, system checks, missing migrations.
check: setup ; $(PY) tools/check.py

format: setup ; $(PY) -m ruff check --fix-only --quiet . && $(PY) -m ruff format --quiet .

# Resolve requirements/*.txt anew; UPGRADE=1 takes newer versions.
lock: setup ; $(PY) tools/lock.py $(if $(UPGRADE),--upgrade)
