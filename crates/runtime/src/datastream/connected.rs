//! Two streams of different types before one operator.

use super::keyed::KeyedStream;
use super::operator::SingleOutputStreamOperator;
use super::stream::{BroadcastStream, DataStream};
use crate::graph::node::{KeySelector, PlainWriter, TwoInputNode};
use crate::graph::stream_graph::StreamEdge;
use crate::operators::{
    AsyncKeyedCoProcessOperator, CoProcessOperator, KeyedBroadcastOperator, KeyedCoProcessOperator,
};
use millpond_api::Data;
use millpond_api::function::{
    AsyncKeyedCoProcessFunction, CoProcessFunction, KeyedBroadcastProcessFunction, KeyedCoProcessFunction,
};
use millpond_types::StateKey;
use std::sync::Arc;

/// Two streams, neither of them keyed. Flink's `ConnectedStreams`.
pub struct ConnectedStreams<T, U> {
    first: DataStream<T>,
    second: DataStream<U>,
}

impl<T: Data, U: Data> ConnectedStreams<T, U> {
    pub(super) fn new(first: DataStream<T>, second: DataStream<U>) -> Self {
        ConnectedStreams { first, second }
    }

    /// Runs a function that `factory` makes for each parallel instance.
    pub fn process<F>(
        &self,
        factory: impl Fn() -> F + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<F::Out>
    where
        F: CoProcessFunction<In1 = T, In2 = U>,
    {
        let mut inputs = self.first.edges(0, &PlainWriter::<T>::shared());
        inputs.extend(self.second.edges(1, &PlainWriter::<U>::shared()));
        self.first.env.add(
            "Co-Process",
            inputs,
            TwoInputNode::shared(move || CoProcessOperator::new(factory())),
        )
    }
}

/// Two streams keyed alike. Flink's `ConnectedStreams` of two keyed streams.
pub struct KeyedConnectedStreams<K, T, U> {
    first: KeyedStream<K, T>,
    second: KeyedStream<K, U>,
}

impl<K: StateKey, T: Data, U: Data> KeyedConnectedStreams<K, T, U> {
    pub(super) fn new(first: KeyedStream<K, T>, second: KeyedStream<K, U>) -> Self {
        KeyedConnectedStreams { first, second }
    }

    /// The same streams for functions that await their state, as [`KeyedStream::enable_async_state`]. Flink's `enableAsyncState` of
    /// `ConnectedStreams`.
    pub fn enable_async_state(&self) -> AsyncKeyedConnectedStreams<K, T, U> {
        let (first, second) = (self.first.clone(), self.second.clone());
        AsyncKeyedConnectedStreams(KeyedConnectedStreams { first, second })
    }

    fn selectors(&self) -> (KeySelector<T, K>, KeySelector<U, K>) {
        (
            Arc::clone(&self.first.selector),
            Arc::clone(&self.second.selector),
        )
    }

    fn edges(&self) -> Vec<StreamEdge> {
        let mut inputs = self.first.edges(0);
        inputs.extend(self.second.edges(1));
        inputs
    }

    /// Runs a function that `factory` makes for each parallel instance.
    pub fn process<F>(
        &self,
        factory: impl Fn() -> F + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<F::Out>
    where
        F: KeyedCoProcessFunction<Key = K, In1 = T, In2 = U>,
    {
        let (first, second) = self.selectors();
        let make = move || KeyedCoProcessOperator::new(factory(), Arc::clone(&first), Arc::clone(&second));
        self.first
            .stream
            .env
            .add("Co-Keyed-Process", self.edges(), TwoInputNode::shared(make))
    }
}

/// [`KeyedConnectedStreams`] for functions that await their state: [`KeyedConnectedStreams::enable_async_state`].
pub struct AsyncKeyedConnectedStreams<K, T, U>(KeyedConnectedStreams<K, T, U>);

impl<K: StateKey, T: Data, U: Data> AsyncKeyedConnectedStreams<K, T, U> {
    /// Runs a function that `factory` makes for each parallel instance.
    pub fn process<F>(
        &self,
        factory: impl Fn() -> F + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<F::Out>
    where
        F: AsyncKeyedCoProcessFunction<Key = K, In1 = T, In2 = U>,
    {
        let selectors = self.0.selectors();
        let make = move || AsyncKeyedCoProcessOperator::of_two_inputs(factory(), selectors.clone());
        self.0
            .first
            .stream
            .env
            .add("Co-Keyed-Process", self.0.edges(), TwoInputNode::shared(make))
    }
}

/// A keyed stream and a broadcast one. Flink's `BroadcastConnectedStream`.
pub struct BroadcastConnectedStream<K, T, B> {
    keyed: KeyedStream<K, T>,
    broadcast: BroadcastStream<B>,
}

impl<K: StateKey, T: Data, B: Data> BroadcastConnectedStream<K, T, B> {
    pub(super) fn new(keyed: KeyedStream<K, T>, broadcast: BroadcastStream<B>) -> Self {
        BroadcastConnectedStream { keyed, broadcast }
    }

    /// Runs a function that `factory` makes for each parallel instance.
    pub fn process<F>(
        &self,
        factory: impl Fn() -> F + Send + Sync + 'static,
    ) -> SingleOutputStreamOperator<F::Out>
    where
        F: KeyedBroadcastProcessFunction<Key = K, In = T, Broadcast = B>,
    {
        let mut inputs = self.keyed.edges(0);
        inputs.extend(self.broadcast.edges(1, &PlainWriter::<B>::shared()));
        let selector = Arc::clone(&self.keyed.selector);
        let make = move || KeyedBroadcastOperator::new(factory(), Arc::clone(&selector));
        self.keyed
            .stream
            .env
            .add("Co-Process-Broadcast-Keyed", inputs, TwoInputNode::shared(make))
    }
}
