//! A stream together with the operator that it comes from.

use super::environment::StreamExecutionEnvironment;
use super::stream::{DataStream, Upstream};
use crate::graph::node::NodeFactory;
use crate::graph::side_output::SideOutputEdge;
use crate::graph::stream_graph::{ChainingStrategy, StreamNode};
use millpond_api::{Data, OutputTag};
use std::ops::Deref;
use std::sync::Arc;

/// An operator and its results, to be named, tuned, and used as a [`DataStream`]. Flink's `SingleOutputStreamOperator`.
pub struct SingleOutputStreamOperator<T> {
    stream: DataStream<T>,
    node: usize,
    factory: Arc<dyn NodeFactory>,
}

impl<T> SingleOutputStreamOperator<T> {
    pub(super) fn new(env: StreamExecutionEnvironment, node: usize, factory: Arc<dyn NodeFactory>) -> Self {
        SingleOutputStreamOperator {
            stream: DataStream::new(
                env,
                vec![Upstream {
                    node,
                    exchange: None,
                    side_output: None,
                }],
            ),
            node,
            factory,
        }
    }

    /// What the operator is called where the job is shown.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.change(|node| node.name = name.into())
    }

    /// What the operator's state is found by when the job is started from a snapshot. Without one, it is found by the
    /// operator's place in the job, which changes when the job changes.
    pub fn uid(self, uid: impl Into<String>) -> Self {
        self.change(|node| node.uid = Some(uid.into()))
    }

    /// How many parallel instances it has, instead of the job's default.
    pub fn set_parallelism(self, parallelism: u32) -> Self {
        self.change(|node| node.parallelism = Some(parallelism))
    }

    /// How many key groups its keyed state has, instead of the job's default.
    pub fn set_max_parallelism(self, max_parallelism: u32) -> Self {
        self.change(|node| node.max_parallelism = Some(max_parallelism))
    }

    /// Gives it tasks of its own, shared with no other operator.
    pub fn disable_chaining(self) -> Self {
        self.change(|node| node.chaining = ChainingStrategy::Never)
    }

    /// Gives it tasks that are not those of the operators before it; those behind may share them.
    pub fn start_new_chain(self) -> Self {
        self.change(|node| node.chaining = ChainingStrategy::Head)
    }

    /// The records that the operator's function emits to the side output `tag`, as a stream: late data of a window
    /// ([`super::WindowedStream::side_output_late_data`]), and what process functions emit by `ctx.output(&tag, value)`.
    ///
    /// ```
    /// use millpond_api::function::{ProcessContext, ProcessFunction};
    /// use millpond_api::{Collector, OutputTag, WatermarkStrategy};
    /// use millpond_connectors::{CollectionSource, PrintSink};
    /// use millpond_core::{Configuration, Result};
    /// use millpond_runtime::datastream::StreamExecutionEnvironment;
    ///
    /// struct Parse(OutputTag<String>);
    /// impl ProcessFunction for Parse {
    ///     type In = String;
    ///     type Out = i64;
    ///     fn process_element(&mut self, line: String, ctx: &mut ProcessContext<'_>, out: &mut Collector<'_, i64>) -> Result<()> {
    ///         match line.parse() {
    ///             Ok(number) => out.collect(number),
    ///             Err(_) => ctx.output(&self.0, line),
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let env = StreamExecutionEnvironment::new(Configuration::new());
    /// let lines = env.from_source(
    ///     CollectionSource::from_elements(["1", "two"].map(String::from)),
    ///     WatermarkStrategy::no_watermarks(),
    ///     "lines",
    /// );
    /// let rejected = OutputTag::new("rejected");
    /// let tag = rejected.clone();
    /// let parsed = lines.process(move || Parse(tag.clone()));
    /// parsed.get_side_output(&rejected).sink_to(PrintSink::new());
    /// parsed.sink_to(PrintSink::new());
    /// # assert_eq!(env.build_job_graph(None)?.vertices.len(), 1);
    /// # Ok::<(), millpond_core::Error>(())
    /// ```
    ///
    /// A tag of the same id read as another type is a Config error when the job is built.
    pub fn get_side_output<U: Data>(&self, tag: &OutputTag<U>) -> DataStream<U> {
        let side_output: Arc<dyn SideOutputEdge> = Arc::new(tag.clone());
        self.stream.env.add_side_output(self.node, &side_output);
        DataStream::new(
            self.stream.env.clone(),
            vec![Upstream {
                node: self.node,
                exchange: None,
                side_output: Some(side_output),
            }],
        )
    }

    /// What makes the operator's instances.
    pub(crate) fn node_factory(&self) -> Arc<dyn NodeFactory> {
        Arc::clone(&self.factory)
    }

    fn change(self, change: impl FnOnce(&mut StreamNode)) -> Self {
        self.stream.env.change(self.node, change);
        self
    }
}

impl<T> Clone for SingleOutputStreamOperator<T> {
    fn clone(&self) -> Self {
        SingleOutputStreamOperator {
            stream: self.stream.clone(),
            node: self.node,
            factory: Arc::clone(&self.factory),
        }
    }
}

impl<T> Deref for SingleOutputStreamOperator<T> {
    type Target = DataStream<T>;
    fn deref(&self) -> &DataStream<T> {
        &self.stream
    }
}
