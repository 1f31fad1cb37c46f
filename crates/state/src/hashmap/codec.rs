//! How entries become pairs of bytes and come back: the layout of Flink's canonical keyed snapshot.
//!
//! A key is the key group, the key, the namespace and, for a map, the user key (`CompositeKeySerializationUtils`); a
//! value is the value, a list's elements with a comma between them (`ListDelimitedSerializer`), or, for a map, a null flag
//! and the user value.

use super::small_map::SmallMap;
use crate::descriptor::StateData;
use crate::keyed::{MapKey, Namespace};
use crate::snapshot::PairWriter;
use crate::snapshot::key_layout::{is_variable_sized, read_length_mark, write_length_mark};
use millpond_core::memory::{prefetch_at, prefetch_slice};
use millpond_core::{Error, Result};
use millpond_types::serializer::list::ListSerializer;
use millpond_types::serializer::map::MapSerializer;
use millpond_types::{
    Compatibility, DataInput, DataOutput, SerializerSnapshot, SharedSerializer, StateKey, TypeSerializer,
};

/// The average number of entries in a shard of a large state, where values are small.
const SHARD_TARGET_VALUES: usize = 384;
/// The same where an entry holds a collection: what an incremental checkpoint writes of a write is the whole shard.
const SHARD_TARGET_COLLECTIONS: usize = 96;

/// How much of a list is asked for ahead; behind it the processor has seen the direction by itself.
const PREFETCHED_LINES: usize = 4;

/// Writes and reads keys with their namespaces.
#[derive(Debug)]
pub(crate) struct KeyCodec<K, N> {
    key: SharedSerializer<K>,
    namespace: SharedSerializer<N>,
    /// Whether the lengths stand behind key and namespace, because the bytes alone don't tell where one ends.
    marked: bool,
}

impl<K, N> Clone for KeyCodec<K, N> {
    fn clone(&self) -> Self {
        KeyCodec {
            key: self.key.clone(),
            namespace: self.namespace.clone(),
            marked: self.marked,
        }
    }
}

impl<K: StateKey, N: Namespace> KeyCodec<K, N> {
    pub(crate) fn new(key: SharedSerializer<K>, namespace: SharedSerializer<N>) -> Self {
        let marked = is_variable_sized(&key.snapshot()) && is_variable_sized(&namespace.snapshot());
        KeyCodec {
            key,
            namespace,
            marked,
        }
    }

    pub(crate) fn namespace(&self) -> &SharedSerializer<N> {
        &self.namespace
    }

    /// Whether keys with their namespaces take differently many bytes.
    #[cfg(feature = "rocksdb")]
    pub(crate) fn is_variable_sized(&self) -> bool {
        is_variable_sized(&self.key.snapshot()) || is_variable_sized(&self.namespace.snapshot())
    }

    pub(crate) fn write(&self, key: &K, namespace: &N, out: &mut DataOutput) -> Result<()> {
        let start = out.len();
        self.key.serialize(key, out)?;
        if self.marked {
            write_length_mark(out.len() - start, out);
        }
        let start = out.len();
        self.namespace.serialize(namespace, out)?;
        if self.marked {
            write_length_mark(out.len() - start, out);
        }
        Ok(())
    }

    pub(crate) fn read(&self, input: &mut DataInput<'_>) -> Result<(K, N)> {
        let start = input.position();
        let key = self.key.deserialize(input)?;
        if self.marked {
            read_length_mark(input.position() - start, input)?;
        }
        let start = input.position();
        let namespace = self.namespace.deserialize(input)?;
        if self.marked {
            read_length_mark(input.position() - start, input)?;
        }
        Ok((key, namespace))
    }
}

/// How one kind of state writes and reads its values.
pub(crate) trait EntryCodec<V>: Clone + Send + Sync + 'static {
    /// The average number of entries in a shard of a large state.
    const SHARD_TARGET: usize;
    /// What is needed to read under a stored description.
    type Reading;

    /// Whether a value has memory of its own that each access goes to.
    const HAS_HEAP: bool = false;

    /// Asks for the memory of its own that an access to `value` begins with.
    #[inline]
    fn prefetch(&self, _value: &V) {}
    /// The description that is stored.
    fn snapshot(&self) -> SerializerSnapshot;
    /// Whether values stored under `stored` can be read.
    fn resolve(&self, stored: &SerializerSnapshot) -> Compatibility;
    /// Prepares for reading values stored under `stored`, to which `resolve` did not say no.
    ///
    /// # Errors
    /// Corrupt when the description is not of this kind of state.
    fn reading(&self, stored: &SerializerSnapshot) -> Result<Self::Reading>;
    /// Writes the pairs of an entry, whose key and namespace are `prefix` in bytes.
    ///
    /// # Errors
    /// Those of the serializers and of the writer.
    fn write(&self, prefix: &[u8], value: &V, out: &mut PairWriter<'_>) -> Result<()>;
    /// Adds a pair to an entry: `user_key` is what follows key and namespace.
    ///
    /// # Errors
    /// Corrupt when the bytes are not such a value.
    fn read(
        &self,
        reading: &Self::Reading,
        user_key: &mut DataInput<'_>,
        value: &mut DataInput<'_>,
        slot: &mut Option<V>,
    ) -> Result<()>;
}

/// A serializer, and how what was stored is to be read with it.
pub(crate) struct Reader<T> {
    serializer: SharedSerializer<T>,
    /// The stored description when it is not the serializer's own layout.
    migrate_from: Option<SerializerSnapshot>,
}

impl<T: 'static> Reader<T> {
    fn new(serializer: &SharedSerializer<T>, stored: &SerializerSnapshot) -> Self {
        let migrate = serializer.resolve_compatibility(stored) != Compatibility::AsIs;
        Reader {
            serializer: serializer.clone(),
            migrate_from: migrate.then(|| stored.clone()),
        }
    }
    fn read(&self, input: &mut DataInput<'_>) -> Result<T> {
        match &self.migrate_from {
            None => self.serializer.deserialize(input),
            Some(stored) => self.serializer.deserialize_migrating(stored, input),
        }
    }
}

/// Values, reduced values and accumulators.
#[derive(Debug)]
pub(crate) struct ValueCodec<V>(pub(crate) SharedSerializer<V>);

impl<V> Clone for ValueCodec<V> {
    fn clone(&self) -> Self {
        ValueCodec(self.0.clone())
    }
}

impl<V: StateData> EntryCodec<V> for ValueCodec<V> {
    const SHARD_TARGET: usize = SHARD_TARGET_VALUES;
    type Reading = Reader<V>;

    fn snapshot(&self) -> SerializerSnapshot {
        self.0.snapshot()
    }
    fn resolve(&self, stored: &SerializerSnapshot) -> Compatibility {
        self.0.resolve_compatibility(stored)
    }
    fn reading(&self, stored: &SerializerSnapshot) -> Result<Reader<V>> {
        Ok(Reader::new(&self.0, stored))
    }
    fn write(&self, prefix: &[u8], value: &V, out: &mut PairWriter<'_>) -> Result<()> {
        out.pair(|key, bytes| {
            key.write_bytes(prefix);
            self.0.serialize(value, bytes)
        })
    }
    fn read(
        &self,
        reading: &Reader<V>,
        _user_key: &mut DataInput<'_>,
        value: &mut DataInput<'_>,
        slot: &mut Option<V>,
    ) -> Result<()> {
        *slot = Some(reading.read(value)?);
        Ok(())
    }
}

/// Lists.
#[derive(Debug)]
pub(crate) struct ListCodec<T>(pub(crate) SharedSerializer<T>);

impl<T> Clone for ListCodec<T> {
    fn clone(&self) -> Self {
        ListCodec(self.0.clone())
    }
}

/// Stands between the elements of a list.
const DELIMITER: u8 = b',';

impl<T: StateData> ListCodec<T> {
    /// Appends a list as it is stored.
    pub(crate) fn write_list(&self, list: &[T], bytes: &mut DataOutput) -> Result<()> {
        for (i, element) in list.iter().enumerate() {
            if i > 0 {
                bytes.write_u8(DELIMITER);
            }
            self.0.serialize(element, bytes)?;
        }
        Ok(())
    }

    /// Reads a whole list that this codec wrote.
    #[cfg(feature = "rocksdb")]
    pub(crate) fn read_list(&self, value: &mut DataInput<'_>) -> Result<Vec<T>> {
        let reader = Reader {
            serializer: self.0.clone(),
            migrate_from: None,
        };
        let mut list = Vec::new();
        read_elements(&reader, value, &mut list)?;
        Ok(list)
    }
}

fn read_elements<T: StateData>(
    reading: &Reader<T>,
    value: &mut DataInput<'_>,
    list: &mut Vec<T>,
) -> Result<()> {
    loop {
        list.push(reading.read(value)?);
        if value.is_empty() {
            return Ok(());
        }
        let offset = value.position();
        if value.read_u8()? != DELIMITER {
            return Err(
                Error::corrupt("restore list state", "no delimiter between two elements")
                    .with("offset", offset),
            );
        }
    }
}

impl<T: StateData> EntryCodec<Vec<T>> for ListCodec<T> {
    const SHARD_TARGET: usize = SHARD_TARGET_COLLECTIONS;
    type Reading = Reader<T>;

    const HAS_HEAP: bool = true;

    #[inline]
    fn prefetch(&self, list: &Vec<T>) {
        // All of it, where it is read, and its end, where it grows.
        prefetch_slice::<PREFETCHED_LINES, _>(list);
        prefetch_at(list, list.len().saturating_sub(1));
    }
    fn snapshot(&self) -> SerializerSnapshot {
        ListSerializer::new(self.0.clone()).snapshot()
    }
    fn resolve(&self, stored: &SerializerSnapshot) -> Compatibility {
        ListSerializer::new(self.0.clone()).resolve_compatibility(stored)
    }
    fn reading(&self, stored: &SerializerSnapshot) -> Result<Reader<T>> {
        match stored.nested.as_slice() {
            [element] => Ok(Reader::new(&self.0, element)),
            _ => Err(not_of_kind("LIST", stored)),
        }
    }
    fn write(&self, prefix: &[u8], list: &Vec<T>, out: &mut PairWriter<'_>) -> Result<()> {
        if list.is_empty() {
            return Ok(());
        }
        out.pair(|key, bytes| {
            key.write_bytes(prefix);
            self.write_list(list, bytes)
        })
    }
    fn read(
        &self,
        reading: &Reader<T>,
        _user_key: &mut DataInput<'_>,
        value: &mut DataInput<'_>,
        slot: &mut Option<Vec<T>>,
    ) -> Result<()> {
        read_elements(reading, value, slot.get_or_insert_default())
    }
}

/// Maps.
#[derive(Debug)]
pub(crate) struct MapCodec<UK, UV> {
    pub(crate) key: SharedSerializer<UK>,
    pub(crate) value: SharedSerializer<UV>,
}

impl<UK, UV> Clone for MapCodec<UK, UV> {
    fn clone(&self) -> Self {
        MapCodec {
            key: self.key.clone(),
            value: self.value.clone(),
        }
    }
}

impl<UK: MapKey, UV: StateData> MapCodec<UK, UV> {
    fn whole(&self) -> impl TypeSerializer<millpond_core::hash::HashMap<UK, UV>> + use<UK, UV> {
        MapSerializer::new(self.key.clone(), self.value.clone())
    }
}

impl<UK: MapKey, UV: StateData> EntryCodec<SmallMap<UK, UV>> for MapCodec<UK, UV> {
    const SHARD_TARGET: usize = SHARD_TARGET_COLLECTIONS;
    type Reading = (Reader<UK>, Reader<UV>);

    const HAS_HEAP: bool = true;

    #[inline]
    fn prefetch(&self, map: &SmallMap<UK, UV>) {
        map.prefetch();
    }
    fn snapshot(&self) -> SerializerSnapshot {
        self.whole().snapshot()
    }
    fn resolve(&self, stored: &SerializerSnapshot) -> Compatibility {
        self.whole().resolve_compatibility(stored)
    }
    fn reading(&self, stored: &SerializerSnapshot) -> Result<(Reader<UK>, Reader<UV>)> {
        match stored.nested.as_slice() {
            [key, value] => Ok((Reader::new(&self.key, key), Reader::new(&self.value, value))),
            _ => Err(not_of_kind("MAP", stored)),
        }
    }
    fn write(&self, prefix: &[u8], map: &SmallMap<UK, UV>, out: &mut PairWriter<'_>) -> Result<()> {
        for (user_key, user_value) in map.iter() {
            out.pair(|key, bytes| {
                key.write_bytes(prefix);
                self.key.serialize(user_key, key)?;
                bytes.write_bool(false);
                self.value.serialize(user_value, bytes)
            })?;
        }
        Ok(())
    }
    fn read(
        &self,
        (keys, values): &(Reader<UK>, Reader<UV>),
        user_key: &mut DataInput<'_>,
        value: &mut DataInput<'_>,
        slot: &mut Option<SmallMap<UK, UV>>,
    ) -> Result<()> {
        let key = keys.read(user_key)?;
        if value.read_bool()? {
            return Err(Error::incompatible(
                "restore map state",
                "a stored value is null, which the state's type has no place for",
            ));
        }
        slot.get_or_insert_default().insert(key, values.read(value)?);
        Ok(())
    }
}

fn not_of_kind(kind: &'static str, stored: &SerializerSnapshot) -> Error {
    Error::corrupt(
        "restore state",
        "the stored serializer is not that of such a state",
    )
    .with("kind", kind)
    .with("stored", stored)
}
