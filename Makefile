# The two commands of the README, and those of whoever works on spinstack. Each sets up what
# it needs; all the work is in tasks.py.
PYTHON ?= python3
VENV := .venv
INVOKE := $(VENV)/bin/invoke

.PHONY: demo demo-stop test bench lint docs linkcheck clean

demo: $(VENV)/demo
	@$(INVOKE) demo

demo-stop: $(VENV)/demo
	@$(INVOKE) demo-stop

test: $(VENV)/dev
	@$(INVOKE) test

# Half an hour on a machine that does nothing else: see docs/performance.md.
bench: $(VENV)/demo
	@$(INVOKE) bench

lint: $(VENV)/dev
	@$(INVOKE) lint

# The pages: docs/_build/html/index.html.
docs: $(VENV)/docs
	@$(INVOKE) docs

# Asks the sites that the pages link to.
linkcheck: $(VENV)/docs
	@$(INVOKE) linkcheck

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "install Python 3.10 or newer first"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "on Debian and Ubuntu: apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/demo: $(VENV)/bin/python pyproject.toml
	@echo "setting up $(VENV)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[rehearsal]'
	@# Invoke forbids Python to write down what it compiled; pip does so only for wheels.
	@$(VENV)/bin/python -m compileall -q spinstack spin_rehearsal
	@touch $@

$(VENV)/dev: $(VENV)/demo
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[rehearsal,dev]'
	@touch $@

$(VENV)/docs: $(VENV)/demo
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[rehearsal,docs]'
	@touch $@

clean:
	rm -rf $(VENV) docs/_build build dist artefacts .pytest_cache .mypy_cache .ruff_cache .hypothesis
