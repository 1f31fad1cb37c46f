#!/usr/bin/env bash
# Flink's benches and ours in turn, in one run on one machine: docs/benchmarks.md says what is measured and how to read it.
#
# From the environment:
#   ROUNDS                how often everything runs; medians of all rounds are compared (3)
#   ROUNDS_FLINK          rounds of state access within one process of Flink's (5, as ours)
#   BACKENDS              "hashmap rocksdb", or one of them
#   RECORDS               records of Flink's keyed count on the HashMap backend (60000000, as ours)
#   RECORDS_ROCKSDB       the same on RocksDB (6000000: it is an order of magnitude slower)
#   BIG_STATE_MB          megabytes of state that are checkpointed, restored and rescaled (2048; 0 leaves that out)
#   OUT                   where results go (out)
#   CARGO                 cargo
#   RUSTFLAGS             flags of the Rust compiler (-C target-cpu=native, as the JVM compiles for the machine that it is on)
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${ROUNDS:-3}
backends=${BACKENDS:-hashmap rocksdb}
records_hashmap=${RECORDS:-60000000}
records_rocksdb=${RECORDS_ROCKSDB:-6000000}
big_state_mb=${BIG_STATE_MB:-2048}
mkdir -p "${OUT:-out}/bench-flink"
results=$(cd "${OUT:-out}/bench-flink" && pwd)
scratch=$results/scratch
child=

stop() {
  if [ -n "$child" ]; then
    kill "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
  fi
  rm -rf "$scratch"
}
trap stop EXIT
trap 'exit 130' INT TERM

die() {
  echo "bench-flink: $*" >&2
  exit 1
}

# Runs a command as a child that `stop` ends with us, and adds what it prints to a file.
run() {
  local file=$1
  shift
  "$@" >>"$file" &
  child=$!
  local status=0
  wait "$child" || status=$?
  child=
  [ "$status" = 0 ] || die "failed with status $status: $*"
}

install_java() {
  command -v mvn >/dev/null && command -v javac >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get install -qq -y maven openjdk-17-jdk-headless >&2
  else
    die "needs Maven and a JDK of version 17 or later"
  fi
}

ours() {
  echo "# round $round: ours, $1" >&2
  TMPDIR=$scratch run "$results/ours-$round" "$bench" "$1"
}

# The heap is bounded, and the packages opened that Flink's own start scripts open.
flink() {
  echo "# round $round: Flink's $*" >&2
  run "$results/flink-$round" java "-Xmx${heap_mb}m" "-Djava.io.tmpdir=$scratch" \
    --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.util=ALL-UNNAMED \
    --add-opens=java.base/java.time=ALL-UNNAMED \
    -cp "bench/flink/target/classes:$(cat bench/flink/target/classpath)" "org.millpond.bench.$@"
}

# Our suites of a kind: those named like it, and its variants (`rocksdb_uniform`).
ours_named() {
  local suite
  for suite in $suites; do
    case $suite in
      # Has no counterpart of Flink's.
      *_memory) ;;
      "$1" | "$1"_*) ours "$suite" ;;
    esac
  done
}

install_java
mvn -q -B -f bench/flink/pom.xml compile
# RocksDB is native code and long to build: only where it is compared.
features=()
if [[ $backends == *rocksdb* ]]; then
  features=(--features rocksdb)
  variables=$(scripts/rocksdb-native.sh)
  eval "$variables"
fi
RUSTFLAGS=${RUSTFLAGS--C target-cpu=native} "${CARGO:-cargo}" build --quiet --release -p millpond-bench "${features[@]}"
bench=${CARGO_TARGET_DIR:-target}/release/millpond-bench
suites=$("$bench" suites)

rm -f "$results"/ours-* "$results"/flink-*
for round in $(seq "$rounds"); do
  mkdir -p "$scratch"
  heap_mb=3072
  # There even where none of our suites runs: Flink's rows then stand alone.
  touch "$results/ours-$round"
  for backend in $backends; do
    ours_named "$backend"
    flink StateAccess "$backend" "${ROUNDS_FLINK:-5}"
  done
  for backend in $backends; do
    suffix=_$backend
    [ "$backend" != hashmap ] || suffix=
    case " ${suites//$'\n'/ } " in
      *" engine$suffix "*) ours "engine$suffix" ;;
    esac
    records=records_$backend
    flink KeyedCount "$backend" "${!records}" "$scratch/checkpoints"
  done
  if [ "$big_state_mb" != 0 ]; then
    # A state of objects takes twice its bytes; the rest is for what a checkpoint or a restore has under way.
    heap_mb=$((1024 + 4 * big_state_mb))
    for backend in $backends; do
      BIG_STATE_MB=$big_state_mb ours_named "big_$backend"
      flink BigState "$backend" "$big_state_mb" "$scratch/big"
    done
  fi
  rm -rf "$scratch"
done

"$bench" compare --ours "$results"/ours-* --flink "$results"/flink-* | tee "$results/table"
