//! Generated records: a function of an index, at a rate. Flink's `DataGeneratorSource` over its `NumberSequenceSource`.

#[cfg(test)]
mod tests;

use millpond_api::{
    Boundedness, Data, InputStatus, Source, SourceOutput, SourceReader, SourceReaderContext, SourceSplit,
};
use millpond_core::host::Clock;
use millpond_core::{Error, Result};
use millpond_derive::StateType;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;

/// How many records one poll emits at most.
const RECORDS_PER_POLL: u64 = 512;
const NANOS_PER_SECOND: u128 = 1_000_000_000;

type Generator<T> = dyn Fn(u64) -> T + Send + Sync;

/// Makes records from their index.
///
/// With a count, instances share the indices `0..count` in contiguous ranges, as Flink's do, and the source ends. Without
/// one, instance `i` of `p` makes the indices `i`, `i + p`, `i + 2p` and so on, and the source never ends.
///
/// ```
/// use millpond_connectors::DataGeneratorSource;
/// let clicks = DataGeneratorSource::new(|i| (i % 1000, 1u64), Some(1_000_000)).rate_per_second(50_000);
/// ```
pub struct DataGeneratorSource<T, G = Box<Generator<T>>> {
    generator: Arc<G>,
    count: Option<u64>,
    rate_per_second: Option<u64>,
    record: PhantomData<fn() -> T>,
}

impl<T, G: Fn(u64) -> T> DataGeneratorSource<T, G> {
    /// `generator(0)`, `generator(1)` and so on: `count` records, or no end of them.
    pub fn new(generator: G, count: Option<u64>) -> Self {
        DataGeneratorSource {
            generator: Arc::new(generator),
            count,
            rate_per_second: None,
            record: PhantomData,
        }
    }

    /// How many records a second all instances make together. Default: as many as they can. An instance that was
    /// held up makes up for one second of it at most.
    #[must_use]
    pub fn rate_per_second(mut self, records: u64) -> Self {
        self.rate_per_second = Some(records);
        self
    }
}

/// Indices yet to be made. Flink's `NumberSequenceSplit`, with a step.
#[derive(Clone, Debug, PartialEq, Eq, StateType)]
#[state_type(name = "millpond.connectors.GeneratorSplit")]
pub struct GeneratorSplit {
    /// Its place in the order in which splits were made.
    pub ordinal: i64,
    /// The next index.
    pub next: i64,
    /// The index behind the last.
    pub end: i64,
    /// From one index to the next.
    pub step: i64,
}

impl SourceSplit for GeneratorSplit {
    fn split_id(&self) -> String {
        format!("{}:{}+{}", self.ordinal, self.end, self.step)
    }
}

impl<T: Data, G: Fn(u64) -> T + Send + Sync + 'static> Source for DataGeneratorSource<T, G> {
    type Out = T;
    type Split = GeneratorSplit;
    type Reader = GeneratorReader<T, G>;

    fn boundedness(&self) -> Boundedness {
        match self.count {
            Some(_) => Boundedness::Bounded,
            None => Boundedness::ContinuousUnbounded,
        }
    }

    fn create_splits(&self, parallelism: u32) -> Result<Vec<GeneratorSplit>> {
        if self.rate_per_second == Some(0) {
            return Err(Error::config(
                "create generator",
                "the rate must be above 0 records a second",
            ));
        }
        let parallelism = i64::from(parallelism.max(1));
        let Some(count) = self.count else {
            return Ok((0..parallelism)
                .map(|i| GeneratorSplit {
                    ordinal: i,
                    next: i,
                    end: i64::MAX,
                    step: parallelism,
                })
                .collect());
        };
        let count = i64::try_from(count)
            .map_err(|_| Error::config("create generator", "too many records").with("count", count))?;
        Ok(crate::collection::ranges(count, parallelism)
            .enumerate()
            .map(|(i, (next, end))| GeneratorSplit {
                ordinal: i64::try_from(i).unwrap_or(i64::MAX),
                next,
                end,
                step: 1,
            })
            .collect())
    }

    fn create_reader(&self, ctx: &SourceReaderContext) -> Result<Self::Reader> {
        Ok(GeneratorReader {
            generator: self.generator.clone(),
            splits: VecDeque::new(),
            unbounded: self.count.is_none(),
            pace: self.rate_per_second.map(|rate| Pace::new(rate, ctx)),
            record: PhantomData,
        })
    }
}

/// Makes the records of one instance.
pub struct GeneratorReader<T, G> {
    generator: Arc<G>,
    splits: VecDeque<GeneratorSplit>,
    unbounded: bool,
    pace: Option<Pace>,
    record: PhantomData<fn() -> T>,
}

impl<T: 'static, G: Fn(u64) -> T + 'static> SourceReader for GeneratorReader<T, G> {
    type Out = T;
    type Split = GeneratorSplit;

    fn add_splits(&mut self, splits: Vec<GeneratorSplit>) -> Result<()> {
        for split in splits {
            if split.step < 1 || split.next < 0 {
                return Err(Error::corrupt("restore generator", "not a range of indices")
                    .with("next", split.next)
                    .with("step", split.step));
            }
            self.splits.push_back(split);
        }
        self.splits.make_contiguous().sort_by_key(|s| s.ordinal);
        Ok(())
    }

    fn poll_next(&mut self, out: &mut SourceOutput<'_, T>) -> Result<InputStatus> {
        let mut allowed = RECORDS_PER_POLL;
        if let Some(pace) = &mut self.pace {
            match pace.allowed() {
                Ok(records) => allowed = allowed.min(records),
                Err(until_ms) if !self.splits.is_empty() => {
                    return Ok(InputStatus::NothingAvailableUntil(until_ms));
                }
                Err(_) => {}
            }
        }
        while let Some(split) = self.splits.front_mut() {
            let left = (split.end.saturating_sub(split.next)).max(0).unsigned_abs();
            let batch = left.div_ceil(split.step.unsigned_abs()).min(allowed);
            if batch == 0 {
                self.splits.pop_front();
                continue;
            }
            for _ in 0..batch {
                let index = split.next.unsigned_abs();
                split.next = split.next.saturating_add(split.step);
                out.collect((self.generator)(index))?;
            }
            if let Some(pace) = &mut self.pace {
                pace.emitted += batch;
            }
            if self.unbounded {
                // None of them ends, so they take turns.
                self.splits.rotate_left(1);
            }
            return Ok(InputStatus::MoreAvailable);
        }
        Ok(InputStatus::EndOfInput)
    }

    fn snapshot_state(&mut self, _checkpoint_id: u64) -> Result<Vec<GeneratorSplit>> {
        let mut splits: Vec<_> = self.splits.iter().filter(|s| s.next < s.end).cloned().collect();
        splits.sort_by_key(|s| s.ordinal);
        Ok(splits)
    }
}

/// Spreads the whole source's rate over its instances. The instances' shares add up to the rate in every moment, even where
/// it is lower than one record a second for each.
struct Pace {
    clock: Arc<dyn Clock>,
    rate: u128,
    index: u128,
    parallelism: u128,
    start_nanos: u64,
    emitted: u64,
}

impl Pace {
    fn new(rate: u64, ctx: &SourceReaderContext) -> Self {
        Pace {
            clock: ctx.clock.clone(),
            rate: u128::from(rate.max(1)),
            index: u128::from(ctx.subtask_index),
            parallelism: u128::from(ctx.parallelism.max(1)),
            start_nanos: ctx.clock.monotonic_nanos(),
            emitted: 0,
        }
    }

    /// How many records may be made now, at least 1; or the time (milliseconds since the epoch) of the next.
    fn allowed(&mut self) -> std::result::Result<u64, i64> {
        let now = self.clock.monotonic_nanos();
        let elapsed = now.saturating_sub(self.start_nanos);
        let due = self.due(elapsed);
        let backlog_max = self.due(NANOS_PER_SECOND as u64).max(1);
        match due.saturating_sub(self.emitted) {
            0 => {
                let wait_nanos = self.due_at(self.emitted + 1).saturating_sub(u128::from(elapsed));
                let wait_ms = i64::try_from(wait_nanos.div_ceil(1_000_000)).unwrap_or(i64::MAX);
                Err(self.clock.now_ms().saturating_add(wait_ms.max(1)))
            }
            backlog if backlog > backlog_max => {
                self.start_nanos = now.saturating_sub(NANOS_PER_SECOND as u64);
                self.emitted = 0;
                Ok(backlog_max)
            }
            backlog => Ok(backlog),
        }
    }

    /// How many records this instance should have made after so long.
    fn due(&self, elapsed_nanos: u64) -> u64 {
        let whole = u128::from(elapsed_nanos) * self.rate / NANOS_PER_SECOND;
        let mine = (whole + self.parallelism - 1 - self.index.min(self.parallelism - 1)) / self.parallelism;
        u64::try_from(mine).unwrap_or(u64::MAX)
    }

    /// After how many nanoseconds `records` are due.
    fn due_at(&self, records: u64) -> u128 {
        let whole = (u128::from(records) * self.parallelism)
            .saturating_sub(self.parallelism - 1 - self.index.min(self.parallelism - 1));
        (whole * NANOS_PER_SECOND).div_ceil(self.rate)
    }
}
