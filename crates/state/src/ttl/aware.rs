//! State that had a time to live and is opened without one: Flink's `TtlAwareSerializer`, in the direction that
//! [`super::TtlSerializer`] doesn't have.

use crate::snapshot::StateMetaInfoSnapshot;
use crate::snapshot::meta_info::VALUE_SERIALIZER;
use millpond_core::{Error, Result};
use millpond_types::serializer::read_as;
use millpond_types::snapshot::class;
use millpond_types::{
    Compatibility, DataInput, DataOutput, SerializerSnapshot, SharedSerializer, TypeSerializer,
};
use std::fmt;
use std::sync::Arc;

/// The snapshots of timestamp and value, when that is what was stored.
pub(super) fn ttl_parts(stored: &SerializerSnapshot) -> Option<&[SerializerSnapshot; 2]> {
    (stored.class_name == class::TTL)
        .then_some(stored.nested.as_slice())
        .and_then(|n| n.try_into().ok())
}

/// Whether the values, list elements or map values of a stored state have timestamps (Flink's
/// `TtlSerializer#isTtlStateSerializer`).
pub(crate) fn is_ttl(stored: &StateMetaInfoSnapshot) -> bool {
    let Ok(serializer) = stored.serializer(VALUE_SERIALIZER) else {
        return false;
    };
    let value = match serializer.class_name.as_str() {
        class::LIST | class::MAP => serializer.nested.last(),
        _ => Some(serializer),
    };
    value.is_some_and(|v| v.class_name == class::TTL)
}

/// A serializer of values without timestamps that also reads stored ones with them, and drops the timestamps.
pub(crate) struct TtlAwareSerializer<T> {
    value: SharedSerializer<T>,
}

impl<T: 'static> TtlAwareSerializer<T> {
    /// What `value` writes.
    pub(crate) fn shared(value: SharedSerializer<T>) -> SharedSerializer<T> {
        Arc::new(TtlAwareSerializer { value })
    }
}

impl<T> fmt::Debug for TtlAwareSerializer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: 'static> TypeSerializer<T> for TtlAwareSerializer<T> {
    fn serialize(&self, value: &T, out: &mut DataOutput) -> Result<()> {
        self.value.serialize(value, out)
    }

    fn deserialize(&self, input: &mut DataInput<'_>) -> Result<T> {
        self.value.deserialize(input)
    }

    fn snapshot(&self) -> SerializerSnapshot {
        self.value.snapshot()
    }

    fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
        match ttl_parts(old) {
            Some([_, value]) => self
                .value
                .resolve_compatibility(value)
                .and(Compatibility::AfterMigration),
            None => self.value.resolve_compatibility(old),
        }
    }

    fn deserialize_migrating(&self, old: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<T> {
        let Some([_, value]) = ttl_parts(old) else {
            return self.value.deserialize_migrating(old, input);
        };
        input.read_i64().map_err(|e| {
            Error::corrupt(
                "migrate value",
                "the timestamp of the value's time to live is cut short",
            )
            .source(e)
        })?;
        read_as(&*self.value, value, input)
    }
}
