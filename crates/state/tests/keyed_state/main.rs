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
use world::{Job, Setup, TestBackend, TestKey};

/// Operations of a case.
const OPERATIONS: usize = 10_000;
const CASES: u64 = 100;
/// Cases of a further configuration of the backend.
const FEWER_CASES: u64 = 20;
/// Cases of a database: each restore of one opens files.
#[cfg(feature = "rocksdb")]
const ROCKSDB_CASES: u64 = 2;

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

fn run<K: TestKey>(setup: Setup, cases: u64) {
    let seed = number("MILLPOND_TEST_SEED").unwrap_or_else(entropy);
    println!("MILLPOND_TEST_SEED={seed}");
    let mut restores = 0;
    let cases = number("MILLPOND_TEST_CASES").unwrap_or(cases);
    for case in 0..cases {
        let seed = seed.wrapping_add(case);
        let announce = Announce(seed);
        let mut job = Job::<K>::new(SeededRandom::new(seed), setup);
        for _ in 0..OPERATIONS {
            job.step();
        }
        job.finish();
        restores += job.restores;
        drop(announce);
    }
    assert!(restores >= cases, "the test restored too rarely to mean anything");
}

/// Writes the tests: for a backend, whether states have a time to live, whether checkpoints are incremental, with keys of
/// which type, in how many cases.
macro_rules! behave_like_the_model {
    ($($name:ident: $backend:expr, ttl: $ttl:expr, incremental: $incremental:expr, $key:ty, $cases:expr;)*) => {$(
        #[test]
        fn $name() {
            let (backend, ttl, incremental) = ($backend, $ttl, $incremental);
            run::<$key>(Setup { backend, ttl, incremental }, $cases);
        }
    )*};
}

behave_like_the_model! {
    full_numbers: TestBackend::HashMap, ttl: false, incremental: false, i64, CASES;
    full_texts: TestBackend::HashMap, ttl: false, incremental: false, String, CASES;
    incremental_numbers: TestBackend::HashMap, ttl: false, incremental: true, i64, CASES;
    incremental_texts: TestBackend::HashMap, ttl: false, incremental: true, String, CASES;
    ttl_full_texts: TestBackend::HashMap, ttl: true, incremental: false, String, FEWER_CASES;
    ttl_incremental_numbers: TestBackend::HashMap, ttl: true, incremental: true, i64, FEWER_CASES;
}

#[cfg(feature = "rocksdb")]
mod rocksdb {
    //! The same on RocksDB: without the typed cache, with one that holds a part of the values, with one that holds all.

    use super::{ROCKSDB_CASES as CASES, Setup, TestBackend, run};
    use millpond_state::rocksdb::options::LeaveUnwritten;

    const fn rocksdb(cache_bytes: usize, leave: LeaveUnwritten) -> TestBackend {
        TestBackend::RocksDB { cache_bytes, leave }
    }
    const OFF: TestBackend = rocksdb(0, LeaveUnwritten::Hot);
    const SMALL: TestBackend = rocksdb(64 << 10, LeaveUnwritten::Hot);
    const LARGE: TestBackend = rocksdb(64 << 20, LeaveUnwritten::Hot);
    /// Leave all they can out of the database.
    const SMALL_LAZY: TestBackend = rocksdb(64 << 10, LeaveUnwritten::Everything);
    const LARGE_LAZY: TestBackend = rocksdb(64 << 20, LeaveUnwritten::Everything);

    behave_like_the_model! {
        off_full_numbers: OFF, ttl: false, incremental: false, i64, CASES;
        off_incremental_texts: OFF, ttl: false, incremental: true, String, CASES;
        off_ttl_full_texts: OFF, ttl: true, incremental: false, String, CASES;
        off_ttl_incremental_numbers: OFF, ttl: true, incremental: true, i64, CASES;
        small_full_texts: SMALL, ttl: false, incremental: false, String, CASES;
        small_incremental_numbers: SMALL, ttl: false, incremental: true, i64, CASES;
        small_ttl_full_numbers: SMALL, ttl: true, incremental: false, i64, CASES;
        small_ttl_incremental_texts: SMALL, ttl: true, incremental: true, String, CASES;
        large_full_numbers: LARGE, ttl: false, incremental: false, i64, CASES;
        large_incremental_texts: LARGE, ttl: false, incremental: true, String, CASES;
        large_ttl_full_texts: LARGE, ttl: true, incremental: false, String, CASES;
        large_ttl_incremental_numbers: LARGE, ttl: true, incremental: true, i64, CASES;
        small_lazy_numbers: SMALL_LAZY, ttl: false, incremental: true, i64, CASES;
        large_lazy_texts: LARGE_LAZY, ttl: false, incremental: true, String, CASES;
        large_lazy_ttl_numbers: LARGE_LAZY, ttl: true, incremental: true, i64, CASES;
    }
}
