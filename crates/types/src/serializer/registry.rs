//! Serializers that a job registers for its types, as Flink's `SerializerConfig` holds them.

use super::serde::SerdeSerializer;
use super::{SharedSerializer, StateType, TypeSerializer};
use ::serde::Serialize;
use ::serde::de::DeserializeOwned;
use millpond_core::hash::HashMap;
use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, LazyLock};

/// A job's own serializers, one for each type that has one.
///
/// A registered serializer comes before the type's default one. It stands for values of exactly this type; a field or an
/// element of it inside another type keeps the serializer that the other type gave it.
///
/// ```
/// use millpond_types::serializer::SerializerRegistry;
/// use std::net::IpAddr;
///
/// let mut registry = SerializerRegistry::default();
/// assert!(registry.get::<IpAddr>().is_none(), "serde is never used silently");
/// registry.register_serde::<IpAddr>();
/// assert!(registry.get::<IpAddr>().is_some());
/// ```
#[derive(Clone, Default)]
pub struct SerializerRegistry {
    by_type: HashMap<TypeId, Entry>,
}

#[derive(Clone)]
struct Entry {
    type_name: &'static str,
    /// A `SharedSerializer<T>` of the type that the entry is under.
    serializer: Arc<dyn Any + Send + Sync>,
}

impl SerializerRegistry {
    /// Makes `serializer` the one for `T`; an earlier one is replaced.
    pub fn register<T: 'static>(&mut self, serializer: Arc<dyn TypeSerializer<T>>) {
        let entry = Entry {
            type_name: std::any::type_name::<T>(),
            serializer: Arc::new(serializer),
        };
        self.by_type.insert(TypeId::of::<T>(), entry);
    }

    /// Makes [`SerdeSerializer`] the one for `T`.
    pub fn register_serde<T: Serialize + DeserializeOwned + 'static>(&mut self) {
        self.register::<T>(SerdeSerializer::<T>::shared());
    }

    /// The serializer that was registered for `T`.
    pub fn get<T: 'static>(&self) -> Option<SharedSerializer<T>> {
        self.by_type
            .get(&TypeId::of::<T>())?
            .serializer
            .downcast_ref::<SharedSerializer<T>>()
            .cloned()
    }

    /// Makes the type's default serializer the one for `T`, where only the name of a type is known: records on their way
    /// between operators are stored by it.
    pub fn register_type<T: StateType>(&mut self) {
        self.register::<T>(T::serializer());
    }

    /// The serializer that was registered for `T`; for a basic type (a number, a `bool`, a `String`, bytes) else its own.
    pub fn get_or_basic<T: 'static>(&self) -> Option<SharedSerializer<T>> {
        self.get().or_else(|| BASIC.get())
    }

    /// The serializer that was registered for `T`, else `T`'s own.
    pub fn get_or_default<T: StateType>(&self) -> SharedSerializer<T> {
        self.get().unwrap_or_else(T::serializer)
    }
}

/// The types that need no registration.
static BASIC: LazyLock<SerializerRegistry> = LazyLock::new(|| {
    let mut basic = SerializerRegistry::default();
    basic.register_type::<bool>();
    basic.register_type::<i8>();
    basic.register_type::<i16>();
    basic.register_type::<i32>();
    basic.register_type::<i64>();
    basic.register_type::<f32>();
    basic.register_type::<f64>();
    basic.register_type::<String>();
    basic.register_type::<Vec<u8>>();
    basic
});

impl fmt::Debug for SerializerRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.by_type.values().map(|e| e.type_name).collect();
        names.sort_unstable();
        f.debug_tuple("SerializerRegistry").field(&names).finish()
    }
}
