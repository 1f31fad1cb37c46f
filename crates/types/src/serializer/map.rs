//! `HashMap` and `BTreeMap` as Java's `Map`: Flink's `MapSerializer`.
//!
//! Its null flag for each value is not Rust's `Option`: a null value is refused on reading, and `Option<V>` is written
//! by its own serializer behind the flag, as Flink does with a nullable value type.

use super::{
    SharedSerializer, StateType, TypeSerializer, capacity_for, mismatch, parts, parts_to_migrate, read_as,
    write_count,
};
use crate::data::{DataInput, DataOutput};
use crate::snapshot::{Compatibility, SerializerSnapshot, class};
use millpond_core::{Error, Result};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

/// Flink's `MapSerializer`: the size as `i32`, then for each entry the key, a null flag, the value.
pub struct MapSerializer<K: 'static, V: 'static> {
    key: SharedSerializer<K>,
    value: SharedSerializer<V>,
}
super::clone_and_debug!(MapSerializer<K, V> { key, value });

const OUTER_VERSION: i32 = 1;

impl<K: 'static, V: 'static> MapSerializer<K, V> {
    /// Maps from what `key` to what `value` writes.
    pub fn new(key: SharedSerializer<K>, value: SharedSerializer<V>) -> Self {
        MapSerializer { key, value }
    }

    /// The keys' serializer.
    pub fn key(&self) -> &SharedSerializer<K> {
        &self.key
    }

    /// The values' serializer.
    pub fn value(&self) -> &SharedSerializer<V> {
        &self.value
    }

    fn write<'a>(
        &self,
        entries: impl ExactSizeIterator<Item = (&'a K, &'a V)>,
        out: &mut DataOutput,
    ) -> Result<()> {
        write_count(entries.len(), out)?;
        for (key, value) in entries {
            self.key.serialize(key, out)?;
            out.write_bool(false);
            self.value.serialize(value, out)?;
        }
        Ok(())
    }

    fn read_entry(&self, input: &mut DataInput<'_>) -> Result<(K, V)> {
        let key = self.key.deserialize(input)?;
        refuse_null(input)?;
        Ok((key, self.value.deserialize(input)?))
    }
}

/// Reads the null flag of a map's value or a set's element.
pub(super) fn refuse_null(input: &mut DataInput<'_>) -> Result<()> {
    let offset = input.position();
    if input.read_bool()? {
        return Err(Error::incompatible(
            "read collection",
            "a stored element is null, which the Rust type has no place for",
        )
        .with("offset", offset));
    }
    Ok(())
}

macro_rules! maps {
    ($($map:ty, [$($bounds:tt)*], [$($type_bounds:tt)*], $new:expr;)*) => {$(
        impl<$($bounds)*> TypeSerializer<$map> for MapSerializer<K, V> {
            fn serialize(&self, value: &$map, out: &mut DataOutput) -> Result<()> {
                self.write(value.iter(), out)
            }
            fn deserialize(&self, input: &mut DataInput<'_>) -> Result<$map> {
                // A key and a flag: no entry is shorter.
                let len = input.read_count(2)?;
                let mut map: $map = $new(capacity_for::<(K, V)>(len, input));
                for _ in 0..len {
                    let (key, value) = self.read_entry(input)?;
                    map.insert(key, value);
                }
                Ok(map)
            }
            fn snapshot(&self) -> SerializerSnapshot {
                let nested = vec![self.key.snapshot(), self.value.snapshot()];
                SerializerSnapshot::composite(class::MAP, OUTER_VERSION, Vec::new(), nested)
            }
            fn resolve_compatibility(&self, old: &SerializerSnapshot) -> Compatibility {
                let Some([key, value]) = parts(old, class::MAP) else {
                    return mismatch(old, <Self as TypeSerializer<$map>>::snapshot(self));
                };
                let key = self.key.resolve_compatibility(key).within("map key");
                key.and(self.value.resolve_compatibility(value).within("map value"))
            }
            fn deserialize_migrating(&self, old: &SerializerSnapshot, input: &mut DataInput<'_>) -> Result<$map> {
                let [old_key, old_value] = parts_to_migrate(old, class::MAP)?;
                let len = input.read_count(2)?;
                let mut map: $map = $new(capacity_for::<(K, V)>(len, input));
                for _ in 0..len {
                    let key = read_as(&*self.key, old_key, input)?;
                    refuse_null(input)?;
                    map.insert(key, read_as(&*self.value, old_value, input)?);
                }
                Ok(map)
            }
        }

        impl<$($type_bounds)*> StateType for $map {
            fn serializer() -> SharedSerializer<Self> {
                Arc::new(MapSerializer::new(K::serializer(), V::serializer()))
            }
        }
    )*};
}

maps! {
    HashMap<K, V, S>, [K: Hash + Eq + 'static, V: 'static, S: BuildHasher + Default + 'static],
        [K: StateType + Hash + Eq, V: StateType, S: BuildHasher + Default + Clone + Send + Sync + 'static],
        |capacity| HashMap::with_capacity_and_hasher(capacity, S::default());
    BTreeMap<K, V>, [K: Ord + 'static, V: 'static], [K: StateType + Ord, V: StateType], |_| BTreeMap::new();
}
