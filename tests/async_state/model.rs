//! Random records, timers and times through an asynchronous function and a synchronous one that does the same: for each key the same
//! results in the same order, between the same watermarks, through snapshots and restores.
//!
//! `MILLPOND_TEST_SEED` repeats a run, `MILLPOND_TEST_CASES` sets how many cases run.

use super::{GATHER_ALL, join};
use millpond_api::Collector;
use millpond_api::function::{
    AsyncCollector, AsyncKeyedContext, AsyncKeyedProcessFunction, AsyncOnTimerContext, KeyedContext,
    KeyedProcessFunction, OnTimerContext, RuntimeContext,
};
use millpond_core::Result;
use millpond_core::host::{SeededRandom, entropy};
use millpond_runtime::testing::{
    Element, OneInputHarness, for_async_keyed_process_function, for_keyed_process_function,
};
use millpond_state::async_state::{
    AsyncAggregatingState, AsyncListState, AsyncMapState, AsyncReducingState, AsyncValueState,
};
use millpond_state::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor,
    ReducingStateDescriptor, ValueStateDescriptor,
};
use millpond_state::keyed::{AggregatingState, ListState, MapState, ReducingState, ValueState};
use std::collections::BTreeMap;

const STEPS: usize = 120;
const KEYS: u64 = 4;

/// One access, or two side by side.
#[derive(Clone, Debug)]
enum Op {
    Value,
    Update(i64),
    Modify(i64),
    ClearValue,
    Add(i64),
    List,
    ReplaceList(Vec<i64>),
    Put(i64, i64),
    Get(i64),
    Remove(i64),
    Contains(i64),
    ModifyEntry(i64, i64),
    Entries,
    Reduce(i64),
    Reduced,
    Aggregate(i64),
    Aggregated,
    ClearAll,
    EventTimer(i64),
    ClockTimer(i64),
    DeleteEventTimer(i64),
    /// Both are begun before the first has ended.
    Both(Box<Op>, Box<Op>),
}

type In = (i64, Vec<Op>);
/// Key, where from (-1: a record, else the timer's time), and what each access answered.
type Out = (i64, i64, Vec<String>);

#[derive(Clone, Copy)]
struct Average;
impl AggregateFunction for Average {
    type In = i64;
    type Acc = (i64, i64);
    type Out = i64;
    fn create_accumulator(&self) -> (i64, i64) {
        (0, 0)
    }
    fn add(&self, value: i64, acc: &mut (i64, i64)) {
        acc.0 += value;
        acc.1 += 1;
    }
    fn get_result(&self, acc: &(i64, i64)) -> i64 {
        acc.0 / acc.1.max(1)
    }
    fn merge(&self, acc: &mut (i64, i64), other: (i64, i64)) {
        acc.0 += other.0;
        acc.1 += other.1;
    }
}

fn value_descriptor() -> ValueStateDescriptor<i64> {
    ValueStateDescriptor::new("value").default_value(7)
}
fn list_descriptor() -> ListStateDescriptor<i64> {
    ListStateDescriptor::new("list")
}
fn map_descriptor() -> MapStateDescriptor<i64, i64> {
    MapStateDescriptor::new("map")
}
fn sum(a: &mut i64, b: i64) {
    *a += b;
}
fn average_descriptor() -> AggregatingStateDescriptor<Average> {
    AggregatingStateDescriptor::new("average", Average)
}

/// What a timer does.
fn timer_ops(at: i64) -> Vec<Op> {
    let mut ops = vec![Op::Modify(at), Op::Add(at), Op::Reduce(at)];
    if at % 3 == 0 {
        ops.push(Op::EventTimer(at + 2));
    }
    if at % 5 == 0 {
        ops.push(Op::Both(Box::new(Op::List), Box::new(Op::ReplaceList(vec![at]))));
    }
    ops
}

fn text(value: impl std::fmt::Debug) -> String {
    format!("{value:?}")
}

#[derive(Default)]
struct Sync {
    value: ValueState<i64>,
    list: ListState<i64>,
    map: MapState<i64, i64>,
    sum: ReducingState<i64>,
    average: AggregatingState<Average>,
}

impl Sync {
    fn apply(&self, op: &Op, timer: &mut dyn FnMut(&Op) -> Result<()>) -> Result<String> {
        Ok(match op {
            Op::Value => text((self.value.value()?, self.value.get()?)),
            Op::Update(n) => text(self.value.update(*n)?),
            Op::Modify(n) => text(self.value.modify(|v| {
                *v = Some(v.unwrap_or(1) * 3 + n);
                *v
            })?),
            Op::ClearValue => text(self.value.clear()?),
            Op::Add(n) => text(self.list.add(*n)?),
            Op::List => text(self.list.get()?),
            Op::ReplaceList(values) => text(self.list.update(values.clone())?),
            Op::Put(k, v) => text(self.map.put(*k, *v)?),
            Op::Get(k) => text(self.map.get(k)?),
            Op::Remove(k) => text(self.map.remove(k)?),
            Op::Contains(k) => text((self.map.contains(k)?, self.map.is_empty()?)),
            Op::ModifyEntry(k, n) => text(self.map.modify(*k, |v| {
                *v = v.is_none().then_some(*n);
                *v
            })?),
            Op::Entries => text(self.map.entries()?.into_iter().collect::<BTreeMap<_, _>>()),
            Op::Reduce(n) => text(self.sum.add(*n)?),
            Op::Reduced => text(self.sum.get()?),
            Op::Aggregate(n) => text(self.average.add(*n)?),
            Op::Aggregated => text(self.average.get()?),
            Op::ClearAll => {
                self.list.clear()?;
                self.map.clear()?;
                self.sum.clear()?;
                text(self.average.clear()?)
            }
            Op::EventTimer(_) | Op::ClockTimer(_) | Op::DeleteEventTimer(_) => text(timer(op)?),
            Op::Both(a, b) => self.apply(a, timer)? + &self.apply(b, timer)?,
        })
    }
}

impl KeyedProcessFunction for Sync {
    type Key = i64;
    type In = In;
    type Out = Out;
    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.value = ctx.state(value_descriptor())?;
        self.list = ctx.list_state(list_descriptor())?;
        self.map = ctx.map_state(map_descriptor())?;
        self.sum = ctx.reducing_state(ReducingStateDescriptor::new("sum", sum))?;
        self.average = ctx.aggregating_state(average_descriptor())?;
        Ok(())
    }
    fn process_element(
        &mut self,
        (key, ops): In,
        ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, Out>,
    ) -> Result<()> {
        let service = ctx.timer_service();
        let mut timer = |op: &Op| match op {
            Op::EventTimer(at) => service.register_event_time_timer(*at),
            Op::ClockTimer(at) => service.register_processing_time_timer(*at),
            Op::DeleteEventTimer(at) => service.delete_event_time_timer(*at),
            _ => Ok(()),
        };
        let answers = ops.iter().map(|op| self.apply(op, &mut timer));
        out.collect((key, -1, answers.collect::<Result<_>>()?));
        Ok(())
    }
    fn on_timer(
        &mut self,
        at: i64,
        ctx: &mut OnTimerContext<'_, i64>,
        out: &mut Collector<'_, Out>,
    ) -> Result<()> {
        let key = *ctx.current_key();
        let service = ctx.timer_service();
        let mut timer = |op: &Op| match op {
            Op::EventTimer(at) => service.register_event_time_timer(*at),
            _ => Ok(()),
        };
        let ops = timer_ops(at);
        let answers = ops.iter().map(|op| self.apply(op, &mut timer));
        out.collect((key, at, answers.collect::<Result<_>>()?));
        Ok(())
    }
}

#[derive(Default)]
struct Async {
    value: AsyncValueState<i64>,
    list: AsyncListState<i64>,
    map: AsyncMapState<i64, i64>,
    sum: AsyncReducingState<i64>,
    average: AsyncAggregatingState<Average>,
}

impl Async {
    async fn apply(&self, op: &Op, ctx: &AsyncKeyedContext<i64>) -> Result<String> {
        let timers = ctx.timer_service();
        Ok(match op.clone() {
            Op::Value => {
                let (value, got) = join(self.value.async_value(), self.value.async_get()).await;
                text((value?, got?))
            }
            Op::Update(n) => text(self.value.async_update(n).await?),
            Op::Modify(n) => {
                let modified = self.value.async_modify(move |v| {
                    *v = Some(v.unwrap_or(1) * 3 + n);
                    *v
                });
                text(modified.await?)
            }
            Op::ClearValue => text(self.value.async_clear().await?),
            Op::Add(n) if n % 2 == 0 => text(self.list.async_add_all(vec![n]).await?),
            Op::Add(n) => text(self.list.async_add(n).await?),
            Op::List => text(self.list.async_get().await?),
            Op::ReplaceList(values) => text(self.list.async_update(values).await?),
            Op::Put(k, v) if v % 2 == 0 => text(self.map.async_put_all(vec![(k, v)]).await?),
            Op::Put(k, v) => text(self.map.async_put(k, v).await?),
            Op::Get(k) => text(self.map.async_get(k).await?),
            Op::Remove(k) => text(self.map.async_remove(k).await?),
            Op::Contains(k) => {
                let (contains, empty) = join(self.map.async_contains(k), self.map.async_is_empty()).await;
                text((contains?, empty?))
            }
            Op::ModifyEntry(k, n) => {
                let modified = self.map.async_modify(k, move |v| {
                    *v = v.is_none().then_some(n);
                    *v
                });
                text(modified.await?)
            }
            Op::Entries => {
                let entries = self.map.async_entries().await?;
                let (keys, values) = join(self.map.async_keys(), self.map.async_values()).await;
                let zipped: Vec<_> = keys?.into_iter().zip(values?).collect();
                assert_eq!(entries, zipped);
                text(entries.into_iter().collect::<BTreeMap<_, _>>())
            }
            Op::Reduce(n) => text(self.sum.async_add(n).await?),
            Op::Reduced => text(self.sum.async_get().await?),
            Op::Aggregate(n) => text(self.average.async_add(n).await?),
            Op::Aggregated => text(self.average.async_get().await?),
            Op::ClearAll => {
                let lists = join(self.list.async_clear(), self.map.async_clear());
                let ((list, map), (sum, average)) =
                    join(lists, join(self.sum.async_clear(), self.average.async_clear())).await;
                list.and(map).and(sum)?;
                text(average?)
            }
            Op::EventTimer(at) => {
                timers.register_event_time_timer(at);
                text(())
            }
            Op::ClockTimer(at) => {
                timers.register_processing_time_timer(at);
                text(())
            }
            Op::DeleteEventTimer(at) => {
                timers.delete_event_time_timer(at);
                text(())
            }
            Op::Both(a, b) => {
                let (a, b) = join(Box::pin(self.apply(&a, ctx)), Box::pin(self.apply(&b, ctx))).await;
                a? + &b?
            }
        })
    }
    async fn apply_all(&self, ops: Vec<Op>, ctx: &AsyncKeyedContext<i64>) -> Result<Vec<String>> {
        let mut answers = Vec::new();
        for op in &ops {
            answers.push(self.apply(op, ctx).await?);
        }
        Ok(answers)
    }
}

impl AsyncKeyedProcessFunction for Async {
    type Key = i64;
    type In = In;
    type Out = Out;
    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.value = ctx.async_state(value_descriptor())?;
        self.list = ctx.async_list_state(list_descriptor())?;
        self.map = ctx.async_map_state(map_descriptor())?;
        self.sum = ctx.async_reducing_state(ReducingStateDescriptor::new("sum", sum))?;
        self.average = ctx.async_aggregating_state(average_descriptor())?;
        Ok(())
    }
    async fn process_element(
        &self,
        (key, ops): In,
        ctx: &AsyncKeyedContext<i64>,
        out: &AsyncCollector<Out>,
    ) -> Result<()> {
        out.collect((key, -1, self.apply_all(ops, ctx).await?));
        Ok(())
    }
    async fn on_timer(
        &self,
        at: i64,
        ctx: &AsyncOnTimerContext<i64>,
        out: &AsyncCollector<Out>,
    ) -> Result<()> {
        let answers = self.apply_all(timer_ops(at), ctx).await?;
        out.collect((*ctx.current_key(), at, answers));
        Ok(())
    }
}

#[derive(Debug)]
enum Step {
    Record(In, i64),
    Watermark(i64),
    Clock(i64),
    Idle,
    Restore,
}

fn op(random: &mut SeededRandom, now: i64, depth: u32) -> Op {
    let n = random.below(100) as i64;
    let k = random.below(4) as i64;
    // Beside another only what is one access: of several, the other's may come between.
    match random.below(if depth == 0 { 23 } else { 16 }) {
        0 => Op::Value,
        1 => Op::Update(n),
        2 => Op::Modify(n),
        3 => Op::ClearValue,
        4 => Op::Add(n),
        5 => Op::List,
        6 => Op::ReplaceList(vec![n; k as usize]),
        7 => Op::Put(k, n),
        8 => Op::Get(k),
        9 => Op::Remove(k),
        10 => Op::Contains(k),
        11 => Op::ModifyEntry(k, n),
        12 => Op::Reduce(n),
        13 => Op::Reduced,
        14 => Op::Aggregate(n),
        15 => Op::Aggregated,
        16 => Op::Entries,
        17 => Op::ClearAll,
        18 => Op::EventTimer(now + k * 5),
        19 => Op::ClockTimer(now + k * 5),
        20 => Op::DeleteEventTimer(now + k * 5),
        _ => Op::Both(
            Box::new(op(random, now, depth + 1)),
            Box::new(op(random, now, depth + 1)),
        ),
    }
}

fn plan(random: &mut SeededRandom) -> Vec<Step> {
    let mut now = 0;
    (0..STEPS)
        .map(|_| {
            now += random.below(4) as i64;
            match random.below(20) {
                0 => Step::Watermark(now),
                1 => Step::Clock(now),
                2 => Step::Idle,
                3 => Step::Restore,
                _ => {
                    let ops = (0..random.below(5)).map(|_| op(random, now, 0)).collect();
                    Step::Record((random.below(KEYS) as i64, ops), now)
                }
            }
        })
        .chain([Step::Watermark(1_000_000)])
        .collect()
}

/// The records of each key between two watermarks, each with its timestamp.
type Segment = BTreeMap<i64, Vec<(Out, Option<i64>)>>;

/// Runs the plan; what came out between the watermarks and restores, by key.
fn run(
    steps: &[Step],
    open: impl Fn(Option<millpond_state::handle::OperatorSubtaskState>, i64) -> Result<OneInputHarness<In, Out>>,
) -> Result<Vec<Segment>> {
    let mut segments = vec![Segment::new()];
    let mut clock = 0;
    let mut h = open(None, clock)?;
    let mut keep = |elements: Vec<Element<Out>>| {
        for element in elements {
            match element {
                Element::Record(out, timestamp) => segments
                    .last_mut()
                    .unwrap()
                    .entry(out.0)
                    .or_default()
                    .push((out, timestamp)),
                Element::Watermark(_) => segments.push(Segment::new()),
                Element::Status(_) => {}
            }
        }
    };
    for step in steps {
        match step {
            Step::Record(record, at) => h.process_element(record.clone(), *at)?,
            Step::Watermark(at) => h.process_watermark(*at)?,
            Step::Clock(at) => {
                // A timer of the clock may come before or after the record that would have deleted or registered it.
                h.process_idle()?;
                clock = *at;
                h.set_processing_time(*at)?;
            }
            Step::Idle => h.process_idle()?,
            Step::Restore => {
                let snapshot = h.snapshot(1)?;
                keep(h.take_elements());
                h = open(Some(snapshot), clock)?;
            }
        }
        keep(h.take_elements());
    }
    Ok(segments)
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Where the asynchronous function keeps its state.
type Backend = &'static [(&'static str, &'static str)];

/// Runs random cases of both functions, the asynchronous one on `backends` in turn.
fn compare(cases: u64, backends: &[Backend]) -> Result<()> {
    let seed = from_environment("MILLPOND_TEST_SEED", entropy());
    for case in 0..from_environment("MILLPOND_TEST_CASES", cases) {
        let seed = seed.wrapping_add(case);
        let mut random = SeededRandom::new(seed);
        let steps = plan(&mut random);
        let synchronous = for_keyed_process_function(Sync::default, |(key, _): &In| *key);
        let expected = run(&steps, |restored, clock| {
            let builder = synchronous.processing_time(clock);
            restored
                .map_or(builder.clone(), |state| builder.restore(&[state]))
                .open()
        })?;
        let options = for_async_keyed_process_function(Async::default, |(key, _): &In| *key)
            .option(GATHER_ALL, random.below(4) != 0)
            .option("execution.async-state.total-buffer-size", 1 + random.below(12))
            .option("execution.async-state.active-buffer-size", 1 + random.below(12));
        let backend = backends.get(case as usize % backends.len()).unwrap();
        let asynchronous = backend
            .iter()
            .fold(options, |builder, (key, value)| builder.option(key, value));
        let got = run(&steps, |restored, clock| {
            let builder = asynchronous.processing_time(clock);
            restored
                .map_or(builder.clone(), |state| builder.restore(&[state]))
                .open()
        })?;
        assert_eq!(
            got, expected,
            "MILLPOND_TEST_SEED={seed} MILLPOND_TEST_CASES=1 {backend:?}"
        );
    }
    Ok(())
}

#[test]
fn an_asynchronous_function_does_to_each_key_what_a_synchronous_one_does() -> Result<()> {
    compare(200, &[&[]])
}

/// Without a cache everything that is read is loaded for a batch; in a small one, values come and go meanwhile.
#[cfg(feature = "rocksdb")]
#[test]
fn it_does_so_on_rocksdb_too() -> Result<()> {
    const ROCKSDB: (&str, &str) = ("state.backend.type", "rocksdb");
    const CACHE: &str = "state.backend.rocksdb.typed-cache.size";
    compare(
        30,
        &[&[ROCKSDB, (CACHE, "0b")], &[ROCKSDB, (CACHE, "600b")], &[ROCKSDB]],
    )
}
