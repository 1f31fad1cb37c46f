//! Where a job begins and where it becomes a graph.

use super::operator::SingleOutputStreamOperator;
use super::restart_strategies::RestartStrategyConfiguration;
use crate::graph::JobGraph;
use crate::graph::node::NodeFactory;
use crate::graph::side_output::SideOutputEdge;
use crate::graph::stream_graph::{StreamEdge, StreamGraph, StreamNode};
use crate::graph::translate::translate;
use crate::operators::SourceNode;
use millpond_api::{Source, WatermarkStrategy};
use millpond_core::config::options;
use millpond_core::{Configuration, Error, JobId, Result};
use millpond_types::SerializerRegistry;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The name of a job that nobody named.
const DEFAULT_JOB_NAME: &str = "Millpond Streaming Job";

/// Where a job begins. Flink's `StreamExecutionEnvironment`. Clones share the job.
///
/// ```
/// # use millpond_api::{Boundedness, InputStatus, Source, SourceOutput, SourceReader, SourceReaderContext, SourceSplit, WatermarkStrategy};
/// # use millpond_core::Result;
/// # use millpond_types::StateType;
/// # #[derive(Clone, StateType)] struct Range { next: i64, end: i64 }
/// # impl SourceSplit for Range { fn split_id(&self) -> String { format!("to-{}", self.end) } }
/// # struct Numbers(i64);
/// # struct Reader(Vec<Range>);
/// # impl Source for Numbers {
/// #     type Out = i64; type Split = Range; type Reader = Reader;
/// #     fn boundedness(&self) -> Boundedness { Boundedness::Bounded }
/// #     fn create_splits(&self, _: u32) -> Result<Vec<Range>> { Ok(vec![Range { next: 0, end: self.0 }]) }
/// #     fn create_reader(&self, _: &SourceReaderContext) -> Result<Reader> { Ok(Reader(Vec::new())) }
/// # }
/// # impl SourceReader for Reader {
/// #     type Out = i64; type Split = Range;
/// #     fn add_splits(&mut self, splits: Vec<Range>) -> Result<()> { self.0.extend(splits); Ok(()) }
/// #     fn poll_next(&mut self, out: &mut SourceOutput<'_, i64>) -> Result<InputStatus> {
/// #         for r in self.0.drain(..) { for n in r.next..r.end { out.collect(n)? } }
/// #         Ok(InputStatus::EndOfInput)
/// #     }
/// #     fn snapshot_state(&mut self, _: u64) -> Result<Vec<Range>> { Ok(self.0.clone()) }
/// # }
/// use millpond_runtime::datastream::StreamExecutionEnvironment;
///
/// let env = StreamExecutionEnvironment::get_execution_environment();
/// env.set_parallelism(2);
/// env.from_source(Numbers(100), WatermarkStrategy::no_watermarks(), "numbers")
///     .uid("numbers")
///     .filter(|n| n % 2 == 0)
///     .key_by(|n| n % 10)
///     .reduce(|sum, n| *sum += n)
///     .uid("sums");
/// let job = env.build_job_graph(Some("sums of even numbers"))?;
/// let names: Vec<_> = job.vertices.iter().map(|v| v.name.as_str()).collect();
/// assert_eq!(names, ["Source: numbers -> Filter", "Keyed Reduce"]);
/// # Ok::<(), millpond_core::Error>(())
/// ```
#[derive(Clone)]
pub struct StreamExecutionEnvironment {
    inner: Rc<RefCell<Inner>>,
}

struct Inner {
    config: Configuration,
    serializers: SerializerRegistry,
    graph: StreamGraph,
}

impl StreamExecutionEnvironment {
    /// An environment without any option set.
    pub fn get_execution_environment() -> Self {
        Self::new(Configuration::new())
    }

    /// An environment with these options. What is set later in code wins over them.
    pub fn new(config: Configuration) -> Self {
        StreamExecutionEnvironment {
            inner: Rc::new(RefCell::new(Inner {
                config,
                serializers: SerializerRegistry::default(),
                graph: StreamGraph::default(),
            })),
        }
    }

    /// How many tasks an operator runs as that doesn't say itself: `parallelism.default`, 1 when unset.
    pub fn set_parallelism(&self, parallelism: u32) -> &Self {
        self.set_option(options::PARALLELISM_DEFAULT.key, parallelism)
    }

    /// How many key groups keyed state has: `pipeline.max-parallelism`. No operator can have more tasks, and it can't be
    /// changed while state is kept. Unset, it is what the snapshot has that the job starts from, and follows from the
    /// parallelism where there is none: 128, or more above 85 tasks.
    pub fn set_max_parallelism(&self, max_parallelism: u32) -> &Self {
        self.set_option(options::MAX_PARALLELISM.key, max_parallelism)
    }

    /// Takes a checkpoint every `interval`: `execution.checkpointing.interval`.
    pub fn enable_checkpointing(&self, interval: Duration) -> &Self {
        self.set_option(
            options::CHECKPOINTING_INTERVAL.key,
            format!("{} ms", interval.as_millis()),
        )
    }

    /// Whether and when the job starts again after a failure: `restart-strategy.type` and what belongs to it.
    pub fn set_restart_strategy(&self, strategy: RestartStrategyConfiguration) -> &Self {
        self.configure(strategy.0)
    }

    /// Whether operators that need no exchange between them share a task: `pipeline.operator-chaining.enabled`.
    pub fn disable_operator_chaining(&self) -> &Self {
        self.set_option(options::OPERATOR_CHAINING.key, false)
    }

    /// The job's name: `pipeline.name`. Its id follows from it.
    pub fn set_job_name(&self, name: &str) -> &Self {
        self.set_option(options::PIPELINE_NAME.key, name)
    }

    /// Sets any option by its key.
    pub fn set_option(&self, key: &str, value: impl std::fmt::Display) -> &Self {
        self.inner.borrow_mut().config.set(key, value);
        self
    }

    /// Takes over options, which win over those set before.
    pub fn configure(&self, config: Configuration) -> &Self {
        self.inner.borrow_mut().config.extend(config);
        self
    }

    /// The options as they are now.
    pub fn configuration(&self) -> Configuration {
        self.inner.borrow().config.clone()
    }

    /// Registers serializers for the job's types: `env.register_serializers(|registry| registry.register_serde::<Event>())`.
    pub fn register_serializers(&self, register: impl FnOnce(&mut SerializerRegistry)) -> &Self {
        register(&mut self.inner.borrow_mut().serializers);
        self
    }

    /// A stream of what `source` reads. Its operator is named `Source: <name>`.
    pub fn from_source<S: Source>(
        &self,
        source: S,
        watermarks: WatermarkStrategy<S::Out>,
        name: &str,
    ) -> SingleOutputStreamOperator<S::Out> {
        let name = format!("Source: {name}");
        self.add(&name, Vec::new(), SourceNode::shared(source, watermarks))
    }

    /// The job as it can be deployed. `name` is the job's name; without one it is `pipeline.name`.
    ///
    /// # Errors
    /// Config when the job is empty or contradicts itself: a parallelism of 0 or above the max parallelism, a uid that is
    /// used twice, a name for something that is no operator. The error names the operator and what to change.
    pub fn build_job_graph(&self, name: Option<&str>) -> Result<JobGraph> {
        let mut inner = self.inner.borrow_mut();
        if let Some(problem) = inner.graph.problem.take() {
            return Err(problem);
        }
        let mut config = inner.config.clone();
        if let Some(name) = name {
            config.set(options::PIPELINE_NAME.key, name);
        }
        let name = config.get(&options::PIPELINE_NAME)?;
        let name = name.unwrap_or_else(|| DEFAULT_JOB_NAME.to_string());
        let job_id = config.get(&options::JOB_ID)?;
        let (vertices, edges) = translate(&inner.graph, &config)?;
        Ok(JobGraph {
            job_id: job_id.unwrap_or_else(|| JobId::from_name(&name)),
            name,
            config: Arc::new(config),
            serializers: Arc::new(inner.serializers.clone()),
            vertices,
            edges,
        })
    }

    /// Adds an operator; `inputs` may name only operators that are there already.
    pub(super) fn add<T>(
        &self,
        name: &str,
        inputs: Vec<StreamEdge>,
        factory: Arc<dyn NodeFactory>,
    ) -> SingleOutputStreamOperator<T> {
        let node = self
            .inner
            .borrow_mut()
            .graph
            .add(StreamNode::new(name, inputs, Arc::clone(&factory)));
        SingleOutputStreamOperator::new(self.clone(), node, factory)
    }

    /// Changes an operator.
    pub(super) fn change(&self, node: usize, change: impl FnOnce(&mut StreamNode)) {
        if let Some(node) = self.inner.borrow_mut().graph.nodes.get_mut(node) {
            change(node);
        }
    }

    /// Notes that a side output of an operator is read, and the problem if it is read as another type elsewhere.
    pub(super) fn add_side_output(&self, node: usize, side_output: &Arc<dyn SideOutputEdge>) {
        let graph = &mut self.inner.borrow_mut().graph;
        let Some(node) = graph.nodes.get_mut(node) else {
            return;
        };
        let (id, (type_id, type_name)) = (side_output.id(), side_output.record_type());
        let Some(known) = node.side_outputs.iter().find(|known| known.id() == id) else {
            node.side_outputs.push(Arc::clone(side_output));
            return;
        };
        let (known_id, known_name) = known.record_type();
        if known_id != type_id {
            graph.problem.get_or_insert_with(|| {
                Error::config("build job", "a side output is read as two different types")
                    .with("tag", id)
                    .with("first", known_name)
                    .with("second", type_name)
                    .hint("give the two side outputs different ids")
            });
        }
    }

    /// Notes what keeps the job from being built, unless something is noted already.
    pub(super) fn refuse(&self, problem: Error) {
        self.inner.borrow_mut().graph.problem.get_or_insert(problem);
    }

    /// Whether both are the same job; if not, notes the problem.
    pub(super) fn check_same(&self, other: &StreamExecutionEnvironment) -> bool {
        let same = Rc::ptr_eq(&self.inner, &other.inner);
        if !same {
            self.inner.borrow_mut().graph.problem.get_or_insert_with(|| {
                Error::config("build job", "a stream of another environment was used")
                    .hint("make all streams of a job from one StreamExecutionEnvironment")
            });
        }
        same
    }
}
