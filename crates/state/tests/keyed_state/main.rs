//! The keyed states of each backend against a plain model, through snapshots, failures, restores and rescales.
//!
//! A case is one job of several operator instances under random operations. Snapshots are taken while writing goes on and run
//! later, some on another thread, some against a disk that is full; their files are deleted as a coordinator would delete
//! them. A restore goes back to a completed checkpoint or savepoint, at another parallelism, with all or some of the states
//! opened. The model is `BTreeMap`s that are cloned with each snapshot.
//!
//! `MILLPOND_TEST_SEED` repeats a run, `MILLPOND_TEST_CASES` sets how many cases each test runs.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code"
)]

mod model;
mod states;
mod world;

use millpond_core::host::{SeededRandom, entropy};
use world::{Job, TestBackend, TestKey};

/// Operations of a case.
const OPERATIONS: usize = 10_000;
/// Cases of a database: each restore of one opens files.
#[cfg(feature = "rocksdb")]
const ROCKSDB_CASES: u64 = 4;
const CASES: u64 = 100;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Names the case when it fails.
struct Announce(u64);

impl Drop for Announce {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "the case failed with MILLPOND_TEST_SEED={} MILLPOND_TEST_CASES=1",
                self.0
            );
        }
    }
}

fn run<K: TestKey>(backend: TestBackend, cases: u64, incremental: bool) {
    let seed = number("MILLPOND_TEST_SEED").unwrap_or_else(entropy);
    println!("MILLPOND_TEST_SEED={seed}");
    let mut restores = 0;
    let cases = number("MILLPOND_TEST_CASES").unwrap_or(cases);
    for case in 0..cases {
        let seed = seed.wrapping_add(case);
        let announce = Announce(seed);
        let mut job = Job::<K>::new(SeededRandom::new(seed), backend, incremental);
        for _ in 0..OPERATIONS {
            job.step();
        }
        job.finish();
        restores += job.restores;
        drop(announce);
    }
    assert!(restores >= cases, "the test restored too rarely to mean anything");
}

#[test]
fn number_keys_with_full_checkpoints_behave_like_the_model() {
    run::<i64>(TestBackend::HashMap, CASES, false);
}

#[test]
fn number_keys_with_incremental_checkpoints_behave_like_the_model() {
    run::<i64>(TestBackend::HashMap, CASES, true);
}

#[test]
fn text_keys_with_full_checkpoints_behave_like_the_model() {
    run::<String>(TestBackend::HashMap, CASES, false);
}

#[test]
fn text_keys_with_incremental_checkpoints_behave_like_the_model() {
    run::<String>(TestBackend::HashMap, CASES, true);
}

#[cfg(feature = "rocksdb")]
mod rocksdb {
    //! The same on RocksDB: without the typed cache, with one that holds a part of the values, with one that holds all.

    use super::{ROCKSDB_CASES, TestBackend, run};

    const OFF: TestBackend = TestBackend::RocksDB { cache_bytes: 0 };
    const SMALL: TestBackend = TestBackend::RocksDB {
        cache_bytes: 64 << 10,
    };
    const LARGE: TestBackend = TestBackend::RocksDB {
        cache_bytes: 64 << 20,
    };

    #[test]
    fn number_keys_without_a_cache_and_with_full_checkpoints_behave_like_the_model() {
        run::<i64>(OFF, ROCKSDB_CASES, false);
    }

    #[test]
    fn number_keys_with_a_large_cache_and_incremental_checkpoints_behave_like_the_model() {
        run::<i64>(LARGE, ROCKSDB_CASES, true);
    }

    #[test]
    fn number_keys_with_a_small_cache_and_full_checkpoints_behave_like_the_model() {
        run::<i64>(SMALL, ROCKSDB_CASES, false);
    }

    #[test]
    fn text_keys_with_a_small_cache_and_incremental_checkpoints_behave_like_the_model() {
        run::<String>(SMALL, ROCKSDB_CASES, true);
    }

    #[test]
    fn text_keys_without_a_cache_and_with_incremental_checkpoints_behave_like_the_model() {
        run::<String>(OFF, ROCKSDB_CASES, true);
    }
}
