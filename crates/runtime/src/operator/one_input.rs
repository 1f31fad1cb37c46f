//! The contract of operators with one input.

use super::{ChainOutput, ChainedOperator};
use millpond_core::Result;

/// An operator with one input, by its types. [`super::ChainLink`] makes a [`super::StreamOperator`] and a [`ChainOutput`] of it.
pub trait OneInputOperator: ChainedOperator {
    /// The records that it takes.
    type In: Send + 'static;

    /// How many records it wants to see ahead by [`OneInputOperator::expect`]; 0 for none.
    fn lookahead(&self) -> usize {
        0
    }
    /// Shows it the records that come next, in their order, so that it can ask for the memory that they need. Watermarks, timers
    /// and snapshots come in between only behind the last of them.
    fn expect(&mut self, _upcoming: &[Self::In]) {}
    /// Takes a record.
    ///
    /// # Errors
    /// The task fails.
    fn process_element(
        &mut self,
        value: Self::In,
        timestamp: i64,
        out: &mut dyn ChainOutput<Self::Out>,
    ) -> Result<()>;
}
