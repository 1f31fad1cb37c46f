//! Windows that merge.

use crate::{Event, keyed, late, records, seconds, sums};
use millpond_api::Collector;
use millpond_api::window::{
    ContinuousEventTimeTrigger, CountTrigger, EventTimeSessionWindows, ProcessWindowContext,
    ProcessWindowFunction, ProcessingTimeSessionWindows, TimeWindow, WindowRuntimeContext,
};
use millpond_core::{ErrorKind, Result};
use millpond_runtime::testing::for_operator;
use millpond_state::descriptor::{AggregateFunction, ValueStateDescriptor};

/// Goal: elements closer than the gap make one session, whatever the order; a bridge between two joins them, also when the
/// state went through a snapshot before. Method: two sessions of each of two keys, then bridges.
#[test]
fn sessions_grow_and_are_bridged() {
    let windowed = keyed().window(EventTimeSessionWindows::with_gap(seconds(1)));
    let builder = sums(&windowed);
    let mut h = builder.open().unwrap();
    for key in [1, 2] {
        for (value, timestamp) in [(1, 0), (2, 1900), (4, 2500), (8, 400)] {
            h.process_element((key, value), timestamp).unwrap();
        }
    }
    let mut h = builder.restore(&[h.savepoint(1).unwrap()]).open().unwrap();
    h.process_element((2, 16), 1400).unwrap();
    h.process_watermark(1399).unwrap();
    assert_eq!(records(&mut h), [((1, 9), Some(1399))]);
    h.process_watermark(3499).unwrap();
    let mut rest = records(&mut h);
    rest.sort_unstable();
    assert_eq!(rest, [((1, 6), Some(3499)), ((2, 31), Some(3499))]);
    h.end_input().unwrap();
    assert_eq!(records(&mut h), []);
}

/// Lists a session's values, in order, with its window.
struct List;
impl ProcessWindowFunction for List {
    type Key = i64;
    type In = Event;
    type Out = (i64, i64, Vec<i64>);
    type Window = TimeWindow;
    fn process(
        &mut self,
        _: &i64,
        elements: &[Event],
        ctx: &mut ProcessWindowContext<'_, TimeWindow>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        let values = elements.iter().map(|e| e.1).collect();
        out.collect((ctx.window().start(), ctx.window().end(), values));
        Ok(())
    }
}

/// Counts and sums.
#[derive(Clone)]
struct Mean;
impl AggregateFunction for Mean {
    type In = Event;
    type Acc = (i64, i64);
    type Out = f64;
    fn create_accumulator(&self) -> (i64, i64) {
        (0, 0)
    }
    fn add(&self, event: Event, acc: &mut (i64, i64)) {
        *acc = (acc.0 + event.1, acc.1 + 1);
    }
    fn get_result(&self, acc: &(i64, i64)) -> f64 {
        acc.0 as f64 / acc.1 as f64
    }
    fn merge(&self, acc: &mut (i64, i64), other: (i64, i64)) {
        *acc = (acc.0 + other.0, acc.1 + other.1);
    }
}

/// Goal: list and aggregating contents merge too, and a function is told the merged window. Method: a bridge.
#[test]
fn lists_and_accumulators_merge() {
    let windowed = keyed().window(EventTimeSessionWindows::with_gap(seconds(1)));
    let events = [((1, 10), 0), ((1, 20), 1800), ((1, 60), 900)];
    let mut listed = for_operator::<Event, _>(&windowed.process(|| List))
        .open()
        .unwrap();
    let mut means = for_operator::<Event, f64>(&windowed.aggregate(Mean))
        .open()
        .unwrap();
    for (event, timestamp) in events {
        listed.process_element(event, timestamp).unwrap();
        means.process_element(event, timestamp).unwrap();
    }
    listed.end_input().unwrap();
    means.end_input().unwrap();
    assert_eq!(listed.take_output(), [(0, 2800, vec![10, 20, 60])]);
    assert_eq!(means.take_output(), [30.0]);
}

/// Goal: a session that was computed and then grows by an allowed late element is computed anew as a whole, at once when it is
/// past the watermark, else when the watermark gets there. Method: lateness of 2 s, one element of each sort, one too late.
#[test]
fn late_elements_extend_a_session() {
    let windowed = keyed().window(EventTimeSessionWindows::with_gap(seconds(1)));
    let windowed = windowed
        .allowed_lateness(seconds(2))
        .side_output_late_data(&late());
    let mut h = sums(&windowed).side_output(&late()).open().unwrap();
    h.process_element((1, 1), 1000).unwrap();
    h.process_watermark(2500).unwrap();
    assert_eq!(records(&mut h), [((1, 1), Some(1999))]);
    h.process_element((1, 2), 500).unwrap();
    assert_eq!(records(&mut h), [((1, 3), Some(1999))]);
    h.process_element((1, 4), 2000).unwrap();
    assert_eq!(records(&mut h), [], "its end is ahead of the watermark again");
    h.process_watermark(2999).unwrap();
    assert_eq!(records(&mut h), [((1, 7), Some(2999))]);
    h.process_watermark(4999).unwrap();
    h.process_element((1, 8), 2000).unwrap();
    h.process_element((1, 16), 2001).unwrap();
    assert_eq!(h.take_side_output(&late()), [(1, 8)]);
    assert_eq!(records(&mut h), [((1, 16), Some(3000))]);
}

/// Goal: sessions by the clock. Method: drive it.
#[test]
fn processing_time_sessions_go_by_the_clock() {
    let windowed = keyed().window(ProcessingTimeSessionWindows::with_gap(seconds(1)));
    let mut h = sums(&windowed).processing_time(0).open().unwrap();
    h.process_element_without_timestamp((1, 1)).unwrap();
    h.set_processing_time(900).unwrap();
    h.process_element_without_timestamp((1, 2)).unwrap();
    assert_eq!(
        h.next_processing_timer().unwrap(),
        Some(1899),
        "the first end is forgotten"
    );
    h.set_processing_time(1899).unwrap();
    assert_eq!(records(&mut h), [((1, 3), Some(1899))]);
    assert_eq!(h.next_processing_timer().unwrap(), None);
}

/// Goal: triggers' state merges with the windows: counts add up, and of two fire times the earlier stays. Method: a bridge under
/// each trigger.
#[test]
fn the_state_of_triggers_merges() {
    let windowed = || keyed().window(EventTimeSessionWindows::with_gap(seconds(1)));
    let mut h = sums(&windowed().trigger(CountTrigger::of(3))).open().unwrap();
    h.process_element((1, 1), 0).unwrap();
    h.process_element((1, 2), 1500).unwrap();
    assert_eq!(records(&mut h), []);
    h.process_element((1, 4), 800).unwrap();
    assert_eq!(records(&mut h), [((1, 7), Some(2499))]);

    let continuous = windowed().trigger(ContinuousEventTimeTrigger::of(std::time::Duration::from_millis(
        600,
    )));
    let mut h = sums(&continuous).open().unwrap();
    h.process_element((1, 1), 0).unwrap();
    h.process_element((1, 2), 1500).unwrap();
    h.process_element((1, 4), 800).unwrap();
    h.process_watermark(600).unwrap();
    assert_eq!(records(&mut h), [((1, 7), Some(2499))]);
    h.process_watermark(2499).unwrap();
    let want = [1200, 1800, 2400, 2499].map(|_| ((1, 7), Some(2499)));
    assert_eq!(records(&mut h), want);
    h.end_input().unwrap();
    assert_eq!(records(&mut h), []);
}

/// Goal: state by window is refused where windows merge. Method: a function that asks for it.
#[test]
fn windows_that_merge_have_no_state_of_their_own() {
    struct Greedy;
    impl ProcessWindowFunction for Greedy {
        type Key = i64;
        type In = Event;
        type Out = i64;
        type Window = TimeWindow;
        fn open(&mut self, ctx: &mut WindowRuntimeContext<'_, i64, TimeWindow>) -> Result<()> {
            ctx.window_state()?
                .state(ValueStateDescriptor::<i64>::new("mine"))
                .map(drop)
        }
        fn process(
            &mut self,
            _: &i64,
            _: &[Event],
            _: &mut ProcessWindowContext<'_, TimeWindow>,
            _: &mut Collector<'_, i64>,
        ) -> Result<()> {
            Ok(())
        }
    }
    let windowed = keyed().window(EventTimeSessionWindows::with_gap(seconds(1)));
    let Err(error) = for_operator::<Event, i64>(&windowed.process(|| Greedy)).open() else {
        panic!("it was opened");
    };
    let source = std::error::Error::source(&error)
        .unwrap()
        .downcast_ref::<millpond_core::Error>();
    assert_eq!(source.unwrap().kind(), ErrorKind::Config);
}

/// Goal: a session that grew keeps no more than one that didn't: neither contents nor timers of the windows that it was made of.
/// Method: the sizes of savepoints, with an allowed lateness, so that a window's end and its cleanup are two timers.
#[test]
fn a_session_that_grew_leaves_nothing_of_its_parts() {
    let windowed = keyed().window(EventTimeSessionWindows::with_gap(seconds(1)));
    let builder = sums(&windowed.allowed_lateness(seconds(5)));
    let (mut grown, mut plain) = (builder.open().unwrap(), builder.open().unwrap());
    for timestamp in [0, 1900, 1000, 2100, -800] {
        grown.process_element((1, 1), timestamp).unwrap();
    }
    plain.process_element((1, 1), 0).unwrap();
    let size = |h: &mut crate::Harness| h.savepoint(1).unwrap().state_size();
    assert_eq!(size(&mut grown), size(&mut plain));
}
