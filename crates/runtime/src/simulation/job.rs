//! The job of the simulations: numbered records are counted by key, each with a timer of its own, into the ledger.
//!
//! What it must put out is known beforehand, whatever happens: each key's counts from 1 to how many records it has, each once,
//! and each record's timer, once.

use super::faults::Faults;
use super::ledger::{LedgerSink, Row};
use super::setup::Setup;
use crate::datastream::StreamExecutionEnvironment;
use crate::graph::JobGraph;
use millpond_api::function::{KeyedContext, KeyedProcessFunction, OnTimerContext, RuntimeContext};
use millpond_api::{
    Boundedness, Collector, InputStatus, Source, SourceOutput, SourceReader, SourceReaderContext,
    SourceSplit, WatermarkStrategy,
};
use millpond_core::host::Clock;
use millpond_core::{Configuration, Error, Result};
use millpond_state::descriptor::{ListStateDescriptor, ValueStateDescriptor};
use millpond_state::keyed::{ListState, ValueState};
use millpond_types::StateType;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A job as it is submitted, first or to go on from a savepoint of an earlier one.
#[derive(Clone)]
pub(super) struct Submission {
    /// A name of its own: that makes it a job of its own.
    pub(super) name: String,
    /// The savepoint to start from.
    pub(super) savepoint: Option<String>,
    /// Whether the job owns the savepoint then.
    pub(super) claims: bool,
}

impl Submission {
    /// A job that starts from nothing.
    pub(super) fn first() -> Self {
        Submission {
            name: "simulated".to_string(),
            savepoint: None,
            claims: false,
        }
    }

    /// The `number`th that goes on from a savepoint.
    pub(super) fn from_savepoint(number: u64, savepoint: String, claims: bool) -> Self {
        Submission {
            name: format!("simulated from savepoint {number}"),
            savepoint: Some(savepoint),
            claims,
        }
    }
}

/// The rows that the job must put out, each once.
pub(super) fn expected(setup: &Setup) -> BTreeSet<Row> {
    let mut counts = BTreeMap::new();
    let mut rows = BTreeSet::new();
    for part in 0..setup.parts {
        for id in 0..i64::from(setup.splits) * setup.records {
            let key = key_of(setup, part, id);
            let count = counts.entry(key).or_insert(0);
            *count += 1;
            rows.insert((key, *count));
            rows.insert((key, timer_row(id)));
        }
    }
    rows
}

/// The key of a record; no two parts have one in common.
fn key_of(setup: &Setup, part: i64, id: i64) -> i64 {
    part * setup.keys + id % setup.keys
}

/// Numbers the records of all splits of a part.
fn id_of(setup: &Setup, split: i32, number: i64) -> i64 {
    number * i64::from(setup.splits) + i64::from(split)
}

/// What a record's timer puts out: not to be confused with a count.
fn timer_row(id: i64) -> i64 {
    -1 - id
}

/// The job as one process submits it.
pub(super) fn graph(
    setup: &Arc<Setup>,
    submission: &Submission,
    parallelism: u32,
    faults: &Arc<Faults>,
    sink: &LedgerSink,
) -> Result<JobGraph> {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    env.set_parallelism(parallelism);
    for (key, value) in &setup.options {
        env.set_option(key, value);
    }
    if let Some(savepoint) = &submission.savepoint {
        let claim = if submission.claims { "CLAIM" } else { "NO_CLAIM" };
        env.set_option("execution.state-recovery.path", savepoint);
        env.set_option("execution.state-recovery.claim-mode", claim);
    }
    // Rows can be in flight in an unaligned checkpoint.
    env.register_serializers(|serializers| {
        serializers.register_type::<Row>();
    });
    for part in 0..setup.parts {
        add_part(&env, part, setup, faults, sink);
    }
    env.build_job_graph(Some(&submission.name))
}

fn add_part(
    env: &StreamExecutionEnvironment,
    part: i64,
    setup: &Arc<Setup>,
    faults: &Arc<Faults>,
    sink: &LedgerSink,
) {
    let uid = |name: &str| format!("{name}-{part}");
    let luck = Arc::clone(faults);
    let records = Records(Arc::clone(setup), Arc::clone(faults));
    let strategy = WatermarkStrategy::for_monotonous_timestamps();
    let keys = Arc::clone(setup);
    env.from_source(records, strategy, &uid("records"))
        .uid(uid("records"))
        .key_by(move |id| key_of(&keys, part, *id))
        .process(Count::default)
        .uid(uid("count"))
        .rebalance()
        .try_map(move |row: Row| match luck.function_fails() {
            true => Err(Error::user("bad luck")),
            false => Ok(row),
        })
        .uid(uid("luck"))
        .sink_to(sink.clone())
        .uid(uid("ledger"));
}

/// The source: each split's records in their order.
struct Records(Arc<Setup>, Arc<Faults>);

#[derive(Clone, Debug, PartialEq, Eq, StateType)]
#[state_type(name = "millpond.simulation.Split")]
pub(super) struct Split {
    split: i32,
    next: i64,
}

impl SourceSplit for Split {
    fn split_id(&self) -> String {
        self.split.to_string()
    }
}

struct Reader {
    setup: Arc<Setup>,
    faults: Arc<Faults>,
    clock: Arc<dyn Clock>,
    splits: Vec<Split>,
}

impl Source for Records {
    type Out = i64;
    type Split = Split;
    type Reader = Reader;

    fn boundedness(&self) -> Boundedness {
        Boundedness::Bounded
    }
    fn create_splits(&self, _parallelism: u32) -> Result<Vec<Split>> {
        Ok((0..self.0.splits).map(|split| Split { split, next: 0 }).collect())
    }
    fn create_reader(&self, ctx: &SourceReaderContext) -> Result<Reader> {
        Ok(Reader {
            setup: Arc::clone(&self.0),
            faults: Arc::clone(&self.1),
            clock: Arc::clone(&ctx.clock),
            splits: Vec::new(),
        })
    }
}

impl SourceReader for Reader {
    type Out = i64;
    type Split = Split;

    fn add_splits(&mut self, splits: Vec<Split>) -> Result<()> {
        self.splits.extend(splits);
        Ok(())
    }

    fn poll_next(&mut self, out: &mut SourceOutput<'_, i64>) -> Result<InputStatus> {
        self.splits.retain(|s| s.next < self.setup.records);
        // The split that is behind goes first, so that no timer comes late.
        let Some(split) = self.splits.iter_mut().min_by_key(|s| (s.next, s.split)) else {
            return Ok(InputStatus::EndOfInput);
        };
        let id = id_of(&self.setup, split.split, split.next);
        split.next += 1;
        out.collect_with_timestamp(id, id)?;
        Ok(match self.faults.below(3) {
            0 => InputStatus::NothingAvailableUntil(self.clock.now_ms() + self.faults.below(10) as i64),
            _ => InputStatus::MoreAvailable,
        })
    }

    fn snapshot_state(&mut self, _checkpoint_id: u64) -> Result<Vec<Split>> {
        Ok(self
            .splits
            .iter()
            .filter(|s| s.next < self.setup.records)
            .cloned()
            .collect())
    }
}

/// Counts the records of a key and keeps those whose timers are to come.
#[derive(Default)]
struct Count {
    count: ValueState<i64>,
    waiting: ListState<i64>,
}

impl KeyedProcessFunction for Count {
    type Key = i64;
    type In = i64;
    type Out = Row;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.count = ctx.state(ValueStateDescriptor::new("count").default_value(0))?;
        self.waiting = ctx.list_state(ListStateDescriptor::new("waiting"))?;
        Ok(())
    }

    fn process_element(
        &mut self,
        id: i64,
        ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, Row>,
    ) -> Result<()> {
        let n = self.count.value()? + 1;
        self.count.update(n)?;
        self.waiting.add(id)?;
        ctx.timer_service().register_event_time_timer(id)?;
        out.collect((*ctx.current_key(), n));
        Ok(())
    }

    fn on_timer(
        &mut self,
        id: i64,
        ctx: &mut OnTimerContext<'_, i64>,
        out: &mut Collector<'_, Row>,
    ) -> Result<()> {
        let mut waiting: Vec<i64> = self.waiting.get()?.into_iter().collect();
        let before = waiting.len();
        waiting.retain(|w| *w != id);
        if waiting.len() + 1 != before {
            return Err(Error::user("the list and the timers of a key disagree")
                .with("record", id)
                .with("times", before - waiting.len()));
        }
        self.waiting.update(waiting)?;
        out.collect((*ctx.current_key(), timer_row(id)));
        Ok(())
    }
}
