//! When windows are computed, by triggers other than the default ones.

use crate::{keyed, records, seconds, sums};
use millpond_api::window::{
    ContinuousEventTimeTrigger, CountTrigger, GlobalWindows, PurgingTrigger, TimeWindow, Trigger,
    TriggerContext, TriggerResult, TumblingEventTimeWindows, WindowStateStore,
};
use millpond_api::window::{EventTimeSessionWindows, EventTimeTrigger};
use millpond_core::{ErrorKind, Result};
use millpond_types::StateKey;

/// Goal: the count trigger fires with every so many elements of a window and keeps the contents; the count is the window's own,
/// survives a restore, and is gone with the window. Method: two windows, a restore in between.
#[test]
fn the_count_trigger_fires_with_every_so_many_elements() {
    let windowed = keyed().window(TumblingEventTimeWindows::of(seconds(1)));
    let builder = sums(&windowed.trigger(CountTrigger::of(2)));
    let mut h = builder.open().unwrap();
    h.process_element((1, 1), 0).unwrap();
    h.process_element((1, 2), 1000).unwrap();
    let mut h = builder.restore(&[h.snapshot(1).unwrap()]).open().unwrap();
    h.process_element((1, 4), 1).unwrap();
    assert_eq!(records(&mut h), [((1, 5), Some(999))]);
    h.process_element((1, 8), 2).unwrap();
    h.process_element((1, 16), 3).unwrap();
    assert_eq!(records(&mut h), [((1, 29), Some(999))]);
    h.process_element((1, 32), 4).unwrap();
    h.process_watermark(999).unwrap();
    assert_eq!(records(&mut h), [], "the end of the window is no reason to fire");
    h.process_element((1, 64), 1001).unwrap();
    assert_eq!(records(&mut h), [((1, 66), Some(1999))]);
}

/// Goal: a purging trigger forgets the contents when the nested one fires. Method: the same elements with and without it.
#[test]
fn a_purging_trigger_forgets_what_was_computed() {
    let windowed = || keyed().window(GlobalWindows::create());
    let mut keeping = sums(&windowed().trigger(CountTrigger::of(2))).open().unwrap();
    let mut purging = sums(&windowed().trigger(PurgingTrigger::of(CountTrigger::of(2))))
        .open()
        .unwrap();
    for n in 0..4 {
        keeping.process_element((1, 1 << n), n).unwrap();
        purging.process_element((1, 1 << n), n).unwrap();
    }
    assert_eq!(keeping.take_output(), [(1, 3), (1, 15)]);
    assert_eq!(purging.take_output(), [(1, 3), (1, 12)]);
    let windowed = keyed().window(TumblingEventTimeWindows::of(seconds(1)));
    let late = windowed
        .allowed_lateness(seconds(1))
        .trigger(PurgingTrigger::of(EventTimeTrigger::create()));
    let mut h = sums(&late).open().unwrap();
    h.process_element((1, 1), 0).unwrap();
    h.process_watermark(999).unwrap();
    h.process_element((1, 2), 0).unwrap();
    h.process_watermark(5000).unwrap();
    assert_eq!(h.take_output(), [(1, 1), (1, 2)]);
}

/// Goal: the continuous trigger fires at the multiples of its interval and at the window's end, from the first element on, also
/// after a restore. Method: a window of 10 s, every 2 s.
#[test]
fn the_continuous_trigger_fires_at_multiples_of_its_interval_and_at_the_end() {
    let windowed = keyed().window(TumblingEventTimeWindows::of(seconds(10)));
    let builder = sums(&windowed.trigger(ContinuousEventTimeTrigger::of(seconds(2))));
    let mut h = builder.open().unwrap();
    h.process_element((1, 1), 3500).unwrap();
    h.process_watermark(3999).unwrap();
    assert_eq!(records(&mut h), []);
    h.process_watermark(4000).unwrap();
    assert_eq!(records(&mut h), [((1, 1), Some(9999))]);
    let mut h = builder.restore(&[h.snapshot(1).unwrap()]).open().unwrap();
    h.process_element((1, 2), 4500).unwrap();
    h.process_watermark(8500).unwrap();
    assert_eq!(
        records(&mut h),
        [((1, 3), Some(9999)), ((1, 3), Some(9999))],
        "at 6 s and at 8 s"
    );
    h.process_watermark(9999).unwrap();
    assert_eq!(records(&mut h), [((1, 3), Some(9999))]);
    h.end_input().unwrap();
    assert_eq!(records(&mut h), [], "neither timers nor contents are left");
}

/// Fires with each element, and can't merge.
#[derive(Clone)]
struct Each;
impl<T> Trigger<T, TimeWindow> for Each {
    type State = ();
    fn open<K: StateKey>(&self, _: &mut WindowStateStore<'_, K, TimeWindow>) -> Result<()> {
        Ok(())
    }
    fn on_element(
        &self,
        _: &T,
        _: i64,
        _: &TimeWindow,
        _: &mut TriggerContext<'_, TimeWindow, ()>,
    ) -> Result<TriggerResult> {
        Ok(TriggerResult::Fire)
    }
    fn clear(&self, _: &TimeWindow, _: &mut TriggerContext<'_, TimeWindow, ()>) -> Result<()> {
        Ok(())
    }
}

/// Goal: a trigger that can't merge is refused for sessions when the job is built, and works elsewhere. Method: both.
#[test]
fn a_trigger_that_cant_merge_is_refused_for_sessions() {
    let mut h = sums(
        &keyed()
            .window(TumblingEventTimeWindows::of(seconds(1)))
            .trigger(Each),
    )
    .open()
    .unwrap();
    h.process_element((1, 1), 0).unwrap();
    h.process_element((1, 2), 0).unwrap();
    assert_eq!(h.take_output(), [(1, 1), (1, 3)]);
    let sessions = keyed()
        .window(EventTimeSessionWindows::with_gap(seconds(1)))
        .trigger(Each);
    let graph = sessions
        .reduce(|_, _| {})
        .execution_environment()
        .build_job_graph(None);
    let error = graph.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("EventTimeSessionWindows"), "{error}");
}
