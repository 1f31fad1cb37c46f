//! A stream of records of one type.

use super::connected::ConnectedStreams;
use super::environment::StreamExecutionEnvironment;
use super::keyed::KeyedStream;
use super::operator::SingleOutputStreamOperator;
use super::sink::DataStreamSink;
use crate::graph::Exchange;
use crate::graph::node::{NodeFactory, OneInputNode, PlainWriter, WriterFactory};
use crate::graph::side_output::SideOutputEdge;
use crate::graph::stream_graph::StreamEdge;
use crate::operators::{
    FilterOperator, FlatMapOperator, MapOperator, ProcessOperator, SinkOperator,
    TimestampsAndWatermarksOperator, TryMapOperator,
};
use millpond_api::function::ProcessFunction;
use millpond_api::{Collector, Data, Sink, WatermarkStrategy};
use millpond_core::Result;
use millpond_types::StateKey;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

/// An operator's records on their way, and how they are to be distributed.
#[derive(Clone)]
pub(super) struct Upstream {
    pub(super) node: usize,
    pub(super) exchange: Option<Exchange>,
    /// The side output that is meant; `None`: the operator's results.
    pub(super) side_output: Option<Arc<dyn SideOutputEdge>>,
}

/// A stream of records. Flink's `DataStream`.
///
/// Closures are shared by all parallel instances, so they are `Fn + Send + Sync`; a function that keeps something of its own
/// is given as a factory, which is called on the thread of each instance, and need be neither. Results carry the
/// timestamp of the record that they come from.
pub struct DataStream<T> {
    pub(super) env: StreamExecutionEnvironment,
    pub(super) upstreams: Vec<Upstream>,
    types: PhantomData<fn() -> T>,
}

impl<T> Clone for DataStream<T> {
    fn clone(&self) -> Self {
        DataStream::new(self.env.clone(), self.upstreams.clone())
    }
}

impl<T> DataStream<T> {
    pub(super) fn new(env: StreamExecutionEnvironment, upstreams: Vec<Upstream>) -> Self {
        DataStream {
            env,
            upstreams,
            types: PhantomData,
        }
    }

    /// The environment that the stream belongs to.
    pub fn execution_environment(&self) -> &StreamExecutionEnvironment {
        &self.env
    }

    /// The edges from the stream's operators into input `input` of one that is to be added.
    pub(super) fn edges(&self, input: usize, writer: &Arc<dyn WriterFactory>) -> Vec<StreamEdge> {
        self.upstreams
            .iter()
            .map(|upstream| StreamEdge {
                source: upstream.node,
                input,
                exchange: upstream.exchange,
                writer: Arc::clone(writer),
                side_output: upstream.side_output.clone(),
            })
            .collect()
    }

    pub(super) fn distributed(&self, exchange: Exchange) -> Self {
        let upstreams = self.upstreams.iter().map(|u| Upstream {
            node: u.node,
            exchange: Some(exchange),
            side_output: u.side_output.clone(),
        });
        DataStream::new(self.env.clone(), upstreams.collect())
    }
}

impl<T: Data> DataStream<T> {
    /// Each record to one other.
    pub fn map<U: Data>(
        &self,
        function: impl Fn(T) -> U + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<U> {
        let function = Arc::new(function);
        self.apply(
            "Map",
            OneInputNode::shared(move || MapOperator::new(Arc::clone(&function))),
        )
    }

    /// As [`DataStream::map`] with a function that can fail: the job then restarts by its restart strategy.
    pub fn try_map<U: Data>(
        &self,
        function: impl Fn(T) -> Result<U> + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<U> {
        let function = Arc::new(function);
        self.apply(
            "Map",
            OneInputNode::shared(move || TryMapOperator::new(Arc::clone(&function))),
        )
    }

    /// The records for which `predicate` is true.
    pub fn filter(
        &self,
        predicate: impl Fn(&T) -> bool + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<T> {
        let predicate = Arc::new(predicate);
        self.apply(
            "Filter",
            OneInputNode::shared(move || FilterOperator::new(Arc::clone(&predicate))),
        )
    }

    /// Each record to any number of others.
    pub fn flat_map<U: Data>(
        &self,
        function: impl Fn(T, &mut Collector<'_, U>) -> Result<()> + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<U> {
        let function = Arc::new(function);
        self.apply(
            "Flat Map",
            OneInputNode::shared(move || FlatMapOperator::new(Arc::clone(&function))),
        )
    }

    /// Runs a function that `factory` makes for each parallel instance.
    pub fn process<F>(
        &self,
        factory: impl Fn() -> F + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<F::Out>
    where
        F: ProcessFunction<In = T>,
    {
        self.apply(
            "Process",
            OneInputNode::shared(move || ProcessOperator::new(factory())),
        )
    }

    /// Gives the records timestamps and derives watermarks from them here, in place of the source.
    pub fn assign_timestamps_and_watermarks(
        &self,
        strategy: WatermarkStrategy<T>,
    ) -> SingleOutputStreamOperator<T> {
        self.apply(
            "Timestamps/Watermarks",
            OneInputNode::shared(move || TimestampsAndWatermarksOperator::new(strategy.clone())),
        )
    }

    /// The records of this stream and of `others`, in no particular order.
    pub fn union(&self, others: &[&DataStream<T>]) -> DataStream<T> {
        let mut upstreams = self.upstreams.clone();
        for other in others {
            if self.env.check_same(&other.env) {
                upstreams.extend(other.upstreams.iter().cloned());
            }
        }
        DataStream::new(self.env.clone(), upstreams)
    }

    /// The records handed to the instances of the next operator in turns.
    pub fn rebalance(&self) -> DataStream<T> {
        self.distributed(Exchange::Rebalance)
    }

    /// Every record to every instance of the next operator.
    pub fn broadcast(&self) -> BroadcastStream<T> {
        BroadcastStream {
            stream: self.distributed(Exchange::Broadcast),
        }
    }

    /// Partitions the stream: records for which `selector` gives equal keys go to the same instance and share state.
    pub fn key_by<K: StateKey>(
        &self,
        selector: impl Fn(&T) -> K + Send + Sync + 'static,
    ) -> KeyedStream<K, T> {
        KeyedStream::new(self.distributed(Exchange::Hash), selector)
    }

    /// Puts this stream and one of another type before one operator.
    pub fn connect<U: Data>(&self, other: &DataStream<U>) -> ConnectedStreams<T, U> {
        self.env.check_same(&other.env);
        ConnectedStreams::new(self.clone(), other.clone())
    }

    /// Ends the stream in `sink`.
    pub fn sink_to<S: Sink<In = T>>(&self, sink: S) -> DataStreamSink {
        let sink = Arc::new(sink);
        let operator = self.apply::<()>(
            "Sink",
            OneInputNode::shared(move || SinkOperator::new(Arc::clone(&sink))),
        );
        DataStreamSink::new(operator)
    }

    fn apply<U>(&self, name: &str, factory: Arc<dyn NodeFactory>) -> SingleOutputStreamOperator<U> {
        self.env
            .add(name, self.edges(0, &PlainWriter::<T>::shared()), factory)
    }
}

/// A stream of which every instance of the next operator gets all. Flink's `BroadcastStream`: connected with a keyed
/// stream it feeds broadcast state; otherwise it is a stream like any other.
pub struct BroadcastStream<T> {
    stream: DataStream<T>,
}

impl<T> Clone for BroadcastStream<T> {
    fn clone(&self) -> Self {
        BroadcastStream {
            stream: self.stream.clone(),
        }
    }
}

impl<T> Deref for BroadcastStream<T> {
    type Target = DataStream<T>;
    fn deref(&self) -> &DataStream<T> {
        &self.stream
    }
}
