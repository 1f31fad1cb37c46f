//! Drives a task to its end, whatever its user functions do: an error, a panic, a cancellation, or the good end.

use super::deployment::TaskDeployment;
use super::stream_task::{Step, StreamTask};
use millpond_core::host::{JoinHandle, spawn};
use millpond_core::{Error, ErrorKind, Result};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What one call of [`drive`] came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driven {
    /// The task made this step and goes on.
    Step(Step),
    /// The task is over, closed, and the master knows. It must not be driven again.
    Over,
}

/// Lets `task` make one step. When it finishes, fails, panics or is cancelled, closes it and tells the master.
pub fn drive(task: &mut StreamTask) -> Driven {
    let outcome = match catch_unwind(AssertUnwindSafe(|| task.step())) {
        Ok(Ok(Step::Finished)) => Ok(()),
        Ok(Ok(step)) => return Driven::Step(step),
        Ok(Err(error)) => Err(error),
        Err(panic) => Err(task.panicked(&*panic)),
    };
    task.close(outcome);
    Driven::Over
}

/// Starts a thread that makes a task of `deployment` and drives it to its end. Its news, the end included, come through
/// [`TaskDeployment::events`].
///
/// # Errors
/// Io when the operating system has no thread to give; the channels of the deployment are closed then.
pub fn run_task_thread(deployment: TaskDeployment) -> Result<JoinHandle<()>> {
    let name = format!(
        "{} ({}/{})",
        deployment.info.task_name,
        deployment.info.subtask_index + 1,
        deployment.info.parallelism
    );
    spawn(name, move || {
        // Whatever is logged on this thread, by user functions too, tells where.
        let info = &deployment.info;
        let span = tracing::info_span!(
            "task",
            job = %info.job_id,
            task = info.task_name,
            subtask = info.subtask_index,
            attempt = info.attempt
        );
        let _entered = span.entered();
        let mut task = StreamTask::new(deployment);
        while let Driven::Step(step) = drive(&mut task) {
            task.rest(step);
        }
    })
}

/// The error that a caught panic is reported as.
pub(super) fn panic_error(operation: &'static str, panic: &(dyn Any + Send)) -> Error {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)");
    Error::new(
        ErrorKind::UserFunction,
        operation,
        format!("the function panicked: {message}"),
    )
}
