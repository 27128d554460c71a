# Two commands do everything on a fresh machine: `make up` and `make test`.
# PROFILE is one for the demo and the tests, so that nothing is compiled twice.
SHELL := /bin/bash
.DEFAULT_GOAL := help
CARGO ?= cargo
STACK_DIR ?= .stack
HOMES ?= 12
HTTP_PORT ?= 9400
FAULT_ROUNDS ?= 5
FAILOVER_ROUNDS ?= 3
NIGHTLY_ROUNDS ?= 15
FUZZ_RUNS ?= 20000
BIN := $(or $(CARGO_TARGET_DIR),target)/release

.PHONY: help install build up down test check charts images kubernetes cluster cluster-up cluster-down cluster-shell faults failover nightly fuzz bench deny lines config

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

install: ## What the local stack needs, on Debian; seconds when all is there
	@scripts/install-debian.sh

build: install ## All services and tools
	@$(CARGO) build --release --locked --workspace --bins

up: build ## The real servers, the four services and a simulated street; Ctrl-C stops it
	@$(BIN)/wattline-stack up --dir $(STACK_DIR) --services --homes $(HOMES) --http-port $(HTTP_PORT) --json $(STACK_DIR)/stack.json

config: build ## Write the samples in config/ anew
	@for file in config/*.toml; do $(BIN)/wattline-$$(basename $$file .toml) --sample > $$file || exit 1; done

down: ## Stop a stack that `make up` left behind, and delete its data
	@$(BIN)/wattline-stack down --dir $(STACK_DIR)

test: install ## Every promise once, against the real servers
	@scripts/charts.sh install
	@scripts/test.sh

check: install charts images ## Formatting, lints, documentation, charts, images
	@$(CARGO) fmt --all --check
	@$(CARGO) clippy --release --locked --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --locked --workspace --no-deps --document-private-items --quiet

charts: ## Lint, render and check the charts; needs python3 with pip, and Go
	@scripts/charts.sh check

images: ## That images made without Docker are those of the Dockerfile, and that none is missing; seconds
	@scripts/images.sh check

kubernetes: ## The charts on a real API server with three fake nodes; needs Go, and WATTLINE_CRDS
	@scripts/kubernetes.sh

cluster: install ## The charts on three real nodes on this machine; needs root, Go and a C compiler; STORIES="operate alerts" for others than dev, staging and prod
	@scripts/cluster.sh run $(STORIES)

cluster-up: install ## Such nodes that stay
	@scripts/cluster.sh up

cluster-shell: ## A shell with kubectl and helm inside of their network, and the addresses of the pages
	@scripts/cluster.sh shell

cluster-down: ## End them
	@scripts/cluster.sh down

faults: install ## Rounds of faults under load, and their table; FAULT_ROUNDS=n
	@scripts/install-debian.sh faults
	@WATTLINE_FAULT_ROUNDS=$(FAULT_ROUNDS) scripts/faults.sh

failover: install ## Kafka, database and MQTT brokers lost, and an upgrade, under load; FAILOVER_ROUNDS=n
	@scripts/install-debian.sh failover
	@scripts/charts.sh install
	@WATTLINE_FAULT_ROUNDS=$(FAILOVER_ROUNDS) scripts/failover.sh

nightly: ## Hours: every kind of fault 15 times, the failovers, and fuzzing; NIGHTLY_ROUNDS=n
	@failed=; \
	$(MAKE) faults FAULT_ROUNDS=$(NIGHTLY_ROUNDS) || failed="$$failed faults"; \
	$(MAKE) failover || failed="$$failed failover"; \
	$(MAKE) fuzz FUZZ_RUNS=$$((10 * $(FUZZ_RUNS))) || failed="$$failed fuzz"; \
	[ -z "$$failed" ] || { echo "nightly: failed:$$failed" >&2; exit 1; }

fuzz: ## Every decoder, the routes and the scalars with anything, shortly; FUZZ_RUNS=n each
	@scripts/fuzz.sh all $(FUZZ_RUNS)

bench: build ## Measure each stage alone, the whole path and idling, and write reports; BENCH="--stage steady"
	@scripts/bench.sh $(BENCH)

deny: ## Licences, advisories, duplicates (needs cargo-deny)
	@$(CARGO) deny --all-features check

lines: ## Lines of code and of tests, and their ratio, for each library and service
	@scripts/lines.sh
