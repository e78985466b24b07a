# make help lists the targets. Everything is built inside this folder: .venv and .build.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --warn-undefined-variables
.DELETE_ON_ERROR:
.ONESHELL:

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
PYTHON ?=
PYTEST_ARGS ?=
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --require-hashes
COMPILE := $(BIN)/pip-compile --generate-hashes --strip-extras --quiet --no-config --allow-unsafe \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
PEER_PACKAGES := bind9 bind9-dnsutils openssh-server golang-go golang-github-vmware-govmomi-dev \
  chromium libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core fonts-liberation
DEMO_HOME := .build/demo

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 14

# --- environment ------------------------------------------------------------------------------

.PHONY: install
install: .venv/.installed ## build .venv with drctl in it

# Debian ships venv without pip in a package of its own.
$(BIN)/python:
	@python=$$(PYTHON="$(PYTHON)" tools/find-python.sh)
	"$$python" -c 'import ensurepip' 2>/dev/null || tools/debian-packages.sh python3-venv
	echo "Creating .venv with $$python"
	"$$python" -m venv .venv

.venv/.installed: requirements/run.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@echo "Installing drctl and what it runs on into .venv"
	$(PIP_INSTALL) -r requirements/run.txt -r requirements/build.txt
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	touch $@

.venv/.tested: requirements/test.txt .venv/.installed
	@echo "Installing what checks drctl into .venv"
	$(PIP_INSTALL) -r requirements/test.txt
	touch $@

# --- see it work ------------------------------------------------------------------------------

.PHONY: demo
demo: .venv/.installed ## start the lab, run the shipped failover in it, say where the incident log is
	@rm -rf $(DEMO_HOME)
	status=0
	$(BIN)/drctl lab run -- $(abspath $(BIN))/drctl failover runbooks/pacs-site-loss.yaml \
	  --home $(abspath $(DEMO_HOME)) --yes --reason "Demonstration in the lab" \
	  --answers runbooks/lab-answers.yaml || status=$$?
	find $(DEMO_HOME) -name incident.md -printf 'Incident log: %p\n'
	exit $$status

# --- check it ---------------------------------------------------------------------------------

.PHONY: test
test: .venv/.tested peers lint pytest ## create the environment, install what the tests need, run everything

.PHONY: peers
peers: .venv/.tested ## install and build the servers that the tests drive drctl against
	@tools/debian-packages.sh $(PEER_PACKAGES)
	$(MAKE) --silent .build/vcsim .build/govmomi
	tools/peers/ansible.sh

# Debian lays Go libraries out as a GOPATH; nothing is downloaded.
.build/vcsim .build/govmomi: .build/%: $(wildcard tools/peers/*/*.go)
	@echo "Building $@ with Debian's govmomi"
	mkdir -p $(@D)
	cd tools/peers/$* && GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= GOTOOLCHAIN=local \
	  GOCACHE=$(abspath .build/go-cache) go build -o $(abspath $@) .

.PHONY: lint
lint: .venv/.tested ## ruff, mypy, import contracts
	@$(BIN)/ruff check
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: pytest
pytest: .venv/.tested ## the tests alone, with coverage; PYTEST_ARGS selects
	@rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered

.PHONY: bench
bench: .venv/.tested peers ## the figures of the README
	@$(BIN)/python tests/bench/run.py

# --- keep it tidy -----------------------------------------------------------------------------

.PHONY: format
format: .venv/.tested ## let ruff fix and format
	@$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: docs
docs: .venv/.installed ## regenerate the parts of docs/ that come from the code
	@$(BIN)/python tools/docs.py

.PHONY: picture
picture: .venv/.installed ## run a failover in the lab and draw docs/picture.svg from it
	@$(BIN)/python tools/picture.py

.PHONY: requirements
requirements: .venv/.tested ## pin the newest releases, with their hashes
	@$(BIN)/python -m pip install --quiet pip-tools==7.6.2
	export CUSTOM_COMPILE_COMMAND="make requirements" PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS=
	$(COMPILE) --upgrade --output-file requirements/run.txt pyproject.toml
	$(COMPILE) --upgrade --output-file requirements/build.txt requirements/build.in
	$(COMPILE) --upgrade --output-file requirements/test.txt --extra keyring --extra pdf --extra vault \
	  pyproject.toml requirements/test.in
	$(COMPILE) --upgrade --output-file requirements/ansible.txt requirements/ansible.in

.PHONY: clean
clean: ## remove what make has built
	@rm -rf .venv .build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.*
	find drctl tests tools -name __pycache__ -prune -exec rm -rf {} +
