# Recipes stop at the first failure, even inside a pipe.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# A shell that was open while Rust was installed does not have this folder on its PATH yet. Where it
# does, the PATH stays: cargo builds the C libraries again after each change of it.
ifeq (,$(findstring :$(HOME)/.cargo/bin:,:$(PATH):))
export PATH := $(PATH):$(HOME)/.cargo/bin
endif

# The features and targets whose queries are stored in .sqlx.
PREPARED := --all-targets --features simulator
PRIVATE_SERVER := scripts/postgres run --fast --name prepare --
# More threads than processors, because most tests wait most of the time: for a backoff, a pause, a
# process that starts.
TEST_THREADS ?= $(shell echo $$((3 * $$(nproc))))

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## See it work: own Postgres, simulated Partner Center, a year of history, the pages
	@scripts/need cargo cc postgres psql curl
	@echo "Building. The first build takes 5 to 10 minutes, a later one seconds."
	cargo build --locked --features simulator --bins
	@scripts/demo

.PHONY: test
test: ## Run all tests against a private Postgres; PG=14 to 18 for a version, ARGS="..." for cargo
	@scripts/need cargo cc postgres$(addprefix -,$(PG)) pgbouncer faketime strace
	$(if $(PG),SEATLEDGER_PG_BIN=$$(scripts/postgres bin $(PG))) RUST_TEST_THREADS=$(TEST_THREADS) \
		scripts/postgres run --fast --in-memory --name test -- \
		cargo test --features simulator --locked --no-fail-fast $(ARGS)

.PHONY: test-otel
test-otel: ## Test the traces of runs, which are built only with the feature otel
	@scripts/need cargo cc postgres
	RUST_TEST_THREADS=$(TEST_THREADS) scripts/postgres run --fast --in-memory --name otel -- \
		cargo test --features simulator,otel --locked --test integration -- traces:: service::metrics

.PHONY: test-citus
test-citus: ## Run the tests of ledger, views and runs on a Citus cluster; SEATLEDGER_PG_BIN=DIR
	@scripts/need cargo cc
	RUST_TEST_THREADS=$(TEST_THREADS) scripts/citus cargo test --features simulator --locked \
		--test integration -- $(or $(ARGS),ledger:: run:: database::grants) \
		$$(sed -n 's/^[a-z]/--skip &/p' tests/integration/citus_left_out.txt)

.PHONY: soak
soak: ## Compare views with their definitions after random histories: SEEDS=1000 FROM=1; SEED=17
	@scripts/need cargo cc postgres
	MODEL_FROM=$(or $(SEED),$(FROM),1) MODEL_SEEDS=$(if $(SEED),1,$(or $(SEEDS),1000)) \
		scripts/postgres run --fast --in-memory --name soak -- cargo test --features simulator \
		--locked --test integration -- ledger::model

.PHONY: bench
bench: ## Measure the whole job beside other ways to do it; for a part, ARGS="--runs 3"
	@scripts/need cargo cc postgres psql curl jq nginx python3
	cargo build --release --locked
	@benches/bench.py $(ARGS)

.PHONY: bench-history
bench-history: ## Measure the next day with 1 to 1,000 days stored; takes half an hour, 40 GB
	@scripts/need cargo cc postgres psql nginx python3
	cargo build --release --locked
	@benches/history.py $(ARGS)

.PHONY: bench-queries
bench-queries: ## Measure questions to 1.2 and 100 million rows; takes 20 minutes and 40 GB
	@scripts/need cargo cc postgres psql nginx python3
	cargo build --release --locked
	@benches/history.py --days 400 --customers 150 --queries $(ARGS)
	@benches/history.py --days 1000 --queries $(ARGS)

.PHONY: bench-throttling
bench-throttling: ## Measure the limiter against simulated limits; takes ten minutes
	@scripts/need cargo cc postgres psql jq
	cargo build --release --locked --features simulator --bins
	@benches/throttling

.PHONY: deb
deb: ## Build the Debian package; PROFILE=dev for a quick build, to try the package only
	@scripts/need cargo cc git dpkg-deb cargo-deb
	@packaging/build $(or $(PROFILE),release)

.PHONY: test-install
test-install: ## Try the package in a booted Debian, following docs/install.md; DEB=FILE
	@scripts/need cargo cc git dpkg-deb cargo-deb lintian
	cargo build --locked --features simulator --bin seatledger-simulator
	@$(if $(DEB),,$(MAKE) deb PROFILE=$(or $(PROFILE),dev))
	@tests/install/run $(DEB)

.PHONY: test-systemd
test-systemd: ## Try in a booted systemd what the units promise; SEATLEDGER_DEBIAN=ROOT, ARGS=NAMES
	@scripts/need cargo cc
	cargo build --locked --features simulator --bins
	@tests/systemd/run $(ARGS)

.PHONY: test-clients
test-clients: ## Try Microsoft's sign-in library and a public API client (PyPI) on the simulator
	@scripts/need cargo cc python3
	cargo build --locked --features simulator --bin seatledger-simulator
	@scripts/test-clients

.PHONY: report-sample
report-sample: ## Renew docs/report-sample.html from the ledger of the demo
	@scripts/need cargo cc postgres psql curl
	cargo build --locked --features simulator --bins
	@scripts/demo scripts/report-sample

.PHONY: bi-docs
bi-docs: ## Renew docs/bi.md and docs/bi from the comments in the database
	@scripts/bi-docs

.PHONY: test-bi
test-bi: ## Try dbt, JDBC, ODBC, Polars, DuckDB, pandas and Superset on the views (PyPI)
	@scripts/need cargo cc python3
	cargo build --locked --features simulator,parquet --bins
	@tests/bi/run

.PHONY: test-pages
test-pages: ## Look at every page with headless Chromium and axe, two schemes, three widths (PyPI)
	@scripts/need cargo cc postgres psql curl python3 chromium
	cargo build --locked --features simulator --bins
	@tests/pages/run

.PHONY: screenshots
screenshots: ## Renew docs/pictures from the pages of the demo, with headless Chromium (PyPI)
	@scripts/need cargo cc postgres psql curl python3 chromium
	cargo build --locked --features simulator --bins
	@tests/pages/run screenshots

.PHONY: test-monitoring
test-monitoring: ## Check the alerts for Prometheus and try each of them, with promtool
	@scripts/need promtool
	@monitoring/tests/run

.PHONY: check
check: ## Pass every gate, as the continuous integration does
	@.ci/run

.PHONY: freeze
freeze: ## For a release: freeze the migrations and keep a ledger of this version for later tests
	@scripts/need cargo cc curl postgres
	cargo build --locked --features simulator --bins
	@tests/releases/make

.PHONY: prepare
prepare: ## Write .sqlx after a change to a query or a migration
	@scripts/need cargo cc postgres cargo-sqlx
	$(PRIVATE_SERVER) sh -c 'cargo sqlx migrate run && cargo sqlx prepare -- $(PREPARED)'

.PHONY: prepare-check
prepare-check: ## Fail if .sqlx is not what the queries and migrations ask for
	@scripts/need cargo cc postgres cargo-sqlx
	$(PRIVATE_SERVER) sh -c 'cargo sqlx migrate run && cargo sqlx prepare --check -- $(PREPARED)'
