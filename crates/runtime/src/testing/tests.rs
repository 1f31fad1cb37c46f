//! What functions may rely on, shown through the harness: keys, state, timers, snapshots, errors.

mod notices;

use super::*;
use millpond_api::Collector;
use millpond_api::function::*;
use millpond_core::{Error, ErrorKind, Result};
use millpond_state::descriptor::{
    ListStateDescriptor, MapStateDescriptor, ReducingStateDescriptor, ValueStateDescriptor,
};
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::keyed::{ReducingState, ValueState};
use millpond_state::operator_state::{BroadcastState, OperatorListState};
use millpond_types::JavaHash;
use millpond_types::key_group::{key_group_for_hash, operator_index_for_key_group};

/// Does what its input says: registers and deletes timers, counts, fails.
#[derive(Clone, Debug)]
enum Do {
    Count,
    EventTimer(i64),
    ProcessingTimer(i64),
    DeleteEventTimer(i64),
    Fail,
}

type In = (i64, Do);

#[derive(Clone, Debug, PartialEq)]
enum Out {
    Count(i64, i64),
    Fired(TimeDomain, i64, i64),
}

#[derive(Default)]
struct Obedient {
    count: ValueState<i64>,
    seen: Counter,
}

impl KeyedProcessFunction for Obedient {
    type Key = i64;
    type In = In;
    type Out = Out;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.count = ctx.state(ValueStateDescriptor::new("count").default_value(0))?;
        self.seen = ctx.counter("seen");
        Ok(())
    }
    fn process_element(
        &mut self,
        (_, what): In,
        ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, Out>,
    ) -> Result<()> {
        self.seen.inc();
        match what {
            Do::Count => {
                let n = self.count.value()? + 1;
                self.count.update(n)?;
                out.collect(Out::Count(*ctx.current_key(), n));
                Ok(())
            }
            Do::EventTimer(at) => ctx.timer_service().register_event_time_timer(at),
            Do::ProcessingTimer(at) => ctx.timer_service().register_processing_time_timer(at),
            Do::DeleteEventTimer(at) => ctx.timer_service().delete_event_time_timer(at),
            Do::Fail => Err(Error::user("as told")),
        }
    }
    fn on_timer(
        &mut self,
        timestamp: i64,
        ctx: &mut OnTimerContext<'_, i64>,
        out: &mut Collector<'_, Out>,
    ) -> Result<()> {
        assert_eq!(timestamp, ctx.timestamp());
        out.collect(Out::Fired(ctx.time_domain(), *ctx.current_key(), timestamp));
        // A timer may set the next one, due at once if its time has passed.
        if timestamp == 500 {
            ctx.timer_service().register_event_time_timer(501)?;
        }
        Ok(())
    }
}

fn obedient() -> HarnessBuilder<OneInputHarness<In, Out>> {
    for_keyed_process_function(Obedient::default, |(key, _): &In| *key)
}

/// Goal: event-time timers fire once each, in order of time, before the watermark that made them due is passed on.
/// Method: register out of order, twice, and delete one; advance in two steps.
#[test]
fn event_timers_fire_in_order_and_before_the_watermark() -> Result<()> {
    let mut h = obedient().open()?;
    for (key, at) in [(1, 300), (2, 100), (1, 100), (1, 300), (3, 200), (2, 900)] {
        h.process_element((key, Do::EventTimer(at)), 0)?;
    }
    h.process_element((3, Do::DeleteEventTimer(200)), 0)?;
    h.process_watermark(300)?;
    let mut elements = h.take_elements();
    assert_eq!(elements.pop(), Some(Element::Watermark(300)));
    let fired: Vec<(i64, i64, Option<i64>)> = elements
        .into_iter()
        .map(|e| match e {
            Element::Record(Out::Fired(TimeDomain::EventTime, key, at), timestamp) => (at, key, timestamp),
            other => panic!("{other:?}"),
        })
        .collect();
    let times: Vec<_> = fired.iter().map(|f| f.0).collect();
    assert_eq!(times, [100, 100, 300], "once each, in order");
    assert!(
        fired.iter().all(|(at, _, stamp)| *stamp == Some(*at)),
        "results carry the timer's time"
    );
    h.process_watermark(899)?;
    assert_eq!(h.take_elements(), [Element::Watermark(899)]);
    h.process_watermark(i64::MAX)?;
    assert_eq!(h.take_output(), [Out::Fired(TimeDomain::EventTime, 2, 900)]);
    Ok(())
}

#[test]
fn a_timer_may_register_another_that_is_due_at_once() -> Result<()> {
    let mut h = obedient().open()?;
    h.process_element((1, Do::EventTimer(500)), 0)?;
    h.process_watermark(600)?;
    let at = |at| Element::Record(Out::Fired(TimeDomain::EventTime, 1, at), Some(at));
    assert_eq!(h.take_elements(), [at(500), at(501), Element::Watermark(600)]);
    Ok(())
}

#[test]
fn processing_timers_fire_by_the_clock_and_their_results_have_no_timestamp() -> Result<()> {
    let mut h = obedient().processing_time(1_000).open()?;
    h.process_element((1, Do::ProcessingTimer(1_500)), 0)?;
    h.process_element((2, Do::ProcessingTimer(1_200)), 0)?;
    assert_eq!(h.next_processing_timer()?, Some(1_200));
    h.set_processing_time(1_199)?;
    assert_eq!(h.take_elements(), []);
    h.set_processing_time(1_500)?;
    let fired = |key, at| Element::Record(Out::Fired(TimeDomain::ProcessingTime, key, at), None);
    assert_eq!(h.take_elements(), [fired(2, 1_200), fired(1, 1_500)]);
    assert_eq!(h.next_processing_timer()?, None);
    Ok(())
}

/// Goal: an error of the function names the operator and keeps its cause; what came before stays counted.
#[test]
fn a_function_s_error_names_the_operator_and_keeps_its_source() -> Result<()> {
    let mut h = obedient().open()?;
    h.process_element((1, Do::Count), 5)?;
    let e = h.process_element((1, Do::Fail), 6).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::UserFunction);
    assert_eq!(e.context("operator"), Some("tested"));
    assert!(e.report().ends_with("user function: as told"), "{}", e.report());
    assert_eq!(h.records_in_and_out(), (2, 1));
    assert_eq!(h.counters(), [("seen".to_string(), 2)]);
    Ok(())
}

/// The operator on every backend, on RocksDB with timers in the database and in memory, by full and incremental checkpoints.
fn on_every_backend() -> Vec<HarnessBuilder<OneInputHarness<In, Out>>> {
    #[cfg_attr(not(feature = "rocksdb"), expect(unused_mut, reason = "one backend"))]
    let mut all = vec![obedient()];
    #[cfg(feature = "rocksdb")]
    for timers in ["ROCKSDB", "HEAP"] {
        let rocksdb = obedient()
            .option("state.backend.type", "rocksdb")
            .option("state.backend.rocksdb.timer-service.factory", timers);
        all.push(rocksdb.option("execution.checkpointing.incremental", true));
        all.push(rocksdb);
    }
    all
}

/// Goal: state and timers survive any change of parallelism, each key at its new owner and nowhere else, on every backend.
/// Method: fill at parallelism 1, 2 and 3 by checkpoint and savepoint, restore at 1, 2 and 3, and read all back.
#[test]
fn state_and_timers_move_with_their_keys_to_any_parallelism() -> Result<()> {
    on_every_backend().iter().try_for_each(they_move_with_their_keys)
}

fn they_move_with_their_keys(operator: &HarnessBuilder<OneInputHarness<In, Out>>) -> Result<()> {
    for (old, savepoint) in [(1, false), (2, true), (3, false)] {
        let snapshots = filled(operator, old, savepoint)?;
        for new in 1..=3 {
            let builder = operator.restore(&snapshots);
            let mut counts = Vec::new();
            let mut fired = Vec::new();
            for index in 0..new {
                let mut h = builder.subtask(index, new).open()?;
                for key in (0..50).filter(|key| owner(*key, new) == index) {
                    h.process_element((key, Do::Count), 0)?;
                }
                counts.extend(h.take_output());
                h.process_watermark(i64::MAX)?;
                fired.extend(h.take_output());
            }
            counts.sort_by_key(|o| format!("{o:?}"));
            let mut expected: Vec<_> = (0..50).map(|key| Out::Count(key, key % 3 + 2)).collect();
            expected.sort_by_key(|o| format!("{o:?}"));
            assert_eq!(counts, expected, "{old} to {new}");
            assert_eq!(fired.len(), 50, "{old} to {new}");
        }
    }
    Ok(())
}

/// Snapshots of `parallelism` instances in which key k was counted k % 3 + 1 times and has a timer.
fn filled(
    operator: &HarnessBuilder<OneInputHarness<In, Out>>,
    parallelism: u32,
    savepoint: bool,
) -> Result<Vec<OperatorSubtaskState>> {
    (0..parallelism)
        .map(|index| {
            let mut h = operator.subtask(index, parallelism).open()?;
            for key in (0..50).filter(|key| owner(*key, parallelism) == index) {
                for _ in 0..=key % 3 {
                    h.process_element((key, Do::Count), 0)?;
                }
                h.process_element((key, Do::EventTimer(1_000 + key)), 0)?;
            }
            if savepoint { h.savepoint(1) } else { h.snapshot(1) }
        })
        .collect()
}

fn owner(key: i64, parallelism: u32) -> u32 {
    operator_index_for_key_group(key_group_for_hash(key.java_hash(), 128), 128, parallelism)
}

/// Goal: an incremental snapshot restores like a full one. Method: two checkpoints with changes between, the first one
/// completed, so that the second may lean on it.
#[test]
fn incremental_snapshots_restore_like_full_ones() -> Result<()> {
    let builder = obedient().option("execution.checkpointing.incremental", true);
    let mut h = builder.open()?;
    for key in 0..100 {
        h.process_element((key, Do::Count), 0)?;
    }
    h.snapshot(1)?;
    h.notify_checkpoint_complete(1)?;
    h.process_element((7, Do::Count), 0)?;
    let second = h.snapshot(2)?;
    let mut restored = builder.restore(&[second]).open()?;
    restored.process_element((7, Do::Count), 0)?;
    restored.process_element((8, Do::Count), 0)?;
    assert_eq!(restored.take_output(), [Out::Count(7, 3), Out::Count(8, 2)]);
    Ok(())
}

#[test]
fn a_key_of_another_instance_is_refused_not_misfiled() -> Result<()> {
    let mut h = obedient().subtask(0, 2).open()?;
    let foreign = (0..).find(|key| owner(*key, 2) == 1).unwrap_or_default();
    let e = h.process_element((foreign, Do::EventTimer(1)), 0).unwrap_err();
    assert!(e.report().contains("another operator instance"), "{}", e.report());
    Ok(())
}

/// Goal: an operator whose state is in RocksDB counts on from a snapshot, and its timers fire.
#[cfg(feature = "rocksdb")]
#[test]
fn the_rocksdb_backend_is_chosen_by_its_option() -> Result<()> {
    let rocksdb = || obedient().option("state.backend.type", "rocksdb");
    let mut h = rocksdb().open()?;
    h.process_element((1, Do::Count), 5)?;
    h.process_element((1, Do::EventTimer(500)), 0)?;
    let before = h.take_elements();
    let snapshot = h.snapshot(1)?;
    let mut h = rocksdb().restore(&[snapshot]).open()?;
    h.process_element((1, Do::Count), 5)?;
    assert_ne!(h.take_elements(), before, "it counts on");
    h.process_watermark(600)?;
    assert_eq!(h.take_elements().len(), 3);
    Ok(())
}

#[cfg(not(feature = "rocksdb"))]
#[test]
fn the_rocksdb_backend_is_refused_by_name() {
    let Err(e) = obedient().option("state.backend.type", "rocksdb").open() else {
        panic!("it opened");
    };
    assert!(e.report().to_lowercase().contains("rocksdb"), "{}", e.report());
}

/// Adds a broadcast rate to each element's running sum.
#[derive(Default)]
struct Rated {
    rates: BroadcastState<String, i64>,
    sum: ReducingState<i64>,
    touch_state: bool,
}

impl KeyedBroadcastProcessFunction for Rated {
    type Key = String;
    type In = (String, i64);
    type Broadcast = (String, i64);
    type Out = (String, i64);

    fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
        self.rates = ctx.broadcast_state(MapStateDescriptor::new("rates"))?;
        self.sum = ctx.reducing_state(ReducingStateDescriptor::new("sum", |a: &mut i64, b: i64| *a += b))?;
        Ok(())
    }
    fn process_element(
        &mut self,
        (key, n): Self::In,
        ctx: &mut ReadOnlyContext<'_, String>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        let rate = self.rates.get(&key)?.unwrap_or(1);
        self.sum.add(n * rate)?;
        ctx.timer_service().register_event_time_timer(n)?;
        out.collect((key, self.sum.get()?.unwrap_or(0)));
        Ok(())
    }
    fn process_broadcast_element(
        &mut self,
        (key, rate): Self::Broadcast,
        ctx: &mut BroadcastContext<'_, String>,
        _out: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        if self.touch_state {
            self.sum.add(1)?;
        }
        self.rates.put(ctx.permit(), key, rate)
    }
}

/// Goal: what the broadcast side writes the keyed side reads, in every instance, also after a rescale.
#[test]
fn broadcast_state_is_the_same_in_every_instance_after_a_rescale() -> Result<()> {
    let builder =
        for_keyed_broadcast_process_function(Rated::default, |(key, _): &(String, i64)| key.clone());
    let mut snapshots = Vec::new();
    for index in 0..2 {
        let mut h = builder.subtask(index, 2).open()?;
        h.process_element2(("a".into(), 10), 0)?;
        h.process_element2(("b".into(), 20), 0)?;
        assert_eq!(h.take_output(), []);
        snapshots.push(h.snapshot(1)?);
    }
    for index in 0..3 {
        let mut h = builder.restore(&snapshots).subtask(index, 3).open()?;
        for key in ["a", "b", "c"] {
            if operator_index_for_key_group(key_group_for_hash(key.java_hash(), 128), 128, 3) == index {
                h.process_element1((key.into(), 2), 7)?;
                let rate = match key {
                    "a" => 10,
                    "b" => 20,
                    _ => 1,
                };
                assert_eq!(
                    h.take_elements(),
                    [Element::Record((key.to_string(), 2 * rate), Some(7))]
                );
            }
        }
    }
    Ok(())
}

#[test]
fn keyed_state_is_refused_while_a_broadcast_element_is_processed() -> Result<()> {
    let make = || Rated {
        touch_state: true,
        ..Rated::default()
    };
    let mut h = for_keyed_broadcast_process_function(make, |(key, _): &(String, i64)| key.clone()).open()?;
    h.process_element1(("a".into(), 2), 0)?;
    let e = h.process_element2(("a".into(), 10), 0).unwrap_err();
    assert!(e.report().contains("no current key"), "{}", e.report());
    Ok(())
}

/// Numbers its lines across restarts by operator state.
#[derive(Default)]
struct Numbered {
    next: OperatorListState<i64>,
}

impl ProcessFunction for Numbered {
    type In = String;
    type Out = String;

    fn open(&mut self, ctx: &mut RuntimeContext<'_>) -> Result<()> {
        self.next = ctx
            .operator_state()
            .list_state(&ListStateDescriptor::new("next"))?;
        if !ctx.is_restored() {
            self.next.add(1)?;
        }
        Ok(())
    }
    fn process_element(
        &mut self,
        line: String,
        ctx: &mut ProcessContext<'_>,
        out: &mut Collector<'_, String>,
    ) -> Result<()> {
        let n = self.next.get()?.first().copied().unwrap_or(0);
        self.next.update(vec![n + 1])?;
        out.collect(format!(
            "{n} {line} {:?} {}",
            ctx.timestamp(),
            ctx.current_watermark()
        ));
        Ok(())
    }
}

#[test]
fn a_plain_function_has_operator_state_time_and_watermark() -> Result<()> {
    let builder = for_process_function(Numbered::default);
    let mut h = builder.open()?;
    h.process_watermark(40)?;
    h.process_element("x".into(), 50)?;
    h.process_element_without_timestamp("y".into())?;
    assert_eq!(h.take_output(), ["1 x Some(50) 40", "2 y None 40"]);
    let mut restored = builder.restore(&[h.snapshot(1)?]).open()?;
    restored.process_element("z".into(), 1)?;
    assert_eq!(restored.take_output(), [format!("3 z Some(1) {}", i64::MIN)]);
    Ok(())
}

/// Joins two streams by key, each side waiting for the other.
#[derive(Default)]
struct Pair {
    left: ValueState<i64>,
    right: ValueState<String>,
}

impl KeyedCoProcessFunction for Pair {
    type Key = i64;
    type In1 = (i64, i64);
    type In2 = (i64, String);
    type Out = (i64, String);

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.left = ctx.state(ValueStateDescriptor::new("left"))?;
        self.right = ctx.state(ValueStateDescriptor::new("right"))?;
        Ok(())
    }
    fn process_element1(
        &mut self,
        (_, n): Self::In1,
        _: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        match self.right.get()? {
            Some(text) => out.collect((n, text)),
            None => self.left.update(n)?,
        }
        Ok(())
    }
    fn process_element2(
        &mut self,
        (_, text): Self::In2,
        _: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()> {
        match self.left.get()? {
            Some(n) => out.collect((n, text)),
            None => self.right.update(text)?,
        }
        Ok(())
    }
}

#[test]
fn both_sides_of_a_keyed_pair_see_the_same_state() -> Result<()> {
    let mut h =
        for_keyed_co_process_function(Pair::default, |l: &(i64, i64)| l.0, |r: &(i64, String)| r.0).open()?;
    h.process_element1((1, 100), 0)?;
    h.process_element2((2, "two".into()), 0)?;
    h.process_element2((1, "one".into()), 0)?;
    h.process_element1((2, 200), 0)?;
    assert_eq!(
        h.take_output(),
        [(100, "one".to_string()), (200, "two".to_string())]
    );
    Ok(())
}

#[test]
fn the_end_of_input_fires_every_event_timer() -> Result<()> {
    let mut h = obedient().open()?;
    h.process_element((1, Do::EventTimer(i64::MAX - 1)), 0)?;
    h.end_input()?;
    h.close()?;
    assert_eq!(
        h.take_elements(),
        [
            Element::Record(
                Out::Fired(TimeDomain::EventTime, 1, i64::MAX - 1),
                Some(i64::MAX - 1)
            ),
            Element::Watermark(i64::MAX)
        ]
    );
    Ok(())
}

/// Adds up one stream and multiplies by what the other said last.
#[derive(Default)]
struct Scaled {
    factor: i64,
}

impl CoProcessFunction for Scaled {
    type In1 = i64;
    type In2 = i64;
    type Out = i64;

    fn process_element1(
        &mut self,
        n: i64,
        ctx: &mut ProcessContext<'_>,
        out: &mut Collector<'_, i64>,
    ) -> Result<()> {
        out.collect_with_timestamp(n * self.factor, ctx.timestamp().unwrap_or(0) + 1);
        Ok(())
    }
    fn process_element2(
        &mut self,
        factor: i64,
        _: &mut ProcessContext<'_>,
        _: &mut Collector<'_, i64>,
    ) -> Result<()> {
        if factor == 0 {
            return Err(Error::user("no factor"));
        }
        self.factor = factor;
        Ok(())
    }
}

#[test]
fn connected_streams_keep_their_sides_apart() -> Result<()> {
    let mut h = for_co_process_function(Scaled::default).open()?;
    h.process_element2(3, 0)?;
    h.process_element1(5, 10)?;
    h.process_watermark(20)?;
    assert_eq!(
        h.take_elements(),
        [Element::Record(15, Some(11)), Element::Watermark(20)]
    );
    let e = h.process_element2(0, 0).unwrap_err();
    assert_eq!(
        (e.kind(), e.context("operator")),
        (ErrorKind::UserFunction, Some("tested"))
    );
    Ok(())
}
