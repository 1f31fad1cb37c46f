//! The task as its driver sees it: it opens, steps, and is closed whatever happened. Flink's `StreamTask` with its mailbox
//! loop turned inside out. What a step does is in [`super::core`].

use super::core::TaskCore;
use super::deployment::TaskDeployment;
use super::event::TaskEventKind;
use super::visit::each_operator;
use super::{TaskChain, TaskMetrics};
use crate::channel::TaskSignal;
use crate::graph::{ChainFactory, TaskOutput};
use crate::in_flight::{InputChannel, RestoredChannel, read_channels};
use crate::operator::{OperatorContext, TaskInfo, VisitOrder};
use millpond_checkpoint::coordinator::TaskId;
use millpond_core::hash::HashMap;
use millpond_core::{Configuration, Error, ErrorKind, OperatorId, Result};
use millpond_state::stream::StateHandleReader;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Something was done; there may be more.
    Progress,
    /// Nothing to do before the next wake-up.
    Idle {
        /// Or before this time (milliseconds since the epoch).
        until_ms: Option<i64>,
    },
    /// An output is full: nothing to do but for messages and barriers that overtake before it has room.
    Blocked {
        /// Or before this time (milliseconds since the epoch).
        until_ms: Option<i64>,
    },
    /// The task is over, well.
    Finished,
}

/// One parallel instance of a vertex.
///
/// # Contract
/// One thread calls [`StreamTask::step`], and [`StreamTask::close`] after [`Step::Finished`], an error or a panic, and no
/// step after that. [`super::drive`] does all of it.
pub struct StreamTask {
    core: TaskCore,
    /// Present until the task opens.
    start: Option<Box<Start>>,
    /// Present from then on until it is closed.
    chain: Option<Box<dyn TaskChain>>,
}

/// What only opening needs.
struct Start {
    factory: Arc<dyn ChainFactory>,
    outputs: Vec<TaskOutput>,
    contexts: HashMap<OperatorId, OperatorContext>,
    config: Arc<Configuration>,
    channels: Vec<InputChannel>,
    in_flight: Vec<RestoredChannel>,
    state_reader: Arc<dyn StateHandleReader>,
}

impl StreamTask {
    /// A task that opens with its first step.
    pub fn new(mut deployment: TaskDeployment) -> Self {
        let contexts = operator_contexts(&deployment);
        let channels = deployment.channels.clone();
        let in_flight = std::mem::take(&mut deployment.in_flight);
        let state_reader = Arc::clone(&deployment.state_reader);
        let (core, factory, outputs, config) = TaskCore::new(deployment);
        StreamTask {
            core,
            start: Some(Box::new(Start {
                factory,
                outputs,
                contexts,
                config,
                channels,
                in_flight,
                state_reader,
            })),
            chain: None,
        }
    }

    /// Where the task stands in its job.
    pub fn info(&self) -> &TaskInfo {
        &self.core.info
    }

    /// What the coordinator calls it.
    pub fn id(&self) -> TaskId {
        self.core.reporter.task
    }

    /// What it sleeps on.
    pub fn signal(&self) -> &Arc<TaskSignal> {
        self.core.gate.signal()
    }

    /// Its counters.
    pub fn metrics(&self) -> &Arc<TaskMetrics> {
        self.signal().metrics()
    }

    /// Does one thing: opens, or handles a message, or fires timers, or takes one batch or event, or polls the source once.
    ///
    /// # Errors
    /// What the task fails with, first of all what user functions return; Cancelled when it was told to give up. The
    /// task must be closed then.
    pub fn step(&mut self) -> Result<Step> {
        if self.signal().is_cancelled() {
            return Err(Error::cancelled("run task"));
        }
        if let Some(start) = self.start.take() {
            self.open(*start)?;
            return Ok(Step::Progress);
        }
        match &mut self.chain {
            Some(chain) => self.core.step(&mut **chain),
            None => Err(Error::illegal_state("run task", "the task is over")),
        }
    }

    /// The error that a panic of its last step, just caught on this thread, is reported as: it names the operator.
    pub fn panicked(&self, panic: &(dyn Any + Send)) -> Error {
        self.core.reporter.panicked("run task", panic)
    }

    /// Sleeps after [`Step::Idle`] or [`Step::Blocked`] until there may be something to do.
    pub fn rest(&mut self, step: Step) {
        self.core.rest(step);
    }

    fn open(&mut self, start: Start) -> Result<()> {
        let Start {
            factory,
            outputs,
            mut contexts,
            config,
            channels,
            in_flight,
            state_reader,
        } = start;
        self.core.configure(&config)?;
        let chain = self.chain.insert(factory.create(&self.core.info, outputs)?);
        each_operator(&mut **chain, VisitOrder::DownstreamFirst, |operator| {
            let id = operator.operator_id();
            let context = contexts.remove(&id).ok_or_else(|| {
                Error::illegal_state(
                    "open operator",
                    "the chain holds an operator that its vertex doesn't know",
                )
                .with("operator", id)
            })?;
            operator.initialize(context)
        })?;
        for (channel, elements) in read_channels(&in_flight, &channels, &*state_reader)? {
            self.core.gate.restore(channel, elements);
        }
        self.core.reporter.report(TaskEventKind::Running);
        Ok(())
    }

    /// Closes the operators and the outputs, tells the master how the task ended, then lets go whoever still writes to
    /// it. `outcome` is what the last step failed with, if it failed.
    ///
    /// The order matters: when the master hears of the end nothing of the user's runs any more, and nobody feels the
    /// closed input before the master knows why.
    pub fn close(&mut self, outcome: Result<()>) {
        self.start = None;
        if let Some(mut chain) = self.chain.take() {
            let name = self.core.info.task_name.clone();
            let reporter = &self.core.reporter;
            let closed = each_operator(&mut *chain, VisitOrder::UpstreamFirst, |operator| {
                let closed = catch_unwind(AssertUnwindSafe(|| operator.close()))
                    .unwrap_or_else(|panic| Err(reporter.panicked("close operator", &*panic)));
                if let Err(error) = closed {
                    tracing::warn!(task = %name, error = %error.report(), "an operator could not be closed");
                }
                Ok(())
            });
            drop((closed, catch_unwind(AssertUnwindSafe(move || drop(chain)))));
        }
        let kind = match outcome {
            Ok(()) => TaskEventKind::Finished,
            Err(_) if self.signal().is_cancelled() => TaskEventKind::Cancelled,
            Err(e) if e.kind() == ErrorKind::Cancelled => TaskEventKind::Cancelled,
            Err(e) => TaskEventKind::Failed(
                e.with("task", &self.core.info.task_name)
                    .with("subtask", self.core.info.subtask_index),
            ),
        };
        self.core.reporter.report(kind);
        self.core.gate.close();
    }
}

impl fmt::Debug for StreamTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamTask")
            .field("id", &self.id())
            .field("name", &self.core.info.task_name)
            .finish_non_exhaustive()
    }
}

fn operator_contexts(deployment: &TaskDeployment) -> HashMap<OperatorId, OperatorContext> {
    let checkpointing = &deployment.checkpointing;
    deployment
        .operators
        .iter()
        .map(|operator| {
            let description = &operator.description;
            let context = OperatorContext {
                task: deployment.info.clone(),
                operator_id: description.id,
                operator_name: description.uid.as_ref().unwrap_or(&description.name).clone(),
                clock: deployment.clock.clone(),
                config: deployment.config.clone(),
                serializers: deployment.serializers.clone(),
                restored: operator.restored.clone(),
                state_reader: deployment.state_reader.clone(),
                recovered_checkpoint_id: checkpointing.recovered_checkpoint_id,
                first_checkpoint_id: checkpointing.first_checkpoint_id,
                checkpointing_enabled: checkpointing.enabled,
                metrics: operator.metrics.clone(),
            };
            (description.id, context)
        })
        .collect()
}
