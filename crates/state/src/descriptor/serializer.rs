//! Where a descriptor's serializer comes from.

use millpond_core::{Error, Result};
use millpond_types::{SharedSerializer, StateType};
use std::any::type_name;
use std::fmt;

/// Where the serializer of a state comes from.
#[derive(Clone)]
pub enum SerializerSource<T> {
    /// Given: the type's own one, or one that the descriptor was made with.
    Given(SharedSerializer<T>),
    /// Whatever the job registered for the type.
    Registered,
}

impl<T: 'static> SerializerSource<T> {
    /// The type's own serializer.
    pub fn of_type() -> Self
    where
        T: StateType,
    {
        SerializerSource::Given(T::serializer())
    }

    /// The serializer, looked up by `registered` where the job has to have registered one.
    ///
    /// # Errors
    /// Config naming the type and the call that registers a serializer for it.
    pub fn resolve(
        &self,
        state: &str,
        registered: impl FnOnce() -> Option<SharedSerializer<T>>,
    ) -> Result<SharedSerializer<T>> {
        match self {
            SerializerSource::Given(s) => Ok(s.clone()),
            SerializerSource::Registered => registered().ok_or_else(|| {
                Error::config(
                    "open state",
                    "no serializer is registered for the type of the state",
                )
                .with("state", state)
                .with("type", type_name::<T>())
                .hint("call SerializerRegistry::register for the type before the job starts")
            }),
        }
    }
}

impl<T> fmt::Debug for SerializerSource<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SerializerSource::Given(s) => write!(f, "{s:?}"),
            SerializerSource::Registered => f.write_str("registered"),
        }
    }
}
