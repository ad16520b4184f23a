# Every task of the project. `make demo` and `make test` install what they need (apt, npm, cargo) by themselves.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export QR_PHOTOS ?= ../shared/qr-photos
# The tests' node scripts use the Node that tools/prepare chose.
export PATH := $(CURDIR)/target/node/node_modules/node/bin:$(CURDIR)/target/node/node_modules/.bin:$(PATH)

# The features that tests and demo build with. `crash-points` lets a test kill a handheld at a chosen step; no package has it.
TEST_FEATURES := ticket-signer/cli,scanner-app/window,scanner-app/camera,scanner-app/sound,scanner-app/crash-points

.PHONY: help
help: ## Lists the tasks
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: demo
demo: ## Tells the whole story once, from keys to a reconciled scan (HEADLESS=1 for no window)
	@tools/prepare
	@cargo build --quiet --workspace --exclude turnstone-bench --bins --features $(TEST_FEATURES)
	@target/debug/demo

.PHONY: test
test: ## Runs every test
	tools/prepare
	cargo build --workspace --exclude turnstone-bench --bins --features $(TEST_FEATURES)
	cargo test --workspace --exclude turnstone-bench --features $(TEST_FEATURES)
	cd ui/web && npm run --silent check && npm test --silent && npm run --silent test:browser

.PHONY: check
check: ## The quick loop: format, lints, unit tests, licences
	@tools/prepare bench
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets --features $(TEST_FEATURES) -- -D warnings
	cargo test --workspace --exclude turnstone-tests --exclude turnstone-bench --lib --features $(TEST_FEATURES)
	@command -v cargo-deny >/dev/null || cargo install --quiet --locked cargo-deny
	cargo deny --log-level error check bans licenses sources

.PHONY: bench
bench: ## Measures: decision, frame to durable verdict, lists, merging
	@tools/prepare bench
	cargo run --release --quiet -p turnstone-bench

.PHONY: bench-decode
bench-decode: ## Measures the decoder beside its peers
	@tools/prepare bench
	cargo run --release --quiet -p turnstone-bench -- decode $(ARGS)

.PHONY: soak
soak: ## The long tests: 200 kills of handheld and server; an evening at a venue that fails (root)
	@tools/prepare
	cargo build --workspace --exclude turnstone-bench --bins --features $(TEST_FEATURES)
	SOAK=1 cargo test -p turnstone-tests --features $(TEST_FEATURES) --test crash --test venue -- --nocapture

.PHONY: sim
sim: ## Simulates evenings at the gates in virtual time (SEEDS=10000)
	@tools/prepare build
	cargo run --release --quiet -p turnstone-sim -- --seeds $${SEEDS:-10000}

.PHONY: sim-mutants
sim-mutants: ## Plants each known fault in the simulator: one that it does not find is a failure (SEEDS=2000)
	@tools/prepare build
	cargo test --release --quiet -p turnstone-sim --features mutants --test shrinking
	cargo run --release --quiet -p turnstone-sim --features mutants -- --mutants --seeds $${SEEDS:-2000}

.PHONY: screens
screens: ## Draws every screen and page anew into docs/screens.png
	@tools/prepare
	tools/screens
