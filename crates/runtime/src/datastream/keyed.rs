//! A stream partitioned by key.

use super::connected::{BroadcastConnectedStream, KeyedConnectedStreams};
use super::operator::SingleOutputStreamOperator;
use super::stream::{BroadcastStream, DataStream};
use crate::graph::node::{KeySelector, KeyWriter, OneInputNode, WriterFactory};
use crate::graph::stream_graph::StreamEdge;
use crate::operators::{AsyncKeyedProcessOperator, KeyedProcessOperator, ReduceFunctionAdapter};
use millpond_api::Data;
use millpond_api::function::{AsyncKeyedProcessFunction, KeyedProcessFunction};
use millpond_types::{StateKey, StateType};
use std::sync::Arc;

/// A stream partitioned by key: its functions have state and timers for each key. Flink's `KeyedStream`.
pub struct KeyedStream<K, T> {
    pub(super) stream: DataStream<T>,
    pub(super) selector: KeySelector<T, K>,
    writer: Arc<dyn WriterFactory>,
}

impl<K, T> Clone for KeyedStream<K, T> {
    fn clone(&self) -> Self {
        KeyedStream {
            stream: self.stream.clone(),
            selector: Arc::clone(&self.selector),
            writer: Arc::clone(&self.writer),
        }
    }
}

impl<K: StateKey, T: Data> KeyedStream<K, T> {
    pub(super) fn new(stream: DataStream<T>, selector: impl Fn(&T) -> K + Send + Sync + 'static) -> Self {
        let selector = Arc::new(selector);
        KeyedStream {
            stream,
            writer: KeyWriter::shared(Arc::clone(&selector)),
            selector,
        }
    }

    pub(super) fn edges(&self, input: usize) -> Vec<StreamEdge> {
        self.stream.edges(input, &self.writer)
    }

    /// Runs a function that `factory` makes for each parallel instance: `process(CountWindow::default)`.
    pub fn process<F>(
        &self,
        factory: impl Fn() -> F + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<F::Out>
    where
        F: KeyedProcessFunction<Key = K, In = T>,
    {
        self.named_process("KeyedProcess", factory)
    }

    /// The same stream for functions that await their state: while one record waits for storage, records of other keys are
    /// processed. Worth it where state doesn't fit into memory. Flink's `enableAsyncState`.
    pub fn enable_async_state(&self) -> AsyncKeyedStream<K, T> {
        AsyncKeyedStream(self.clone())
    }

    /// For each record what was reduced so far for its key, the record included: `reduce(|sum, n| *sum += n)`.
    pub fn reduce(&self, reduce: impl Fn(&mut T, T) + Send + Sync + 'static) -> SingleOutputStreamOperator<T>
    where
        T: StateType,
    {
        let reduce = Arc::new(reduce);
        self.named_process("Keyed Reduce", move || {
            ReduceFunctionAdapter::new(Arc::clone(&reduce))
        })
    }

    /// Puts this stream and a broadcast one before one operator.
    pub fn connect<B: Data>(&self, broadcast: &BroadcastStream<B>) -> BroadcastConnectedStream<K, T, B> {
        self.stream.env.check_same(&broadcast.env);
        BroadcastConnectedStream::new(self.clone(), broadcast.clone())
    }

    /// Puts this stream and another one of the same key before one operator. Flink's `connect` of two keyed streams.
    pub fn connect_keyed<U: Data>(&self, other: &KeyedStream<K, U>) -> KeyedConnectedStreams<K, T, U> {
        self.stream.env.check_same(&other.stream.env);
        KeyedConnectedStreams::new(self.clone(), other.clone())
    }

    fn named_process<F>(
        &self,
        name: &str,
        factory: impl Fn() -> F + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<F::Out>
    where
        F: KeyedProcessFunction<Key = K, In = T>,
    {
        let selector = Arc::clone(&self.selector);
        self.stream.env.add(
            name,
            self.edges(0),
            OneInputNode::shared(move || KeyedProcessOperator::new(factory(), Arc::clone(&selector))),
        )
    }
}

/// A [`KeyedStream`] for functions that await their state: [`KeyedStream::enable_async_state`].
#[derive(Clone)]
pub struct AsyncKeyedStream<K, T>(KeyedStream<K, T>);

impl<K: StateKey, T: Data> AsyncKeyedStream<K, T> {
    /// Runs a function that `factory` makes for each parallel instance: `process(CountWindow::default)`.
    pub fn process<F>(
        &self,
        factory: impl Fn() -> F + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<F::Out>
    where
        F: AsyncKeyedProcessFunction<Key = K, In = T>,
    {
        let selector = Arc::clone(&self.0.selector);
        self.0.stream.env.add(
            "KeyedProcess",
            self.0.edges(0),
            OneInputNode::shared(move || AsyncKeyedProcessOperator::new(factory(), Arc::clone(&selector))),
        )
    }
}
