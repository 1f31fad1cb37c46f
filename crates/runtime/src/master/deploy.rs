//! Starts tasks and keeps hold of them: gates, channels between them, threads.

use super::host::JobHost;
use super::in_flight::{InFlight, fan_in};
use super::task_view::{TaskState, TaskView};
use crate::channel::{GateConfig, InputGate, TaskMailbox};
use crate::graph::{Exchange, JobGraph, TaskOutput};
use crate::in_flight::InputChannel;
use crate::operator::{OperatorMetrics, RestoredState, TaskInfo};
use crate::task::{OperatorDeployment, TaskCheckpointing, TaskControl, TaskDeployment, TaskEventSink};
use millpond_checkpoint::coordinator::TaskId;
use millpond_core::hash::HashMap;
use millpond_core::host::{Clock, JoinHandle};
use millpond_core::{Error, Result};
use millpond_state::handle::InputChannelInfo;
use millpond_state::stream::StateHandleReader;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What tasks are started with.
pub(super) struct DeploymentPlan<'a> {
    pub(super) graph: &'a JobGraph,
    /// What runs them.
    pub(super) host: &'a dyn JobHost,
    /// Which: whole regions.
    pub(super) tasks: &'a BTreeSet<TaskId>,
    pub(super) channel_capacity: usize,
    pub(super) channel_overdraft: usize,
    /// The restored state of every task; `None`: the job starts afresh.
    pub(super) restored: Option<HashMap<TaskId, Vec<RestoredState>>>,
    /// The records in flight of the tasks that have any.
    pub(super) in_flight: InFlight,
    /// Whether barriers may overtake records where the edges allow it.
    pub(super) unaligned: bool,
    pub(super) state_reader: Arc<dyn StateHandleReader>,
    pub(super) checkpointing: TaskCheckpointing,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: TaskEventSink,
}

/// The job's tasks, each in its newest attempt. Flink's `Execution`s.
#[derive(Default)]
pub(super) struct Executions {
    tasks: BTreeMap<TaskId, Execution>,
    /// How often tasks were started.
    starts: u32,
    /// The attempt in which all were started together.
    last_full: u32,
    /// Tasks that reported the end of their data while not all tasks ran.
    ended_early: Vec<TaskId>,
    /// Tasks that reported a backlog while not all tasks ran.
    backlog_early: BTreeSet<TaskId>,
}

struct Execution {
    attempt: u32,
    mailbox: TaskMailbox,
    thread: Option<JoinHandle<()>>,
    state: TaskState,
}

/// Every task of a job.
pub(super) fn task_ids(graph: &JobGraph) -> impl Iterator<Item = (TaskId, bool)> + '_ {
    graph.vertices.iter().enumerate().flat_map(|(number, vertex)| {
        (0..vertex.parallelism).map(move |subtask| {
            (
                TaskId {
                    vertex: number as u32,
                    subtask,
                },
                vertex.is_source,
            )
        })
    })
}

impl Executions {
    /// Makes the channels and starts a thread for each task of the plan. What they replace must be over.
    ///
    /// # Errors
    /// Io when there is no thread to be had; the tasks that were started are told to stop then.
    pub(super) fn start(&mut self, mut plan: DeploymentPlan<'_>) -> Result<Vec<TaskView>> {
        let number = self.starts;
        self.starts = self.starts.saturating_add(1);
        self.join(plan.tasks);
        self.ended_early.retain(|task| !plan.tasks.contains(task));
        self.backlog_early.retain(|task| !plan.tasks.contains(task));
        let concerned = |(id, _): &(TaskId, bool)| plan.tasks.contains(id);
        let ids: Vec<TaskId> = task_ids(plan.graph).filter(concerned).map(|(id, _)| id).collect();
        if task_ids(plan.graph).count() == ids.len() {
            self.last_full = number;
        }
        let attempts = Attempts {
            number,
            last_full: self.last_full,
        };
        let mut gates: HashMap<TaskId, InputGate> = ids
            .iter()
            .map(|id| {
                let config = GateConfig {
                    inputs: inputs_of(plan.graph, id.vertex as usize),
                    capacity: plan.channel_capacity,
                    overdraft: plan.channel_overdraft,
                    overtaking: overtaking(&plan, *id),
                    mode: plan.host.send_mode(),
                };
                (*id, InputGate::new(config, Arc::clone(&plan.clock)))
            })
            .collect();
        let mut outputs = HashMap::default();
        for id in &ids {
            outputs.insert(*id, connect(plan.graph, *id, &gates)?);
        }
        let mut views = Vec::new();
        for id in ids {
            let (Some(gate), Some(outputs)) = (gates.remove(&id), outputs.remove(&id)) else {
                continue;
            };
            let (mailbox, task) = (gate.mailbox(), Arc::clone(gate.signal().metrics()));
            let deployment = deployment(&mut plan, attempts, id, gate, outputs)?;
            let operators = deployment
                .operators
                .iter()
                .map(|o| Arc::clone(&o.metrics))
                .collect();
            views.push(TaskView::new(id, number, task, operators));
            let execution = Execution {
                attempt: number,
                mailbox,
                thread: plan
                    .host
                    .start_task(deployment)
                    .inspect_err(|_| self.send(plan.tasks, &TaskControl::Cancel))?,
                state: TaskState::Deploying,
            };
            self.tasks.insert(id, execution);
        }
        Ok(views)
    }

    /// The newest attempt's number.
    pub(super) fn attempt(&self) -> u32 {
        self.starts.saturating_sub(1)
    }

    /// Which attempt of `id` runs or ran last: its news count.
    pub(super) fn attempt_of(&self, id: TaskId) -> Option<u32> {
        self.tasks.get(&id).map(|task| task.attempt)
    }

    pub(super) fn send<'a>(&self, ids: impl IntoIterator<Item = &'a TaskId>, control: &TaskControl) {
        for task in ids.into_iter().filter_map(|id| self.tasks.get(id)) {
            task.mailbox.send(control.clone());
        }
    }

    pub(super) fn send_all(&self, control: &TaskControl) {
        self.tasks.values().for_each(|t| t.mailbox.send(control.clone()));
    }

    /// Notes how far a task is.
    pub(super) fn set_state(&mut self, id: TaskId, state: TaskState) {
        if let Some(task) = self.tasks.get_mut(&id) {
            task.state = state;
        }
    }

    pub(super) fn all(&self, holds: impl Fn(TaskState) -> bool) -> bool {
        self.tasks.values().all(|t| holds(t.state))
    }

    /// Whether none of these runs any more.
    pub(super) fn are_over(&self, ids: &BTreeSet<TaskId>) -> bool {
        ids.iter()
            .filter_map(|id| self.tasks.get(id))
            .all(|t| matches!(t.state, TaskState::Finished | TaskState::Gone))
    }

    /// Remembers that a task reached the end of its data while not all tasks run.
    pub(super) fn ended_early(&mut self, id: TaskId) {
        self.ended_early.push(id);
    }

    /// Remembers that a task began or ended to work off a backlog while not all tasks run.
    pub(super) fn backlog_early(&mut self, id: TaskId, in_backlog: bool) {
        if in_backlog {
            self.backlog_early.insert(id);
        } else {
            self.backlog_early.remove(&id);
        }
    }

    pub(super) fn take_backlog_early(&mut self) -> BTreeSet<TaskId> {
        std::mem::take(&mut self.backlog_early)
    }

    pub(super) fn take_ended_early(&mut self) -> Vec<TaskId> {
        std::mem::take(&mut self.ended_early)
    }

    /// Waits for the threads of tasks that have reported their end.
    pub(super) fn join(&mut self, ids: &BTreeSet<TaskId>) {
        for id in ids {
            if let Some(thread) = self.tasks.get_mut(id).and_then(|task| task.thread.take()) {
                // A task reports its end whatever happens in it; a panic beyond that has nothing to add.
                let _ = thread.join();
            }
        }
    }
}

/// Which attempt a task is started in.
#[derive(Clone, Copy)]
struct Attempts {
    number: u32,
    last_full: u32,
}

fn deployment(
    plan: &mut DeploymentPlan<'_>,
    attempts: Attempts,
    id: TaskId,
    gate: InputGate,
    outputs: Vec<TaskOutput>,
) -> Result<TaskDeployment> {
    let vertex = plan
        .graph
        .vertices
        .get(id.vertex as usize)
        .ok_or_else(|| wiring("no such vertex", id))?;
    let restored = plan
        .restored
        .as_mut()
        .map(|all| all.remove(&id).unwrap_or_default());
    let mut restored = restored.map(Vec::into_iter);
    let operators = vertex.operators.iter().map(|description| OperatorDeployment {
        description: description.clone(),
        restored: restored.as_mut().map(|r| r.next().unwrap_or_default()),
        metrics: Arc::new(OperatorMetrics::default()),
    });
    Ok(TaskDeployment {
        info: TaskInfo {
            job_id: plan.graph.job_id,
            task_name: vertex.name.clone(),
            subtask_index: id.subtask,
            parallelism: vertex.parallelism,
            max_parallelism: vertex.max_parallelism,
            attempt: attempts.number,
            started_with: attempts.last_full,
        },
        id,
        is_source: vertex.is_source,
        factory: Arc::clone(&vertex.factory),
        operators: operators.collect(),
        gate,
        channels: channels_of(plan.graph, id.vertex as usize),
        in_flight: plan.in_flight.remove(&id).unwrap_or_default(),
        outputs,
        checkpointing: TaskCheckpointing {
            overtaking: overtaking(plan, id),
            ..plan.checkpointing.clone()
        },
        clock: Arc::clone(&plan.clock),
        config: Arc::clone(&plan.graph.config),
        serializers: Arc::clone(&plan.graph.serializers),
        state_reader: Arc::clone(&plan.state_reader),
        events: Arc::clone(&plan.events),
    })
}

/// Whether barriers may overtake the records on their way to a task.
fn overtaking(plan: &DeploymentPlan<'_>, id: TaskId) -> bool {
    plan.unaligned && plan.graph.supports_unaligned_checkpoints(id.vertex as usize)
}

/// For each channel of a task of `vertex`, in their order, what checkpoints know of it.
fn channels_of(graph: &JobGraph, vertex: usize) -> Vec<InputChannel> {
    (0..)
        .zip(graph.edges_into(vertex))
        .flat_map(|(gate, edge)| {
            let codec = graph.codec(edge);
            (0..fan_in(graph, edge) as u32).map(move |channel| InputChannel {
                info: InputChannelInfo { gate, channel },
                codec: codec.clone(),
            })
        })
        .collect()
}

/// For each channel of a task of `vertex`, in their order, the input that it feeds.
fn inputs_of(graph: &JobGraph, vertex: usize) -> Vec<usize> {
    graph
        .edges
        .iter()
        .filter(|e| e.target == vertex)
        .flat_map(|e| std::iter::repeat_n(e.target_input, fan_in(graph, e)))
        .collect()
}

/// The senders of task `id`, for each outgoing edge of its vertex.
fn connect(graph: &JobGraph, id: TaskId, gates: &HashMap<TaskId, InputGate>) -> Result<Vec<TaskOutput>> {
    let own = gates.get(&id).ok_or_else(|| wiring("no gate", id))?;
    let mut outputs = Vec::new();
    for (number, edge) in graph
        .edges
        .iter()
        .enumerate()
        .filter(|(_, e)| e.source == id.vertex as usize)
    {
        let before: usize = graph
            .edges
            .iter()
            .take(number)
            .filter(|e| e.target == edge.target)
            .map(|e| fan_in(graph, e))
            .sum();
        let targets = graph.vertices.get(edge.target).map_or(0, |v| v.parallelism);
        let (targets, channel) = match edge.exchange {
            Exchange::Forward => (id.subtask..id.subtask + 1, before),
            _ => (0..targets, before + id.subtask as usize),
        };
        let senders = targets.map(|subtask| {
            let target = TaskId {
                vertex: edge.target as u32,
                subtask,
            };
            gates
                .get(&target)
                .ok_or_else(|| wiring("no gate", target))?
                .connect(channel, own)
        });
        outputs.push(TaskOutput {
            channels: senders.collect::<Result<_>>()?,
            max_parallelism: graph.max_parallelism(edge.target),
        });
    }
    Ok(outputs)
}

fn wiring(what: &str, id: TaskId) -> Error {
    Error::illegal_state("deploy job", format!("the job graph is not consistent: {what}")).with("task", id)
}
