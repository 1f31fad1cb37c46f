//! The serializer contract: [`TypeSerializer`] (Flink's class of that name) and [`StateType`], which gives a Rust type
//! its default serializer (Flink's `TypeInformation`).

use crate::data::{DataInput, DataOutput};
use crate::snapshot::{Compatibility, SerializerSnapshot};
use millpond_core::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// A serializer that states, snapshots and backends share.
pub type SharedSerializer<T> = Arc<dyn TypeSerializer<T>>;

/// Writes values of `T` as Flink does, reads them back, and describes how it does so.
///
/// # Contract
/// - `deserialize` after `serialize` gives an equal value and consumes exactly the bytes that were written (trusted;
///   the property tests of each serializer check it).
/// - `deserialize` believes nothing: lengths are checked against what is left of the input before anything is allocated,
///   and no input makes it panic.
/// - `snapshot` describes the format completely enough that `resolve_compatibility` of a later version can judge it.
pub trait TypeSerializer<T>: fmt::Debug + Send + Sync + 'static {
    /// Appends `value` to `out`.
    ///
    /// # Errors
    /// When the value cannot be expressed in the format (a string longer than `i32::MAX`).
    fn serialize(&self, value: &T, out: &mut DataOutput) -> Result<()>;

    /// Reads one value from the front of `input`.
    ///
    /// # Errors
    /// [`millpond_core::ErrorKind::Corrupt`] when the bytes are not such a value.
    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<T>;

    /// The description that is stored beside the data.
    fn snapshot(&self) -> SerializerSnapshot;

    /// Whether data written under `old` can be read by this serializer. Flink's
    /// `TypeSerializerSnapshot#resolveSchemaCompatibility`.
    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility;

    /// Reads one value that was written by the serializer that `old` describes. Called only where
    /// `resolve_compatibility(old)` answered [`Compatibility::AfterMigration`].
    ///
    /// # Errors
    /// As [`TypeSerializer::deserialize`]; [`millpond_core::ErrorKind::Incompatible`] where no migration exists.
    fn deserialize_migrating(&self, old: &SerializerSnapshot, _input: &mut DataInput<'_>) -> Result<T> {
        Err(Error::incompatible(
            "migrate value",
            "the serializer has no migration from the stored format",
        )
        .with("stored", old)
        .with("serializer", format!("{self:?}")))
    }
}

/// A type with a default serializer.
///
/// Implemented here for Flink's basic types, options, tuples, lists and maps; for a struct or an enum by
/// `#[derive(StateType)]`. A type that has only serde goes through `SerdeSerializer`, named explicitly.
pub trait StateType: Clone + Send + Sync + Sized + 'static {
    /// The serializer that a descriptor uses when nobody names another.
    fn serializer() -> SharedSerializer<Self>;
}
