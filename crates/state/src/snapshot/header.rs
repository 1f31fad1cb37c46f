//! What stands in front of the entries: the key's serializer and every state's description. Flink's
//! `KeyedBackendSerializationProxy`.

use super::SnapshotSource;
use super::meta_info::{
    BackendStateType, NAMESPACE_SERIALIZER, StateMetaInfoSnapshot, VALUE_SERIALIZER, read_serializer,
    write_serializer,
};
use millpond_core::{Error, ErrorKind, Result};
use millpond_types::{DataInput, DataOutput, SerializerSnapshot};
use std::sync::Arc;

/// The version that Flink 1.7 to 2.3 write.
const VERSION: i32 = 6;
/// Up to which a version may be one that a later Flink writes; one above is damage.
const VERSION_PLAUSIBLE_MAX: i32 = 100;

/// The descriptions in a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// Whether entries are compressed.
    pub(crate) compressed: bool,
    pub(crate) key_serializer: SerializerSnapshot,
    /// In the order of their ids.
    pub(crate) states: Vec<Arc<StateMetaInfoSnapshot>>,
}

/// Appends the header of a snapshot.
pub(crate) fn write_header(source: &SnapshotSource, out: &mut DataOutput) -> Result<()> {
    out.write_i32(VERSION);
    out.write_bool(source.compressed);
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
        if is_newer(version, VERSION) {
            return Err(of_newer_flink("read keyed snapshot", version, VERSION));
        }
        if version != VERSION {
            return Err(
                Error::corrupt("read keyed snapshot", "unknown version of its header")
                    .with("version", version)
                    .with("known", VERSION),
            );
        }
        let compressed = input.read_bool()?;
        let key_serializer = read_serializer(input)?;
        let count = input.read_u16()?;
        let mut states = Vec::new();
        for _ in 0..count {
            let meta = StateMetaInfoSnapshot::read(input)?;
            meta.serializer(VALUE_SERIALIZER)?;
            if meta.state_type == BackendStateType::KeyValue {
                meta.serializer(NAMESPACE_SERIALIZER)?;
            }
            states.push(Arc::new(meta));
        }
        Ok(Header {
            compressed,
            key_serializer,
            states,
        })
    }
}

/// The error of a stream in a format that is newer than what is known here.
pub(crate) fn of_newer_flink(operation: &'static str, version: i32, known: i32) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        operation,
        "a newer Flink wrote it, in a version of the format that is not known here",
    )
    .with("version", version)
    .with("known", known)
    .hint("take a canonical savepoint with Flink 2.3 or older, or use a newer Millpond")
}

/// Whether a version is a newer one rather than damage.
pub(crate) fn is_newer(version: i32, known: i32) -> bool {
    version > known && version <= VERSION_PLAUSIBLE_MAX
}
