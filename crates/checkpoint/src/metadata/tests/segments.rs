//! Parts of merged files in `_metadata`, in the layout of Flink's `SegmentFileStateHandle`.

use super::super::decode::read_stream;
use super::super::encode::write_stream;
use super::super::{StreamStateHandle, tag};
use millpond_core::{ErrorKind, Result};
use millpond_state::handle::{FileStateHandle, SegmentFileStateHandle, StatePath};
use millpond_types::{DataInput, DataOutput};

/// A segment as `_metadata` gives it back: of its file it knows how far the segment reaches.
pub(super) fn segment(path: &str, start: u64, size: u64, name: &str) -> StreamStateHandle {
    StreamStateHandle::Segment(SegmentFileStateHandle {
        file: FileStateHandle {
            path: StatePath::Relative(path.to_string()),
            size: start + size,
            crc32c: None,
        },
        start,
        size,
        name: name.to_string(),
    })
}

/// The bytes by hand: kind, start, size, scope, path, name.
fn bytes(start: i64, size: i64, path: &str, name: &str) -> Vec<u8> {
    let mut out = DataOutput::new();
    out.write_u8(tag::SEGMENT_FILE);
    out.write_i64(start);
    out.write_i64(size);
    out.write_i32(0);
    out.write_utf(path).unwrap();
    out.write_utf(name).unwrap();
    out.into_vec()
}

fn read(bytes: &[u8]) -> Result<StreamStateHandle> {
    read_stream(&mut DataInput::new(bytes))
}

#[test]
fn a_segment_is_written_in_flinks_order_and_read_back() {
    let handle = segment("merged", 70, 30, "its name");
    let mut out = DataOutput::new();
    write_stream(&mut out, &handle).unwrap();
    assert_eq!(out.as_slice(), bytes(70, 30, "merged", "its name"));
    assert_eq!(read(out.as_slice()).unwrap(), handle);
}

/// Goal: what Flink merged is refused by name, since nothing says how long its files are; numbers that can't be are damage.
#[test]
fn segments_of_flink_and_impossible_ones_are_refused() {
    for path in ["file:/checkpoints/shared/x", "/checkpoints/x", "hdfs://n/x"] {
        let error = read(&bytes(0, 1, path, "x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("file-merging"), "{error}");
    }
    for (start, size) in [(-1, 1), (1, -1)] {
        let error = read(&bytes(start, size, "x", "x")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
}
