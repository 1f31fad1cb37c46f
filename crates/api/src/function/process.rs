//! A function over a stream without keys.

use super::checkpointed::StateSnapshotContext;
use super::context::ProcessContext;
use super::runtime_context::RuntimeContext;
use crate::{Collector, Data};
use millpond_core::Result;

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
    /// The checkpoint is declined; the job goes on, as long as it tolerates failed checkpoints.
    fn snapshot_state(&mut self, _ctx: &mut StateSnapshotContext<'_>) -> Result<()> {
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
