//! Sources: where records come from, in splits whose positions can be replayed. A simplified form of Flink's FLIP-27 API.
//!
//! A [`Source`] describes and enumerates splits once, when a job starts without a snapshot. Each parallel instance has a
//! [`SourceReader`] that is polled; its unfinished splits, with their positions, are its whole state. On restore the
//! engine redistributes the splits of all instances evenly over the new ones.

use crate::time::NO_TIMESTAMP;
use millpond_core::Result;
use millpond_core::host::Clock;
use millpond_types::StateType;
use std::sync::Arc;

/// Whether a source ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Boundedness {
    /// It ends by itself.
    Bounded,
    /// It goes on until the job is stopped.
    ContinuousUnbounded,
}

/// A part of a source's data with a position in it. It is stored in checkpoints, so its [`StateType`] is a format.
pub trait SourceSplit: StateType {
    /// A name that stays the same while the position moves on (a path and its range, a partition).
    fn split_id(&self) -> String;
}

/// A source of records.
pub trait Source: Send + Sync + 'static {
    /// The type of its records.
    type Out: crate::Data;
    /// The type of its splits.
    type Split: SourceSplit;
    /// The reader of one parallel instance.
    type Reader: SourceReader<Out = Self::Out, Split = Self::Split>;

    /// Whether the source ends.
    fn boundedness(&self) -> Boundedness;

    /// Who reads which split.
    fn split_assignment(&self) -> SplitAssignment<Self::Split> {
        SplitAssignment::RoundRobin
    }

    /// All splits, in the order in which they should be read. Called once in a job's life: when it starts without a
    /// snapshot.
    ///
    /// # Errors
    /// NotFound or Io naming what cannot be read, and Config for options that make no sense.
    fn create_splits(&self, parallelism: u32) -> Result<Vec<Self::Split>>;

    /// The reader of one instance. It is created on the thread that polls it.
    ///
    /// # Errors
    /// As [`Source::create_splits`].
    fn create_reader(&self, ctx: &SourceReaderContext) -> Result<Self::Reader>;
}

/// Who reads which split: at the start, and at a restore.
pub enum SplitAssignment<P> {
    /// Split `i` goes to instance `i % parallelism` at the start; at a restore the engine spreads what is unfinished evenly.
    RoundRobin,
    /// A split goes to the instance that the function names, from the split and the parallelism, whatever it was before. For
    /// sources whose readers find new splits by themselves: a rule tells each which are its own.
    ByOwner(fn(&P, u32) -> u32),
}

/// What a reader may know of where it runs.
#[derive(Clone, Debug)]
pub struct SourceReaderContext {
    /// Which parallel instance this is, from 0.
    pub subtask_index: u32,
    /// How many there are.
    pub parallelism: u32,
    /// The clock that rates and time-outs go by.
    pub clock: Arc<dyn Clock>,
}

/// Reads the splits of one parallel instance.
///
/// # Contract
/// - `poll_next` emits a bounded number of records (some hundreds) and returns; it never blocks.
/// - After `snapshot_state` the splits it returned, given to a fresh reader, produce exactly the records that this one had not
///   yet emitted (trusted; the connectors' tests check it).
/// - Splits are read in ascending order of the order in which they were first enumerated, so that event time within
///   one instance doesn't jump back after a restore.
pub trait SourceReader: 'static {
    /// The type of the records.
    type Out;
    /// The type of the splits.
    type Split;

    /// Gives it splits to read: once before the first poll, possibly none.
    ///
    /// # Errors
    /// NotFound or Corrupt when a split's data is no longer there or no longer what it was.
    fn add_splits(&mut self, splits: Vec<Self::Split>) -> Result<()>;

    /// Emits some records.
    ///
    /// # Errors
    /// What the source fails with; the job then restarts by its restart strategy.
    fn poll_next(&mut self, out: &mut SourceOutput<'_, Self::Out>) -> Result<InputStatus>;

    /// Every unfinished split with its position. A finished split is left out.
    ///
    /// # Errors
    /// The task fails and the job restarts from its last checkpoint.
    fn snapshot_state(&mut self, checkpoint_id: u64) -> Result<Vec<Self::Split>>;

    /// The checkpoint is complete.
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_complete(&mut self, _checkpoint_id: u64) -> Result<()> {
        Ok(())
    }

    /// The checkpoint or savepoint will never complete.
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_aborted(&mut self, _checkpoint_id: u64) -> Result<()> {
        Ok(())
    }

    /// Whether it works off a backlog: records so old that a checkpoint now and then is enough. Asked after each poll. While any
    /// source says so, checkpoints are taken at `execution.checkpointing.interval-during-backlog`. Flink's
    /// `SplitEnumeratorContext#setIsProcessingBacklog`.
    fn is_processing_backlog(&self) -> bool {
        false
    }

    /// Counters that the engine shows beside its own ("rows skipped"), in a fixed order.
    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

/// What a reader's poll ended with. Flink's `InputStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InputStatus {
    /// Poll again at once.
    MoreAvailable,
    /// Nothing now; poll again at this time (milliseconds since the epoch).
    NothingAvailableUntil(i64),
    /// The end: no split of this instance has more.
    EndOfInput,
}

/// Takes a reader's records. The engine hands it in; tests make one over a closure.
///
/// # Event time by split
/// A reader that reads several splits at once calls [`SourceOutput::select_split`] for each as soon as it is given it, and again
/// before the records of another one. Each then has a watermark and an idleness of its own, and the instance's watermark is the
/// smallest of them. A reader that never does has one watermark for everything.
pub struct SourceOutput<'a, T> {
    emit: &'a mut dyn SplitOutput<T>,
}

/// What stands behind a [`SourceOutput`]: the engine, or a closure that doesn't care for splits.
pub trait SplitOutput<T> {
    /// A record of the selected split, with its timestamp.
    ///
    /// # Errors
    /// What the operators behind failed with.
    fn collect(&mut self, value: T, timestamp: i64) -> Result<()>;
    /// The records that follow are this split's.
    fn select_split(&mut self, _split_id: &str) {}
    /// Nothing more comes from this split.
    fn release_split(&mut self, _split_id: &str) {}
}

impl<T, F: FnMut(T, i64) -> Result<()>> SplitOutput<T> for F {
    #[inline]
    fn collect(&mut self, value: T, timestamp: i64) -> Result<()> {
        self(value, timestamp)
    }
}

impl<'a, T> SourceOutput<'a, T> {
    /// An output that hands `emit` each record and its timestamp ([`NO_TIMESTAMP`] if it has none).
    pub fn new(emit: &'a mut dyn SplitOutput<T>) -> Self {
        SourceOutput { emit }
    }

    /// Emits a record without a timestamp: the watermark strategy's assigner gives it one.
    ///
    /// # Errors
    /// What the operators behind failed with: return it from `poll_next`.
    #[inline]
    pub fn collect(&mut self, value: T) -> Result<()> {
        self.emit.collect(value, NO_TIMESTAMP)
    }

    /// Emits a record with the timestamp that its source gave it.
    ///
    /// # Errors
    /// As [`SourceOutput::collect`].
    #[inline]
    pub fn collect_with_timestamp(&mut self, value: T, timestamp: i64) -> Result<()> {
        self.emit.collect(value, timestamp)
    }

    /// The records that follow are those of this split. Flink's `ReaderOutput#createOutputForSplit`.
    pub fn select_split(&mut self, split_id: &str) {
        self.emit.select_split(split_id);
    }

    /// The split is read to its end: it holds no watermark back any more. Flink's `ReaderOutput#releaseOutputForSplit`.
    pub fn release_split(&mut self, split_id: &str) {
        self.emit.release_split(split_id);
    }
}
