//! Windows and side outputs in whole jobs: graphs, chains, channels.

use crate::{Event, late, seconds};
use millpond_api::function::{
    KeyedContext, KeyedProcessFunction, OnTimerContext, ProcessContext, ProcessFunction,
};
use millpond_api::window::TumblingEventTimeWindows;
use millpond_api::{Collector, OutputTag, WatermarkStrategy};
use millpond_connectors::{CollectSink, CollectionSource};
use millpond_core::{Configuration, ErrorKind, Result};
use millpond_runtime::datastream::StreamExecutionEnvironment;

fn environment(parallelism: u32) -> StreamExecutionEnvironment {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    env.set_parallelism(parallelism);
    env
}

/// Goal: a job with windows and late data gives each element to its window or to the side output, over channels. Method: events of
/// three keys, every tenth at time 0, from one source through two windows to sinks of two and three.
#[test]
fn a_job_with_windows_gives_every_element_a_place() {
    let env = environment(2);
    let events: Vec<Event> = (0..1000).map(|n| (n % 3, n)).collect();
    let time = |event: &Event, _| if event.1 % 10 == 9 { 0 } else { event.1 * 10 };
    let source = env.from_source(
        CollectionSource::from_elements(events.clone()),
        WatermarkStrategy::for_monotonous_timestamps().with_timestamp_assigner(time),
        "events",
    );
    let (sums, lates) = (CollectSink::new(), CollectSink::new());
    let windowed = source
        .set_parallelism(1)
        .key_by(|event| event.0)
        .window(TumblingEventTimeWindows::of(seconds(1)))
        .side_output_late_data(&late())
        .reduce(|sum, event| sum.1 += event.1);
    windowed
        .get_side_output(&late())
        .map(|event| event)
        .set_parallelism(3)
        .sink_to(lates.clone());
    windowed.sink_to(sums.clone());
    env.execute("windows").unwrap();
    let (sums, lates): (Vec<Event>, Vec<Event>) = (sums.collected(), lates.collected());
    let total = |events: &[Event]| events.iter().map(|e| e.1).sum::<i64>();
    assert_eq!(total(&sums) + total(&lates), total(&events));
    assert!(
        !lates.is_empty() && lates.iter().all(|e| e.1 % 10 == 9),
        "{lates:?}"
    );
    assert_eq!(sums.len(), 30, "three keys, ten windows");
}

fn odd() -> OutputTag<i64> {
    OutputTag::new("odd")
}
fn words() -> OutputTag<String> {
    OutputTag::new("words")
}

/// Even numbers go on, odd ones aside, and each is told in words.
struct Split;
impl ProcessFunction for Split {
    type In = i64;
    type Out = i64;
    fn process_element(
        &mut self,
        n: i64,
        ctx: &mut ProcessContext<'_>,
        out: &mut Collector<'_, i64>,
    ) -> Result<()> {
        ctx.output(&words(), format!("number {n}"));
        if n % 2 == 0 {
            out.collect(n);
        } else {
            ctx.output(&odd(), n);
        }
        ctx.output(&OutputTag::new("nobody reads it"), ());
        Ok(())
    }
}

/// The same over a keyed stream, and at the end of time once for each key.
struct KeyedSplit;
impl KeyedProcessFunction for KeyedSplit {
    type Key = i64;
    type In = i64;
    type Out = i64;
    fn process_element(
        &mut self,
        n: i64,
        ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, i64>,
    ) -> Result<()> {
        ctx.timer_service().register_event_time_timer(1000)?;
        if n % 2 == 0 {
            out.collect(n);
        } else {
            ctx.output(&odd(), n);
        }
        Ok(())
    }
    fn on_timer(
        &mut self,
        _: i64,
        ctx: &mut OnTimerContext<'_, i64>,
        _: &mut Collector<'_, i64>,
    ) -> Result<()> {
        let key = *ctx.current_key();
        ctx.output(&words(), format!("key {key}"));
        Ok(())
    }
}

fn sorted<T: Ord>(mut values: Vec<T>) -> Vec<T> {
    values.sort();
    values
}

/// Goal: side outputs of process functions reach whoever reads them: chained and over channels, several readers each, main
/// output or not. Method: one job, three side outputs, counted at its end.
#[test]
fn process_functions_emit_to_side_outputs() {
    let env = environment(1);
    let source = CollectionSource::from_elements(0i64..10);
    let numbers = env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers");
    let split = numbers.process(|| Split).uid("split");
    let (evens, odds, told, odds_again, by_key, keys) = (
        CollectSink::new(),
        CollectSink::new(),
        CollectSink::new(),
        CollectSink::new(),
        CollectSink::new(),
        CollectSink::new(),
    );
    split.sink_to(evens.clone());
    split.get_side_output(&odd()).sink_to(odds.clone());
    split
        .get_side_output(&odd())
        .rebalance()
        .map(|n| -n)
        .set_parallelism(2)
        .sink_to(odds_again.clone());
    split.get_side_output(&words()).sink_to(told.clone());
    let keyed = split
        .get_side_output(&odd())
        .key_by(|n| n % 3)
        .process(|| KeyedSplit);
    keyed.get_side_output(&odd()).sink_to(by_key.clone());
    keyed.get_side_output(&words()).sink_to(keys.clone());
    let vertices = env.build_job_graph(None).unwrap().vertices;
    let names: Vec<&str> = vertices.iter().map(|v| v.name.as_str()).collect();
    let chained = "Source: numbers -> Process -> Sink -> Sink -> Sink";
    assert_eq!(names, [chained, "Map", "Sink", "KeyedProcess -> Sink -> Sink"]);
    env.execute("split").unwrap();
    assert_eq!(evens.collected(), [0i64, 2, 4, 6, 8]);
    assert_eq!(odds.collected(), [1, 3, 5, 7, 9]);
    assert_eq!(sorted(odds_again.collected()), [-9, -7, -5, -3, -1]);
    assert_eq!(
        told.collected(),
        (0..10).map(|n| format!("number {n}")).collect::<Vec<_>>()
    );
    assert_eq!(sorted(by_key.collected()), [1, 3, 5, 7, 9]);
    assert_eq!(sorted(keys.collected()), ["key 0", "key 1", "key 2"]);
}

/// Goal: one id can't be two types. Method: read a tag as numbers and as words.
#[test]
fn a_side_output_read_as_two_types_is_refused() {
    let env = environment(1);
    let source = CollectionSource::from_elements(0i64..10);
    let split = env
        .from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .process(|| Split);
    split.get_side_output(&odd()).sink_to(CollectSink::new());
    split
        .get_side_output(&OutputTag::<String>::new("odd"))
        .sink_to(CollectSink::new());
    let error = env.build_job_graph(None).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("tag=odd"), "{error}");
    // Emitted as another type than it is read.
    let env = environment(1);
    let source = CollectionSource::from_elements(0i64..10);
    let split = env
        .from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .process(|| Split);
    split
        .get_side_output(&OutputTag::<String>::new("odd"))
        .sink_to(CollectSink::new());
    assert!(env.execute("mistaken").is_err());
}
