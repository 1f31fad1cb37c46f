//! Sinks: where records end. Flink's Sink V2: a [`SinkWriter`] for each parallel instance, and, for sinks that publish what they
//! wrote exactly once, a [`Committer`] beside it.
//!
//! # Two-phase commit
//! Writers can't publish records as they come: after a crash the records since the last checkpoint come again. So a writer
//! stages them. At a barrier, [`SinkWriter::prepare_commit`] makes what was staged durable and answers what it takes to publish
//! it: the **committables**. The engine stores them in the checkpoint, each with the checkpoint's id and the instance that made
//! it, and hands them to the committer when the checkpoint is complete. A committable in a completed checkpoint is committed at
//! least once, so committing again what was committed has to be harmless; one in no completed checkpoint is never committed.
//!
//! | what happens | what follows |
//! |---|---|
//! | crash before the barrier | no committable; the new writer removes what was staged, the records come again |
//! | crash after the barrier, checkpoint incomplete | the same: no restored state has the committables |
//! | notice that the checkpoint was aborted | they wait and are committed with the next one that completes |
//! | checkpoint complete, crash before or within the commit | the restored state has them: committed before a writer is made |
//! | commit fails for the moment ([`CommitRequest::retry_later`]) | tried again, `sink.committer.retries` times, then the task fails |
//! | job restored at another parallelism | instance `i % parallelism` gets what instance `i` made |
//! | job started from a savepoint | committed, too: whoever took the savepoint may have stopped before it could |
//!
//! ```
//! use millpond_api::sink::{CommitRequest, Committer, CommitterInitContext, Sink, SinkContext, SinkWriter, WriterInitContext};
//! use millpond_core::Result;
//!
//! /// Inserts each checkpoint's rows in one transaction of a store that knows the ids of those it has committed.
//! struct Ledger;
//! struct LedgerWriter { rows: Vec<String> }
//! struct LedgerCommitter;
//!
//! impl Sink for Ledger {
//!     type In = String;
//!     type Writer = LedgerWriter;
//!     fn create_writer(&self, _ctx: &mut WriterInitContext<'_>) -> Result<LedgerWriter> {
//!         Ok(LedgerWriter { rows: Vec::new() })
//!     }
//!     fn create_committer(&self, _ctx: &CommitterInitContext<'_>) -> Result<Option<Box<dyn Committer<Vec<String>>>>> {
//!         Ok(Some(Box::new(LedgerCommitter)))
//!     }
//! }
//! impl SinkWriter for LedgerWriter {
//!     type In = String;
//!     type Committable = Vec<String>;
//!     fn write(&mut self, row: String, _ctx: &SinkContext) -> Result<()> {
//!         self.rows.push(row);
//!         Ok(())
//!     }
//!     fn prepare_commit(&mut self, _checkpoint_id: u64) -> Result<Vec<Vec<String>>> {
//!         Ok(vec![std::mem::take(&mut self.rows)])
//!     }
//! }
//! impl Committer<Vec<String>> for LedgerCommitter {
//!     fn commit(&mut self, requests: &mut [CommitRequest<Vec<String>>]) -> Result<()> {
//!         for request in requests {
//!             // insert request.committable(), unless the store has it: then request.signal_already_committed()
//! #           let _ = request.committable();
//!         }
//!         Ok(())
//!     }
//! }
//! ```

mod collector;
mod committer;
mod writer;

pub use collector::CommittableCollector;
pub use committer::{CommitOutcome, CommitRequest, Committer, CommitterInitContext};
pub use writer::{SinkContext, SinkWriter, WriterInitContext};

use millpond_core::Result;

/// A sink. Flink's `Sink`, with `SupportsCommitter` as the method that a sink without a second phase leaves alone.
pub trait Sink: Send + Sync + 'static {
    /// The type of its records.
    type In: crate::Data;
    /// The writer of one parallel instance.
    type Writer: SinkWriter<In = Self::In>;

    /// The writer of one instance. It is created on the thread that uses it, before the first record; what it registers with
    /// `ctx.state` is restored already, and every restored committable of this instance is committed. So this is where what a
    /// crash left staged is removed.
    ///
    /// # Errors
    /// Io or Config naming what cannot be written.
    fn create_writer(&self, ctx: &mut WriterInitContext<'_>) -> Result<Self::Writer>;

    /// The committer of one instance, made on the same thread before the writer; `None` for a sink that has no second phase.
    ///
    /// # Errors
    /// As [`Sink::create_writer`].
    fn create_committer(
        &self,
        _ctx: &CommitterInitContext<'_>,
    ) -> Result<Option<Box<dyn Committer<CommittableOf<Self>>>>> {
        Ok(None)
    }
}

/// What the writers of a sink answer at a barrier.
pub type CommittableOf<S> = <<S as Sink>::Writer as SinkWriter>::Committable;
