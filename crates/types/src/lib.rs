//! Types as Flink stores them: serializers, serializer snapshots and their compatibility, Java hash codes, key groups.
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
pub use serializer::{SerializerRegistry, SharedSerializer, StateType, TypeSerializer};
pub use snapshot::{Compatibility, SerializerSnapshot, SnapshotBody};
