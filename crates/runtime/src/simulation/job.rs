//! The job of the simulations: numbered records are counted by key, each with a timer of its own, into the ledger.
//!
//! What it must put out is known beforehand, whatever happens: each key's counts from 1 to how many records it has, each once,
//! and each record's timer, once.

use super::ledger::{Ledger, LedgerSink, Row};
use super::scheduler::Process;
use super::setup::{Faults, Setup};
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
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the job is named.
pub(super) const NAME: &str = "simulated";

/// The rows that the job must put out, each once.
pub(super) fn expected(setup: &Setup) -> BTreeMap<Row, usize> {
    let mut counts = BTreeMap::new();
    let mut rows = BTreeMap::new();
    for split in 0..setup.splits {
        for number in 0..setup.records {
            let id = id_of(setup, split, number);
            let count = counts.entry(id % setup.keys).or_insert(0);
            *count += 1;
            rows.insert((id % setup.keys, *count), 1);
            rows.insert((id % setup.keys, timer_row(id)), 1);
        }
    }
    rows
}

/// Numbers the records of all splits.
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
    parallelism: u32,
    ledger: &Ledger,
    faults: &Arc<Faults>,
    process: &Arc<Process>,
) -> Result<JobGraph> {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    env.set_parallelism(parallelism);
    for (key, value) in &setup.options {
        env.set_option(key, value);
    }
    // Rows can be in flight in an unaligned checkpoint.
    env.register_serializers(|serializers| {
        serializers.register_type::<Row>();
    });
    let strategy = WatermarkStrategy::for_monotonous_timestamps();
    let faulty = |faults: &Arc<Faults>| {
        let faults = Arc::clone(faults);
        move |row: Row| match faults.function_fails() {
            true => Err(Error::user("bad luck")),
            false => Ok(row),
        }
    };
    env.from_source(
        Records(Arc::clone(setup), Arc::clone(faults)),
        strategy,
        "records",
    )
    .uid("records")
    .key_by({
        let keys = setup.keys;
        move |id| id % keys
    })
    .process(Count::default)
    .uid("count")
    .rebalance()
    .try_map(faulty(faults))
    .uid("luck")
    .sink_to(LedgerSink {
        ledger: ledger.clone(),
        process: Arc::clone(process),
    })
    .uid("ledger");
    env.build_job_graph(Some(NAME))
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
