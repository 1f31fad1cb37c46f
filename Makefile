# Every target installs what it lacks: rustup reads rust-toolchain.toml and fetches the pinned toolchain by itself.
.PHONY: demo test test-rocksdb test-full-disk test-services test-all bench bench-rocksdb bench-flink flink-it lint fmt doc clean help
.DEFAULT_GOAL := help

CARGO ?= cargo
OUT ?= out
# Releases of Flink to exchange savepoints with.
FLINK ?= 2.3.0 1.20.0

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Build and run the main job on a year of flights.
	$(CARGO) build --release --bin flights
	@rm -rf $(OUT)/flights
	$(CARGO) run --quiet --release --bin flights -- -p 2 --output $(OUT)/flights/findings \
	  -D execution.checkpointing.interval=500ms -D execution.checkpointing.dir=$(OUT)/flights/checkpoints

# From nothing a build that prepares for the next one takes up to three quarters more. Plain `cargo test` prepares, and keeps its own.
export CARGO_INCREMENTAL ?= 0

# What builds a native library or needs a server has a target of its own below. So have S3 and HDFS, default features of the command
# and the example, whose clients take minutes to build.
WORKSPACE = --workspace --exclude millpond-connector-kafka --exclude orders --no-default-features

test: lint doc ## Everything that must pass: format, lints, docs, unit, property, integration and doc tests.
	$(CARGO) test $(WORKSPACE) --quiet

# The native library is built once, optimized; every profile links it.
ROCKSDB_CRATES = -p millpond-state -p millpond-tests -p millpond-runtime -p millpond -p millpond-interop --features millpond-state/rocksdb,millpond-tests/rocksdb,millpond-runtime/rocksdb,millpond/rocksdb,millpond-interop/rocksdb

test-rocksdb: ## Lints, docs and tests of everything that the RocksDB backend is built into; builds RocksDB the first time.
	@env="$$(scripts/rocksdb-native.sh)" && eval "$$env" && \
	$(CARGO) clippy $(ROCKSDB_CRATES) --all-targets --quiet -- -D warnings && \
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc -p millpond-state --features rocksdb --no-deps --quiet && \
	$(CARGO) test $(ROCKSDB_CRATES) --quiet

# Suites against real servers are test targets named `services`, behind the feature `services` of their crate.
SERVICES = s3 hdfs kafka
SERVICES_CRATES = -p millpond-checkpoint -p millpond-connector-kafka -p flights -p orders --features millpond-checkpoint/services,millpond-connector-kafka/services,flights/services,orders/services
# Beside them what else is different with the clients of S3 and HDFS built in, and what of Kafka needs no broker.
SERVICES_TESTS = --lib --test services

test-services: ## Storage on S3 and HDFS, the flights job on them under kills, and the Kafka connector, against real servers, which it installs and starts.
	@scripts/openssl.sh
	$(CARGO) clippy $(SERVICES_CRATES) -p millpond-cli -p millpond --features millpond/kafka --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc -p millpond-connector-kafka --no-deps --quiet
	$(CARGO) test $(SERVICES_CRATES) $(SERVICES_TESTS) --no-run --quiet
	$(CARGO) test $(SERVICES_CRATES) --doc --quiet
	scripts/services run $(SERVICES) -- $(CARGO) test $(SERVICES_CRATES) $(SERVICES_TESTS) --quiet

test-full-disk: ## RocksDB on a disk that runs full: mounts a small file system in a namespace of its own (root, or user namespaces).
	@env="$$(scripts/rocksdb-native.sh)" && eval "$$env" && \
	unshare --map-root-user --mount -- $(CARGO) test -p millpond-state --features rocksdb --test rocksdb --quiet -- --ignored full_disk

test-all: test test-rocksdb test-full-disk test-services flink-it ## All of the above, and flink-it.

bench: ## Measure state access, snapshots and the engine; one line an operation.
	$(CARGO) run --quiet --release -p millpond-bench

bench-rocksdb: ## The same, and the RocksDB backend with its memory; builds RocksDB the first time.
	@env="$$(scripts/rocksdb-native.sh)" && eval "$$env" && \
	$(CARGO) run --quiet --release -p millpond-bench --features rocksdb

bench-flink: ## Measure Flink's state backends and local cluster and ours in turn, and print the ratios (docs/benchmarks.md).
	CARGO="$(CARGO)" OUT="$(OUT)" scripts/bench-flink.sh

flink-it: ## Exchange savepoints with Flink, both ways (needs Java 17 and Maven; builds RocksDB the first time).
	@for release in $(FLINK); do mvn -B -q -f flink-it/pom.xml -Dflink.version=$$release compile || exit 1; done
	@rm -rf flink-it/target/exchange
	@env="$$(scripts/rocksdb-native.sh)" && eval "$$env" && \
	$(CARGO) build --quiet -p millpond-interop --features rocksdb --bins && \
	$(CARGO) run --quiet -p millpond-interop --features rocksdb -- all $(FLINK)

lint: ## Formatting and clippy, warnings denied, benches and examples included.
	@rustup component list --installed 2>/dev/null | grep -q clippy || rustup component add clippy rustfmt
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(WORKSPACE) --all-targets --quiet -- -D warnings

doc: ## API documentation, broken links denied.
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(WORKSPACE) --no-deps --quiet

fmt: ## Format the code.
	$(CARGO) fmt --all

clean: ## Remove what the demo wrote.
	rm -rf $(OUT)
