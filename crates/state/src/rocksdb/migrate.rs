//! Rewriting what was stored under an older description of a state, when the state is opened.

use super::RocksDBKeyedStateBackend;
use super::database::Column;
use super::key::group_prefix;
use crate::descriptor::StateData;
use crate::hashmap::codec::{EntryCodec, KeyCodec};
use crate::keyed::Namespace;
use crate::snapshot::PairWriter;
use crate::snapshot::pairs::{PairBuffers, read_pair};
use millpond_core::{Error, Result};
use millpond_types::{DataInput, SharedSerializer, StateKey};
use rust_rocksdb::WriteBatch;

/// How much is gathered before it is written.
const BATCH_BYTES: usize = 1 << 20;

impl<K: StateKey> RocksDBKeyedStateBackend<K> {
    /// Reads each entry of `source` under its stored description and writes it to `target` as `codec` does now.
    pub(super) fn migrate<N: Namespace, V: StateData, C: EntryCodec<V>>(
        &self,
        source: &Column,
        target: &Column,
        namespace: &SharedSerializer<N>,
        codec: &C,
        reading: &C::Reading,
    ) -> Result<()> {
        let key_codec = KeyCodec::new(self.parameters.key_serializer.clone(), namespace.clone());
        let mut batch = WriteBatch::default();
        let mut buffers = PairBuffers::default();
        let mut pairs = Vec::new();
        for key_group in self.parameters.key_group_range.iter() {
            let (prefix, length) = group_prefix(key_group, self.prefix_bytes);
            source.scan(prefix.get(..length).unwrap_or_default(), |key, value| {
                let mut input = DataInput::new(key);
                input.read_bytes(length)?;
                key_codec.read(&mut input)?;
                let prefix = key.get(length..input.position()).unwrap_or_default();
                let mut value = DataInput::new(value);
                let mut slot = None;
                codec.read(reading, &mut input, &mut value, &mut slot)?;
                if !input.is_empty() || !value.is_empty() {
                    return Err(too_long(key_group, input.remaining() + value.remaining()));
                }
                let Some(entry) = slot else { return Ok(true) };
                pairs.clear();
                let mut out = PairWriter::new(&mut pairs, &mut buffers, key_group, self.prefix_bytes);
                codec.write(prefix, &entry, &mut out)?;
                out.finish(false)?;
                let mut written = DataInput::new(&pairs);
                while !written.is_empty() {
                    let (key, value) = read_pair(&mut written)?;
                    batch.put_cf(target, key, value);
                }
                if batch.size_in_bytes() >= BATCH_BYTES {
                    target.database().write(&mut batch)?;
                }
                Ok(true)
            })?;
        }
        target.database().write(&mut batch)
    }
}

fn too_long(key_group: u32, bytes_left: usize) -> Error {
    Error::corrupt("restore state", "an entry is longer than its key and value")
        .with("key_group", key_group)
        .with("bytes_left", bytes_left)
}
