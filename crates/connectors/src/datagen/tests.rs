//! The generator: each index once, at the rate, across restores.

use super::DataGeneratorSource;
use crate::testing::{drain, poll, read_all, read_with_restore, reader_context, readers};
use millpond_api::{Boundedness, InputStatus, Source, SourceReader};
use millpond_core::ErrorKind;
use millpond_core::host::{Clock, ManualClock};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Goal: every index comes exactly once, through a snapshot at any moment and at any parallelism.
    #[test]
    fn each_index_comes_once(
        count in 0u64..8000,
        before in 1u32..5,
        after in 1u32..5,
        polls in prop::collection::vec(0usize..8, 1..4),
    ) {
        let source = DataGeneratorSource::new(|i| i, Some(count));
        let mut read = read_with_restore(&source, before, &polls, after).unwrap();
        read.sort_unstable();
        prop_assert_eq!(read, (0..count).collect::<Vec<_>>());
    }

    /// Goal: as above without an end: what was made is, in each former instance's steps, without gap or repetition, though
    /// fewer instances go on with the splits of more.
    #[test]
    fn an_endless_source_leaves_no_gap(before in 1u32..5, after in 1u32..5, polls in 0usize..5) {
        let source = DataGeneratorSource::new(|i| i, None);
        prop_assert_eq!(source.boundedness(), Boundedness::ContinuousUnbounded);
        let mut read = Vec::new();
        let mut snapshot = Vec::new();
        for reader in &mut readers(&source, source.create_splits(before).unwrap(), before).unwrap() {
            for _ in 0..polls {
                poll(reader, &mut read).unwrap();
            }
            snapshot.extend(reader.snapshot_state(1).unwrap());
        }
        prop_assert_eq!(snapshot.len(), before as usize);
        for reader in &mut readers(&source, snapshot, after).unwrap() {
            // Every split that the instance has gets its turn.
            for _ in 0..before {
                if poll(reader, &mut read).unwrap() == InputStatus::EndOfInput {
                    break;
                }
            }
        }
        read.sort_unstable();
        let all: Vec<u64> = read.clone();
        read.dedup();
        prop_assert_eq!(read.len(), all.len(), "no index twice");
        for first in 0..u64::from(before) {
            let step: Vec<u64> = all.iter().copied().filter(|i| i % u64::from(before) == first).collect();
            let gapless: Vec<u64> = (0..step.len() as u64).map(|k| first + k * u64::from(before)).collect();
            prop_assert_eq!(&step, &gapless);
        }
        prop_assert!(!all.is_empty());
    }

    /// Goal: the instances' shares add up to the source's rate at every moment. Method: a driven clock moved in odd steps; what all
    /// have made is compared with elapsed time times rate.
    #[test]
    fn the_rate_is_that_of_the_whole_source(
        rate in 1u64..20_000,
        parallelism in 1u32..5,
        steps in prop::collection::vec(1u64..400, 1..30),
    ) {
        let clock = ManualClock::new(1_000_000);
        let shared: Arc<dyn Clock> = clock.clone();
        let source = DataGeneratorSource::new(|i| i, None).rate_per_second(rate);
        let mut instances: Vec<_> = (0..parallelism)
            .zip(source.create_splits(parallelism).unwrap())
            .map(|(i, split)| {
                let mut reader = source.create_reader(&reader_context(i, parallelism, shared.clone())).unwrap();
                reader.add_splits(vec![split]).unwrap();
                reader
            })
            .collect();
        let mut elapsed_ms = 0;
        let mut made = Vec::new();
        for step_ms in steps {
            clock.advance(Duration::from_millis(step_ms));
            elapsed_ms += step_ms;
            for reader in &mut instances {
                while let InputStatus::MoreAvailable = poll(reader, &mut made).unwrap() {}
            }
            prop_assert_eq!(made.len() as u64, elapsed_ms * rate / 1000);
        }
    }
}

/// Goal: the time that the reader asks to be polled at is when the next record is due, not later, and never now.
#[test]
fn a_paced_reader_says_when_to_come_again() {
    let clock = ManualClock::new(5_000);
    let source = DataGeneratorSource::new(|i| i, Some(2)).rate_per_second(4);
    let mut reader = source
        .create_reader(&reader_context(0, 1, clock.clone()))
        .unwrap();
    reader.add_splits(source.create_splits(1).unwrap()).unwrap();
    let mut made = Vec::new();
    assert_eq!(
        poll(&mut reader, &mut made).unwrap(),
        InputStatus::NothingAvailableUntil(5_250)
    );
    clock.advance(Duration::from_millis(250));
    assert_eq!(poll(&mut reader, &mut made).unwrap(), InputStatus::MoreAvailable);
    assert_eq!(
        poll(&mut reader, &mut made).unwrap(),
        InputStatus::NothingAvailableUntil(5_500)
    );
    clock.advance(Duration::from_millis(250));
    assert_eq!(poll(&mut reader, &mut made).unwrap(), InputStatus::MoreAvailable);
    assert_eq!(made, [0, 1]);
    clock.advance(Duration::from_millis(250));
    assert_eq!(poll(&mut reader, &mut made).unwrap(), InputStatus::EndOfInput);
}

#[test]
fn an_instance_that_was_held_up_makes_up_for_one_second() {
    let clock = ManualClock::new(0);
    let source = DataGeneratorSource::new(|i| i, None).rate_per_second(100);
    let mut reader = source
        .create_reader(&reader_context(0, 1, clock.clone()))
        .unwrap();
    reader.add_splits(source.create_splits(1).unwrap()).unwrap();
    clock.advance(Duration::from_secs(3600));
    let mut made = Vec::new();
    while let InputStatus::MoreAvailable = poll(&mut reader, &mut made).unwrap() {}
    assert_eq!(made.len(), 100);
    clock.advance(Duration::from_millis(500));
    while let InputStatus::MoreAvailable = poll(&mut reader, &mut made).unwrap() {}
    assert_eq!(made.len(), 150);
}

#[test]
fn one_instance_makes_the_records_in_order() {
    let source = DataGeneratorSource::new(|i| i * 10, Some(5));
    assert_eq!(source.boundedness(), Boundedness::Bounded);
    assert_eq!(read_all(&source, 1).unwrap(), [0, 10, 20, 30, 40]);
}

/// Goal: an operator that fails in the middle of a batch ends the poll with its own error, and no record comes after.
#[test]
fn a_failure_behind_the_source_ends_the_poll() {
    let source = DataGeneratorSource::new(|i| i, Some(100));
    let mut reader = readers(&source, source.create_splits(1).unwrap(), 1)
        .unwrap()
        .remove(0);
    let mut seen = Vec::new();
    let mut emit = |value: u64, _| {
        seen.push(value);
        if value == 3 {
            Err(millpond_core::Error::user("three"))
        } else {
            Ok(())
        }
    };
    let e = reader
        .poll_next(&mut millpond_api::SourceOutput::new(&mut emit))
        .unwrap_err();
    assert_eq!((e.message(), seen.len()), ("three", 4));
}

#[test]
fn a_rate_of_zero_and_too_many_records_are_refused() {
    let zero = DataGeneratorSource::new(|i| i, None).rate_per_second(0);
    assert_eq!(zero.create_splits(1).unwrap_err().kind(), ErrorKind::Config);
    let many = DataGeneratorSource::new(|i| i, Some(u64::MAX));
    assert_eq!(many.create_splits(1).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn a_damaged_split_is_refused() {
    let source = DataGeneratorSource::new(|i| i, Some(10));
    let mut split = source.create_splits(1).unwrap().remove(0);
    split.step = 0;
    assert_eq!(
        readers(&source, vec![split], 1).err().unwrap().kind(),
        ErrorKind::Corrupt
    );
    let mut none = readers(&source, Vec::new(), 1).unwrap().remove(0);
    let mut made = Vec::new();
    drain(&mut none, &mut made).unwrap();
    assert!(made.is_empty());
}
