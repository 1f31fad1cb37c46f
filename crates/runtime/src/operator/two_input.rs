//! The contract of operators with two inputs.

use super::{ChainOutput, ChainedOperator};
use millpond_core::Result;

/// An operator with two inputs, by its types. It always begins a task, whose inputs are the two streams. Watermarks and statuses arrive
/// combined over both.
pub trait TwoInputOperator: ChainedOperator {
    /// The records of the first input.
    type In1: Send + 'static;
    /// The records of the second input.
    type In2: Send + 'static;

    /// Takes a record of the first input.
    ///
    /// # Errors
    /// The task fails.
    fn process_element1(
        &mut self,
        value: Self::In1,
        timestamp: i64,
        out: &mut dyn ChainOutput<Self::Out>,
    ) -> Result<()>;
    /// Takes a record of the second input.
    ///
    /// # Errors
    /// The task fails.
    fn process_element2(
        &mut self,
        value: Self::In2,
        timestamp: i64,
        out: &mut dyn ChainOutput<Self::Out>,
    ) -> Result<()>;
}
