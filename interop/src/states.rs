//! One of each keyed state, both kinds of timers, and list and union operator state. The same as `KeyedStates.java`.

use crate::job::Mode;
use crate::keys::Key;
use crate::lines::Lines;
use millpond::api::function::TimeDomain;
use millpond::prelude::*;
use serde_json::{Value, json};
use std::marker::PhantomData;

/// When processing-time timers are due: in the year 2100, so that none fires by itself while the job is being stopped.
pub const PROCESSING_TIME: i64 = 4_102_444_800_000;

/// An enum inside a POJO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, StateType)]
#[state_type(java = "org.millpond.it.Level", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Level {
    /// The first constant.
    Low,
    /// The second.
    Middle,
    /// The third.
    High,
}

impl Level {
    fn of(i: i64) -> Self {
        match i % 3 {
            0 => Level::Low,
            1 => Level::Middle,
            _ => Level::High,
        }
    }
    fn constant(self) -> &'static str {
        match self {
            Level::Low => "LOW",
            Level::Middle => "MIDDLE",
            Level::High => "HIGH",
        }
    }
}

/// A POJO as a value. Its fields are not declared in the order in which they are stored.
#[derive(Clone, Debug, PartialEq, StateType)]
#[state_type(java = "org.millpond.it.UserInfo")]
pub struct UserInfo {
    name: String,
    age: i32,
    score: f64,
    active: bool,
    /// Null for some users.
    visits: Option<i64>,
    level: Level,
}

impl UserInfo {
    fn of(i: i64) -> Self {
        UserInfo {
            name: format!("user {i}{}", if i % 2 == 0 { "" } else { " ñ" }),
            age: i as i32 - 3,
            score: i as f64 / 4.0,
            active: i % 2 == 1,
            visits: (i % 3 != 0).then_some(i << 33),
            level: Level::of(i),
        }
    }
    fn show(&self) -> Value {
        json!({
            "name": self.name, "age": self.age, "score": self.score, "active": self.active, "visits": self.visits,
            "level": self.level.constant(),
        })
    }
}

/// The mean; the accumulator is sum and number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean;

impl AggregateFunction for Mean {
    type In = i64;
    type Acc = (i64, i64);
    type Out = f64;

    fn create_accumulator(&self) -> (i64, i64) {
        (0, 0)
    }
    fn add(&self, value: i64, (sum, n): &mut (i64, i64)) {
        *sum += value;
        *n += 1;
    }
    fn get_result(&self, (sum, n): &(i64, i64)) -> f64 {
        *sum as f64 / *n as f64
    }
    fn merge(&self, (sum, n): &mut (i64, i64), other: (i64, i64)) {
        *sum += other.0;
        *n += other.1;
    }
}

/// Writing, it fills its states from numbers; reading, it tells what they hold.
pub struct KeyedStates<K> {
    operator: &'static str,
    mode: Mode,
    lines: Lines,
    value: ValueState<i64>,
    profile: ValueState<UserInfo>,
    list: ListState<String>,
    map: MapState<String, i64>,
    reducing: ReducingState<i64>,
    aggregating: AggregatingState<Mean>,
    key: PhantomData<K>,
}

impl<K: Key> KeyedStates<K> {
    /// The function of the operator with uid `operator`.
    pub fn new(operator: &'static str, mode: Mode, lines: &Lines) -> Self {
        KeyedStates {
            operator,
            mode,
            lines: lines.clone(),
            value: ValueState::default(),
            profile: ValueState::default(),
            list: ListState::default(),
            map: MapState::default(),
            reducing: ReducingState::default(),
            aggregating: AggregatingState::default(),
            key: PhantomData,
        }
    }

    fn open_operator_state(&self, ctx: &mut RuntimeContext<'_, K>) -> Result<()> {
        let subtask = ctx.subtask_index();
        let split = ctx
            .operator_state()
            .list_state(&ListStateDescriptor::<String>::new("op-list"))?;
        let union = ctx
            .operator_state()
            .union_list_state(&ListStateDescriptor::<i64>::new("op-union"))?;
        match self.mode {
            Mode::Write => (0..3i64).try_for_each(|j| {
                split.add(format!("e-{subtask}-{j}"))?;
                union.add(i64::from(subtask) * 1000 - j)
            }),
            Mode::Read => {
                for value in split.get()? {
                    self.lines
                        .tell(json!({"operator": self.operator, "state": "op-list", "value": value}));
                }
                for value in union.get()? {
                    self.lines.tell(
                        json!({"operator": self.operator, "state": "op-union", "subtask": subtask, "value": value}),
                    );
                }
                Ok(())
            }
        }
    }

    fn fill(&mut self, i: i64, ctx: &mut KeyedContext<'_, K>) -> Result<()> {
        if i % 5 != 0 {
            self.value.update(i * 10)?;
        }
        self.profile.update(UserInfo::of(i))?;
        for j in 0..i % 4 {
            self.list.add(format!("item {j} of {i}"))?;
        }
        for j in 0..i % 3 {
            self.map.put(format!("m{j}"), i * 100 + j)?;
        }
        for j in 0..=i % 3 {
            self.reducing.add(i + j)?;
            self.aggregating.add(i * j)?;
        }
        let timers = ctx.timer_service();
        timers.register_event_time_timer(1000 + i)?;
        if i % 2 == 0 {
            timers.register_event_time_timer(-5000)?;
        }
        timers.register_processing_time_timer(PROCESSING_TIME + i)
    }

    fn dump(&self, key: &Value) -> Result<()> {
        let tell = |state: &str, value: Value| {
            self.lines
                .tell(json!({"operator": self.operator, "key": key, "state": state, "value": value}));
        };
        if let Some(value) = self.value.get()? {
            tell("value", json!(value));
        }
        if let Some(profile) = self.profile.get()? {
            tell("profile", profile.show());
        }
        for (index, item) in self.list.get()?.into_iter().enumerate() {
            self.lines.tell(
                json!({"operator": self.operator, "key": key, "state": "list", "index": index, "value": item}),
            );
        }
        for (entry, value) in self.map.entries()? {
            self.lines.tell(
                json!({"operator": self.operator, "key": key, "state": "map", "entry": entry, "value": value}),
            );
        }
        if let Some(value) = self.reducing.get()? {
            tell("reducing", json!(value));
        }
        if let Some(value) = self.aggregating.get()? {
            tell("aggregating", json!(value));
        }
        Ok(())
    }
}

impl<K: Key> KeyedProcessFunction for KeyedStates<K> {
    type Key = K;
    type In = i64;
    type Out = ();

    fn open(&mut self, ctx: &mut RuntimeContext<'_, K>) -> Result<()> {
        self.open_operator_state(ctx)?;
        self.value = ctx.state(ValueStateDescriptor::new("value"))?;
        self.profile = ctx.state(ValueStateDescriptor::new("profile"))?;
        self.list = ctx.list_state(ListStateDescriptor::new("list"))?;
        self.map = ctx.map_state(MapStateDescriptor::new("map"))?;
        self.reducing =
            ctx.reducing_state(ReducingStateDescriptor::new("reducing", |sum: &mut i64, n| {
                *sum += n;
            }))?;
        self.aggregating = ctx.aggregating_state(AggregatingStateDescriptor::new("aggregating", Mean))?;
        Ok(())
    }

    fn process_element(
        &mut self,
        number: i64,
        ctx: &mut KeyedContext<'_, K>,
        _out: &mut Collector<'_, ()>,
    ) -> Result<()> {
        match self.mode {
            Mode::Write => {
                self.fill(number, ctx)?;
                self.lines.processed();
            }
            Mode::Read => self.dump(&ctx.current_key().show())?,
        }
        Ok(())
    }

    fn on_timer(
        &mut self,
        at: i64,
        ctx: &mut OnTimerContext<'_, K>,
        _out: &mut Collector<'_, ()>,
    ) -> Result<()> {
        let state = match ctx.time_domain() {
            TimeDomain::EventTime => "event-timer",
            TimeDomain::ProcessingTime => "processing-timer",
        };
        if self.mode == Mode::Read {
            self.lines.tell(
                json!({"operator": self.operator, "key": ctx.current_key().show(), "state": state, "value": at}),
            );
        }
        Ok(())
    }
}
