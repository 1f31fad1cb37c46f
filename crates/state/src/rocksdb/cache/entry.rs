//! What a kind of state keeps in a slot of the cache.

use crate::hashmap::codec::EntryCodec;
use crate::rocksdb::in_flight::Writes;
use crate::rocksdb::unwritten::Division;
use millpond_core::Result;

/// What is known of one key and namespace, and how much of it the database lacks.
pub(in crate::rocksdb) trait CachedEntry: Clone {
    /// What the codec writes.
    type Whole;
    /// Writes and reads it.
    type Codec: EntryCodec<Self::Whole>;

    /// Whether what [`CachedEntry::bytes`] counts takes differently many bytes when serialized.
    fn is_variable_sized(codec: &Self::Codec) -> bool;
    /// Nothing is known.
    fn unknown() -> Self;
    /// Whether the database lacks something.
    fn is_dirty(&self) -> bool;
    /// What it takes beside its own size.
    fn bytes(&self) -> usize;
    /// Adds what the database lacks. `key` is the entry's key in the database.
    ///
    /// # Errors
    /// Those of the serializers.
    fn write(&self, codec: &Self::Codec, key: &[u8], out: &mut Writes) -> Result<()>;
    /// Learns that the database has got everything.
    fn written(&mut self);
    /// Adds what the database lacks, for a checkpoint that leaves some of it here. After an error a part is added.
    ///
    /// # Errors
    /// Those of the serializers.
    fn divide(&mut self, codec: &Self::Codec, key: &[u8], division: &mut Division<'_>) -> Result<()>;
    /// A checkpoint passes, and there is nothing that the database lacks.
    fn pass(&mut self);
}
