//! Types as Flink stores them: serializers, serializer snapshots and their compatibility, Java hash codes, key groups.
//!
//! This layer knows bytes and types. It never knows state, files or threads.

pub mod data;
pub mod key;
pub mod key_group;
pub mod serializer;
pub mod snapshot;

pub use data::{DataInput, DataOutput};
pub use key::{JavaHash, StateKey};
pub use key_group::KeyGroupRange;
pub use millpond_core::{Error, ErrorKind, Result};
pub use serializer::void::VoidNamespace;
pub use serializer::{SharedSerializer, StateType, TypeSerializer};
pub use snapshot::{Compatibility, SerializerSnapshot, SnapshotBody};
