# Callboard's commands. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint format unit media browser browsers faults histories recordings kill bench docs meeting wheel serve lock clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 12

demo: $(VENV)/run.stamp ## Install what is missing and watch real peers, real media and every event arrive (under a minute)
	$(BIN)/callboard demo

test: $(VENV)/dev.stamp lint ## Set up, lint, and run every test
	scripts/test.sh

lint: $(VENV)/dev.stamp ## ruff, formatting, strict types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

unit: $(VENV)/dev.stamp ## Only the tests without Janus, browsers and kills
	$(BIN)/pytest -m "not media and not browser and not faults"

media: $(VENV)/dev.stamp ## Only the tests with Janus and real WebRTC peers
	$(BIN)/pytest -m media

browser: $(VENV)/dev.stamp ## Only the tests with the official client in Chromium
	$(BIN)/pytest -m browser

kill: $(VENV)/run.stamp ## Kill a delivering process a thousand times, and count what its receiver got (some minutes)
	$(BIN)/callboard bench kill --rounds 1000

browsers: $(VENV)/dev.stamp ## Firefox and Chromium with each other, every pair (some minutes)
	CALLBOARD_BROWSERS=all $(BIN)/pytest tests/browser/test_firefox.py

faults: $(VENV)/dev.stamp ## Only the tests that kill processes
	$(BIN)/pytest -m faults

recordings: $(VENV)/dev.stamp ## Recordings at length: codecs and shapes measured, jobs killed KILLS=300 times, captures 5 times each way (half an hour)
	$(BIN)/python -m callboard.testing.matrix --kills $(or $(KILLS),300)

histories: $(VENV)/dev.stamp ## 2,000 random histories of deliveries, with crashes at every named point (about a quarter of an hour)
	CALLBOARD_HISTORIES=2000 $(BIN)/pytest --timeout=3600 tests/unit/webhooks/test_delivery_histories.py

bench: $(VENV)/dev.stamp ## Measure everything, as ratios (about half an hour; needs a quiet machine)
	$(BIN)/python -m bench.run
	$(BIN)/python -m bench.against
	$(BIN)/python -m bench.against tls
	$(BIN)/python -m bench.fairness
	$(BIN)/python -m bench.backlog
	$(BIN)/python -m bench.history
	$(BIN)/python -m bench.idle
	$(BIN)/python -m bench.join
	$(BIN)/python -m bench.capture
	$(BIN)/python -m bench.composite
	$(BIN)/python -m bench.signalling

docs: $(VENV)/dev.stamp ## Write the generated pages of the docs anew (a test compares them)
	$(BIN)/callboard events docs
	$(BIN)/callboard reference

meeting: ## Build the meeting page (needs Node; the server runs without it)
	scripts/build-meeting.sh

wheel: $(VENV)/run.stamp meeting ## Build the package with the meeting page in it, into dist/
	$(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

serve: $(VENV)/run.stamp ## Run a server with the default settings (with Node: and the meeting page)
	scripts/build-meeting.sh --if-possible
	$(BIN)/callboard serve

lock: ## Write the lock files anew after changing dependencies (needs uv)
	scripts/lock.sh

clean: ## Remove what the set-up and the tests made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist tests/browser/node_modules tests/sdk/node_modules \
	  meeting-ui/node_modules

# One environment, in two steps: what runs, and what also tests. Each is made anew when its lock file changes.
$(VENV)/run.stamp: requirements.lock pyproject.toml scripts/system-packages.sh
	scripts/system-packages.sh run
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp requirements-dev.lock
	scripts/system-packages.sh test
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@
