//! What stands in front of the entries: the key's serializer and every state's description. Flink's
//! `KeyedBackendSerializationProxy`.

use super::SnapshotSource;
use super::meta_info::{StateMetaInfoSnapshot, read_serializer, write_serializer};
use millpond_core::{Error, Result};
use millpond_types::{DataInput, DataOutput, SerializerSnapshot};
use std::sync::Arc;

/// The version that Flink 1.7 to 2.3 write.
const VERSION: i32 = 6;

/// The descriptions in a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) key_serializer: SerializerSnapshot,
    /// In the order of their ids.
    pub(crate) states: Vec<Arc<StateMetaInfoSnapshot>>,
}

/// Appends the header of a snapshot.
pub(crate) fn write_header(source: &SnapshotSource, out: &mut DataOutput) -> Result<()> {
    out.write_i32(VERSION);
    out.write_bool(false);
    write_serializer(&source.key_serializer, out)?;
    let count = i16::try_from(source.states.len()).map_err(|_| {
        Error::incompatible("write snapshot", "more states than the format allows")
            .with("states", source.states.len())
    })?;
    out.write_i16(count);
    source.states.iter().try_for_each(|s| s.meta().write(out))
}

impl Header {
    /// Reads the header of a snapshot.
    pub(crate) fn read(input: &mut DataInput<'_>) -> Result<Self> {
        let version = input.read_i32()?;
        if version != VERSION {
            return Err(
                Error::corrupt("read keyed snapshot", "unknown version of its header")
                    .with("version", version)
                    .with("known", VERSION),
            );
        }
        if input.read_bool()? {
            return Err(Error::new(
                millpond_core::ErrorKind::Unsupported,
                "read keyed snapshot",
                "its key groups are compressed",
            )
            .hint("take the savepoint with `execution.checkpointing.snapshot-compression: false`"));
        }
        let key_serializer = read_serializer(input)?;
        let count = input.read_u16()?;
        let mut states = Vec::new();
        for _ in 0..count {
            states.push(Arc::new(StateMetaInfoSnapshot::read(input)?));
        }
        Ok(Header {
            key_serializer,
            states,
        })
    }
}
