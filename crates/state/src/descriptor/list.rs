//! The descriptor of a list state.

use super::{SerializerSource, StateData};
use crate::ttl::StateTtlConfig;
use millpond_types::{SharedSerializer, StateType};

/// Describes a [`crate::keyed::ListState`]. Flink's `ListStateDescriptor`.
#[derive(Clone, Debug)]
pub struct ListStateDescriptor<T> {
    pub(crate) name: String,
    pub(crate) element: SerializerSource<T>,
    pub(crate) ttl: StateTtlConfig,
}

impl<T: StateData> ListStateDescriptor<T> {
    /// A state whose elements are written as their type says.
    pub fn new(name: impl Into<String>) -> Self
    where
        T: StateType,
    {
        Self::from_source(name, SerializerSource::of_type())
    }
    /// A state whose elements are written by `element`.
    pub fn with_serializer(name: impl Into<String>, element: SharedSerializer<T>) -> Self {
        Self::from_source(name, SerializerSource::Given(element))
    }
    /// A state whose elements are written by the serializer that the job registered for their type.
    pub fn registered(name: impl Into<String>) -> Self {
        Self::from_source(name, SerializerSource::Registered)
    }
    fn from_source(name: impl Into<String>, element: SerializerSource<T>) -> Self {
        ListStateDescriptor {
            name: name.into(),
            element,
            ttl: StateTtlConfig::DISABLED,
        }
    }
    /// Gives each element a time to live. Default: none.
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
