//! The descriptor of a reducing state, and the function that it reduces with.

use super::{SerializerSource, StateData};
use crate::ttl::StateTtlConfig;
use millpond_types::{SharedSerializer, StateType};
use std::fmt;

/// Adds a value to what was reduced so far. Flink's `ReduceFunction`; every `Fn(&mut T, T)` is one.
pub trait ReduceFunction<T>: 'static {
    /// Adds `value` to `reduced`.
    fn reduce(&self, reduced: &mut T, value: T);
}

impl<T, F: Fn(&mut T, T) + 'static> ReduceFunction<T> for F {
    #[inline]
    fn reduce(&self, reduced: &mut T, value: T) {
        self(reduced, value);
    }
}

/// Describes a [`crate::keyed::ReducingState`]. Flink's `ReducingStateDescriptor`.
///
/// ```
/// use millpond_state::descriptor::ReducingStateDescriptor;
/// let sum = ReducingStateDescriptor::new("sum", |sum: &mut i64, x: i64| *sum += x);
/// assert_eq!(sum.name(), "sum");
/// ```
#[derive(Clone)]
pub struct ReducingStateDescriptor<T, R> {
    pub(crate) name: String,
    pub(crate) serializer: SerializerSource<T>,
    pub(crate) reduce: R,
    pub(crate) ttl: StateTtlConfig,
}

impl<T: StateData, R: ReduceFunction<T>> ReducingStateDescriptor<T, R> {
    /// A state whose values are written as their type says.
    pub fn new(name: impl Into<String>, reduce: R) -> Self
    where
        T: StateType,
    {
        Self::from_source(name, reduce, SerializerSource::of_type())
    }
    /// A state whose values are written by `serializer`.
    pub fn with_serializer(name: impl Into<String>, reduce: R, serializer: SharedSerializer<T>) -> Self {
        Self::from_source(name, reduce, SerializerSource::Given(serializer))
    }
    /// A state whose values are written by the serializer that the job registered for their type.
    pub fn registered(name: impl Into<String>, reduce: R) -> Self {
        Self::from_source(name, reduce, SerializerSource::Registered)
    }
    fn from_source(name: impl Into<String>, reduce: R, serializer: SerializerSource<T>) -> Self {
        ReducingStateDescriptor {
            name: name.into(),
            serializer,
            reduce,
            ttl: StateTtlConfig::DISABLED,
        }
    }
    /// Gives each reduced value a time to live. Default: none.
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

impl<T, R> fmt::Debug for ReducingStateDescriptor<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReducingStateDescriptor({}, {:?})", self.name, self.serializer)
    }
}
