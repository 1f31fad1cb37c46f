//! Records in flight written and read: the bytes, what is kept, what is refused.

use super::*;
use crate::element::{Batch, RecordBatch, StreamElement, WatermarkStatus};
use millpond_api::{NO_TIMESTAMP, Watermark};
use millpond_core::ErrorKind;
use millpond_state::handle::InputChannelInfo;
use millpond_state::stream::memory::MemoryStreams;
use millpond_types::{DataOutput, KeyGroupRange, StateType};
use proptest::prelude::*;
use std::sync::Arc;

const ALL: Wanted = Wanted {
    key_groups: None,
    watermarks: true,
};

fn codec() -> StreamElementCodec<i64> {
    StreamElementCodec::new(i64::serializer(), Some(Arc::new(|value: &i64| *value as u32 % 8)))
}

fn batch(records: &[(i64, i64)]) -> StreamElement {
    let mut batch = Batch::with_capacity(0);
    records.iter().for_each(|(v, t)| batch.push(*v, *t));
    StreamElement::Records(RecordBatch::new(batch))
}

fn show(elements: Vec<StreamElement>) -> Vec<String> {
    let each = |element| match element {
        StreamElement::Records(b) => format!(
            "{:?}",
            b.downcast::<i64>().unwrap().into_iter().collect::<Vec<_>>()
        ),
        StreamElement::Watermark(w) => format!("w{}", w.timestamp),
        _ => "other".to_string(),
    };
    elements.into_iter().map(each).collect()
}

fn channels() -> Vec<InputChannel> {
    let channel = |channel| InputChannel {
        info: InputChannelInfo { gate: 0, channel },
        codec: Some(Arc::new(codec())),
    };
    vec![channel(0), channel(1)]
}

/// Goal: the bytes are those of Flink's `StreamElementSerializer`, each behind its length.
#[test]
fn elements_are_written_as_flink_writes_them() {
    let mut out = DataOutput::new();
    let StreamElement::Records(records) = batch(&[(7, NO_TIMESTAMP), (8, 3)]) else {
        unreachable!()
    };
    codec().encode(&records, &mut out).unwrap();
    #[rustfmt::skip]
    assert_eq!(out.as_slice(), [
        0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 7,
        0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 8,
    ]);
    assert_eq!(
        show(codec().decode(out.as_slice(), ALL).unwrap()),
        [format!("[(7, {NO_TIMESTAMP}), (8, 3)]")]
    );
}

/// Goal: what was in two channels comes back into them, in order; statuses and events stay behind. Method: through one stream.
#[test]
fn channels_come_back_through_a_stream() {
    let streams = MemoryStreams::default();
    let mut recorder = InFlightRecorder::new(channels());
    recorder.begin(5);
    recorder.record(1, &batch(&[(1, 10), (2, 20)]));
    recorder.record(1, &StreamElement::Watermark(Watermark::new(15)));
    recorder.record(1, &StreamElement::WatermarkStatus(WatermarkStatus::Idle));
    recorder.record(0, &batch(&[(3, 30)]));
    recorder.record(1, &StreamElement::EndOfData);
    recorder.record(1, &batch(&[(9, 1)]));
    assert_eq!(recorder.checkpoint(), Some(5));
    let handles = recorder.finish().unwrap().write(2, &streams).unwrap();
    assert_eq!(recorder.checkpoint(), None);
    assert_eq!(
        handles
            .iter()
            .map(|h| (h.subtask, h.info.channel))
            .collect::<Vec<_>>(),
        [(2, 0), (2, 1)]
    );
    assert_eq!(handles[0].offsets, [4], "behind the version");
    assert_eq!(handles[0].stream, handles[1].stream, "one file for the task");
    assert_eq!(
        4 + handles[0].size + handles[1].size,
        handles[0].stream.size(),
        "nothing else is in it"
    );
    let restored: Vec<_> = handles
        .iter()
        .map(|h| RestoredChannel {
            channel: 1 - h.info.channel as usize,
            parts: vec![ChannelPart {
                stream: h.stream.clone(),
                offset: h.offsets[0],
            }],
            key_groups: Some(KeyGroupRange::new(1, 2).unwrap()),
            watermarks: h.info.channel == 1,
        })
        .collect();
    let mut read = read_channels(&restored, &channels(), &streams).unwrap();
    read.sort_by_key(|(channel, _)| *channel);
    let read: Vec<_> = read.into_iter().map(|(c, e)| (c, show(e))).collect();
    let two = "[(1, 10), (2, 20)]".to_string();
    let nine = "[(9, 1)]".to_string();
    assert_eq!(read, [(0, vec![two, "w15".into(), nine]), (1, vec![])]);
}

/// Goal: nothing in flight makes no file. Method: a recorder that saw only events.
#[test]
fn nothing_in_flight_is_nothing_stored() {
    let streams = MemoryStreams::default();
    let mut recorder = InFlightRecorder::new(channels());
    recorder.begin(1);
    recorder.record(0, &StreamElement::EndOfData);
    assert!(recorder.finish().unwrap().write(0, &streams).unwrap().is_empty());
}

/// Goal: a part that points beyond its stream and bytes that are no elements are refused by name.
#[test]
fn damage_is_refused() {
    let streams = MemoryStreams::default();
    let mut recorder = InFlightRecorder::new(channels());
    recorder.begin(1);
    recorder.record(0, &batch(&[(1, 1)]));
    let handle = recorder.finish().unwrap().write(0, &streams).unwrap().remove(0);
    let read = |offset| {
        let part = ChannelPart {
            stream: handle.stream.clone(),
            offset,
        };
        let restored = RestoredChannel {
            channel: 0,
            parts: vec![part],
            key_groups: None,
            watermarks: true,
        };
        read_channels(&[restored], &channels(), &streams).map(|_| ())
    };
    assert!(read(4).is_ok());
    for offset in [0, 5, 8, 20, 1 << 40, u64::MAX] {
        let error = read(offset).err();
        // At 0 stands the version, which reads as an empty part.
        assert_eq!(
            error.map(|e| e.kind()),
            (offset != 0).then_some(ErrorKind::Corrupt),
            "{offset}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Goal: any bytes are elements or are refused; none make it panic or allocate beyond them.
    #[test]
    fn noise_is_refused(noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(codec().decode(&noise, ALL));
    }

    /// Goal: batches survive, and each record has one owner among ranges that divide the key groups.
    #[test]
    fn every_record_has_one_owner(records in proptest::collection::vec((0i64..1000, 0i64..9), 0..50), cut in 0u32..7) {
        let mut out = DataOutput::new();
        if let StreamElement::Records(b) = batch(&records) {
            codec().encode(&b, &mut out).unwrap();
        }
        let ranges = [KeyGroupRange::new(0, cut).unwrap(), KeyGroupRange::new(cut + 1, 7).unwrap()];
        let mut all = Vec::new();
        for range in ranges {
            let wanted = Wanted { key_groups: Some(range), watermarks: true };
            for element in codec().decode(out.as_slice(), wanted).unwrap() {
                let StreamElement::Records(b) = element else { unreachable!() };
                for record in b.downcast::<i64>().unwrap() {
                    prop_assert!(range.contains(record.0 as u32 % 8));
                    all.push(record);
                }
            }
        }
        all.sort_unstable();
        let mut expected = records;
        expected.sort_unstable();
        prop_assert_eq!(all, expected);
    }
}
