//! A state's write buffers: how large and how many they are, in how many parts, and the filters of their keys. `docs/rocksdb.md`, "Write
//! buffers".

use super::{ColumnSettings, SharedMemory};
use rust_rocksdb::Options;

/// RocksDB's own default.
const BYTES_DEFAULT: u64 = 64 << 20;
/// How many write buffers a column family has at most: one for writes, and those that are on their way to files. A checkpoint
/// sends one on its way however full it is; with RocksDB's own 2, writes would soon wait for it.
const COUNT_DEFAULT: i32 = 4;
/// More than that RocksDB doesn't take.
pub(super) const FILTER_RATIO_MAX: f64 = 0.25;
/// How many parts a write buffer has. To find a place in four short lists that the processor's caches hold the upper half of takes less
/// than in a long one that they don't; a flush merges them, so files are as large and as few as ever.
const PARTS: u64 = 4;
/// Smaller ones are short lists already.
const PART_BYTES_MIN: u64 = 4 << 20;

/// Sets what `settings` say of write buffers, which are a part of `memory` if that is managed. A filter takes `filter_ratio` of each.
pub(super) fn apply(
    settings: &ColumnSettings,
    filter_ratio: f64,
    memory: Option<&SharedMemory>,
    options: &mut Options,
) {
    let buffer_bytes = settings.write_buffer_size.unwrap_or(BYTES_DEFAULT);
    let parts = match memory {
        None if buffer_bytes / PARTS >= PART_BYTES_MIN => PARTS,
        // Where managed memory runs out, RocksDB writes what is being filled, and would leave parts that wait for others where they are.
        _ => 1,
    };
    let part_bytes = buffer_bytes / parts;
    options.set_write_buffer_size(usize::try_from(part_bytes).unwrap_or(usize::MAX));
    let in_parts = |count: i32| count.saturating_mul(parts as i32);
    options.set_max_write_buffer_number(in_parts(settings.max_write_buffers.unwrap_or(COUNT_DEFAULT)));
    options.set_min_write_buffer_number_to_merge(in_parts(settings.min_write_buffers_to_merge.unwrap_or(1)));

    // State is read by whole keys, and most of a large state lies in files: without a filter the search in the buffer that finds nothing is
    // half of what such a read costs (`rocksdb_uniform` of the bench).
    options.set_memtable_whole_key_filtering(true);
    // A filter is there in full from a buffer's first entry on.
    let filtered_bytes = match memory {
        Some(memory) => part_bytes.min(memory.write_buffer_bytes() / 4),
        None => part_bytes,
    };
    let filtered = filtered_bytes as f64 / part_bytes.max(1) as f64;
    options.set_memtable_prefix_bloom_ratio(bounded(filter_ratio) * filtered);
}

/// What is nearest to `ratio` of what is allowed; code, unlike a configuration, can give anything.
fn bounded(ratio: f64) -> f64 {
    if ratio > 0.0 {
        ratio.min(FILTER_RATIO_MAX)
    } else {
        0.0
    }
}
