//! The descriptor of an aggregating state, and the function that it aggregates with.

use super::{SerializerSource, StateData};
use crate::ttl::StateTtlConfig;
use millpond_types::{SharedSerializer, StateType};
use std::fmt;

/// Aggregates values through an accumulator. Flink's `AggregateFunction`.
///
/// # Contract
/// `merge` of two accumulators gives what adding the values of both to one would have given (trusted; session windows
/// rely on it).
pub trait AggregateFunction: 'static {
    /// What is added.
    type In;
    /// What the state stores.
    type Acc: StateData;
    /// What is read.
    type Out;
    /// An accumulator with nothing added.
    fn create_accumulator(&self) -> Self::Acc;
    /// Adds a value.
    fn add(&self, value: Self::In, accumulator: &mut Self::Acc);
    /// What the accumulator amounts to.
    fn get_result(&self, accumulator: &Self::Acc) -> Self::Out;
    /// Adds everything that was added to `other`.
    fn merge(&self, accumulator: &mut Self::Acc, other: Self::Acc);
}

/// Describes a [`crate::keyed::AggregatingState`]. Flink's `AggregatingStateDescriptor`.
#[derive(Clone)]
pub struct AggregatingStateDescriptor<F: AggregateFunction> {
    pub(crate) name: String,
    pub(crate) serializer: SerializerSource<F::Acc>,
    pub(crate) function: F,
    pub(crate) ttl: StateTtlConfig,
}

impl<F: AggregateFunction> AggregatingStateDescriptor<F> {
    /// A state whose accumulators are written as their type says.
    pub fn new(name: impl Into<String>, function: F) -> Self
    where
        F::Acc: StateType,
    {
        Self::from_source(name, function, SerializerSource::of_type())
    }
    /// A state whose accumulators are written by `serializer`.
    pub fn with_serializer(
        name: impl Into<String>,
        function: F,
        serializer: SharedSerializer<F::Acc>,
    ) -> Self {
        Self::from_source(name, function, SerializerSource::Given(serializer))
    }
    /// A state whose accumulators are written by the serializer that the job registered for their type.
    pub fn registered(name: impl Into<String>, function: F) -> Self {
        Self::from_source(name, function, SerializerSource::Registered)
    }
    fn from_source(name: impl Into<String>, function: F, serializer: SerializerSource<F::Acc>) -> Self {
        AggregatingStateDescriptor {
            name: name.into(),
            serializer,
            function,
            ttl: StateTtlConfig::DISABLED,
        }
    }
    /// Gives each accumulator a time to live. Default: none.
    #[must_use]
    pub fn enable_time_to_live(mut self, config: StateTtlConfig) -> Self {
        self.ttl = config;
        self
    }
    /// The state's name, unique within its operator.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<F: AggregateFunction> fmt::Debug for AggregatingStateDescriptor<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "AggregatingStateDescriptor({}, {:?})",
            self.name, self.serializer
        )
    }
}
