//! The serializer contract: [`TypeSerializer`] (Flink's class of that name) and [`StateType`], which gives a Rust type
//! its default serializer (Flink's `TypeInformation`).

/// `Clone` and `Debug` of a serializer that is made of shared ones. The derives would ask them of the values' types.
macro_rules! clone_and_debug {
    ($name:ident<$($T:ident),+> { $($field:ident),+ }) => {
        impl<$($T: 'static),+> Clone for $name<$($T),+> {
            fn clone(&self) -> Self {
                $name { $($field: self.$field.clone()),+ }
            }
        }
        impl<$($T: 'static),+> std::fmt::Debug for $name<$($T),+> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name))$(.field(stringify!($field), &self.$field))+.finish()
            }
        }
    };
}
use clone_and_debug;

pub mod basic;
pub mod bytes;
pub mod enums;
pub mod fields;
pub mod list;
pub mod map;
pub mod option;
pub mod pointer;
pub mod pojo;
mod registry;
pub mod serde;
pub mod set;
pub mod string;
pub mod tagged;
pub mod tuple;
pub mod void;
pub mod window;

pub use registry::SerializerRegistry;

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
/// - Every value takes one byte at least (Flink's serializers make the same promise): a list believes a count only when
///   as many bytes follow.
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
/// Implemented here for Flink's basic types, options, tuples, lists, sets, maps and pointers (the table in the
/// [crate's documentation](crate) says how each is stored); for a struct or an enum by `#[derive(StateType)]`. A type
/// that has only serde goes through [`SerdeSerializer`](crate::SerdeSerializer), named explicitly.
///
/// ```
/// use millpond_types::{DataInput, DataOutput, StateType};
///
/// #[derive(Clone, Debug, PartialEq, StateType)]
/// #[state_type(java = "com.example.Visit", rename_all = "camelCase")]
/// struct Visit {
///     user_id: i64,
///     page: Option<String>,
/// }
///
/// let serializer = Visit::serializer();
/// let visit = Visit { user_id: 7, page: None };
/// let mut out = DataOutput::new();
/// serializer.serialize(&visit, &mut out)?;
/// // An object; its `page` is null; its `userId` is not, and is 7.
/// assert_eq!(out.as_slice(), [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
/// assert_eq!(serializer.deserialize(&mut DataInput::new(out.as_slice()))?, visit);
/// # Ok::<(), millpond_types::Error>(())
/// ```
///
/// Java has no unsigned byte, so `u8` has no serializer (but `Vec<u8>`, Java's `byte[]`, has):
/// ```compile_fail,E0277
/// # use millpond_types::StateType;
/// #[derive(Clone, StateType)]
/// struct Pixel {
///     red: u8,
/// }
/// ```
///
/// A type that contains itself has no snapshot that ends:
/// ```compile_fail
/// # use millpond_types::StateType;
/// #[derive(Clone, StateType)]
/// struct Node {
///     children: Vec<Node>,
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no serializer for state",
    note = "derive `StateType` for a struct or enum of your own",
    note = "store a type that only has serde with `SerdeSerializer`, or as a field with `#[state_type(serde)]`"
)]
pub trait StateType: Clone + Send + Sync + Sized + 'static {
    /// The serializer that a descriptor uses when nobody names another.
    fn serializer() -> SharedSerializer<Self>;
}

/// Reads one value that was written under `old`, whichever way `serializer` can.
///
/// # Errors
/// As [`TypeSerializer::deserialize`]; Incompatible, with the serializer's reason, where it cannot.
pub fn read_as<T: 'static>(
    serializer: &dyn TypeSerializer<T>,
    old: &SerializerSnapshot,
    input: &mut DataInput<'_>,
) -> Result<T> {
    match serializer.resolve_compatibility(old) {
        Compatibility::AsIs => serializer.deserialize(input),
        Compatibility::AfterMigration => serializer.deserialize_migrating(old, input),
        Compatibility::Incompatible(reason) => {
            Err(Error::incompatible("migrate value", reason).with("stored", old))
        }
    }
}

/// The answer for a stored format that has nothing in common with the wanted type.
pub(crate) fn mismatch(old: &SerializerSnapshot, wanted: impl fmt::Display) -> Compatibility {
    Compatibility::Incompatible(format!("stored as {old}, wanted as {wanted}"))
}

/// The parts of a composite snapshot of this class; none when it is of another class or has another number of parts.
pub(crate) fn parts<'a, const N: usize>(
    old: &'a SerializerSnapshot,
    class_name: &str,
) -> Option<&'a [SerializerSnapshot; N]> {
    (old.class_name == class_name)
        .then_some(old.nested.as_slice())
        .and_then(|n| n.try_into().ok())
}

/// As [`parts`], for a reader that was told to migrate from `old`.
pub(crate) fn parts_to_migrate<'a, const N: usize>(
    old: &'a SerializerSnapshot,
    class_name: &str,
) -> Result<&'a [SerializerSnapshot; N]> {
    parts(old, class_name).ok_or_else(|| {
        Error::incompatible("migrate value", "the stored format is of another kind")
            .with("stored", old)
            .with("wanted", class_name)
    })
}

/// Appends how many elements follow, as Java's `int`.
///
/// # Errors
/// Incompatible when Java cannot count so far.
#[inline]
pub(crate) fn write_count(len: usize, out: &mut DataOutput) -> Result<()> {
    let count = i32::try_from(len).map_err(|e| {
        Error::incompatible("write value", "more elements than Java can count")
            .with("count", len)
            .source(e)
    })?;
    out.write_i32(count);
    Ok(())
}

/// How many elements of `T` to make room for when `count` are announced: never more memory than the input is long,
/// since what is announced may be a lie.
#[inline]
pub(crate) fn capacity_for<T>(count: usize, input: &DataInput<'_>) -> usize {
    count.min(input.remaining() / size_of::<T>().max(1))
}
