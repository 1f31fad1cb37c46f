//! Gates, senders and writers: order, bounds, fairness, closing.

use super::*;
use crate::element::{Batch, RecordBatch, StreamElement, WatermarkStatus};
use crate::operator::{ChainOutput, ChannelWriter};
use crate::task::TaskControl;
use millpond_api::{NO_TIMESTAMP, Output, Watermark};
use millpond_core::ErrorKind;
use millpond_core::host::{Clock, SystemClock, sleep, spawn};
use millpond_types::key_group::{key_group_for_hash, operator_index_for_key_group};
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn clock() -> Arc<dyn Clock> {
    SystemClock::shared()
}

fn gate(channels: usize, capacity: usize, mode: SendMode) -> InputGate {
    InputGate::new(
        GateConfig {
            inputs: vec![0; channels],
            capacity,
            overdraft: 0,
            overtaking: false,
            mode,
        },
        clock(),
    )
}

/// A gate of `channels` channels and a sender into each, whose task has the send mode `mode`.
fn wired(channels: usize, capacity: usize, mode: SendMode) -> (InputGate, Vec<ChannelSender>, InputGate) {
    let producer = gate(0, 1, mode);
    let gate = gate(channels, capacity, mode);
    let senders = (0..channels)
        .map(|c| gate.connect(c, &producer).unwrap())
        .collect();
    (gate, senders, producer)
}

fn batch(values: impl IntoIterator<Item = i64>) -> RecordBatch {
    let mut batch = Batch::with_capacity(1);
    values.into_iter().for_each(|v| batch.push(v, NO_TIMESTAMP));
    RecordBatch::new(batch)
}

fn show(element: StreamElement) -> String {
    match element {
        StreamElement::Records(b) => {
            let values: Vec<_> = b.downcast::<i64>().unwrap().into_iter().map(|(v, _)| v).collect();
            format!("{values:?}")
        }
        StreamElement::Watermark(w) => format!("w{}", w.timestamp),
        StreamElement::WatermarkStatus(s) => format!("{s:?}"),
        StreamElement::Barrier(b) => format!("b{}", b.checkpoint),
        StreamElement::CancelBarrier(c) => format!("c{c}"),
        StreamElement::EndOfData => "end".into(),
        StreamElement::EndOfPartition => "gone".into(),
    }
}

fn read_all(gate: &mut InputGate) -> Vec<(usize, String)> {
    std::iter::from_fn(|| gate.next_item())
        .map(|item| match item {
            GateItem::Element { channel, element, .. } => (channel, show(element)),
            GateItem::Mail(mail) => (usize::MAX, format!("{mail:?}")),
            GateItem::Announced { channel, barrier } => {
                (channel, format!("announced {}", barrier.checkpoint))
            }
        })
        .collect()
}

fn texts(gate: &mut InputGate) -> Vec<String> {
    read_all(gate).into_iter().map(|(_, text)| text).collect()
}

/// Goal: a fast sender is held at the bound and loses nothing. Method: a thread sends 100 batches into a channel of 4; it
/// must stand at 4 while nobody reads, and all must arrive in order once somebody does.
#[test]
fn a_sender_waits_while_its_channel_is_full() {
    let (mut gate, mut senders, _producer) = wired(1, 4, SendMode::Blocking);
    let sent = Arc::new(AtomicUsize::new(0));
    let counter = sent.clone();
    let thread = spawn("sender", move || {
        for i in 0..100 {
            senders[0].send_records(batch([i])).unwrap();
            counter.fetch_add(1, Ordering::SeqCst);
        }
    })
    .unwrap();
    while sent.load(Ordering::SeqCst) < 4 {
        sleep(Duration::from_millis(1));
    }
    sleep(Duration::from_millis(30));
    assert_eq!((sent.load(Ordering::SeqCst), gate.queued()), (4, 4));
    let mut seen = Vec::new();
    while seen.last().is_none_or(|last| last != "gone") {
        seen.extend(texts(&mut gate));
        assert!(gate.queued() <= 5, "the bound and the end of the partition");
        if seen.len() < 101 {
            gate.signal().wait(None);
        }
    }
    thread.join().unwrap();
    let wanted: Vec<_> = (0..100)
        .map(|i| format!("[{i}]"))
        .chain(["gone".to_string()])
        .collect();
    assert_eq!(seen, wanted);
}

/// Goal: whoever is blocked while it writes can be cancelled, and is let go when the receiver dies.
#[test]
fn a_blocked_sender_returns_cancelled() {
    for receiver_dies in [false, true] {
        let (gate, mut senders, producer) = wired(1, 1, SendMode::Blocking);
        let thread = spawn("sender", move || {
            senders[0].send_records(batch([1])).unwrap();
            senders[0].send_records(batch([2]))
        })
        .unwrap();
        while gate.queued() < 1 {
            sleep(Duration::from_millis(1));
        }
        sleep(Duration::from_millis(5));
        assert!(!thread.is_finished());
        if receiver_dies {
            drop(gate);
        } else {
            producer.mailbox().send(TaskControl::Cancel);
        }
        let error = thread.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Cancelled);
    }
}

#[test]
fn events_for_a_receiver_that_is_gone_are_dropped_and_records_are_refused() {
    let (mut gate, mut senders, _producer) = wired(1, 4, SendMode::Blocking);
    gate.close();
    senders[0]
        .send(StreamElement::Watermark(Watermark::new(1)))
        .unwrap();
    assert_eq!(
        senders[0].send_records(batch([1])).unwrap_err().kind(),
        ErrorKind::Cancelled
    );
    assert_eq!(gate.queued(), 0);
}

#[test]
fn a_dropped_sender_ends_its_partition_behind_its_records_and_only_once() {
    let (mut gate, mut senders, _producer) = wired(2, 4, SendMode::Blocking);
    senders[0].send_records(batch([1])).unwrap();
    senders[1].send(StreamElement::EndOfPartition).unwrap();
    drop(senders);
    let mut seen = read_all(&mut gate);
    seen.sort();
    assert_eq!(
        seen,
        [
            (0, "[1]".to_string()),
            (0, "gone".to_string()),
            (1, "gone".to_string())
        ]
    );
}

#[test]
fn channels_take_turns_and_messages_overtake() {
    let (mut gate, mut senders, _producer) = wired(3, 8, SendMode::Overdraft);
    for i in 0..3 {
        for sender in &mut senders {
            sender.send_records(batch([i])).unwrap();
        }
    }
    let Some(GateItem::Element { channel: 0, .. }) = gate.next_item() else {
        panic!("the first channel comes first");
    };
    gate.mailbox().send(TaskControl::NotifyComplete(7));
    let order: Vec<_> = read_all(&mut gate).into_iter().map(|(c, _)| c).collect();
    assert_eq!(order, [usize::MAX, 1, 2, 0, 1, 2, 0, 1, 2]);
}

#[test]
fn a_blocked_channel_fills_up_to_its_bound_and_others_flow() {
    let (mut gate, mut senders, _producer) = wired(2, 2, SendMode::Overdraft);
    gate.block(0);
    for i in 0..2 {
        assert!(senders[0].is_available());
        senders[0].send_records(batch([i])).unwrap();
        senders[1].send_records(batch([i + 10])).unwrap();
        assert_eq!(texts(&mut gate), [format!("[{}]", i + 10)]);
    }
    assert!(!senders[0].is_available() && senders[1].is_available());
    gate.unblock_all();
    assert_eq!(texts(&mut gate), ["[0]", "[1]"]);
    assert!(senders[0].is_available());
}

#[test]
fn unread_watermarks_merge_and_events_keep_their_place() {
    let (mut gate, mut senders, _producer) = wired(1, 8, SendMode::Overdraft);
    let mut send = |element| senders[0].send(element).unwrap();
    send(StreamElement::Watermark(Watermark::new(1)));
    send(StreamElement::Watermark(Watermark::new(2)));
    send(StreamElement::Records(batch([5])));
    send(StreamElement::Watermark(Watermark::new(3)));
    send(StreamElement::WatermarkStatus(WatermarkStatus::Idle));
    send(StreamElement::EndOfData);
    assert_eq!(texts(&mut gate), ["w2", "[5]", "w3", "Idle", "end"]);
}

#[test]
fn a_channel_has_one_sender() {
    let (gate, _senders, producer) = wired(1, 8, SendMode::Overdraft);
    assert_eq!(
        gate.connect(0, &producer).unwrap_err().kind(),
        ErrorKind::IllegalState
    );
    assert_eq!(
        gate.connect(1, &producer).unwrap_err().kind(),
        ErrorKind::IllegalState
    );
}

fn writer(channels: usize, partitioner: Partitioner<i64>) -> (RecordWriter<i64>, InputGate, InputGate) {
    let (gate, senders, producer) = wired(channels, 64, SendMode::Overdraft);
    (
        RecordWriter::new(senders, partitioner)
            .unwrap()
            .with_batch_size(3),
        gate,
        producer,
    )
}

#[test]
fn hash_partitioning_sends_each_record_to_the_owner_of_its_key_group() {
    let group = |v: &i64| key_group_for_hash(*v as i32, 128);
    let (mut writer, mut gate, producer) = writer(3, Partitioner::hash(128, group));
    (0..100).for_each(|v| writer.collect(v, NO_TIMESTAMP).unwrap());
    writer.flush().unwrap();
    let mut seen = Vec::new();
    while let Some(GateItem::Element {
        channel,
        element: StreamElement::Records(b),
        ..
    }) = gate.next_item()
    {
        for (v, _) in b.downcast::<i64>().unwrap() {
            assert_eq!(channel as u32, operator_index_for_key_group(group(&v), 128, 3));
            seen.push(v);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..100).collect::<Vec<_>>());
    assert_eq!(producer.signal().metrics().records_out(), 100);
}

#[test]
fn rebalance_goes_round_and_broadcast_goes_everywhere() {
    let (mut to_each, mut gate, _p) = writer(2, Partitioner::Rebalance);
    (0..6).for_each(|v| to_each.collect(v, NO_TIMESTAMP).unwrap());
    assert_eq!(
        read_all(&mut gate),
        [(0, "[0, 2, 4]".to_string()), (1, "[1, 3, 5]".to_string())]
    );
    let (mut to_all, mut gate, _p) = writer(2, Partitioner::broadcast());
    (0..3).for_each(|v| to_all.collect(v, NO_TIMESTAMP).unwrap());
    assert_eq!(
        read_all(&mut gate),
        [(0, "[0, 1, 2]".to_string()), (1, "[0, 1, 2]".to_string())]
    );
}

#[test]
fn events_push_records_out_before_them_and_watermarks_only_rise() {
    let (mut writer, mut gate, _p) = writer(1, Partitioner::Forward);
    writer.collect(1, 10).unwrap();
    for t in [5, 5, 4, 6] {
        writer.emit_watermark(Watermark::new(t)).unwrap();
        writer.collect(t, t).unwrap();
    }
    writer.emit_watermark_status(WatermarkStatus::Active).unwrap();
    writer.emit_watermark_status(WatermarkStatus::Idle).unwrap();
    writer.emit_watermark_status(WatermarkStatus::Idle).unwrap();
    drop(writer);
    assert_eq!(
        texts(&mut gate),
        ["[1]", "w5", "[5, 5, 4]", "w6", "[6]", "Idle", "gone"]
    );
}

#[test]
fn timestamps_survive_also_when_only_some_records_have_one() {
    let mut batch = Batch::with_capacity(4);
    for (value, timestamp) in [(1, NO_TIMESTAMP), (2, 20), (3, NO_TIMESTAMP)] {
        batch.push(value, timestamp);
    }
    let back: Vec<_> = RecordBatch::new(batch)
        .downcast::<i32>()
        .unwrap()
        .into_iter()
        .collect();
    assert_eq!(back, [(1, NO_TIMESTAMP), (2, 20), (3, NO_TIMESTAMP)]);
}

#[test]
fn an_edge_with_a_wrong_number_of_channels_is_refused() {
    let (_gate, senders, _p) = wired(2, 1, SendMode::Overdraft);
    let error = RecordWriter::<i64>::new(senders, Partitioner::Forward).unwrap_err();
    assert_eq!(
        (error.kind(), error.context("channels")),
        (ErrorKind::Config, Some("2"))
    );
    let (_gate, senders, _p) = wired(3, 1, SendMode::Overdraft);
    let error = RecordWriter::<i64>::new(senders, Partitioner::hash(2, |_| 0)).unwrap_err();
    assert_eq!(error.context("max_parallelism"), Some("2"));
}

#[derive(Clone, Debug)]
enum Op {
    Push(usize),
    Read,
    Block(usize),
    UnblockAll,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => (0..3usize).prop_map(Op::Push),
        4 => Just(Op::Read),
        1 => (0..3usize).prop_map(Op::Block),
        1 => Just(Op::UnblockAll),
    ];
    proptest::collection::vec(op, 0..200)
}

proptest! {
    /// Goal: each channel is FIFO, blocked ones stay unread, availability follows the bound with its slack, and an unblocked
    /// channel never waits while others are read twice. Method: a model of plain queues beside the gate.
    #[test]
    fn a_gate_is_a_set_of_bounded_queues(ops in ops()) {
        const CAPACITY: usize = 4;
        let (mut gate, mut senders, _producer) = wired(3, CAPACITY, SendMode::Overdraft);
        let mut model: [VecDeque<i64>; 3] = Default::default();
        let (mut full, mut blocked, mut passed_over) = ([false; 3], [false; 3], [0; 3]);
        for (number, op) in (0..).zip(ops) {
            match op {
                Op::Push(c) => {
                    senders[c].send_records(batch([number])).unwrap();
                    model[c].push_back(number);
                    full[c] |= model[c].len() >= CAPACITY;
                }
                Op::Block(c) => {
                    gate.block(c);
                    blocked[c] = true;
                }
                Op::UnblockAll => {
                    gate.unblock_all();
                    blocked = [false; 3];
                }
                Op::Read => {
                    let readable: Vec<_> = (0..3).filter(|c| !blocked[*c] && !model[*c].is_empty()).collect();
                    let Some(GateItem::Element { channel, element, .. }) = gate.next_item() else {
                        prop_assert!(readable.is_empty());
                        continue;
                    };
                    prop_assert!(readable.contains(&channel));
                    let wanted = model[channel].pop_front().unwrap();
                    prop_assert_eq!(show(element), format!("[{wanted}]"));
                    if model[channel].len() <= CAPACITY / 2 {
                        full[channel] = false;
                    }
                    for c in readable {
                        passed_over[c] = if c == channel { 0 } else { passed_over[c] + 1 };
                        prop_assert!(passed_over[c] < 6, "channel {} starves", c);
                    }
                }
            }
            for c in 0..3 {
                prop_assert_eq!(senders[c].is_available(), !full[c]);
            }
        }
    }
}
