//! Windows that are open when the savepoint is taken: tumbling and session windows, reduced, aggregated, and kept as lists. The
//! same as `Windows.java`.
//!
//! Number `i` has a time; some numbers are left out, so that sessions end. In the middle of the numbers some windows are over, some
//! are open, and one is over but still waits for late elements. The numbers that follow fall into the open ones, let sessions merge
//! that were apart, and make the one that waits be computed again.

use crate::keys;
use crate::lines::Lines;
use crate::states::Mean;
use millpond::prelude::*;
use millpond::runtime::datastream::SingleOutputStreamOperator;
use serde::Serialize;
use serde_json::json;
use std::marker::PhantomData;

/// The uids of the operators.
pub const UIDS: [&str; 6] = [
    "tumbling-reduce",
    "tumbling-aggregate",
    "tumbling-list",
    "session-reduce",
    "session-aggregate",
    "session-list",
];

const SIZE: Duration = Duration::from_secs(10);
const GAP: Duration = Duration::from_secs(3);
/// Elements may be as late as this; those of the first run are so by less than a second.
const OUT_OF_ORDER: Duration = Duration::from_secs(3);
const LATENESS: Duration = Duration::from_secs(5);
const KEYS: i64 = 4;

/// Whether number `i` is an element at all.
pub fn is_element(i: i64) -> bool {
    i / KEYS % 5 != 3
}

/// The event time of number `i`, in milliseconds: not quite in order.
pub fn time(i: i64) -> i64 {
    i * 700 + i * 37 % 5 * 100
}

/// As [`time`], but the first number of each key after those of the first run is in a window that is over.
pub fn time_with_late(i: i64) -> i64 {
    if (keys::COUNT..keys::COUNT + KEYS).contains(&i) {
        return 9500;
    }
    time(i)
}

fn key(i: i64) -> String {
    format!("window-{}", i % KEYS)
}

/// The numbers that are elements at all, with their times.
pub fn elements(numbers: &DataStream<i64>, time: fn(i64) -> i64) -> KeyedStream<String, i64> {
    let strategy = WatermarkStrategy::for_bounded_out_of_orderness(OUT_OF_ORDER)
        .with_timestamp_assigner(move |i, _| time(*i));
    numbers
        .filter(|i| is_element(*i))
        .set_parallelism(1)
        .assign_timestamps_and_watermarks(strategy)
        .set_parallelism(1)
        .key_by(|i| key(*i))
}

/// Puts elements into windows of each sort, and tells what these come to, if `lines` are given.
pub fn build(elements: &KeyedStream<String, i64>, lines: Option<&Lines>) {
    let sum = |sum: &mut i64, n: i64| *sum += n;
    let tumbling = elements.window(TumblingEventTimeWindows::of(SIZE));
    let waiting = tumbling.clone().allowed_lateness(LATENESS);
    let sessions = elements.window(EventTimeSessionWindows::with_gap(GAP));
    let finish = |results: SingleOutputStreamOperator<()>, uid: &str| {
        results.uid(uid).sink_to(DiscardingSink::new());
    };
    let tell = |uid| TellWindow::factory(uid, lines);
    let [reduced, aggregated, listed, ..] = UIDS;
    finish(waiting.reduce_and_process(sum, tell(reduced)), reduced);
    finish(
        tumbling.aggregate_and_process(Mean, TellWindow::factory(aggregated, lines)),
        aggregated,
    );
    finish(waiting.process(tell(listed)), listed);
    let [.., reduced, aggregated, listed] = UIDS;
    finish(sessions.reduce_and_process(sum, tell(reduced)), reduced);
    finish(
        sessions.aggregate_and_process(Mean, TellWindow::factory(aggregated, lines)),
        aggregated,
    );
    finish(sessions.process(tell(listed)), listed);
}

/// Tells of a window that is computed: a line for each element, or for what they came to.
struct TellWindow<V> {
    uid: &'static str,
    lines: Option<Lines>,
    values: PhantomData<fn(V)>,
}

impl<V> TellWindow<V> {
    fn factory(uid: &'static str, lines: Option<&Lines>) -> impl Fn() -> Self + Send + Sync + 'static {
        let lines = lines.cloned();
        move || TellWindow {
            uid,
            lines: lines.clone(),
            values: PhantomData,
        }
    }
}

impl<V: Serialize + 'static> ProcessWindowFunction for TellWindow<V> {
    type Key = String;
    type In = V;
    type Out = ();
    type Window = TimeWindow;

    fn process(
        &mut self,
        key: &String,
        elements: &[V],
        ctx: &mut ProcessWindowContext<'_, TimeWindow>,
        _out: &mut Collector<'_, ()>,
    ) -> Result<()> {
        let (start, end) = (ctx.window().start(), ctx.window().end());
        for (index, value) in elements.iter().enumerate() {
            if let Some(lines) = &self.lines {
                lines.tell(json!({
                    "operator": self.uid, "state": "window", "key": key, "start": start, "end": end, "index": index,
                    "value": value,
                }));
            }
        }
        Ok(())
    }
}
