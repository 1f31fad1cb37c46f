//! Streams that Flink itself wrote.

use super::*;
use crate::handle::{ByteStreamStateHandle, OperatorStateMeta};
use bytes::Bytes;
use std::ops::Range;

/// Written by Flink 2.3's `DefaultOperatorStateBackend`: list state "names" (`StringSerializer`), union list state "seen" and
/// broadcast state "rules" (`StringSerializer`, `LongSerializer`).
const STREAM: &[u8] = include_bytes!("flink-2.3.bin");

/// Reads handles that hold their bytes themselves.
struct Inline;

impl StateHandleReader for Inline {
    fn open(&self, handle: &StreamStateHandle) -> Result<Box<dyn Read + Send>> {
        match handle {
            StreamStateHandle::ByteStream(b) => Ok(Box::new(std::io::Cursor::new(b.data.clone()))),
            _ => Err(Error::corrupt("open", "not inline")),
        }
    }
    fn read_range(&self, _handle: &StreamStateHandle, _range: Range<u64>) -> Result<Bytes> {
        Err(Error::corrupt("open", "no part is ever read"))
    }
}

fn handle() -> OperatorStateHandle {
    use OperatorStateMode::{Broadcast, SplitDistribute, Union};
    let state = |name: &str, mode: OperatorStateMode, offsets: &[u64]| {
        let offsets = offsets.to_vec();
        (name.to_string(), OperatorStateMeta { offsets, mode })
    };
    OperatorStateHandle {
        states: [
            state("names", SplitDistribute, &[657, 659, 663, 664]),
            state("seen", Union, &[641, 649]),
            state("rules", Broadcast, &[668]),
        ]
        .into(),
        stream: StreamStateHandle::ByteStream(ByteStreamStateHandle {
            name: "flink".to_string(),
            data: Bytes::from_static(STREAM),
        }),
    }
}

/// Goal: what Flink wrote is read, and what is not opened is written again with the same elements. Method: open a stream of
/// Flink's, once directly and once after it was carried through a snapshot unopened.
#[test]
fn a_stream_of_flinks_is_restored() {
    let streams = MemoryStreams::default();
    let direct = OperatorStateBackend::restore(&[handle()], &Inline).unwrap();
    let carried = write(&direct, &streams);
    assert_eq!(
        carried.stream.size(),
        STREAM.len() as u64,
        "the same states, perhaps in another order"
    );
    let carried = OperatorStateBackend::restore(&[carried], &streams).unwrap();
    for mut backend in [direct, carried] {
        let list = backend
            .list_state(&ListStateDescriptor::<String>::new("names"))
            .unwrap();
        assert_eq!(list.get().unwrap(), ["a", "bé", "", "池"]);
        let union = backend
            .union_list_state(&ListStateDescriptor::<i64>::new("seen"))
            .unwrap();
        assert_eq!(union.get().unwrap(), [7, -70_000]);
        let rules = backend.broadcast_state(&rules()).unwrap();
        assert_eq!(rules.len().unwrap(), 2);
        assert_eq!(rules.get(&"one".to_string()).unwrap(), Some(1));
        assert_eq!(rules.get(&"two".to_string()).unwrap(), Some(2));
        assert_eq!(backend.unopened_state_names().count(), 0);
    }
}
