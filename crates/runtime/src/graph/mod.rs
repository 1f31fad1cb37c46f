//! A job as the engine deploys it: vertices of chained operators, and the edges between them. Flink's `JobGraph`.

mod chain;
pub(crate) mod node;
mod operator_ids;
pub(crate) mod side_output;
pub(crate) mod stream_graph;
pub(crate) mod translate;

use crate::in_flight::RecordCodec;
use crate::operator::TaskInfo;
use crate::task::{ChannelSender, TaskChain};
use millpond_core::{Configuration, JobId, OperatorId, Result};
use millpond_types::SerializerRegistry;
use node::WriterFactory;
use std::fmt;
use std::sync::Arc;

/// A job, ready to deploy.
pub struct JobGraph {
    /// Its identity.
    pub job_id: JobId,
    /// Its name.
    pub name: String,
    /// Its options.
    pub config: Arc<Configuration>,
    /// The serializers that it registered.
    pub serializers: Arc<SerializerRegistry>,
    /// Its vertices; a vertex's place is its number.
    pub vertices: Vec<JobVertex>,
    /// Its edges.
    pub edges: Vec<JobEdge>,
}

/// A chain of operators that runs as `parallelism` tasks. Flink's `JobVertex`.
pub struct JobVertex {
    /// The operators' names joined by ` -> `.
    pub name: String,
    /// How many tasks it runs as.
    pub parallelism: u32,
    /// How many key groups its keyed state has: its parallelism can never be more.
    pub max_parallelism: u32,
    /// Whether the job names that number. One that it doesn't name gives way to the number that a restored snapshot has.
    pub max_parallelism_is_set: bool,
    /// Whether it begins with a source.
    pub is_source: bool,
    /// Its operators, upstream first.
    pub operators: Vec<OperatorDescription>,
    /// Makes its tasks' chains.
    pub factory: Arc<dyn ChainFactory>,
}

/// An operator of a vertex.
#[derive(Clone, Debug)]
pub struct OperatorDescription {
    /// Its identity: from its uid, or from its place in the job where it has none.
    pub id: OperatorId,
    /// The uid that the user gave.
    pub uid: Option<String>,
    /// Its name.
    pub name: String,
}

/// How the records of an edge are distributed over the tasks of its target. Flink's `ShipStrategyType` and partitioners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exchange {
    /// Task i to task i: both sides have the same parallelism. `ForwardPartitioner`.
    Forward,
    /// By the key group of each record. `KeyGroupStreamPartitioner`.
    Hash,
    /// Round robin. `RebalancePartitioner`.
    Rebalance,
    /// Each record to every task. `BroadcastPartitioner`.
    Broadcast,
}

/// An edge between two vertices.
#[derive(Clone)]
pub struct JobEdge {
    /// The vertex that writes.
    pub source: usize,
    /// The vertex that reads.
    pub target: usize,
    /// Which input of the target it feeds: 0, or 1 for the second stream of a connected pair.
    pub target_input: usize,
    /// How records are distributed.
    pub exchange: Exchange,
    /// The name of its records' type, for people.
    pub record_type: &'static str,
    /// Makes the writers of its records.
    pub(crate) writer: Arc<dyn WriterFactory>,
}

impl JobEdge {
    /// Whether the channels of such an edge may be overtaken, if all edges into the same vertex allow it. Flink's
    /// `StreamEdge.supportsUnalignedCheckpoints`: pointwise and broadcast edges promise more than channel state could keep.
    pub fn supports_unaligned_checkpoints(&self) -> bool {
        matches!(self.exchange, Exchange::Hash | Exchange::Rebalance)
    }
}

impl fmt::Debug for JobEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobEdge")
            .field("source", &self.source)
            .field("target", &self.target)
            .field("target_input", &self.target_input)
            .field("exchange", &self.exchange)
            .field("record_type", &self.record_type)
            .finish_non_exhaustive()
    }
}

impl JobGraph {
    /// How many key groups a vertex has.
    pub(crate) fn max_parallelism(&self, vertex: usize) -> u32 {
        self.vertices.get(vertex).map_or(1, |v| v.max_parallelism)
    }

    /// Writes the records of `edge` into checkpoints that overtake them; `None`: their type has no serializer.
    pub(crate) fn codec(&self, edge: &JobEdge) -> Option<Arc<dyn RecordCodec>> {
        edge.writer
            .codec(&self.serializers, self.max_parallelism(edge.target))
    }

    /// The edges into a vertex, in the order of its channels.
    pub fn edges_into(&self, vertex: usize) -> impl Iterator<Item = &JobEdge> {
        self.edges.iter().filter(move |e| e.target == vertex)
    }

    /// Whether barriers may overtake the records on their way to `vertex`: no edge into it forbids it. As in Flink one pointwise
    /// or broadcast edge aligns all, since the barriers of one task's channels belong together.
    pub fn supports_unaligned_checkpoints(&self, vertex: usize) -> bool {
        self.edges_into(vertex).next().is_some()
            && self
                .edges_into(vertex)
                .all(JobEdge::supports_unaligned_checkpoints)
    }
}

/// Makes the chain of one task. Called on the task's own thread, at each start.
pub trait ChainFactory: Send + Sync {
    /// The chain of the task `task`. `outputs` holds what it writes into, for each outgoing edge of the vertex in the order of
    /// [`JobGraph::edges`].
    ///
    /// # Errors
    /// What the user's factories fail with.
    fn create(&self, task: &TaskInfo, outputs: Vec<TaskOutput>) -> Result<Box<dyn TaskChain>>;
}

/// What a task writes into for one of the edges that leave its vertex.
#[derive(Debug)]
pub struct TaskOutput {
    /// One channel for a forward edge, one for each task of the target otherwise.
    pub channels: Vec<ChannelSender>,
    /// How many key groups the target has.
    pub max_parallelism: u32,
}
