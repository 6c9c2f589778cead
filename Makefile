PYTHON ?= python3.11
COLLECTION = build/collections/ansible_collections/monitoring/ha
export PYTHONPATH = $(CURDIR)/build/collections

.PHONY: test
test: .venv/.ready $(COLLECTION)
	.venv/bin/ruff check plugins tests benchmarks molecule
	.venv/bin/pytest -q tests/unit

.venv/.ready: pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install -q ansible==12.3.0 pytest==9.2.0 ruff==0.17.6 requests==2.34.2
	touch $@

$(COLLECTION):
	mkdir -p $(@D)
	ln -sfn ../../../.. $@
