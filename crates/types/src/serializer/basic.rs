//! Numbers and booleans: Flink's `LongSerializer` and its siblings, big-endian and of fixed width.
//!
//! Also the unsigned integers, which Java lacks; their snapshots carry names of Millpond's own, so that Flink refuses
//! them by name. There is deliberately no serializer for `u8`: `Vec<u8>` is Flink's `byte[]` (see
//! [`bytes`](super::bytes)), never a list of small numbers.
//!
//! A stored narrower number is read by a wider serializer of the same kind after migration (`i32` as `i64`).

use super::{SharedSerializer, StateType, TypeSerializer, mismatch};
use crate::data::{DataInput, DataOutput};
use crate::snapshot::{Compatibility, SerializerSnapshot, class};
use millpond_core::{Error, Result};
use std::sync::Arc;

macro_rules! numbers {
    ($($(#[doc = $doc:expr])* $name:ident $t:ty, $class:path, $write:ident, $read:ident, widens [$($old:path => $old_read:ident),*];)*) => {$(
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name;

        impl TypeSerializer<$t> for $name {
            #[inline]
            fn serialize(&self, value: &$t, out: &mut DataOutput) -> Result<()> {
                out.$write(*value);
                Ok(())
            }
            #[inline]
            fn deserialize(&self, input: &mut DataInput<'_>) -> Result<$t> {
                input.$read()
            }
            fn snapshot(&self) -> SerializerSnapshot {
                SerializerSnapshot::simple($class)
            }
            fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
                match old.class_name.as_str() {
                    $class => Compatibility::AsIs,
                    $($old => Compatibility::AfterMigration,)*
                    _ => mismatch(old, stringify!($t)),
                }
            }
            fn deserialize_migrating(&self, old: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<$t> {
                match old.class_name.as_str() {
                    $class => input.$read(),
                    $($old => Ok(<$t>::from(input.$old_read()?)),)*
                    _ => Err(no_migration(old, stringify!($t))),
                }
            }
        }

        impl StateType for $t {
            fn serializer() -> SharedSerializer<Self> {
                Arc::new($name)
            }
        }
    )*};
}

numbers! {
    /// Flink's `BooleanSerializer`: one byte.
    BooleanSerializer bool, class::BOOLEAN, write_bool, read_bool, widens [];
    /// Flink's `ByteSerializer`: Java's signed `byte`.
    ByteSerializer i8, class::BYTE, write_i8, read_i8, widens [];
    /// Flink's `ShortSerializer`.
    ShortSerializer i16, class::SHORT, write_i16, read_i16, widens [class::BYTE => read_i8];
    /// Flink's `IntSerializer`.
    IntSerializer i32, class::INT, write_i32, read_i32, widens [class::BYTE => read_i8, class::SHORT => read_i16];
    /// Flink's `LongSerializer`.
    LongSerializer i64, class::LONG, write_i64, read_i64,
        widens [class::BYTE => read_i8, class::SHORT => read_i16, class::INT => read_i32];
    /// Flink's `FloatSerializer`: the IEEE 754 bits.
    FloatSerializer f32, class::FLOAT, write_f32, read_f32, widens [];
    /// Flink's `DoubleSerializer`: the IEEE 754 bits.
    DoubleSerializer f64, class::DOUBLE, write_f64, read_f64, widens [class::FLOAT => read_f32];
    /// Unsigned 16-bit numbers; Millpond's own, Flink has none.
    U16Serializer u16, class::U16, write_u16, read_u16, widens [];
    /// Unsigned 32-bit numbers; Millpond's own, Flink has none.
    U32Serializer u32, class::U32, write_u32, read_u32, widens [class::U16 => read_u16];
    /// Unsigned 64-bit numbers; Millpond's own, Flink has none.
    U64Serializer u64, class::U64, write_u64, read_u64, widens [class::U16 => read_u16, class::U32 => read_u32];
}

fn no_migration(old: &SerializerSnapshot, wanted: &'static str) -> Error {
    Error::incompatible("migrate value", "a number cannot be read from the stored format")
        .with("stored", old)
        .with("wanted", wanted)
}
