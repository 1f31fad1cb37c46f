//! Types as Flink stores them: serializers, serializer snapshots and their compatibility, Java hash codes, key groups.
//!
//! A [`StateType`] has a [`TypeSerializer`], which writes its values in Flink's format and describes that format by a
//! [`SerializerSnapshot`]. The snapshot is stored beside the values; at restore the serializer of that day judges it
//! ([`Compatibility`]) and, where the type has changed, reads the values in their former layout.
//!
//! | Rust | Java | Flink's serializer |
//! |---|---|---|
//! | `bool`, `i8`, `i16`, `i32`, `i64`, `f32`, `f64` | `boolean`, `byte`, `short`, `int`, `long`, `float`, `double` | `BooleanSerializer` and so on |
//! | `u16`, `u32`, `u64` | none | none: refused by the name `millpond:u64` |
//! | `String` | `String` | `StringSerializer` |
//! | `Vec<u8>` | `byte[]` | `BytePrimitiveArraySerializer` |
//! | `()` | `Void` | `VoidSerializer` |
//! | [`VoidNamespace`] | `VoidNamespace` | `VoidNamespaceSerializer` |
//! | [`TimeWindow`], [`GlobalWindow`] | `TimeWindow`, `GlobalWindow` | `TimeWindow.Serializer`, `GlobalWindow.Serializer` |
//! | `Option<T>` | a reference that may be null | `NullableSerializer`; in a struct, the POJO's null flag |
//! | tuples of 1 to 8 | `Tuple1` to `Tuple8` | `TupleSerializer` |
//! | `Vec<T>` | `List<T>` | `ListSerializer` |
//! | `HashMap<K, V>`, `BTreeMap<K, V>` | `Map<K, V>` | `MapSerializer` |
//! | `HashSet<T>`, `BTreeSet<T>` | `Set<T>` | `SetSerializer` (Flink 2) |
//! | `Box<T>`, `Arc<T>` | as `T` | as `T` |
//! | `#[derive(StateType)]` struct | POJO | `PojoSerializer` |
//! | `#[derive(StateType)]` enum without data | enum | `EnumSerializer` |
//! | `#[derive(StateType)]` enum with data | none | none: refused by the name `millpond:enum` |
//! | [`SerdeSerializer`] | none | none: refused by the name `millpond:serde/…` |
//!
//! This layer knows bytes and types. It never knows state, files or threads.

pub mod data;
pub mod key;
pub mod key_group;
pub mod serializer;
pub mod snapshot;

/// What the code that the derives write calls. No part of the public interface.
#[doc(hidden)]
pub mod __derive {
    pub use crate::data::{DataInput, DataOutput};
    pub use crate::key::{JavaHash, hash_next};
    pub use crate::serializer::fields::{DefaultProbe, FieldCheck, NoDefault, stored_or_default};
    pub use crate::serializer::serde::SerdeSerializer;
    pub use crate::serializer::tagged::VariantCheck;
    pub use crate::serializer::{SharedSerializer, StateType, TypeSerializer, enums, pojo, string, tagged};
    pub use crate::snapshot::{Compatibility, SerializerSnapshot};
    pub use millpond_core::Result;
}

pub use data::{DataInput, DataOutput};
pub use key::{JavaHash, StateKey};
pub use key_group::KeyGroupRange;
pub use millpond_core::{Error, ErrorKind, Result};
pub use millpond_derive::{JavaHash, StateType};
pub use serializer::serde::SerdeSerializer;
pub use serializer::void::VoidNamespace;
pub use serializer::window::{GlobalWindow, TimeWindow};
pub use serializer::{SerializerRegistry, SharedSerializer, StateType, TypeSerializer};
pub use snapshot::{Compatibility, SerializerSnapshot, SnapshotBody};
