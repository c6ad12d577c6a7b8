# One target for each thing that a person does here; what takes more than two lines is in scripts/.
PREFIX ?= $(HOME)/.local
.DEFAULT_GOAL := help
.PHONY: help build demo test soak chaos lint bench cluster-up cluster-down cluster-status install clean

help: ## This list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## The release binary, target/release/kubectl-obs
	cargo build --release --locked

demo: ## A cluster on this machine with the stack installed on it (Linux, root)
	@scripts/demo

test: ## All tests; those that need a cluster start one (Linux, root) or use KUBECONFIG_TEST
	@scripts/test

chaos: ## Kills, faults, other operators and actors: a table, and target/chaos/report.json
	@OBS_SOAK=1 scripts/test --test cluster -- chaos::

soak: chaos ## The long tests: chaos, kills, repetitions, sizes, hostile inputs (up to 50 minutes)
	@OBS_SOAK=1 scripts/test --test cluster -- soak::
	@scripts/fuzz 30

lint: ## Format, clippy, licences and sources of the dependencies, shell scripts
	@scripts/lint

bench: ## Side by side with Helm and kubectl: a table, and target/bench/report.json
	@scripts/bench

cluster-up: ## Start the cluster of the demo and the tests (Linux, root)
	@devcluster/devcluster up

cluster-down: ## Stop it and remove what it left
	@devcluster/devcluster down

cluster-status: ## What runs, and where its kubeconfig is
	@devcluster/devcluster status

install: build ## The plugin and its shell completion in $PREFIX/bin (~/.local/bin)
	install -d "$(DESTDIR)$(PREFIX)/bin" && install -m 755 target/release/kubectl-obs "$(DESTDIR)$(PREFIX)/bin/"
	ln -sf kubectl-obs "$(DESTDIR)$(PREFIX)/bin/kubectl_complete-obs"

clean: ## Remove what cargo built; the cluster and its cache stay
	cargo clean
