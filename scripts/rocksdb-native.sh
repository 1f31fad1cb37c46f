#!/usr/bin/env bash
# Builds RocksDB and Snappy once, from the sources inside the crate that Cargo.lock names, into a folder that every later
# build links: other profiles, other target folders and changed dependencies then never compile C++ again.
#
#   scripts/rocksdb-native.sh        builds what is missing and prints the variables that cargo needs, for `eval`
#
# Takes about five minutes of two idle cores, once. Optimized as RocksDB's own releases are (-O2), no debug information, Snappy
# the only compression.
set -euo pipefail
cd "$(dirname "$0")/.."

locked=$(awk '$1 == "name" && $3 == "\"rust-librocksdb-sys\"" { getline; gsub(/"/, "", $3); print $3 }' Cargo.lock)
[ -n "$locked" ] || { echo "Cargo.lock names no rust-librocksdb-sys" >&2; exit 1; }
home="${MILLPOND_NATIVE_DIR:-$HOME/.cache/millpond/native}/rocksdb-$locked"

# bindgen reads RocksDB's headers with libclang, also where the library is there already.
have_libclang() {
    # Not `libclang-cpp`, which a package of its own brings and bindgen has no use for.
    ldconfig -p 2>/dev/null | grep -qE 'libclang(-[0-9.]+)?\.so' \
        || ls /usr/lib/llvm-*/lib/libclang{,-[0-9]*}.so* 2>/dev/null | grep -q .
}
if ! have_libclang || ! command -v c++ >/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get update -q >&2
        apt-get install -y -q g++ libclang-dev >&2
    else
        echo "RocksDB needs a C++ compiler and libclang: install the packages g++ and libclang-dev" >&2
        exit 1
    fi
fi

# Two of these at once would delete each other's work: the second one waits.
mkdir -p "$(dirname "$home")"
if command -v flock >/dev/null; then
    exec 9> "$home.lock"
    flock 9
fi

if [ ! -f "$home/lib/librocksdb.a" ]; then
    work="$home.build"
    rm -rf "$work" && mkdir -p "$work/src"
    # A crate of its own, so that nothing of the workspace decides how the library is built.
    manifest() {
        cat > "$work/Cargo.toml" <<TOML
[package]
name = "rocksdb-native"
version = "0.1.0"
edition = "2024"
[workspace]
[dependencies]
rust-librocksdb-sys = { $1, default-features = false, features = ["snappy", "bindgen-runtime"] }
[profile.release]
debug = false
opt-level = 2
strip = "debuginfo"
TOML
    }
    : > "$work/src/lib.rs"
    manifest "version = \"=${locked%%+*}\""
    source=$(dirname "$(cargo metadata --format-version 1 --manifest-path "$work/Cargo.toml" \
        | grep -o '"manifest_path":"[^"]*rust-librocksdb-sys[^"]*Cargo.toml"' | head -1 | cut -d'"' -f4)")
    # Most of the time goes into headers that each of the 350 files reads anew. RocksDB keeps all of them compilable as one
    # (`make unity.a`); a few dozen at a time keep every core busy. Two have flags of their own on ARM.
    cp -r "$source" "$work/sys"
    list="$work/sys/rocksdb_lib_sources.txt"
    grep -v -e '^util/crc32c' -e '^util/build_version' "$list" | split -l 24 -d - "$work/sys/rocksdb/unity_"
    grep '^util/crc32c' "$list" > "$list.new"
    for part in "$work"/sys/rocksdb/unity_*; do
        sed 's/.*/#include "&"/' "$part" > "$part.cc"
        basename "$part.cc" >> "$list.new"
    done
    mv "$list.new" "$list"
    manifest 'path = "sys"'
    echo "building RocksDB $locked once into $home (some minutes)" >&2
    env -u ROCKSDB_LIB_DIR -u ROCKSDB_INCLUDE_DIR -u CARGO_TARGET_DIR -u RUSTFLAGS \
        cargo build --release --manifest-path "$work/Cargo.toml" --target-dir "$work/target" >&2
    out=$(dirname "$(ls -t "$work"/target/release/build/rust-librocksdb-sys-*/out/librocksdb.a | head -1)")
    # One archive of both. The binding's own additions to the C interface come with the binding.
    mkdir -p "$home.new/lib"
    snappy=$(ls "$out"/libsnappy.a)
    printf 'create %s\naddlib %s\naddlib %s\nsave\nend\n' "$home.new/lib/librocksdb.a" "$out/librocksdb.a" "$snappy" | ar -M
    ar t "$home.new/lib/librocksdb.a" | { grep 'c_api_extensions' || true; } | xargs -r ar d "$home.new/lib/librocksdb.a"
    ranlib "$home.new/lib/librocksdb.a"
    cp -r "$work/sys/rocksdb/include" "$home.new/include"
    rm -rf "$home" && mv "$home.new" "$home" && rm -rf "$work"
fi

# The library has no type information, as RocksDB's releases; the binding compiles its additions by itself, and they must not ask for any.
flags="${CXXFLAGS:-}"
case " $flags " in
    *" -fno-rtti "*) ;;
    *) flags="$flags -fno-rtti" ;;
esac
echo "export ROCKSDB_LIB_DIR='$home/lib' ROCKSDB_INCLUDE_DIR='$home/include' ROCKSDB_STATIC=1 CXXFLAGS='${flags# }'"
