//! One operator of a stream graph as something that can be built, with its types hidden.
//!
//! Chains are built from their ends: whoever builds a node hands it the outputs behind it. Each output is a
//! `Box<dyn ChainOutput<T>>` for the node's own `T`, in an [`ErasedOutput`]; only the node, and the edge that made the output,
//! know `T`.

use crate::channel::{ChannelSender, Partitioner, RecordWriter};
use crate::graph::Exchange;
use crate::operator::{
    ChainLink, ChainOutput, FanOut, OneInputHead, OneInputOperator, TwoInputHead, TwoInputOperator,
};
use crate::task::TaskChain;
use millpond_api::Data;
use millpond_core::{Error, OperatorId, Result};
use millpond_types::StateKey;
use millpond_types::key_group::{key_group_for_hash, murmur_hash};
use std::any::{Any, type_name};
use std::marker::PhantomData;
use std::sync::Arc;

/// A `Box<dyn ChainOutput<T>>` for some `T`.
pub(crate) struct ErasedOutput(Box<dyn Any>);

impl ErasedOutput {
    pub(crate) fn new<T: 'static>(output: Box<dyn ChainOutput<T>>) -> Self {
        ErasedOutput(Box::new(output))
    }

    fn typed<T: 'static>(self) -> Result<Box<dyn ChainOutput<T>>> {
        self.0.downcast().map(|b| *b).map_err(|_| {
            Error::illegal_state(
                "build chain",
                "an operator was put before one that takes another type",
            )
            .with("expected", type_name::<T>())
        })
    }

    /// All of `outputs` as one.
    pub(crate) fn all<T: Clone + 'static>(outputs: Vec<ErasedOutput>) -> Result<Box<dyn ChainOutput<T>>> {
        let outputs = outputs
            .into_iter()
            .map(ErasedOutput::typed)
            .collect::<Result<_>>()?;
        Ok(FanOut::of(outputs))
    }
}

/// Builds the instances of one operator.
pub(crate) trait NodeFactory: Send + Sync {
    /// An instance chained before `outputs`, as what stands before it sees it.
    fn chain(&self, id: OperatorId, outputs: Vec<ErasedOutput>) -> Result<ErasedOutput>;
    /// An instance that begins a task.
    fn head(&self, id: OperatorId, outputs: Vec<ErasedOutput>) -> Result<Box<dyn TaskChain>>;
}

/// Builds an operator of one input.
pub(crate) struct OneInputNode<F> {
    make: F,
}

impl<F> OneInputNode<F> {
    pub(crate) fn shared<O>(make: F) -> Arc<dyn NodeFactory>
    where
        O: OneInputOperator,
        O::Out: Data,
        F: Fn() -> O + Send + Sync + 'static,
    {
        Arc::new(OneInputNode { make })
    }
}

impl<O, F> NodeFactory for OneInputNode<F>
where
    O: OneInputOperator,
    O::Out: Data,
    F: Fn() -> O + Send + Sync,
{
    fn chain(&self, id: OperatorId, outputs: Vec<ErasedOutput>) -> Result<ErasedOutput> {
        let link = ChainLink::new((self.make)(), id, ErasedOutput::all(outputs)?);
        Ok(ErasedOutput::new::<O::In>(Box::new(link)))
    }
    fn head(&self, id: OperatorId, outputs: Vec<ErasedOutput>) -> Result<Box<dyn TaskChain>> {
        let link = ChainLink::new((self.make)(), id, ErasedOutput::all(outputs)?);
        Ok(Box::new(OneInputHead::new(link)))
    }
}

/// Builds an operator of two inputs.
pub(crate) struct TwoInputNode<F> {
    make: F,
}

impl<F> TwoInputNode<F> {
    pub(crate) fn shared<O>(make: F) -> Arc<dyn NodeFactory>
    where
        O: TwoInputOperator,
        O::Out: Data,
        F: Fn() -> O + Send + Sync + 'static,
    {
        Arc::new(TwoInputNode { make })
    }
}

impl<O, F> NodeFactory for TwoInputNode<F>
where
    O: TwoInputOperator,
    O::Out: Data,
    F: Fn() -> O + Send + Sync,
{
    fn chain(&self, _id: OperatorId, _outputs: Vec<ErasedOutput>) -> Result<ErasedOutput> {
        Err(never_chained("an operator of two inputs"))
    }
    fn head(&self, id: OperatorId, outputs: Vec<ErasedOutput>) -> Result<Box<dyn TaskChain>> {
        let out = ErasedOutput::all(outputs)?;
        Ok(Box::new(TwoInputHead::new((self.make)(), id, out)))
    }
}

pub(crate) fn never_chained(what: &'static str) -> Error {
    Error::illegal_state("build chain", "it can only begin a task").with("operator", what)
}

/// Makes the writer of an edge.
pub(crate) trait WriterFactory: Send + Sync {
    /// A writer into `channels`; the target has so many key groups.
    fn create(
        &self,
        exchange: Exchange,
        channels: Vec<ChannelSender>,
        target_max_parallelism: u32,
    ) -> Result<ErasedOutput>;
}

/// Writes records that have no key.
pub(crate) struct PlainWriter<T>(PhantomData<fn(T)>);

impl<T: Data> PlainWriter<T> {
    pub(crate) fn shared() -> Arc<dyn WriterFactory> {
        Arc::new(PlainWriter::<T>(PhantomData))
    }
}

impl<T: Data> WriterFactory for PlainWriter<T> {
    fn create(
        &self,
        exchange: Exchange,
        channels: Vec<ChannelSender>,
        _target_max_parallelism: u32,
    ) -> Result<ErasedOutput> {
        let partitioner = match exchange {
            Exchange::Forward => Partitioner::Forward,
            Exchange::Rebalance => Partitioner::Rebalance,
            Exchange::Broadcast => Partitioner::broadcast(),
            Exchange::Hash => {
                return Err(Error::illegal_state(
                    "open channels",
                    "records without a key can't be hashed",
                ));
            }
        };
        Ok(ErasedOutput::new::<T>(Box::new(RecordWriter::new(
            channels,
            partitioner,
        )?)))
    }
}

/// Finds the key of a record. Flink's `KeySelector`.
pub(crate) type KeySelector<T, K> = Arc<dyn Fn(&T) -> K + Send + Sync>;

/// Writes records by the key groups of their keys. It knows the selector by its own type, so that finding a record's channel
/// takes one indirect call and not two.
pub(crate) struct KeyWriter<T, K, S> {
    selector: Arc<S>,
    types: PhantomData<fn(T) -> K>,
}

impl<T, K, S> KeyWriter<T, K, S>
where
    T: Data,
    K: StateKey,
    S: Fn(&T) -> K + Send + Sync + 'static,
{
    pub(crate) fn shared(selector: Arc<S>) -> Arc<dyn WriterFactory> {
        Arc::new(KeyWriter {
            selector,
            types: PhantomData,
        })
    }
}

impl<T, K, S> WriterFactory for KeyWriter<T, K, S>
where
    T: Data,
    K: StateKey,
    S: Fn(&T) -> K + Send + Sync + 'static,
{
    fn create(
        &self,
        _exchange: Exchange,
        channels: Vec<ChannelSender>,
        target_max_parallelism: u32,
    ) -> Result<ErasedOutput> {
        let selector = Arc::clone(&self.selector);
        let max = target_max_parallelism;
        let partitioner = if max.is_power_of_two() {
            // It nearly always is, and a division would cost more than the hash.
            Partitioner::hash(max, move |value: &T| {
                murmur_hash(selector(value).java_hash()) & (max - 1)
            })
        } else {
            Partitioner::hash(max, move |value: &T| {
                key_group_for_hash(selector(value).java_hash(), max)
            })
        };
        let writer = RecordWriter::new(channels, partitioner)?;
        Ok(ErasedOutput::new::<T>(Box::new(writer)))
    }
}
