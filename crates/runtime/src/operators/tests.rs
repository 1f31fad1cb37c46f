//! Sources, sinks, event time and the plain operators, each alone in a harness.

use super::{FilterOperator, FlatMapOperator, MapOperator, TimestampsAndWatermarksOperator, TryMapOperator};
use crate::element::WatermarkStatus;
use crate::graph::node::OneInputNode;
use crate::testing::{Element, HarnessBuilder, OneInputHarness, SourceHarness, for_source};
use millpond_api::{
    Boundedness, Collector, InputStatus, Source, SourceOutput, SourceReader, SourceReaderContext,
    SourceSplit, Watermark, WatermarkStrategy,
};
use millpond_core::{Error, ErrorKind, Result};
use millpond_state::handle::OperatorSubtaskState;
use millpond_types::StateType;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[derive(Clone, StateType)]
struct Range {
    next: i64,
    end: i64,
}
impl SourceSplit for Range {
    fn split_id(&self) -> String {
        format!("to {}", self.end)
    }
}

/// Numbers in splits of ten, three a poll; counts how often it is enumerated.
struct Numbers {
    splits: i64,
    enumerated: Arc<AtomicUsize>,
}
struct Reader {
    splits: Vec<Range>,
    emitted: u64,
}
impl Source for Numbers {
    type Out = i64;
    type Split = Range;
    type Reader = Reader;
    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
    fn create_splits(&self, _: u32) -> Result<Vec<Range>> {
        self.enumerated.fetch_add(1, Ordering::SeqCst);
        Ok((0..self.splits)
            .map(|i| Range {
                next: i * 10,
                end: i * 10 + 10,
            })
            .collect())
    }
    fn create_reader(&self, _: &SourceReaderContext) -> Result<Reader> {
        Ok(Reader {
            splits: Vec::new(),
            emitted: 0,
        })
    }
}
impl SourceReader for Reader {
    type Out = i64;
    type Split = Range;
    fn add_splits(&mut self, splits: Vec<Range>) -> Result<()> {
        self.splits = splits;
        Ok(())
    }
    fn poll_next(&mut self, out: &mut SourceOutput<'_, i64>) -> Result<InputStatus> {
        let Some(split) = self.splits.first_mut() else {
            return Ok(InputStatus::EndOfInput);
        };
        for _ in 0..3 {
            if split.next < split.end {
                out.collect(split.next)?;
                split.next += 1;
                self.emitted += 1;
            }
        }
        if split.next == split.end {
            self.splits.remove(0);
        }
        Ok(InputStatus::MoreAvailable)
    }
    fn snapshot_state(&mut self, _: u64) -> Result<Vec<Range>> {
        Ok(self.splits.clone())
    }
    fn counters(&self) -> Vec<(&'static str, u64)> {
        vec![("numbersRead", self.emitted)]
    }
}

type Sourced = SourceHarness<i64>;

fn source(splits: i64, strategy: WatermarkStrategy<i64>) -> (HarnessBuilder<Sourced>, Arc<AtomicUsize>) {
    let enumerated = Arc::new(AtomicUsize::new(0));
    let numbers = Numbers {
        splits,
        enumerated: Arc::clone(&enumerated),
    };
    (for_source(numbers, strategy), enumerated)
}

fn read(h: &mut Sourced, polls: usize) -> Result<Vec<i64>> {
    for _ in 0..polls {
        if h.poll()? == InputStatus::EndOfInput {
            break;
        }
    }
    Ok(h.take_output())
}

/// Goal: each instance reads its share, and the splits are enumerated once for all.
#[test]
fn splits_are_enumerated_once_and_dealt_out_in_turns() -> Result<()> {
    let (builder, enumerated) = source(4, WatermarkStrategy::no_watermarks());
    let mut shares = Vec::new();
    for index in 0..3 {
        shares.push(read(&mut builder.subtask(index, 3).open()?, usize::MAX)?);
    }
    assert_eq!(enumerated.load(Ordering::SeqCst), 1);
    let tens: Vec<Vec<i64>> = shares
        .iter()
        .map(|s| s.iter().step_by(10).copied().collect())
        .collect();
    assert_eq!(tens, [vec![0, 30], vec![10], vec![20]]);
    Ok(())
}

/// Goal: after a restore at any parallelism, what was not emitted before the snapshot is emitted, once, with each
/// instance's splits in their first order, and nothing is enumerated again.
#[test]
fn splits_go_on_where_the_snapshot_was_taken_at_any_parallelism() -> Result<()> {
    let (builder, enumerated) = source(5, WatermarkStrategy::no_watermarks());
    let mut before = Vec::new();
    let mut snapshots: Vec<OperatorSubtaskState> = Vec::new();
    for index in 0..2 {
        let mut h = builder.subtask(index, 2).open()?;
        before.extend(read(&mut h, 5)?);
        snapshots.push(h.snapshot(1)?);
    }
    for parallelism in 1..=6 {
        let mut all = before.clone();
        for index in 0..parallelism {
            let share = read(
                &mut builder.restore(&snapshots).subtask(index, parallelism).open()?,
                usize::MAX,
            )?;
            assert!(share.is_sorted(), "{share:?}");
            all.extend(share);
        }
        all.sort_unstable();
        assert_eq!(all, (0..50).collect::<Vec<_>>());
    }
    assert_eq!(enumerated.load(Ordering::SeqCst), 1);
    Ok(())
}

/// Goal: a source that read everything reads nothing again after a restore; one that the snapshot doesn't know begins.
#[test]
fn a_finished_source_stays_finished_and_a_new_one_starts() -> Result<()> {
    let (builder, _) = source(2, WatermarkStrategy::no_watermarks());
    let mut h = builder.open()?;
    assert_eq!(read(&mut h, usize::MAX)?.len(), 20);
    assert_eq!(h.counters(), [("numbersRead".to_string(), 20)]);
    let snapshot = h.snapshot(1)?;
    let again = read(&mut builder.restore(&[snapshot]).open()?, usize::MAX)?;
    assert!(again.is_empty(), "{again:?}");
    let unknown = OperatorSubtaskState::default();
    assert_eq!(
        read(&mut builder.restore(&[unknown]).open()?, usize::MAX)?.len(),
        20
    );
    Ok(())
}

#[test]
fn a_watermark_follows_each_batch_that_advances_it() -> Result<()> {
    let strategy = WatermarkStrategy::for_bounded_out_of_orderness(Duration::from_millis(1))
        .with_timestamp_assigner(|n: &i64, _| n * 100);
    let (builder, _) = source(1, strategy);
    let mut h = builder.open()?;
    h.poll()?;
    let record = |n: i64| Element::Record(n, Some(n * 100));
    assert_eq!(
        h.take_elements(),
        [record(0), record(1), record(2), Element::Watermark(198)]
    );
    h.process_watermark(Watermark::MAX.timestamp)?;
    h.process_watermark(Watermark::MAX.timestamp)?;
    assert_eq!(
        h.take_elements(),
        [Element::Watermark(i64::MAX)],
        "the end of event time, once"
    );
    Ok(())
}

/// Goal: a source without records becomes idle, and active with its next one, before that record and before the last watermark.
#[test]
fn a_quiet_source_becomes_idle_and_active_again() -> Result<()> {
    let strategy = || WatermarkStrategy::no_watermarks().with_idleness(Duration::from_millis(50));
    let (builder, _) = source(1, strategy());
    let mut h = builder.open()?;
    assert_eq!(h.next_processing_timer()?, Some(50));
    h.set_processing_time(50)?;
    h.set_processing_time(60)?;
    assert_eq!(h.take_elements(), [Element::Status(WatermarkStatus::Idle)]);
    assert_eq!(h.next_processing_timer()?, None);
    h.poll()?;
    assert_eq!(
        h.take_elements()[..2],
        [Element::Status(WatermarkStatus::Active), Element::Record(0, None)]
    );
    assert_eq!(h.next_processing_timer()?, Some(110));
    h.set_processing_time(110)?;
    h.process_watermark(i64::MAX)?;
    let end = [
        Element::Status(WatermarkStatus::Idle),
        Element::Status(WatermarkStatus::Active),
        Element::Watermark(i64::MAX),
    ];
    assert_eq!(h.take_elements(), end);
    Ok(())
}

#[test]
fn watermarks_in_mid_stream_come_by_time_and_at_the_end() -> Result<()> {
    let strategy = WatermarkStrategy::for_monotonous_timestamps().with_timestamp_assigner(|n: &i64, _| *n);
    let node = OneInputNode::shared(move || TimestampsAndWatermarksOperator::new(strategy.clone()));
    let mut h = HarnessBuilder::<OneInputHarness<i64, i64>>::new(node).open()?;
    h.process_element(5, 1)?;
    h.process_watermark(3)?;
    assert_eq!(
        h.take_elements(),
        [Element::Record(5, Some(5))],
        "the source's watermark is dropped"
    );
    assert_eq!(h.next_processing_timer()?, Some(200));
    h.set_processing_time(200)?;
    assert_eq!(h.take_elements(), [Element::Watermark(4)]);
    assert_eq!(h.next_processing_timer()?, None);
    for n in 6..6 + 256 {
        h.process_element(n, 0)?;
    }
    assert_eq!(
        h.take_elements().last(),
        Some(&Element::Watermark(260)),
        "and by number"
    );
    h.end_input()?;
    assert_eq!(h.take_elements(), [Element::Watermark(i64::MAX)]);
    Ok(())
}

#[test]
fn closures_keep_timestamps_and_count_their_records() -> Result<()> {
    let map = OneInputNode::shared(|| MapOperator::new(Arc::new(|n: i64| n.to_string())));
    let mut h = HarnessBuilder::<OneInputHarness<i64, String>>::new(map).open()?;
    h.process_element(3, 7)?;
    assert_eq!(h.take_elements(), [Element::Record("3".to_string(), Some(7))]);

    let filter = OneInputNode::shared(|| FilterOperator::new(Arc::new(|n: &i64| n % 2 == 0)));
    let mut h = HarnessBuilder::<OneInputHarness<i64, i64>>::new(filter).open()?;
    for n in 0..5 {
        h.process_element(n, n)?;
    }
    assert_eq!((h.take_output(), h.records_in_and_out()), (vec![0, 2, 4], (5, 3)));

    let twice = |n: i64, out: &mut Collector<'_, i64>| {
        (0..n).for_each(|i| out.collect(i));
        if n == 3 { Err(Error::user("three")) } else { Ok(()) }
    };
    let flat = OneInputNode::shared(move || FlatMapOperator::new(Arc::new(twice)));
    let mut h = HarnessBuilder::<OneInputHarness<i64, i64>>::new(flat).open()?;
    h.process_element(2, 0)?;
    let e = h.process_element(3, 0).unwrap_err();
    assert_eq!(
        (e.kind(), e.context("operator")),
        (ErrorKind::UserFunction, Some("tested"))
    );
    assert_eq!(
        (h.take_output(), h.records_in_and_out()),
        (vec![0, 1, 0, 1, 2], (2, 5))
    );

    let parse = |text: String| {
        text.parse::<i64>()
            .map_err(|e| Error::user("no number").source(e))
    };
    let try_map = OneInputNode::shared(move || TryMapOperator::new(Arc::new(parse)));
    let mut h = HarnessBuilder::<OneInputHarness<String, i64>>::new(try_map).open()?;
    h.process_element("4".into(), 0)?;
    let e = h.process_element("four".into(), 0).unwrap_err();
    assert!(e.report().contains("no number"), "{}", e.report());
    assert_eq!(h.take_output(), [4]);
    Ok(())
}
