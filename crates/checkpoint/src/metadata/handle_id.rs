//! The id that Flink gives a keyed state handle (`StateHandleID`, a random UUID).
//!
//! Ours is derived from what the handle names, so that the same checkpoint always has the same bytes. Flink uses it only to
//! tell handles apart; it is not read back.

use millpond_core::hash::murmur3_x64_128;
use millpond_state::handle::{KeyedStateHandle, StatePath, StreamStateHandle};

pub(super) fn state_handle_id(handle: &KeyedStateHandle) -> String {
    let (stream, range) = match handle {
        KeyedStateHandle::KeyGroups(h) => (&h.stream, h.range),
        KeyedStateHandle::Incremental(h) => (&h.meta, h.range),
    };
    let name = match stream {
        StreamStateHandle::ByteStream(b) => &b.name,
        StreamStateHandle::File(f) => match &f.path {
            StatePath::Relative(p) | StatePath::Absolute(p) => p,
        },
        StreamStateHandle::Segment(s) => &s.name,
    };
    let (hi, lo) = murmur3_x64_128(format!("{name} {range}").as_bytes());
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        hi >> 32,
        (hi >> 16) & 0xffff,
        hi & 0xffff,
        lo >> 48,
        lo & 0xffff_ffff_ffff
    )
}
