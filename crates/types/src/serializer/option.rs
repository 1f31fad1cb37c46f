//! `Option<T>` as Java's `null`: Flink's `NullableSerializer` without padding.
//!
//! It is the only one of Flink's two wrappers that Java jobs meet (`OptionSerializer` belongs to the Scala API, which
//! Flink 2 no longer has). In a struct no wrapper is needed, because a POJO has a null flag for each field: there the
//! derive writes `Option<T>` as the nullable field of `T`'s type.

use super::{SharedSerializer, StateType, TypeSerializer, parts, read_as};
use crate::data::{DataInput, DataOutput};
use crate::snapshot::{Compatibility, SerializerSnapshot, SnapshotBody, class};
use millpond_core::{Error, Result};
use std::sync::Arc;

/// Flink's `NullableSerializer`: a flag that is 1 for `None`, then the value.
pub struct OptionSerializer<T: 'static> {
    inner: SharedSerializer<T>,
}
super::clone_and_debug!(OptionSerializer<T> { inner });

const OUTER_VERSION: i32 = 2;

impl<T: 'static> OptionSerializer<T> {
    /// Options of what `inner` writes.
    pub fn new(inner: SharedSerializer<T>) -> Self {
        OptionSerializer { inner }
    }
}

/// How many bytes follow the flag of an absent value in a format that pads them. Ours is 0.
pub(crate) fn padding(old: &SerializerSnapshot) -> Result<usize> {
    let bytes = match &old.body {
        SnapshotBody::Composite { outer, .. } => outer.as_slice().try_into().ok(),
        _ => None,
    };
    bytes
        .and_then(|b| usize::try_from(i32::from_be_bytes(b)).ok())
        .ok_or_else(|| {
            Error::incompatible("read option", "the stored padding is not a length").with("stored", old)
        })
}

impl<T: 'static> TypeSerializer<Option<T>> for OptionSerializer<T> {
    fn serialize(&self, value: &Option<T>, out: &mut DataOutput) -> Result<()> {
        out.write_bool(value.is_none());
        match value {
            Some(value) => self.inner.serialize(value, out),
            None => Ok(()),
        }
    }
    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<Option<T>> {
        if input.read_bool()? {
            return Ok(None);
        }
        self.inner.deserialize(input).map(Some)
    }
    fn snapshot(&self) -> SerializerSnapshot {
        let padding = 0i32.to_be_bytes().to_vec();
        SerializerSnapshot::composite(
            class::NULLABLE,
            OUTER_VERSION,
            padding,
            vec![self.inner.snapshot()],
        )
    }
    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        let Some([inner]) = parts(old, class::NULLABLE) else {
            // What was stored without a flag can be read as present.
            return self
                .inner
                .resolve_compatibility(old)
                .and(Compatibility::AfterMigration);
        };
        let flag = match padding(old) {
            Ok(0) => Compatibility::AsIs,
            Ok(_) => Compatibility::AfterMigration,
            Err(e) => Compatibility::Incompatible(e.to_string()),
        };
        self.inner.resolve_compatibility(inner).and(flag)
    }
    fn deserialize_migrating(
        &self,
        old: &SerializerSnapshot,
        input: &mut DataInput<'_>,
    ) -> Result<Option<T>> {
        let Some([inner]) = parts(old, class::NULLABLE) else {
            return read_as(&*self.inner, old, input).map(Some);
        };
        if !input.read_bool()? {
            return read_as(&*self.inner, inner, input).map(Some);
        }
        input.read_bytes(padding(old)?)?;
        Ok(None)
    }
}

impl<T: StateType> StateType for Option<T> {
    fn serializer() -> SharedSerializer<Self> {
        Arc::new(OptionSerializer::new(T::serializer()))
    }
}
