//! Keys of the database: key group, key, namespace and, for a map, the user key. The same bytes as in a canonical snapshot
//! (Flink's `RocksDBKeySerializationUtils`).

use millpond_types::DataOutput;

/// The bytes that keys of `key_group` start with, and how many of them count.
pub(super) fn group_prefix(key_group: u32, prefix_bytes: usize) -> ([u8; 2], usize) {
    if prefix_bytes == 2 {
        ((key_group as u16).to_be_bytes(), 2)
    } else {
        ([key_group as u8, 0], 1)
    }
}

/// Starts a key.
#[inline]
pub(super) fn write_group(key_group: u32, prefix_bytes: usize, out: &mut DataOutput) {
    if prefix_bytes == 2 {
        out.write_u16(key_group as u16);
    } else {
        out.write_u8(key_group as u8);
    }
}

/// The name of the column family of a state. A name of our own for a state that has RocksDB's default one, or no name, which
/// RocksDB refuses; `part` above 0 is for entries that were stored under another description than the state's first.
pub(super) fn column_name(state: &str, part: usize) -> String {
    match part {
        0 if state != rust_rocksdb::DEFAULT_COLUMN_FAMILY_NAME && !state.is_empty() => state.to_owned(),
        part => format!("{state}\u{1}{part}"),
    }
}
