//! Damaged and invented bytes before each reader of what Flink or Millpond wrote: `_metadata`, keyed streams (canonical ones and the
//! manifests of incremental heap snapshots), operator state, both also compressed, and serializer snapshots.
//!
//! Whatever the bytes, a reader answers or refuses with an error that says where; it never panics, hangs, or allocates more than the
//! input justifies. The bytes are real files of Flink's (`golden/`) and of the HashMap backend, mutated, and noise. The seed is fixed, so
//! that the test is the same everywhere; `MILLPOND_TEST_SEED` sets another and `MILLPOND_TEST_CASES` how many cases each reader gets.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code"
)]

mod memory;
mod mutate;
mod readers;

use memory::{Counting, peak_of};
use millpond::core::host::{SeededRandom, spawn};
use millpond::core::{Error, ErrorKind};
use mutate::mutate;
use readers::Reader;
use std::sync::mpsc;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SEED: u64 = 20_26;
const CASES: u64 = 4000;
/// What a reader may hold for each byte of its input: most of all a hash table's entry for a pair of two bytes.
const BYTES_PER_BYTE: usize = 64;
/// What it may hold whatever the input: tables of a backend that has nothing in it.
const BYTES_AT_ONCE: usize = 1 << 20;
/// No case takes a hundredth of this, however busy the machine.
const HANGS_AFTER: Duration = Duration::from_secs(60);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Names the case when it panics.
struct Announce(&'static str, u64);

impl Drop for Announce {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}: MILLPOND_TEST_SEED={} MILLPOND_TEST_CASES=1", self.0, self.1);
        }
    }
}

/// Whether the error says where in the bytes it is.
fn says_where(error: &Error) -> bool {
    ["at", "offset", "entry_at", "chunk_at"]
        .iter()
        .any(|key| error.context(key).is_some())
}

fn run_case(reader: &Reader, seed: u64) -> bool {
    let announce = Announce(reader.name, seed);
    let mut random = SeededRandom::new(seed);
    let original = &reader.inputs[random.below(reader.inputs.len() as u64) as usize];
    let bytes = mutate(&mut random, original);
    let length = bytes.len();
    let (peak, outcome) = peak_of(|| (reader.read)(bytes));
    let allowed = BYTES_AT_ONCE + BYTES_PER_BYTE * length;
    assert!(
        peak <= allowed,
        "{} of {length} bytes held {peak}, more than {allowed}",
        reader.name
    );
    if let Err(e) = &outcome {
        assert!(
            matches!(
                e.kind(),
                ErrorKind::Corrupt | ErrorKind::Unsupported | ErrorKind::Incompatible
            ),
            "{}: {e:?}",
            reader.name
        );
        assert!(
            e.kind() != ErrorKind::Corrupt || says_where(e),
            "{} says not where: {e}",
            reader.name
        );
    }
    drop(announce);
    outcome.is_err()
}

/// Runs the cases of a reader in a thread of their own, so that one that hangs is named.
fn run(make: fn() -> Reader) {
    let first = number("MILLPOND_TEST_SEED").unwrap_or(SEED);
    let cases = number("MILLPOND_TEST_CASES").unwrap_or(CASES);
    let (done, progress) = mpsc::channel();
    let thread = spawn("cases", move || {
        let reader = make();
        for input in &reader.inputs {
            (reader.read)(input.clone()).unwrap();
        }
        (0..cases)
            .filter(|case| {
                let refused = run_case(&reader, first + case);
                let _ = done.send(first + case);
                refused
            })
            .count() as u64
    })
    .unwrap();
    let mut last = None;
    loop {
        match progress.recv_timeout(HANGS_AFTER) {
            Ok(seed) => last = Some(seed),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                panic!("hangs after the case with MILLPOND_TEST_SEED={last:?}")
            }
        }
    }
    let refused = thread.join().unwrap();
    assert!(
        cases < 100 || refused > cases / 4,
        "only {refused} of {cases} were refused"
    );
}

#[test]
fn metadata_is_read_or_refused() {
    run(readers::metadata);
}

#[test]
fn serializer_snapshots_are_read_or_refused() {
    run(readers::serializer_snapshots);
}

#[test]
fn canonical_keyed_streams_are_read_or_refused() {
    run(readers::keyed_streams);
}

#[test]
fn compressed_keyed_streams_are_read_or_refused() {
    run(readers::compressed_keyed_streams);
}

#[test]
fn compressed_operator_state_is_read_or_refused() {
    run(readers::compressed_operator_state);
}

#[test]
fn manifests_of_incremental_heap_snapshots_are_read_or_refused() {
    run(readers::heap_manifests);
}

#[test]
fn operator_state_is_read_or_refused() {
    run(readers::operator_state);
}
