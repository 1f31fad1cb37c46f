//! One operator of a stream graph as something that can be built, with its types hidden.
//!
//! Chains are built from their ends: whoever builds a node hands it the outputs behind it. Each output is a
//! `Box<dyn ChainOutput<T>>` for the node's own `T`, in an [`ErasedOutput`]; only the node, and the edge that made the output,
//! know `T`.

use crate::channel::{KeyGroupFunction, Partitioner, RecordWriter};
use crate::graph::side_output::{SideLink, with_sides};
use crate::graph::{Exchange, TaskOutput};
use crate::in_flight::{RecordCodec, StreamElementCodec};
use crate::operator::{
    ChainLink, ChainOutput, FanOut, OneInputHead, OneInputOperator, TwoInputHead, TwoInputOperator,
};
use crate::task::TaskChain;
use millpond_api::{Data, SideOutputs};
use millpond_core::{Error, OperatorId, Result};
use millpond_types::key_group::{key_group_for_hash, murmur_hash};
use millpond_types::{SerializerRegistry, StateKey};
use std::any::{Any, type_name};
use std::marker::PhantomData;
use std::sync::Arc;

/// A `Box<dyn ChainOutput<T>>` for some `T`.
pub(crate) enum ErasedOutput {
    /// What takes the operator's results.
    Main(Box<dyn Any>),
    /// What takes the records of one of its side outputs.
    Side(SideLink),
}

impl ErasedOutput {
    pub(crate) fn new<T: 'static>(output: Box<dyn ChainOutput<T>>) -> Self {
        ErasedOutput::Main(Box::new(output))
    }

    pub(super) fn typed<T: 'static>(self) -> Result<Box<dyn ChainOutput<T>>> {
        let output = match self {
            ErasedOutput::Main(output) => output,
            ErasedOutput::Side(_) => Box::new(()),
        };
        output.downcast().map(|b| *b).map_err(|_| {
            Error::illegal_state(
                "build chain",
                "an operator was put before one that takes another type",
            )
            .with("expected", type_name::<T>())
        })
    }

    /// All of `outputs` as one, to be owned by the chain, and the side outputs, to be emitted to by the operator.
    pub(crate) fn all<T: Clone + 'static>(
        outputs: Vec<ErasedOutput>,
    ) -> Result<(Box<dyn ChainOutput<T>>, SideOutputs)> {
        let (mut main, mut chains, mut sides) = (Vec::new(), Vec::new(), Vec::new());
        for output in outputs {
            match output {
                ErasedOutput::Side(SideLink { chain, output }) => {
                    chains.push(chain);
                    sides.push(output);
                }
                main_output => main.push(main_output.typed()?),
            }
        }
        Ok((with_sides(FanOut::of(main), chains), SideOutputs::new(sides)))
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

impl<F> OneInputNode<F> {
    fn link<O>(&self, id: OperatorId, outputs: Vec<ErasedOutput>) -> Result<ChainLink<O>>
    where
        O: OneInputOperator,
        O::Out: Data,
        F: Fn() -> O,
    {
        let (out, sides) = ErasedOutput::all(outputs)?;
        let mut operator = (self.make)();
        operator.set_side_outputs(sides);
        Ok(ChainLink::new(operator, id, out))
    }
}

impl<O, F> NodeFactory for OneInputNode<F>
where
    O: OneInputOperator,
    O::Out: Data,
    F: Fn() -> O + Send + Sync,
{
    fn chain(&self, id: OperatorId, outputs: Vec<ErasedOutput>) -> Result<ErasedOutput> {
        let link = self.link(id, outputs)?;
        Ok(ErasedOutput::new::<O::In>(Box::new(link)))
    }
    fn head(&self, id: OperatorId, outputs: Vec<ErasedOutput>) -> Result<Box<dyn TaskChain>> {
        let link = self.link(id, outputs)?;
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
        let (out, sides) = ErasedOutput::all(outputs)?;
        let mut operator = (self.make)();
        operator.set_side_outputs(sides);
        Ok(Box::new(TwoInputHead::new(operator, id, out)))
    }
}

pub(crate) fn never_chained(what: &'static str) -> Error {
    Error::illegal_state("build chain", "it can only begin a task").with("operator", what)
}

/// Makes the writer of an edge.
pub(crate) trait WriterFactory: Send + Sync {
    /// A writer into `output`.
    fn create(&self, exchange: Exchange, output: TaskOutput) -> Result<ErasedOutput>;
    /// The name of the records' type, for people.
    fn record_type(&self) -> &'static str;
    /// Writes the records into checkpoints; the target has so many key groups. `None`: their type has no serializer in
    /// `serializers`.
    fn codec(
        &self,
        serializers: &SerializerRegistry,
        target_max_parallelism: u32,
    ) -> Option<Arc<dyn RecordCodec>>;
}

/// Writes records that have no key.
pub(crate) struct PlainWriter<T>(PhantomData<fn(T)>);

impl<T: Data> PlainWriter<T> {
    pub(crate) fn shared() -> Arc<dyn WriterFactory> {
        Arc::new(PlainWriter::<T>(PhantomData))
    }
}

impl<T: Data> WriterFactory for PlainWriter<T> {
    fn create(&self, exchange: Exchange, output: TaskOutput) -> Result<ErasedOutput> {
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
            output.channels,
            partitioner,
        )?)))
    }
    fn record_type(&self) -> &'static str {
        type_name::<T>()
    }
    fn codec(&self, serializers: &SerializerRegistry, _max: u32) -> Option<Arc<dyn RecordCodec>> {
        Some(Arc::new(StreamElementCodec::<T>::new(
            serializers.get_or_basic()?,
            None,
        )))
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

    /// Gives the key group of a record, of `max` ones.
    fn key_group(&self, max: u32) -> KeyGroupFunction<T> {
        let selector = Arc::clone(&self.selector);
        if max.is_power_of_two() {
            // It nearly always is, and a division would cost more than the hash.
            Arc::new(move |value: &T| murmur_hash(selector(value).java_hash()) & (max - 1))
        } else {
            Arc::new(move |value: &T| key_group_for_hash(selector(value).java_hash(), max))
        }
    }
}

impl<T, K, S> WriterFactory for KeyWriter<T, K, S>
where
    T: Data,
    K: StateKey,
    S: Fn(&T) -> K + Send + Sync + 'static,
{
    fn create(&self, _exchange: Exchange, output: TaskOutput) -> Result<ErasedOutput> {
        let partitioner = Partitioner::Hash {
            key_group: self.key_group(output.max_parallelism),
            max_parallelism: output.max_parallelism,
        };
        let writer = RecordWriter::new(output.channels, partitioner)?;
        Ok(ErasedOutput::new::<T>(Box::new(writer)))
    }
    fn record_type(&self) -> &'static str {
        type_name::<T>()
    }
    fn codec(&self, serializers: &SerializerRegistry, max: u32) -> Option<Arc<dyn RecordCodec>> {
        Some(Arc::new(StreamElementCodec::<T>::new(
            serializers.get_or_basic()?,
            Some(self.key_group(max)),
        )))
    }
}
