//! One job whose numbers are taken in turns: a part of them by Flink, the next by Millpond, the rest by Flink again, each going on
//! from the savepoint of the one before. What all tell together is what one tells that takes all of them. The same as `Chain.java`.
//!
//! It has keyed state of four sorts (one with a time to live), event-time timers, and the windows of [`crate::windows`]; what it tells
//! doesn't depend on when a watermark comes. `bin/chain.rs` runs it as a program of its own.

use crate::lines::Lines;
use crate::numbers::Numbers;
use crate::windows;
use millpond::prelude::*;
use serde_json::json;
use std::ops::Range;

/// How many milliseconds of event time are counted together.
const BUCKET_MS: i64 = 5000;
/// How many numbers are remembered.
const LAST: usize = 3;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Builds the job for the numbers of `range`. `endless` lets it wait behind them, to be stopped.
pub fn build(env: &StreamExecutionEnvironment, range: Range<i64>, endless: bool, lines: &Lines) {
    // Each turn has a source of its own: it doesn't go on where the one before was.
    let uid = format!("numbers-from-{}", range.start);
    let source = env
        .from_source(
            Numbers::at_once(range).endless(endless),
            WatermarkStrategy::no_watermarks(),
            &uid,
        )
        .set_parallelism(1)
        .uid(uid);
    let elements = windows::elements(&source, windows::time);
    let telling = lines.clone();
    elements
        .process(move || Chain::new(&telling))
        .uid("chain")
        .sink_to(DiscardingSink::new());
    windows::build(&elements, Some(lines));
}

/// Counts, sums and remembers numbers by key, and counts them by key and time.
struct Chain {
    lines: Lines,
    count: ValueState<i64>,
    sum: ValueState<i64>,
    last: ListState<i64>,
    buckets: MapState<i64, i64>,
}

impl Chain {
    fn new(lines: &Lines) -> Self {
        Chain {
            lines: lines.clone(),
            count: ValueState::default(),
            sum: ValueState::default(),
            last: ListState::default(),
            buckets: MapState::default(),
        }
    }
}

impl KeyedProcessFunction for Chain {
    type Key = String;
    type In = i64;
    type Out = ();

    fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
        let ttl = StateTtlConfig::new_builder(DAY * 1000).build()?;
        self.count = ctx.state(ValueStateDescriptor::new("count"))?;
        self.sum = ctx.state(ValueStateDescriptor::new("sum").enable_time_to_live(ttl))?;
        self.last = ctx.list_state(ListStateDescriptor::new("last"))?;
        self.buckets = ctx.map_state(MapStateDescriptor::new("buckets"))?;
        Ok(())
    }

    fn process_element(
        &mut self,
        number: i64,
        ctx: &mut KeyedContext<'_, String>,
        _out: &mut Collector<'_, ()>,
    ) -> Result<()> {
        let count = self.count.get()?.unwrap_or_default() + 1;
        self.count.update(count)?;
        let sum = self.sum.get()?.unwrap_or_default() + number;
        self.sum.update(sum)?;
        let mut last = self.last.get()?;
        last.push(number);
        let last = last.split_off(last.len().saturating_sub(LAST));
        let oldest = last.first().copied();
        self.last.update(last)?;
        let bucket = ctx.timestamp().unwrap_or_default() / BUCKET_MS;
        self.buckets
            .put(bucket, self.buckets.get(&bucket)?.unwrap_or_default() + 1)?;
        ctx.timer_service()
            .register_event_time_timer((bucket + 1) * BUCKET_MS - 1)?;
        self.lines.tell(json!({
            "operator": "chain", "key": ctx.current_key(), "state": "element", "number": number, "count": count, "sum": sum,
            "oldest": oldest,
        }));
        self.lines.processed();
        Ok(())
    }

    fn on_timer(
        &mut self,
        at: i64,
        ctx: &mut OnTimerContext<'_, String>,
        _out: &mut Collector<'_, ()>,
    ) -> Result<()> {
        let bucket = at / BUCKET_MS;
        let count = self.buckets.get(&bucket)?;
        self.lines.tell(json!({
            "operator": "chain", "key": ctx.current_key(), "state": "bucket", "end": at, "value": count,
        }));
        self.buckets.remove(&bucket)?;
        Ok(())
    }
}
