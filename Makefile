# Everything a fresh machine needs is Python and make: `make demo`, `make test`.
PYTHON ?= $(shell for each in python3 python3.11 python3.12 python3.13 python3.14 python; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo services test test-thorough environments peer-suites backends check bench dist docs format clean

help:
	@echo "make demo    set up and run the support-desk demo"
	@echo "make services  gateway, agent and tool service in one trace, with the backends that are here"
	@echo "make test    set up and run the quick tests: some of every kind"
	@echo "make test-thorough  set up and run every test"
	@echo "make environments  set up and run the tests that need other versions (ENVIRONMENTS=name for one)"
	@echo "make peer-suites  run the test suites of clients and frameworks, with and without specspan"
	@echo "make backends  fetch the real servers that tests talk to"
	@echo "make check   lint, types, import contract, copies, prose, sizes and names, instructions a call, public names"
	@echo "make bench   ratios against a hand-written span"
	@echo "make dist    build every wheel and source distribution, check them, and run the demo from them"
	@echo "make docs    build the documentation site into build/site"
	@echo "make format  rewrite the source in the house format"

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "the pinned versions need Python 3.11 or newer, and none was found."; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "the pinned versions need Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
		echo "Name another: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) -e '.[cli,console,openai,otlp]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.txt exporters/sqlite/pyproject.toml exporters/prometheus/pyproject.toml \
		exporters/alerts/pyproject.toml exporters/grafana/pyproject.toml exporters/postgres/pyproject.toml \
		exporters/clickhouse/pyproject.toml
	$(INSTALL) -e exporters/sqlite -e exporters/prometheus -e exporters/alerts -e exporters/grafana \
		-e exporters/postgres -e exporters/clickhouse -r requirements-dev.txt
	@touch $@

demo: $(VENV)/.run
	$(BIN)/specspan demo

# With what sends metrics to Prometheus and alerts to Alertmanager.
$(VENV)/.services: $(VENV)/.run exporters/alerts/pyproject.toml
	$(INSTALL) -e exporters/alerts opentelemetry-exporter-prometheus
	@touch $@

services: $(VENV)/.services
	@$(BIN)/python examples/services/run.py $(ARGS)

# The quick ones; where they cannot be had, their tests say that they are skipped. A worker runs whole files, so that what
# their tests share is made once (pytest-xdist's loadgroup has no effect with this pytest). A worker that crashes ends the
# run: restarted, it leaves the others waiting for good.
test: $(VENV)/.dev
	-@tools/backends/get.sh prometheus alertmanager
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart=0 $(ARGS)

# What a quick run leaves out, and why that can be left out: tests/support/thorough.py.
test-thorough:
	$(MAKE) test ARGS="--thorough $(ARGS)"

# What the pinned versions cannot be beside, and the oldest versions that are promised: tests/environments/*.txt.
environments: $(BIN)/python
	$(BIN)/python tools/environments.py $(ENVIRONMENTS)

# Other people's tests, from the registry: docs/compatibility.md. ARGS=--quick for those that take minutes.
peer-suites: $(VENV)/.run
	$(BIN)/python -m tools.peer_suites $(or $(ARGS),--write)

backends:
	tools/backends/get.sh

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tools/type_checkers.py
	$(BIN)/lint-imports
	$(BIN)/python tools/duplicates.py src exporters/sqlite/src
	$(BIN)/python tools/prose.py src exporters/*/src tools benchmarks examples
	$(BIN)/python tools/house.py --check
	$(BIN)/python tools/adapter_lines.py src/specspan/instrument
	$(BIN)/python -m benchmarks.counts
	$(BIN)/python -m pytest -q tests/test_public_api.py

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

$(VENV)/.dist: $(BIN)/python constraints.txt
	$(INSTALL) build twine
	@touch $@

dist: $(VENV)/.dist
	$(BIN)/python tools/dist.py

# The exporters are there for their commands, which the reference lists.
$(VENV)/.docs: $(VENV)/.run exporters/prometheus/pyproject.toml exporters/grafana/pyproject.toml
	$(INSTALL) -e exporters/prometheus -e exporters/grafana 'mkdocstrings[python]' zensical
	@touch $@

docs: $(VENV)/.docs
	$(BIN)/python tools/docs_site.py

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) .venv-* build dist .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
