//! The descriptor of a value state.

use super::{SerializerSource, StateData};
use crate::ttl::StateTtlConfig;
use millpond_types::{SharedSerializer, StateType};

/// Describes a [`crate::keyed::ValueState`]. Flink's `ValueStateDescriptor`.
///
/// ```
/// use millpond_state::descriptor::ValueStateDescriptor;
/// let count = ValueStateDescriptor::<i64>::new("count").default_value(0);
/// assert_eq!(count.name(), "count");
/// ```
#[derive(Clone, Debug)]
pub struct ValueStateDescriptor<V> {
    pub(crate) name: String,
    pub(crate) serializer: SerializerSource<V>,
    pub(crate) default_value: Option<V>,
    pub(crate) ttl: StateTtlConfig,
}

impl<V: StateData> ValueStateDescriptor<V> {
    /// A state whose values are written as their type says.
    pub fn new(name: impl Into<String>) -> Self
    where
        V: StateType,
    {
        Self::from_source(name, SerializerSource::of_type())
    }
    /// A state whose values are written by `serializer`.
    pub fn with_serializer(name: impl Into<String>, serializer: SharedSerializer<V>) -> Self {
        Self::from_source(name, SerializerSource::Given(serializer))
    }
    /// A state whose values are written by the serializer that the job registered for their type.
    pub fn registered(name: impl Into<String>) -> Self {
        Self::from_source(name, SerializerSource::Registered)
    }
    fn from_source(name: impl Into<String>, serializer: SerializerSource<V>) -> Self {
        ValueStateDescriptor {
            name: name.into(),
            serializer,
            default_value: None,
            ttl: StateTtlConfig::DISABLED,
        }
    }
    /// What `value` answers for a key that has none. Without a default, `value` is an error there.
    #[must_use]
    pub fn default_value(mut self, value: V) -> Self {
        self.default_value = Some(value);
        self
    }
    /// Gives each value a time to live. Default: none.
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
