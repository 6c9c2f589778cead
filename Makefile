# make demo       the whole stack on three hosts, on this machine
# make demo-down  removes every trace of it (IMAGE=1: the hosts' image too)
# make test       lint, unit tests and the scenarios that fit into an hour
# make test-all   every scenario, and repetitions
PYTHON ?= python3.11
COLLECTION = build/collections/ansible_collections/monitoring/ha
TYPING = build/typing/ansible_collections
READY = .venv/.ready $(COLLECTION) $(TYPING)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH = $(CURDIR):$(CURDIR)/build/collections

.PHONY: demo demo-down test test-all lint unit
demo: $(READY)
	@python -m tools.demo up

demo-down: $(READY)
	@python -m tools.demo down $(if $(IMAGE),--image)

test: $(READY)
	@python -m tools.suite

test-all: $(READY)
	@python -m tools.suite --all

lint unit: $(READY)
	@python -m tools.suite $@

.venv/.ready: pyproject.toml
	$(PYTHON) -c 'import ensurepip' 2>/dev/null || { apt-get update -q && apt-get install -q -y python3-venv; }
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --upgrade pip==26.3
	.venv/bin/python -m pip install --quiet --group dev
	touch $@

# Ansible finds the collection by its name, whatever the clone is called.
$(COLLECTION):
	mkdir -p $(@D)
	ln -sfn ../../../.. $@

# mypy looks for the package here before it finds the one that Ansible brings.
$(TYPING):
	mkdir -p $@/monitoring
	touch $@/__init__.py
	ln -sfn ../../../.. $@/monitoring/ha
