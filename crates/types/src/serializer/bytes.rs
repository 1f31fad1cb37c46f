//! `Vec<u8>` as Java's `byte[]`: Flink's `BytePrimitiveArraySerializer`.
//!
//! `Vec<T>` is otherwise a Java list. The two don't clash because `u8` by itself has no serializer (Java has no
//! unsigned byte), so a `Vec<u8>` can mean only this. Like `byte[]` in Flink it cannot be a key: Java hashes arrays by
//! identity.

use super::{SharedSerializer, StateType, TypeSerializer, mismatch};
use crate::data::{DataInput, DataOutput};
use crate::snapshot::{Compatibility, SerializerSnapshot, class};
use millpond_core::{Error, Result};
use std::sync::Arc;

/// Flink's `BytePrimitiveArraySerializer`: the length as `i32`, then the bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BytesSerializer;

impl TypeSerializer<Vec<u8>> for BytesSerializer {
    #[inline]
    fn serialize(&self, value: &Vec<u8>, out: &mut DataOutput) -> Result<()> {
        super::write_count(value.len(), out)?;
        out.write_bytes(value);
        Ok(())
    }
    #[inline]
    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<Vec<u8>> {
        let offset = input.position();
        let len = input.read_i32()?;
        let len = usize::try_from(len).map_err(|_| {
            Error::corrupt("read bytes", "the length is negative")
                .with("length", len)
                .with("offset", offset)
        })?;
        Ok(input.read_bytes(len)?.to_vec())
    }
    fn snapshot(&self) -> SerializerSnapshot {
        SerializerSnapshot::simple(class::BYTES)
    }
    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        if old.class_name == class::BYTES {
            Compatibility::AsIs
        } else {
            mismatch(old, "Vec<u8>")
        }
    }
}

impl StateType for Vec<u8> {
    fn serializer() -> SharedSerializer<Self> {
        Arc::new(BytesSerializer)
    }
}
