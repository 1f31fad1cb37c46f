//! The descriptor of a map state.

use super::{SerializerSource, StateData};
use crate::ttl::StateTtlConfig;
use millpond_types::{SharedSerializer, StateType};
use std::hash::Hash;

/// Describes a [`crate::keyed::MapState`]. Flink's `MapStateDescriptor`.
#[derive(Clone, Debug)]
pub struct MapStateDescriptor<UK, UV> {
    pub(crate) name: String,
    pub(crate) key: SerializerSource<UK>,
    pub(crate) value: SerializerSource<UV>,
    pub(crate) ttl: StateTtlConfig,
}

impl<UK: StateData + Hash + Eq, UV: StateData> MapStateDescriptor<UK, UV> {
    /// A state whose user keys and values are written as their types say.
    pub fn new(name: impl Into<String>) -> Self
    where
        UK: StateType,
        UV: StateType,
    {
        Self::from_sources(name, SerializerSource::of_type(), SerializerSource::of_type())
    }
    /// A state whose user keys and values are written by `key` and `value`.
    pub fn with_serializer(
        name: impl Into<String>,
        key: SharedSerializer<UK>,
        value: SharedSerializer<UV>,
    ) -> Self {
        Self::from_sources(name, SerializerSource::Given(key), SerializerSource::Given(value))
    }
    /// A state whose user keys are written as their type says, and whose values by the serializer that the job
    /// registered for theirs.
    pub fn registered(name: impl Into<String>) -> Self
    where
        UK: StateType,
    {
        Self::from_sources(name, SerializerSource::of_type(), SerializerSource::Registered)
    }
    fn from_sources(name: impl Into<String>, key: SerializerSource<UK>, value: SerializerSource<UV>) -> Self {
        MapStateDescriptor {
            name: name.into(),
            key,
            value,
            ttl: StateTtlConfig::DISABLED,
        }
    }
    /// Gives each entry a time to live. Default: none.
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
