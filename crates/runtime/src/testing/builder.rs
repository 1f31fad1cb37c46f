//! How a harness is set up.

use super::harness::{Harness, HarnessCore, OneInputHarness, SourceHarness, TwoInputHarness};
use super::recorder::{Recorded, RecordedSide, Recorder};
use crate::datastream::SingleOutputStreamOperator;
use crate::graph::node::{ErasedOutput, NodeFactory, OneInputNode, TwoInputNode};
use crate::graph::side_output::SideLink;
use crate::operator::{OperatorContext, OperatorMetrics, RestoredState, TaskInfo};
use crate::operators::{
    AsyncKeyedCoProcessOperator, AsyncKeyedProcessOperator, CoProcessOperator, KeyedBroadcastOperator,
    KeyedCoProcessOperator, KeyedProcessOperator, ProcessOperator, SinkOperator, SourceNode,
};
use millpond_api::function::{
    AsyncKeyedCoProcessFunction, AsyncKeyedProcessFunction, CoProcessFunction, KeyedBroadcastProcessFunction,
    KeyedCoProcessFunction, KeyedProcessFunction, ProcessFunction,
};
use millpond_api::{OutputTag, Sink, Source, WatermarkStrategy};
use millpond_core::host::ManualClock;
use millpond_core::{Configuration, JobId, OperatorId, Result};
use millpond_state::handle::OperatorSubtaskState;
use millpond_state::redistribute::redistribute_state;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::SerializerRegistry;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;

/// What every harness's operator is called.
const OPERATOR_NAME: &str = "tested";

/// Sets up harnesses of one operator: clones differ in place, parallelism and snapshot.
pub struct HarnessBuilder<H> {
    factory: Arc<dyn NodeFactory>,
    subtask_index: u32,
    parallelism: u32,
    max_parallelism: u32,
    processing_time_ms: i64,
    checkpointing_enabled: bool,
    first_checkpoint_id: u64,
    config: Configuration,
    serializers: SerializerRegistry,
    restored: Option<Vec<OperatorSubtaskState>>,
    side_outputs: Vec<SideRecorder>,
    harness: PhantomData<fn() -> H>,
}

/// Makes the end of a side output and what it records: an output, the tag's id, and the [`Recorded`] with its type hidden.
type SideRecorder = Arc<dyn Fn() -> (ErasedOutput, RecordedSide)>;

impl<H> Clone for HarnessBuilder<H> {
    fn clone(&self) -> Self {
        HarnessBuilder {
            factory: Arc::clone(&self.factory),
            config: self.config.clone(),
            serializers: self.serializers.clone(),
            restored: self.restored.clone(),
            side_outputs: self.side_outputs.clone(),
            harness: PhantomData,
            ..*self
        }
    }
}

impl<H: Harness> HarnessBuilder<H> {
    pub(crate) fn new(factory: Arc<dyn NodeFactory>) -> Self {
        HarnessBuilder {
            factory,
            subtask_index: 0,
            parallelism: 1,
            max_parallelism: 128,
            processing_time_ms: 0,
            checkpointing_enabled: true,
            first_checkpoint_id: 1,
            config: Configuration::new(),
            serializers: SerializerRegistry::default(),
            restored: None,
            side_outputs: Vec::new(),
            harness: PhantomData,
        }
    }
    /// Instance `subtask_index` of `parallelism`; by default the only one.
    #[must_use]
    pub fn subtask(&self, subtask_index: u32, parallelism: u32) -> Self {
        let mut builder = self.clone();
        (builder.subtask_index, builder.parallelism) = (subtask_index, parallelism);
        builder
    }
    /// How many key groups there are; by default 128.
    #[must_use]
    pub fn max_parallelism(&self, max_parallelism: u32) -> Self {
        let mut builder = self.clone();
        builder.max_parallelism = max_parallelism;
        builder
    }
    /// What the clock shows at first (milliseconds since the epoch); by default 0.
    #[must_use]
    pub fn processing_time(&self, now_ms: i64) -> Self {
        let mut builder = self.clone();
        builder.processing_time_ms = now_ms;
        builder
    }
    /// Whether checkpoints will come; by default they will.
    #[must_use]
    pub fn checkpointing(&self, enabled: bool) -> Self {
        let mut builder = self.clone();
        builder.checkpointing_enabled = enabled;
        builder
    }
    /// The id of the first checkpoint that will be taken; by default 1. In a job that comes back it is above all earlier ones.
    #[must_use]
    pub fn first_checkpoint_id(&self, id: u64) -> Self {
        let mut builder = self.clone();
        builder.first_checkpoint_id = id;
        builder
    }
    /// An option of the job.
    #[must_use]
    pub fn option(&self, key: &str, value: impl std::fmt::Display) -> Self {
        let mut builder = self.clone();
        builder.config.set(key, value);
        builder
    }
    /// Registers serializers of the job's types.
    #[must_use]
    pub fn serializers(&self, register: impl FnOnce(&mut SerializerRegistry)) -> Self {
        let mut builder = self.clone();
        register(&mut builder.serializers);
        builder
    }
    /// Keeps what is emitted to a side output, for [`HarnessCore::take_side_output`].
    #[must_use]
    pub fn side_output<T: 'static>(&self, tag: &OutputTag<T>) -> Self {
        let mut builder = self.clone();
        let tag = tag.clone();
        builder.side_outputs.push(Arc::new(move || {
            let recorded = Recorded::<T>::default();
            let recorder = Recorder {
                elements: Rc::clone(&recorded),
            };
            let output = ErasedOutput::Side(SideLink::new(&tag, Box::new(recorder)));
            (output, (Arc::clone(tag.id()), Box::new(recorded)))
        }));
        builder
    }
    /// Starts from the snapshots of all instances of an earlier run, in their order. What this instance gets of them is what
    /// it would get in a job.
    #[must_use]
    pub fn restore(&self, states: &[OperatorSubtaskState]) -> Self {
        let mut builder = self.clone();
        builder.restored = Some(states.to_vec());
        builder
    }

    /// Creates and opens the instance.
    ///
    /// # Errors
    /// Whatever the function's `open` fails with; Incompatible or Corrupt from the snapshot.
    pub fn open(&self) -> Result<H> {
        let clock = ManualClock::new(self.processing_time_ms);
        let recorded = Rc::default();
        let recorder = Recorder {
            elements: Rc::clone(&recorded),
        };
        let id = OperatorId::from_uid(OPERATOR_NAME);
        let (mut outputs, sides): (Vec<_>, Vec<_>) = self.side_outputs.iter().map(|make| make()).unzip();
        outputs.push(ErasedOutput::new::<H::Out>(Box::new(recorder)));
        let chain = self.factory.head(id, outputs)?;
        let ctx = OperatorContext {
            task: TaskInfo {
                job_id: JobId::from_name(OPERATOR_NAME),
                task_name: OPERATOR_NAME.to_string(),
                subtask_index: self.subtask_index,
                parallelism: self.parallelism,
                max_parallelism: self.max_parallelism,
                attempt: 0,
                started_with: 0,
            },
            operator_id: id,
            operator_name: OPERATOR_NAME.to_string(),
            clock: clock.clone(),
            config: Arc::new(self.config.clone()),
            serializers: Arc::new(self.serializers.clone()),
            restored: self.restored_state(),
            state_reader: Arc::new(MemoryStreams::default()),
            recovered_checkpoint_id: None,
            first_checkpoint_id: self.first_checkpoint_id,
            checkpointing_enabled: self.checkpointing_enabled,
            metrics: Arc::new(OperatorMetrics::default()),
        };
        HarnessCore::open(chain, recorded, sides, clock, &ctx).map(H::of)
    }

    /// This instance's share of the snapshots.
    fn restored_state(&self) -> Option<RestoredState> {
        let states = self.restored.as_ref()?;
        let index = self.subtask_index as usize;
        let mut states = redistribute_state(states, self.parallelism, self.max_parallelism);
        let state = states.get_mut(index).map(std::mem::take).unwrap_or_default();
        Some(RestoredState { state })
    }
}

/// A harness for a function over a keyed stream.
pub fn for_keyed_process_function<F: KeyedProcessFunction>(
    factory: impl Fn() -> F + Send + Sync + 'static,
    selector: impl Fn(&F::In) -> F::Key + Send + Sync + 'static,
) -> HarnessBuilder<OneInputHarness<F::In, F::Out>> {
    let selector = Arc::new(selector);
    HarnessBuilder::new(OneInputNode::shared(move || {
        KeyedProcessOperator::new(factory(), selector.clone())
    }))
}

/// A harness for an asynchronous function over a keyed stream.
pub fn for_async_keyed_process_function<F: AsyncKeyedProcessFunction>(
    factory: impl Fn() -> F + Send + Sync + 'static,
    selector: impl Fn(&F::In) -> F::Key + Send + Sync + 'static,
) -> HarnessBuilder<OneInputHarness<F::In, F::Out>> {
    let selector = Arc::new(selector);
    HarnessBuilder::new(OneInputNode::shared(move || {
        AsyncKeyedProcessOperator::new(factory(), selector.clone())
    }))
}

/// A harness for a function over a stream without keys.
pub fn for_process_function<F: ProcessFunction>(
    factory: impl Fn() -> F + Send + Sync + 'static,
) -> HarnessBuilder<OneInputHarness<F::In, F::Out>> {
    HarnessBuilder::new(OneInputNode::shared(move || ProcessOperator::new(factory())))
}

/// A harness for a function over a keyed stream (input 1) and a broadcast one (input 2).
pub fn for_keyed_broadcast_process_function<F: KeyedBroadcastProcessFunction>(
    factory: impl Fn() -> F + Send + Sync + 'static,
    selector: impl Fn(&F::In) -> F::Key + Send + Sync + 'static,
) -> HarnessBuilder<TwoInputHarness<F::In, F::Broadcast, F::Out>> {
    let selector = Arc::new(selector);
    HarnessBuilder::new(TwoInputNode::shared(move || {
        KeyedBroadcastOperator::new(factory(), selector.clone())
    }))
}

/// A harness for a function over two streams without keys.
pub fn for_co_process_function<F: CoProcessFunction>(
    factory: impl Fn() -> F + Send + Sync + 'static,
) -> HarnessBuilder<TwoInputHarness<F::In1, F::In2, F::Out>> {
    HarnessBuilder::new(TwoInputNode::shared(move || CoProcessOperator::new(factory())))
}

/// A harness for a function over two streams keyed alike.
pub fn for_keyed_co_process_function<F: KeyedCoProcessFunction>(
    factory: impl Fn() -> F + Send + Sync + 'static,
    selector1: impl Fn(&F::In1) -> F::Key + Send + Sync + 'static,
    selector2: impl Fn(&F::In2) -> F::Key + Send + Sync + 'static,
) -> HarnessBuilder<TwoInputHarness<F::In1, F::In2, F::Out>> {
    let (first, second) = (Arc::new(selector1), Arc::new(selector2));
    HarnessBuilder::new(TwoInputNode::shared(move || {
        KeyedCoProcessOperator::new(factory(), first.clone(), second.clone())
    }))
}

/// A harness for an asynchronous function over two streams keyed alike.
pub fn for_async_keyed_co_process_function<F: AsyncKeyedCoProcessFunction>(
    factory: impl Fn() -> F + Send + Sync + 'static,
    selector1: impl Fn(&F::In1) -> F::Key + Send + Sync + 'static,
    selector2: impl Fn(&F::In2) -> F::Key + Send + Sync + 'static,
) -> HarnessBuilder<TwoInputHarness<F::In1, F::In2, F::Out>> {
    let (first, second) = (Arc::new(selector1), Arc::new(selector2));
    HarnessBuilder::new(TwoInputNode::shared(move || {
        AsyncKeyedCoProcessOperator::of_two_inputs(factory(), (first.clone(), second.clone()))
    }))
}

/// A harness for a source.
pub fn for_source<S: Source>(
    source: S,
    watermarks: WatermarkStrategy<S::Out>,
) -> HarnessBuilder<SourceHarness<S::Out>> {
    HarnessBuilder::new(SourceNode::shared(source, watermarks))
}

/// A harness for a sink.
pub fn for_sink<S: Sink>(sink: S) -> HarnessBuilder<OneInputHarness<S::In, ()>> {
    let sink = Arc::new(sink);
    HarnessBuilder::new(OneInputNode::shared(move || SinkOperator::new(Arc::clone(&sink))))
}

/// A harness for the operator of one input that was added last to a job's stream, whatever it is: a window, a map, a
/// process function. `In` is the type of the records that it takes.
///
/// ```
/// use millpond_api::WatermarkStrategy;
/// use millpond_api::window::TumblingEventTimeWindows;
/// use millpond_connectors::CollectionSource;
/// use millpond_core::Configuration;
/// use millpond_runtime::datastream::StreamExecutionEnvironment;
/// use millpond_runtime::testing;
/// use std::time::Duration;
///
/// let env = StreamExecutionEnvironment::new(Configuration::new());
/// let sums = env
///     .from_source(CollectionSource::from_elements([0i64]), WatermarkStrategy::no_watermarks(), "numbers")
///     .key_by(|n| n % 2)
///     .window(TumblingEventTimeWindows::of(Duration::from_secs(1)))
///     .reduce(|sum, n| *sum += n);
///
/// let mut harness = testing::for_operator::<i64, i64>(&sums).open()?;
/// harness.process_element(2, 100)?;
/// harness.process_element(4, 900)?;
/// harness.process_watermark(999)?;
/// assert_eq!(harness.take_output(), [6]);
/// # Ok::<(), millpond_core::Error>(())
/// ```
///
/// Another type of records than the operator takes is an IllegalState error of the first one.
pub fn for_operator<In, Out: 'static>(
    operator: &SingleOutputStreamOperator<Out>,
) -> HarnessBuilder<OneInputHarness<In, Out>> {
    HarnessBuilder::new(operator.node_factory())
}
