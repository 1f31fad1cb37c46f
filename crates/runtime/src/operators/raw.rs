//! Raw state of an operator's function: what it was restored with, and what it writes into a snapshot.

use super::user_code::user_error;
use crate::operator::OperatorContext;
use millpond_api::function::{RawStateInputs, StateSnapshotContext};
use millpond_checkpoint::barrier::CheckpointBarrier;
use millpond_core::{Error, ErrorKind, Result};
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::raw::{
    KeyedStateCheckpointOutputStream, OperatorStateCheckpointOutputStream, raw_keyed_state_inputs,
    raw_operator_state_inputs,
};
use millpond_state::stream::CheckpointStreamFactory;
use millpond_types::KeyGroupRange;

/// The raw state that an instance was restored with; `owned` are its key groups, if it has any.
pub(super) fn raw_inputs(ctx: &OperatorContext, owned: Option<KeyGroupRange>) -> Result<RawStateInputs> {
    let Some(restored) = &ctx.restored else {
        return Ok(RawStateInputs::default());
    };
    let (state, reader) = (&restored.state, &ctx.state_reader);
    let keyed = match owned {
        Some(owned) => raw_keyed_state_inputs(&state.raw_keyed, owned, reader)?,
        None if state.raw_keyed.is_empty() => Vec::new(),
        None => return Err(unclaimed("raw keyed state", &ctx.operator_name)),
    };
    let operator = raw_operator_state_inputs(&state.raw_operator, reader);
    Ok(RawStateInputs::new(keyed, operator))
}

/// Refuses raw state that the function, now open, didn't ask for.
pub(super) fn refuse_unclaimed(inputs: &RawStateInputs, operator: &str) -> Result<()> {
    inputs
        .unclaimed()
        .map_or(Ok(()), |what| Err(unclaimed(what, operator)))
}

/// Refuses raw state for an operator whose function can't read any.
pub(super) fn refuse_raw_state(ctx: &OperatorContext) -> Result<()> {
    refuse_unclaimed(&raw_inputs(ctx, None)?, &ctx.operator_name)
}

#[cold]
fn unclaimed(what: &'static str, operator: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "restore raw state",
        "the snapshot holds raw state of the operator, which its function doesn't ask for",
    )
    .with("operator", operator)
    .with("holds", what)
    .hint(
        "ask for it in `open`, by raw_keyed_state_inputs or raw_operator_state_inputs; from a Flink job it may be the timers of \
         a heap timer service: let that job write a canonical savepoint",
    )
}

/// What a function wrote.
pub(super) struct RawOutputs {
    keyed: Option<KeyedStateCheckpointOutputStream>,
    operator: OperatorStateCheckpointOutputStream,
}

impl RawOutputs {
    /// Lets `snapshot` of a function take its part in the synchronous part of a snapshot.
    pub(super) fn of(
        barrier: &CheckpointBarrier,
        owned: Option<KeyGroupRange>,
        operator_name: &str,
        snapshot: impl FnOnce(&mut StateSnapshotContext<'_>) -> Result<()>,
    ) -> Result<Self> {
        let mut outputs = RawOutputs {
            keyed: owned.map(KeyedStateCheckpointOutputStream::new),
            operator: OperatorStateCheckpointOutputStream::default(),
        };
        snapshot(&mut StateSnapshotContext::new(
            barrier.checkpoint,
            outputs.keyed.as_mut(),
            &mut outputs.operator,
        ))
        .map_err(|e| user_error(operator_name, e))?;
        Ok(outputs)
    }

    /// Stores it as part of `state`.
    pub(super) fn write(
        self,
        streams: &dyn CheckpointStreamFactory,
        state: &mut OperatorSubtaskState,
    ) -> Result<()> {
        if let Some(keyed) = self.keyed {
            state.raw_keyed.extend(keyed.close_and_get_handle(streams)?);
        }
        state
            .raw_operator
            .extend(self.operator.close_and_get_handle(streams)?);
        Ok(())
    }
}
