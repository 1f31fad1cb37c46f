//! The border between the engine and user code: what comes back from a call, and what a function is told of its place.

use super::meter::Meter;
use crate::operator::OperatorContext;
use millpond_api::function::RuntimeInfo;
use millpond_api::{Collector, SideOutputs};
use millpond_core::{Error, ErrorKind, Result};

/// Ends a call of a function that got `collector` and `side_outputs`: counts what it emitted and tells its failure from one of the operators
/// behind it, which comes first.
#[inline]
pub(super) fn finish_call<T>(
    result: Result<()>,
    collector: Collector<'_, T>,
    side_outputs: &SideOutputs,
    meter: &mut Meter,
    operator: &str,
) -> Result<()> {
    meter.emitted(collector.emitted());
    collector.finish()?;
    let emitted_to_sides = side_outputs.finish()?;
    if emitted_to_sides > 0 {
        meter.emitted(emitted_to_sides);
    }
    match result {
        Ok(()) => Ok(()),
        Err(e) => Err(user_error(operator, e)),
    }
}

/// The error of a user function with the name of the operator that ran it.
#[cold]
pub(super) fn user_error(operator: &str, source: Error) -> Error {
    if source.kind() == ErrorKind::Cancelled {
        return source;
    }
    Error::new(
        ErrorKind::UserFunction,
        "run user function",
        "the function returned an error",
    )
    .with("operator", operator)
    .source(source)
}

#[cold]
pub(super) fn not_initialized() -> Error {
    Error::illegal_state("process", "the operator was not initialized")
}

pub(super) fn runtime_info(ctx: &OperatorContext) -> RuntimeInfo {
    RuntimeInfo {
        job_id: ctx.task.job_id,
        operator_name: ctx.operator_name.clone(),
        task_name: ctx.task.task_name.clone(),
        subtask_index: ctx.task.subtask_index,
        parallelism: ctx.task.parallelism,
        max_parallelism: ctx.task.max_parallelism,
        attempt: ctx.task.attempt,
    }
}
