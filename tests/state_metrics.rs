//! What keyed states show of themselves, and that they show nothing unless asked.

use millpond_api::function::{KeyedContext, KeyedProcessFunction, RuntimeContext};
use millpond_api::{Collector, WatermarkStrategy};
use millpond_connectors::{CollectSink, DataGeneratorSource};
use millpond_core::{Configuration, Result};
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_state::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor,
    ReducingStateDescriptor, ValueStateDescriptor,
};
use millpond_state::keyed::{AggregatingState, ListState, MapState, ReducingState, ValueState};
use std::collections::BTreeMap;

struct Sum;
impl AggregateFunction for Sum {
    type In = i64;
    type Acc = i64;
    type Out = i64;
    fn create_accumulator(&self) -> i64 {
        0
    }
    fn add(&self, value: i64, acc: &mut i64) {
        *acc += value;
    }
    fn get_result(&self, acc: &i64) -> i64 {
        *acc
    }
    fn merge(&self, acc: &mut i64, other: i64) {
        *acc += other;
    }
}

/// Uses every kind of state once for each record.
#[derive(Default)]
struct Everything {
    count: ValueState<i64>,
    last: ListState<i64>,
    seen: MapState<i64, i64>,
    sum: ReducingState<i64>,
    total: AggregatingState<Sum>,
}

impl KeyedProcessFunction for Everything {
    type Key = i64;
    type In = i64;
    type Out = i64;
    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.count = ctx.state(ValueStateDescriptor::new("count").default_value(0))?;
        self.last = ctx.list_state(ListStateDescriptor::new("last"))?;
        self.seen = ctx.map_state(MapStateDescriptor::new("seen"))?;
        self.sum = ctx.reducing_state(ReducingStateDescriptor::new("sum", |a: &mut i64, b: i64| *a += b))?;
        self.total = ctx.aggregating_state(AggregatingStateDescriptor::new("total", Sum))?;
        Ok(())
    }
    fn process_element(
        &mut self,
        n: i64,
        _: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, i64>,
    ) -> Result<()> {
        self.count.update(self.count.value()? + 1)?;
        self.last.update(vec![n])?;
        self.last.add(n)?;
        self.seen.put(n % 3, n)?;
        self.sum.add(n)?;
        self.total.add(n)?;
        let (list, sum, total) = (self.last.get()?, self.sum.get()?, self.total.get()?);
        assert_eq!((list, sum), (vec![n, n], total));
        assert_eq!(self.seen.get(&(n % 3))?, Some(n));
        out.collect(self.count.value()?);
        Ok(())
    }
}

/// Runs 1,000 records of 10 keys on 2 tasks; the counters of the function's vertex, and the counts that came out.
fn counters(options: &[(&str, &str)]) -> Result<BTreeMap<String, u64>> {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    env.set_parallelism(2);
    options.iter().for_each(|(key, value)| {
        env.set_option(key, value);
    });
    let sink = CollectSink::new();
    let source = DataGeneratorSource::new(|i| i as i64, Some(1_000));
    env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .key_by(|n| n % 10)
        .process(Everything::default)
        .name("everything")
        .disable_chaining()
        .sink_to(sink.clone());
    let result = env.execute("metrics")?;
    assert_eq!(sink.collected().iter().sum::<i64>(), 10 * (1..=100).sum::<i64>());
    let vertices = &result.details.vertices;
    let own = vertices.iter().filter(|v| v.name.contains("everything"));
    Ok(own.flat_map(|v| v.counters.clone()).collect())
}

#[test]
fn accesses_are_timed_by_kind_under_the_names_of_flink() -> Result<()> {
    let all = counters(&[
        ("state.latency-track.keyed-state-enabled", "true"),
        ("state.latency-track.sample-interval", "10"),
    ])?;
    for (metric, accesses) in [
        ("state_name.count.valueStateGetLatency", 2_000),
        ("state_name.count.valueStateUpdateLatency", 1_000),
        ("state_name.last.listStateUpdateLatency", 1_000),
        ("state_name.last.listStateAddLatency", 1_000),
        ("state_name.last.listStateGetLatency", 1_000),
        ("state_name.seen.mapStatePutLatency", 1_000),
        ("state_name.seen.mapStateGetLatency", 1_000),
        ("state_name.sum.reducingStateAddLatency", 1_000),
        ("state_name.sum.reducingStateGetLatency", 1_000),
        ("state_name.total.aggregatingStateAddLatency", 1_000),
        ("state_name.total.aggregatingStateGetLatency", 1_000),
    ] {
        // Each of the two tasks times the first of its accesses.
        let count = all.get(&format!("{metric}_count")).copied().unwrap_or(0);
        assert!(
            (accesses / 10..=accesses / 10 + 2).contains(&count),
            "{metric} {count}"
        );
        let value = |what| all.get(&format!("{metric}_{what}")).copied().unwrap_or(0);
        assert!(
            value("p50") <= value("p99") && value("p99") <= value("max"),
            "{all:?}"
        );
        assert!(value("max") > 0, "{metric}");
    }
    Ok(())
}

#[test]
fn the_older_keys_work_and_the_state_name_may_stand_alone() -> Result<()> {
    let all = counters(&[
        ("state.backend.latency-track.keyed-state-enabled", "true"),
        ("state.backend.latency-track.sample-interval", "1"),
        ("state.backend.latency-track.state-name-as-variable", "false"),
    ])?;
    assert_eq!(all.get("count.valueStateUpdateLatency_count"), Some(&1_000));
    Ok(())
}

#[test]
fn keys_are_counted_by_state() -> Result<()> {
    let all = counters(&[
        ("state.size-track.keyed-state-enabled", "true"),
        ("execution.checkpointing.interval", "10 ms"),
    ])?;
    // The final checkpoint sees all of them, 10 on both tasks together; a map is one for its key.
    for state in ["count", "last", "seen", "sum", "total"] {
        assert_eq!(
            all.get(&format!("state_name.{state}.numKeys")),
            Some(&10),
            "{all:?}"
        );
    }
    Ok(())
}

/// Goal: keys and values are measured as they are serialized, by kind of access, under Flink's names. Method: every access; all are of
/// `i64`s, 8 bytes, under keys of 8, in a namespace of one.
#[test]
fn keys_and_values_are_measured_under_the_names_of_flink() -> Result<()> {
    let all = counters(&[
        ("state.size-track.keyed-state-enabled", "true"),
        ("state.size-track.sample-interval", "1"),
    ])?;
    for (access, key, value) in [
        ("count.valueStateGet", 9, Some(8)),
        ("count.valueStateUpdate", 9, Some(8)),
        ("last.listStateUpdate", 9, Some(8)),
        ("last.listStateAdd", 9, Some(8)),
        // Two elements.
        ("last.listStateGet", 9, Some(16)),
        // The key in the map is part of the key.
        ("seen.mapStatePut", 17, Some(8)),
        ("seen.mapStateGet", 17, Some(8)),
        ("sum.reducingStateAdd", 9, Some(8)),
        ("sum.reducingStateGet", 9, Some(8)),
        ("total.aggregatingStateAdd", 9, None),
        ("total.aggregatingStateGet", 9, None),
    ] {
        let max = |what: &str| all.get(&format!("state_name.{access}{what}_max")).copied();
        assert_eq!(
            (max("KeySize"), max("ValueSize")),
            (Some(key), value),
            "{access}: {all:?}"
        );
    }
    assert_eq!(
        all.get("state_name.count.valueStateUpdateKeySize_count"),
        Some(&1_000)
    );

    let sampled = counters(&[
        ("state.size-track.keyed-state-enabled", "true"),
        ("state.size-track.state-name-as-variable", "false"),
    ])?;
    // Each of the two tasks measures one of a hundred of its accesses, the first of all.
    let count = sampled
        .get("count.valueStateUpdateKeySize_count")
        .copied()
        .unwrap_or(0);
    assert!((10..=12).contains(&count), "{count}");
    Ok(())
}

#[test]
fn nothing_is_timed_by_default() -> Result<()> {
    let all = counters(&[])?;
    assert!(all.is_empty(), "{all:?}");
    Ok(())
}
