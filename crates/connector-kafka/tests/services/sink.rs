//! What arrives in Kafka, and when: through a writer and committer as the engine runs them.

use crate::broker::{Seen, bootstrap, committed, committed_numbers, topic, unique};
use millpond_connector_kafka::{DeliveryGuarantee, KafkaRecordSerializer, KafkaSink, KafkaSinkBuilder};
use millpond_core::ErrorKind;
use millpond_core::host::sleep;
use millpond_runtime::testing::{HarnessBuilder, OneInputHarness, for_sink};
use std::time::Duration;

type Numbers = HarnessBuilder<OneInputHarness<u64, ()>>;

fn serializer(topic: &str) -> KafkaRecordSerializer<u64> {
    KafkaRecordSerializer::topic(topic).value(|n: &u64, out| {
        out.extend_from_slice(n.to_string().as_bytes());
        Ok(())
    })
}

/// A sink of numbers with exactly-once delivery.
pub fn numbers(topic: &str, prefix: &str) -> KafkaSinkBuilder<u64> {
    KafkaSink::builder()
        .bootstrap_servers(bootstrap())
        .serializer(serializer(topic))
        .delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
        .transactional_id_prefix(prefix)
}

fn exactly_once(topic: &str, prefix: &str) -> Numbers {
    for_sink(numbers(topic, prefix).build().unwrap())
}

/// Goal: key, value, headers, timestamp and partition get to Kafka as they were said, also what isn't there.
pub fn records_arrive_with_all_their_parts() {
    let topic = topic("parts", 3);
    for guarantee in [DeliveryGuarantee::AtLeastOnce, DeliveryGuarantee::None] {
        let serializer = serializer(&topic)
            .optional_key(|n, out| {
                out.extend_from_slice(b"key");
                Ok(*n != 0)
            })
            .headers(|n| vec![("n".to_string(), n.to_be_bytes().to_vec())])
            .timestamp(|n, event_time| event_time.map(|t| t + *n as i64))
            .partitioner(|n, _, _, _, partitions| (*n % partitions as u64) as i32);
        let sink = KafkaSink::builder()
            .bootstrap_servers(bootstrap())
            .serializer(serializer)
            .delivery_guarantee(guarantee);
        let mut h = for_sink(sink.build().unwrap()).open().unwrap();
        for n in 0..3 {
            h.process_element(n, 1000).unwrap();
        }
        // At least once waits at a barrier; the end of the input always does.
        match guarantee {
            DeliveryGuarantee::AtLeastOnce => drop(h.snapshot(1).unwrap()),
            _ => h.end_input().unwrap(),
        }
    }
    let mut seen = committed(&topic);
    seen.sort();
    let expected = |n: u64| Seen {
        partition: n as i32,
        key: (n != 0).then(|| "key".to_string()),
        value: Some(n.to_string()),
        timestamp: Some(1000 + n as i64),
        headers: vec![("n".to_string(), n.to_be_bytes().to_vec())],
    };
    let twice: Vec<Seen> = (0..3).flat_map(|n| [expected(n), expected(n)]).collect();
    assert_eq!(seen, twice);
}

/// Goal: a key's partition is what Kafka's own producer chooses. Method: Kafka's murmur2, written out here from its definition, with
/// a value from Kafka's own tests.
pub fn keys_go_where_javas_clients_send_them() {
    assert_eq!(murmur2(b"21"), -973_932_308);
    let topic = topic("keys", 7);
    let serializer = serializer(&topic).key(|n, out| {
        out.extend_from_slice(n.to_string().as_bytes());
        Ok(())
    });
    let sink = KafkaSink::builder()
        .bootstrap_servers(bootstrap())
        .serializer(serializer)
        .delivery_guarantee(DeliveryGuarantee::AtLeastOnce);
    let mut h = for_sink(sink.build().unwrap()).open().unwrap();
    for n in 0..100 {
        h.process_element(n, 0).unwrap();
    }
    h.snapshot(1).unwrap();
    let seen = committed(&topic);
    assert_eq!(seen.len(), 100);
    for record in seen {
        let hash = murmur2(record.key.unwrap().as_bytes());
        assert_eq!(record.partition, (hash & i32::MAX) % 7);
    }
}

fn murmur2(data: &[u8]) -> i32 {
    const M: u32 = 0x5bd1_e995;
    let mut h = 0x9747_b28c_u32 ^ data.len() as u32;
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().unwrap()).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    let rest = chunks.remainder();
    for (i, byte) in rest.iter().enumerate() {
        h ^= u32::from(*byte) << (8 * i);
    }
    if !rest.is_empty() {
        h = h.wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    (h ^ (h >> 15)) as i32
}

/// Goal: readers of committed records see a checkpoint's records when it is complete, not before, and those of an aborted one
/// with the next.
pub fn records_show_when_their_checkpoint_is_complete() {
    let topic = topic("visible", 2);
    let mut h = exactly_once(&topic, &unique("p")).open().unwrap();
    let mut shown = 0;
    for checkpoint in 1..=3u64 {
        for n in (checkpoint - 1) * 10..checkpoint * 10 {
            h.process_element(n, 0).unwrap();
        }
        assert_eq!(committed_numbers(&topic), (0..shown).collect::<Vec<_>>());
        h.snapshot(checkpoint).unwrap();
        assert_eq!(committed_numbers(&topic), (0..shown).collect::<Vec<_>>());
        if checkpoint == 1 {
            h.notify_checkpoint_aborted(1).unwrap();
        } else {
            h.notify_checkpoint_complete(checkpoint).unwrap();
            shown = checkpoint * 10;
        }
    }
    // Nothing was written: nothing to commit.
    h.snapshot(4).unwrap();
    h.notify_checkpoint_complete(4).unwrap();
    assert_eq!(committed_numbers(&topic), (0..30).collect::<Vec<_>>());
}

/// Goal: a transaction of a completed checkpoint is committed after its writer is gone, by whoever is restored, at any parallelism,
/// and again without harm.
pub fn a_pending_transaction_outlives_its_writer() {
    let topic = topic("pending", 2);
    let builder = exactly_once(&topic, &unique("p"));
    let mut snapshots = Vec::new();
    for i in 0..3 {
        let mut h = builder.subtask(i, 3).open().unwrap();
        h.process_element(u64::from(i), 0).unwrap();
        snapshots.push(h.snapshot(1).unwrap());
        // Its records after the barrier are in no checkpoint.
        h.process_element(100 + u64::from(i), 0).unwrap();
    }
    assert!(committed_numbers(&topic).is_empty());
    for parallelism in [2, 1, 4] {
        for i in 0..parallelism {
            let builder = builder.subtask(i, parallelism).first_checkpoint_id(2);
            builder.restore(&snapshots).open().unwrap();
        }
        assert_eq!(committed_numbers(&topic), [0, 1, 2]);
    }
}

/// Goal: what a crash left open is aborted by the next life, whatever parallelism it has: it neither shows nor holds up readers.
/// Transactions of others stay.
pub fn transactions_left_open_are_aborted_at_any_parallelism() {
    let topic = topic("left", 1);
    let prefix = unique("p");
    let longer = format!("{prefix}-0");
    let mut other = exactly_once(&topic, &longer).open().unwrap();
    other.process_element(7, 0).unwrap();
    let other_snapshot = other.snapshot(1).unwrap();
    let builder = exactly_once(&topic, &prefix);
    for i in 0..3 {
        let mut h = builder.subtask(i, 3).open().unwrap();
        h.process_element(100, 0).unwrap();
        h.snapshot(1).unwrap();
        h.process_element(100, 0).unwrap();
    }
    for i in 0..2 {
        builder.subtask(i, 2).open().unwrap();
    }
    exactly_once(&topic, &longer)
        .restore(&[other_snapshot])
        .open()
        .unwrap();
    assert_eq!(committed_numbers(&topic), [7]);
}

/// Goal: a transaction that Kafka ended by itself is told when it can't be committed, and gone past only where that was asked for.
pub fn a_transaction_that_timed_out_is_told() {
    let topic = topic("late", 1);
    let prefix = unique("p");
    let quick = |prefix: &str| numbers(&topic, prefix).property("transaction.timeout.ms", "1000");
    let strict = for_sink(quick(&prefix).build().unwrap());
    let mut h = strict.open().unwrap();
    h.process_element(1, 0).unwrap();
    let snapshot = h.snapshot(1).unwrap();
    drop(h);
    sleep(Duration::from_secs(4));
    let strict = strict.first_checkpoint_id(2);
    let e = strict
        .restore(std::slice::from_ref(&snapshot))
        .open()
        .err()
        .unwrap();
    assert_eq!(e.kind(), ErrorKind::IllegalState, "{e}");
    for part in [
        "transaction.timeout.ms",
        "ignore_failures_after_transaction_timeout",
        &prefix,
    ] {
        assert!(e.to_string().contains(part), "{e}");
    }
    let lenient = quick(&prefix).ignore_failures_after_transaction_timeout();
    let lenient = for_sink(lenient.build().unwrap()).first_checkpoint_id(2);
    let mut h = lenient.restore(&[snapshot]).open().unwrap();
    h.process_element(2, 0).unwrap();
    // Before the barrier, too, it is noticed.
    sleep(Duration::from_secs(4));
    let e = h.snapshot(2).unwrap_err();
    assert!(e.to_string().contains("transaction"), "{e}");
    assert!(committed_numbers(&topic).is_empty());
}

/// Goal: wrong topics, sizes, time-outs and addresses are told by name, with the next step.
pub fn what_kafka_refuses_is_named() {
    let there = topic("there", 1);
    let missing = unique("missing");
    let plain = |topic: &str| {
        KafkaSink::builder()
            .bootstrap_servers(bootstrap())
            .serializer(serializer(topic))
            .delivery_guarantee(DeliveryGuarantee::AtLeastOnce)
            .property("topic.metadata.propagation.max.ms", "500")
            .property("message.timeout.ms", "3000")
    };
    let failing = [
        (plain(&missing), ErrorKind::NotFound, "create the topic"),
        (
            plain(&there).bootstrap_servers("127.0.0.1:1"),
            ErrorKind::Io,
            "bootstrap.servers",
        ),
    ];
    for (sink, kind, part) in failing {
        let mut h = for_sink(sink.build().unwrap()).open().unwrap();
        let e = h
            .process_element(1, 0)
            .and_then(|()| h.snapshot(1).map(drop))
            .unwrap_err();
        assert_eq!(e.kind(), kind, "{e}");
        assert!(e.to_string().contains(part), "{e}");
    }
    let too_long = numbers(&there, &unique("p")).property("transaction.timeout.ms", "99999999");
    let mut h = for_sink(too_long.build().unwrap()).open().unwrap();
    let e = h.process_element(1, 0).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Config, "{e}");
    assert!(e.to_string().contains("transaction.max.timeout.ms"), "{e}");
    let away = numbers(&there, &unique("p")).bootstrap_servers("127.0.0.1:1");
    let e = for_sink(away.build().unwrap()).open().err().unwrap();
    assert!(e.to_string().contains("nobody listens"), "{e}");
}
