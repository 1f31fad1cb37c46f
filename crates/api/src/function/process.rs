//! A function over a stream without keys.

use super::checkpointed::StateSnapshotContext;
use super::context::ProcessContext;
use super::runtime_context::RuntimeContext;
use crate::{Collector, Data};
use millpond_core::{CheckpointId, Result};

/// Processes the elements of a stream that isn't keyed. Flink's `ProcessFunction`. It can have operator state
/// ([`RuntimeContext::operator_state`]), but neither keyed state nor timers.
///
/// ```
/// use millpond_api::Collector;
/// use millpond_api::function::{Counter, ProcessContext, ProcessFunction, RuntimeContext};
/// use millpond_core::Result;
///
/// #[derive(Default)]
/// struct Parse {
///     bad: Counter,
/// }
///
/// impl ProcessFunction for Parse {
///     type In = String;
///     type Out = i64;
///
///     fn open(&mut self, ctx: &mut RuntimeContext<'_>) -> Result<()> {
///         self.bad = ctx.counter("badLines");
///         Ok(())
///     }
///
///     fn process_element(&mut self, line: String, _: &mut ProcessContext<'_>, out: &mut Collector<'_, i64>) -> Result<()> {
///         match line.parse() {
///             Ok(number) => out.collect(number),
///             Err(_) => self.bad.inc(),
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait ProcessFunction: 'static {
    /// The elements.
    type In: Data;
    /// The results.
    type Out: Data;

    /// Opens states and counters: once, before the first element.
    ///
    /// # Errors
    /// Whatever keeps the function from working; the job restarts by its restart strategy.
    fn open(&mut self, _ctx: &mut RuntimeContext<'_>) -> Result<()> {
        Ok(())
    }

    /// Takes an element.
    ///
    /// # Errors
    /// As [`ProcessFunction::open`].
    fn process_element(
        &mut self,
        value: Self::In,
        ctx: &mut ProcessContext<'_>,
        out: &mut Collector<'_, Self::Out>,
    ) -> Result<()>;

    /// A snapshot is taken, between two records: write raw state, or bring operator state up to date. Flink's
    /// `CheckpointedFunction#snapshotState`; what `initializeState` does there, `open` does here.
    ///
    /// # Errors
    /// The task fails and the job restarts from its last checkpoint: what the function put aside for this one is in none.
    fn snapshot_state(&mut self, _ctx: &mut StateSnapshotContext<'_>) -> Result<()> {
        Ok(())
    }

    /// The checkpoint is complete: what came before it won't be processed again, so effects that waited for it may show. Not told of
    /// savepoints, but for the one that the job stops with. The notice is missing where the job fails first; the next one covers
    /// the checkpoints before it. Flink's `CheckpointListener`.
    ///
    /// # Errors
    /// The task fails; the checkpoint stays complete.
    fn notify_checkpoint_complete(&mut self, _checkpoint_id: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// The checkpoint or savepoint will never complete. What waits for it goes with the next one. Flink's `CheckpointListener`.
    ///
    /// # Errors
    /// The task fails.
    fn notify_checkpoint_aborted(&mut self, _checkpoint_id: CheckpointId) -> Result<()> {
        Ok(())
    }

    /// The end, also after a failure.
    ///
    /// # Errors
    /// Logged.
    fn close(&mut self) -> Result<()> {
        Ok(())
    }
}
