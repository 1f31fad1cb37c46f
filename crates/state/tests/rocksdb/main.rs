//! The RocksDB backend: the suites of the HashMap backend over it, and what only it has: files, folders, options.
#![cfg(feature = "rocksdb")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod cache;
mod files;
mod full_disk;
#[path = "../keyed_backend.rs"]
mod keyed_backend;
#[path = "../merge_namespaces.rs"]
mod merge_namespaces;
mod options;
mod other_backend;
mod unwritten;
