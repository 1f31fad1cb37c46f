//! One of each keyed state with a time to live, on a clock that both sides drive. The same as `ExpiringStates.java`.
//!
//! Writing, number `i` is taken at [`written_at`]`(i)`; each key gets several numbers, so that the elements of one list and the
//! entries of one map differ in age. Reading, the state is looked at twice for each number: in the last millisecond that what
//! the number wrote lives, and in the next. So a timestamp that is off by a millisecond is seen.

use crate::job::Mode;
use crate::lines::Lines;
use crate::states::{Mean, PROCESSING_TIME};
use millpond::prelude::*;
use serde_json::{Value, json};

/// The operator's uid.
pub const UID: &str = "expiring";
/// How many keys share the numbers.
const KEYS: i64 = 8;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// How long state lives: so that every look is after the processing-time timers of the other operators.
const TTL_MS: i64 = 20 * DAY_MS;

/// When number `i` is taken, in milliseconds since the epoch: before any processing-time timer of the job is due.
pub fn written_at(i: i64) -> i64 {
    PROCESSING_TIME - 10 * DAY_MS + i * 1000
}

/// When look `n` is taken: an even one in the last millisecond of number `n / 2`, an odd one just after.
pub fn looked_at(n: i64) -> i64 {
    written_at(n / 2) + TTL_MS - 1 + n % 2
}

/// The key that number `i` belongs to.
pub fn key(i: i64) -> String {
    format!("expiring-{}", i % KEYS)
}

/// Writing, it fills its states from numbers; reading, it tells what is still alive at each look.
pub struct ExpiringStates {
    mode: Mode,
    lines: Lines,
    value: ValueState<i64>,
    list: ListState<String>,
    map: MapState<String, i64>,
    reducing: ReducingState<i64>,
    aggregating: AggregatingState<Mean>,
}

impl ExpiringStates {
    /// The function of the operator with uid [`UID`].
    pub fn new(mode: Mode, lines: &Lines) -> Self {
        ExpiringStates {
            mode,
            lines: lines.clone(),
            value: ValueState::default(),
            list: ListState::default(),
            map: MapState::default(),
            reducing: ReducingState::default(),
            aggregating: AggregatingState::default(),
        }
    }

    fn fill(&mut self, i: i64) -> Result<()> {
        self.value.update(i * 10)?;
        self.list.add(format!("item {i}"))?;
        self.map.put(format!("m{i}"), i * 100)?;
        self.reducing.add(i)?;
        self.aggregating.add(i)
    }

    fn look(&self, n: i64, key: &str) -> Result<()> {
        let tell = |state: &str, entry: Value, value: Value| {
            self.lines.tell(json!({
                "operator": UID, "state": state, "look": n, "key": key, "entry": entry, "value": value,
            }));
        };
        if let Some(value) = self.value.get()? {
            tell("ttl-value", Value::Null, json!(value));
        }
        for (index, item) in self.list.get()?.into_iter().enumerate() {
            tell("ttl-list", json!(index), json!(item));
        }
        for (entry, value) in self.map.entries()? {
            tell("ttl-map", json!(entry), json!(value));
        }
        if let Some(value) = self.reducing.get()? {
            tell("ttl-reducing", Value::Null, json!(value));
        }
        if let Some(value) = self.aggregating.get()? {
            tell("ttl-aggregating", Value::Null, json!(value));
        }
        Ok(())
    }
}

impl KeyedProcessFunction for ExpiringStates {
    type Key = String;
    type In = i64;
    type Out = ();

    fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
        let ttl = StateTtlConfig::new_builder(Duration::from_millis(TTL_MS.unsigned_abs())).build()?;
        self.value = ctx.state(ValueStateDescriptor::new("ttl-value").enable_time_to_live(ttl))?;
        self.list = ctx.list_state(ListStateDescriptor::new("ttl-list").enable_time_to_live(ttl))?;
        self.map = ctx.map_state(MapStateDescriptor::new("ttl-map").enable_time_to_live(ttl))?;
        let sum = ReducingStateDescriptor::new("ttl-reducing", |sum: &mut i64, n| *sum += n);
        self.reducing = ctx.reducing_state(sum.enable_time_to_live(ttl))?;
        let mean = AggregatingStateDescriptor::new("ttl-aggregating", Mean);
        self.aggregating = ctx.aggregating_state(mean.enable_time_to_live(ttl))?;
        Ok(())
    }

    fn process_element(
        &mut self,
        number: i64,
        ctx: &mut KeyedContext<'_, String>,
        _out: &mut Collector<'_, ()>,
    ) -> Result<()> {
        match self.mode {
            Mode::Write => self.fill(number)?,
            Mode::Read => self.look(number, ctx.current_key())?,
        }
        self.lines.processed();
        Ok(())
    }
}
