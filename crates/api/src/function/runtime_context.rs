//! What a function is handed when it is opened: its place in the job, its states, its counters.

use super::checkpointed::RawStateInputs;
use super::metric::{Counter, MetricGroup};
use millpond_core::{Error, JobId, Result};
use millpond_state::async_state::StateRequestBuffer;
use millpond_state::backend::KeyedStateBackend;
use millpond_state::descriptor::{
    AggregateFunction, AggregatingStateDescriptor, ListStateDescriptor, MapStateDescriptor, ReduceFunction,
    ReducingStateDescriptor, StateData, ValueStateDescriptor,
};
use millpond_state::keyed::{AggregatingState, ListState, MapKey, MapState, ReducingState, ValueState};
use millpond_state::operator_state::{BroadcastState, OperatorStateBackend};
use millpond_types::serializer::void::VoidNamespace;
use millpond_types::{StateKey, StateType};
use std::hash::Hash;
use std::rc::Rc;

/// Where a function's instance stands in its job. Flink's `TaskInfo` and `JobInfo`.
#[derive(Clone, Debug)]
pub struct RuntimeInfo {
    /// The job.
    pub job_id: JobId,
    /// The operator's uid, or its name where it has none.
    pub operator_name: String,
    /// The names of the operators that share its task.
    pub task_name: String,
    /// Which parallel instance this is, from 0.
    pub subtask_index: u32,
    /// How many there are.
    pub parallelism: u32,
    /// How many key groups keyed state has.
    pub max_parallelism: u32,
    /// How often the task was started before.
    pub attempt: u32,
}

/// The key type of a context without keyed state. It has no values.
#[derive(Clone, Copy, Debug)]
pub enum NotKeyed {}

/// What a function is handed when it is opened. Flink's `RuntimeContext`.
///
/// `K` is the key of the stream. A function over a stream without keys has no methods for keyed state here.
pub struct RuntimeContext<'a, K = NotKeyed> {
    info: &'a RuntimeInfo,
    keyed: Option<&'a mut KeyedStateBackend<K>>,
    operator: &'a mut OperatorStateBackend,
    metrics: &'a MetricGroup,
    restored: bool,
    /// Where asynchronous accesses wait; present for an asynchronous function.
    pub(super) requests: Option<&'a Rc<StateRequestBuffer>>,
    pub(super) raw: Option<&'a RawStateInputs>,
}

impl<'a, K> RuntimeContext<'a, K> {
    /// For engines: a context over one instance's backends. `keyed` is `None` for a stream without keys; `restored` says
    /// whether the job was started from a snapshot.
    pub fn new(
        info: &'a RuntimeInfo,
        keyed: Option<&'a mut KeyedStateBackend<K>>,
        operator: &'a mut OperatorStateBackend,
        metrics: &'a MetricGroup,
        restored: bool,
    ) -> Self {
        RuntimeContext {
            info,
            keyed,
            operator,
            metrics,
            restored,
            requests: None,
            raw: None,
        }
    }

    /// For engines: the context of an asynchronous function, whose accesses wait in `requests`.
    #[must_use]
    pub fn with_async_state(mut self, requests: &'a Rc<StateRequestBuffer>) -> Self {
        self.requests = Some(requests);
        self
    }

    /// For engines: the raw state that the instance was restored with.
    #[must_use]
    pub fn with_raw_state(mut self, raw: &'a RawStateInputs) -> Self {
        self.raw = Some(raw);
        self
    }

    /// For engines: the same context for a shorter time, to be put into another one.
    pub fn reborrow(&mut self) -> RuntimeContext<'_, K> {
        RuntimeContext {
            info: self.info,
            keyed: self.keyed.as_deref_mut(),
            operator: self.operator,
            metrics: self.metrics,
            restored: self.restored,
            requests: self.requests,
            raw: self.raw,
        }
    }

    /// Where the instance stands in its job.
    pub fn info(&self) -> &'a RuntimeInfo {
        self.info
    }
    /// The job's id.
    pub fn job_id(&self) -> JobId {
        self.info.job_id
    }
    /// The names of the operators that share the task.
    pub fn task_name(&self) -> &'a str {
        &self.info.task_name
    }
    /// Which parallel instance this is, from 0. Flink's `getIndexOfThisSubtask`.
    pub fn subtask_index(&self) -> u32 {
        self.info.subtask_index
    }
    /// How many parallel instances there are.
    pub fn parallelism(&self) -> u32 {
        self.info.parallelism
    }
    /// How many key groups keyed state has.
    pub fn max_parallelism(&self) -> u32 {
        self.info.max_parallelism
    }
    /// How often the task was started before: 0 in the first run.
    pub fn attempt(&self) -> u32 {
        self.info.attempt
    }
    /// Whether the job was started from a snapshot. Flink's `FunctionInitializationContext#isRestored`.
    pub fn is_restored(&self) -> bool {
        self.restored
    }
    /// A counter of this name, which the engine shows beside the operator's own.
    pub fn counter(&self, name: impl Into<String>) -> Counter {
        self.metrics.counter(name)
    }
    /// State that belongs to the instance and not to a key.
    pub fn operator_state(&mut self) -> &mut OperatorStateBackend {
        self.operator
    }
    /// Opens a broadcast state. It can be read everywhere, and changed with the permit of a broadcast element.
    ///
    /// # Errors
    /// Config when the name is taken by a state of another kind or type; Incompatible or Corrupt from what was restored.
    pub fn broadcast_state<UK, UV>(
        &mut self,
        descriptor: MapStateDescriptor<UK, UV>,
    ) -> Result<BroadcastState<UK, UV>>
    where
        UK: StateData + Hash + Eq,
        UV: StateData,
    {
        self.operator.broadcast_state(&descriptor)
    }
}

impl<K: StateKey> RuntimeContext<'_, K> {
    /// Opens a value state.
    ///
    /// # Errors
    /// Config when the name is taken by a state of another kind or type; Incompatible when a snapshot holds it with a type
    /// that can't be migrated; Corrupt when the snapshot is damaged. So for the other kinds.
    pub fn state<V: StateData>(&mut self, descriptor: ValueStateDescriptor<V>) -> Result<ValueState<V>> {
        self.keyed_backend()?
            .value_state(descriptor, VoidNamespace::serializer(), VoidNamespace)
    }
    /// Opens a list state.
    ///
    /// # Errors
    /// As [`RuntimeContext::state`].
    pub fn list_state<T: StateData>(&mut self, descriptor: ListStateDescriptor<T>) -> Result<ListState<T>> {
        self.keyed_backend()?
            .list_state(descriptor, VoidNamespace::serializer(), VoidNamespace)
    }
    /// Opens a map state.
    ///
    /// # Errors
    /// As [`RuntimeContext::state`].
    pub fn map_state<UK: MapKey, UV: StateData>(
        &mut self,
        descriptor: MapStateDescriptor<UK, UV>,
    ) -> Result<MapState<UK, UV>> {
        self.keyed_backend()?
            .map_state(descriptor, VoidNamespace::serializer(), VoidNamespace)
    }
    /// Opens a reducing state.
    ///
    /// # Errors
    /// As [`RuntimeContext::state`].
    pub fn reducing_state<T: StateData, R: ReduceFunction<T>>(
        &mut self,
        descriptor: ReducingStateDescriptor<T, R>,
    ) -> Result<ReducingState<T>> {
        self.keyed_backend()?
            .reducing_state(descriptor, VoidNamespace::serializer(), VoidNamespace)
    }
    /// Opens an aggregating state.
    ///
    /// # Errors
    /// As [`RuntimeContext::state`].
    pub fn aggregating_state<F: AggregateFunction>(
        &mut self,
        descriptor: AggregatingStateDescriptor<F>,
    ) -> Result<AggregatingState<F>> {
        self.keyed_backend()?
            .aggregating_state(descriptor, VoidNamespace::serializer(), VoidNamespace)
    }

    /// For engines: the backend that keyed state is opened in.
    ///
    /// # Errors
    /// IllegalState when the stream is not keyed.
    pub fn keyed_backend(&mut self) -> Result<&mut KeyedStateBackend<K>> {
        self.keyed.as_deref_mut().ok_or_else(|| {
            Error::illegal_state("open keyed state", "the stream is not keyed")
                .hint("call key_by before process")
        })
    }
}
