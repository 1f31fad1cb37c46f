//! What is read from Kafka, from where, by whom, and what goes wrong.

use crate::broker::{TIMEOUT, bootstrap, config, grow, produce, produce_by, restart, topic, unique};
use millpond_api::{InputStatus, Source, WatermarkStrategy};
use millpond_connector_kafka::{
    KafkaRecordDeserializer, KafkaSource, KafkaSourceBuilder, OffsetResetStrategy, OffsetsInitializer,
};
use millpond_core::ErrorKind;
use millpond_core::host::{SystemClock, sleep};
use millpond_runtime::testing::{Element, HarnessBuilder, SourceHarness, for_source};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};
use std::time::Duration;

/// A record: partition, offset, value.
pub type Record = (i32, i64, u64);

pub fn source() -> KafkaSourceBuilder<Record> {
    KafkaSource::builder()
        .bootstrap_servers(bootstrap())
        .deserializer(KafkaRecordDeserializer::new(|record, out| {
            let text = std::str::from_utf8(record.value().unwrap_or_default());
            let value = text.ok().and_then(|t| t.parse().ok());
            let value = value
                .ok_or_else(|| millpond_core::Error::new(ErrorKind::BadRecord, "read number", "no number"))?;
            out((record.partition(), record.offset(), value));
            Ok(())
        }))
}

fn harness(source: KafkaSourceBuilder<Record>) -> HarnessBuilder<SourceHarness<Record>> {
    for_source(source.build().unwrap(), WatermarkStrategy::no_watermarks())
}

/// Polls until the end of the input.
fn read_to_end(h: &mut SourceHarness<Record>) -> Vec<Record> {
    let clock = SystemClock::shared();
    let deadline = clock.now_ms() + TIMEOUT.as_millis() as i64;
    while h.poll().unwrap() != InputStatus::EndOfInput {
        assert!(
            clock.now_ms() < deadline,
            "no end in sight: {:?}",
            h.take_output().len()
        );
        sleep(Duration::from_millis(1));
    }
    h.take_output()
}

/// Polls until there are so many records.
fn read(h: &mut SourceHarness<Record>, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    read_until(h, &mut records, |records| records.len() >= count);
    records
}

fn read_until(h: &mut SourceHarness<Record>, records: &mut Vec<Record>, enough: impl Fn(&[Record]) -> bool) {
    let clock = SystemClock::shared();
    let deadline = clock.now_ms() + TIMEOUT.as_millis() as i64;
    while !enough(records) {
        assert!(clock.now_ms() < deadline, "only {} records came", records.len());
        h.poll().unwrap();
        records.extend(h.take_output());
        sleep(Duration::from_millis(1));
    }
}

fn values(records: &[Record]) -> Vec<u64> {
    let mut values: Vec<u64> = records.iter().map(|r| r.2).collect();
    values.sort_unstable();
    values
}

pub fn read_all(source: KafkaSourceBuilder<Record>) -> Vec<u64> {
    values(&read_to_end(&mut harness(source).open().unwrap()))
}

/// Goal: every record comes once, those of a partition in their order, from empty partitions nothing, to the end that was there.
pub fn bounded_reads_everything_in_the_order_of_each_partition() {
    let topic = topic("bounded", 4);
    produce(&topic, (0..30_000).map(|n| ((n % 3) as i32, n)));
    let bounded = source().topics([&topic]).bounded(OffsetsInitializer::latest());
    let mut h = harness(bounded).open().unwrap();
    // They come after the end was looked up.
    produce(&topic, [(0, 99_999), (3, 99_999)]);
    let records = read_to_end(&mut h);
    assert_eq!(values(&records), (0..30_000).collect::<Vec<_>>());
    for partition in 0..4 {
        let offsets: Vec<i64> = records.iter().filter(|r| r.0 == partition).map(|r| r.1).collect();
        assert_eq!(offsets, (0..offsets.len() as i64).collect::<Vec<_>>());
    }
}

/// Goal: each kind of starting offset is the one that it says, also for partitions that it has none for.
pub fn starting_offsets_are_what_they_say() {
    let topic = topic("starting", 2);
    produce(&topic, (0..20).map(|n| ((n % 2) as i32, n)));
    let group = unique("group");
    let committer: BaseConsumer = config().set("group.id", &group).create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&topic, 0, Offset::Offset(7)).unwrap();
    committer
        .commit(&list, rdkafka::consumer::CommitMode::Sync)
        .unwrap();
    let bounded = |starting: OffsetsInitializer| {
        let source = source().topics([&topic]).group_id(&group);
        read_all(
            source
                .starting_offsets(starting)
                .bounded(OffsetsInitializer::latest()),
        )
    };
    use OffsetResetStrategy::{Earliest, Latest, None};
    // Partition 0 has the even numbers, 1 the odd ones; a record's timestamp is a thousand times the number after it.
    assert_eq!(
        bounded(OffsetsInitializer::earliest()),
        (0..20).collect::<Vec<_>>()
    );
    assert!(bounded(OffsetsInitializer::latest()).is_empty());
    assert_eq!(
        bounded(OffsetsInitializer::committed_offsets(Latest)),
        [14, 16, 18]
    );
    let first_odd_ones = (0..10).map(|n| 2 * n + 1);
    let mut expected: Vec<u64> = first_odd_ones.chain([14, 16, 18]).collect();
    expected.sort_unstable();
    assert_eq!(bounded(OffsetsInitializer::committed_offsets(Earliest)), expected);
    assert_eq!(
        bounded(OffsetsInitializer::timestamp(15_500)),
        [15, 16, 17, 18, 19]
    );
    assert!(bounded(OffsetsInitializer::timestamp(99_000)).is_empty());
    let given = OffsetsInitializer::offsets([((topic.clone(), 1), 8)], Latest);
    assert_eq!(bounded(given), [17, 19]);
    let stop = OffsetsInitializer::offsets([((topic.clone(), 0), 2), ((topic.clone(), 1), 0)], Latest);
    assert_eq!(read_all(source().topics([&topic]).bounded(stop)), [0, 2]);
    let only = source()
        .partitions([(&topic, 1)])
        .bounded(OffsetsInitializer::timestamp(5000));
    assert_eq!(read_all(only), [1, 3]);
    // Nothing stands in for an offset that nobody committed.
    let strict = source()
        .topics([&topic])
        .group_id(&group)
        .starting_offsets(OffsetsInitializer::committed_offsets(None));
    let e = harness(strict).open().err().unwrap();
    assert_eq!(
        (e.kind(), e.context("partition")),
        (ErrorKind::NotFound, Some("1"))
    );
}

/// Goal: a pattern is a whole name, not a part of one.
pub fn a_pattern_takes_whole_names() {
    let first = topic("pattern", 1);
    let second = topic(&first, 1);
    produce(&first, [(0, 1)]);
    produce(&second, [(0, 2)]);
    let by = |pattern: &str| {
        read_all(
            source()
                .topic_pattern(pattern)
                .bounded(OffsetsInitializer::latest()),
        )
    };
    assert_eq!(by(&first), [1]);
    assert_eq!(by(&format!("{first}.*")), [1, 2]);
}

/// Goal: whatever was read before a snapshot is not read after it, and everything else is, at any parallelism and by one instance
/// each; `latest` is what it was when the job began.
pub fn a_restore_at_another_parallelism_reads_each_record_once() {
    let topic = topic("restore", 5);
    produce(&topic, [(0, 1), (4, 2)]);
    let builder = harness(
        source()
            .topics([&topic])
            .starting_offsets(OffsetsInitializer::latest()),
    );
    let mut instances: Vec<_> = (0..2).map(|i| builder.subtask(i, 2).open().unwrap()).collect();
    let first: Vec<_> = instances.iter_mut().map(|h| h.snapshot(1).unwrap()).collect();
    drop(instances);
    produce(&topic, (0..5000).map(|n| ((n % 5) as i32, n)));
    // Nothing was read before the first snapshot: all of it comes now.
    for parallelism in [1, 3, 7] {
        let builder = builder.clone();
        let mut open: Vec<_> = (0..parallelism)
            .map(|i| builder.subtask(i, parallelism).restore(&first).open().unwrap())
            .collect();
        let mut before = Vec::new();
        // Some instances get a little way, some none at all.
        for h in open.iter_mut().step_by(2) {
            for _ in 0..200 {
                h.poll().unwrap();
                before.extend(h.take_output());
                if before.len() > 700 {
                    break;
                }
                sleep(Duration::from_millis(2));
            }
        }
        let snapshots: Vec<_> = open.iter_mut().map(|h| h.snapshot(2).unwrap()).collect();
        drop(open);
        let mut after = Vec::new();
        for i in 0..2 {
            let mut h = builder.subtask(i, 2).restore(&snapshots).open().unwrap();
            let clock = SystemClock::shared();
            let deadline = clock.now_ms() + 1500;
            while clock.now_ms() < deadline && before.len() + after.len() < 5000 {
                h.poll().unwrap();
                after.extend(h.take_output());
                sleep(Duration::from_millis(1));
            }
        }
        after.extend(before);
        assert_eq!(
            values(&after),
            (0..5000).collect::<Vec<_>>(),
            "parallelism {parallelism}"
        );
    }
}

/// Goal: the group has the offsets of the newest completed checkpoint, and of none that didn't complete.
pub fn offsets_are_committed_when_a_checkpoint_completes() {
    let topic = topic("commits", 1);
    let group = unique("group");
    produce(&topic, (0..10).map(|n| (0, n)));
    let mut h = harness(source().topics([&topic]).group_id(&group))
        .open()
        .unwrap();
    read(&mut h, 10);
    h.snapshot(1).unwrap();
    produce(&topic, (10..15).map(|n| (0, n)));
    read(&mut h, 5);
    h.snapshot(2).unwrap();
    let committed = |h: &mut SourceHarness<Record>, expected: Offset| {
        let consumer: BaseConsumer = config().set("group.id", &group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition(&topic, 0);
        for _ in 0..200 {
            h.poll().unwrap();
            let found = consumer.committed_offsets(list.clone(), TIMEOUT).unwrap();
            if found.elements()[0].offset() == expected {
                return;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("the group never had {expected:?}");
    };
    h.notify_checkpoint_complete(1).unwrap();
    committed(&mut h, Offset::Offset(10));
    h.notify_checkpoint_complete(2).unwrap();
    committed(&mut h, Offset::Offset(15));
    // Counted when the answer is there, a moment after the broker has it.
    let counted = (0..200).any(|_| {
        sleep(Duration::from_millis(20));
        h.poll().unwrap();
        h.counters().contains(&("commitsSucceeded".to_string(), 2))
    });
    assert!(counted, "{:?}", h.counters());
}

/// Goal: partitions that are added while the job runs are read from their beginning, each by one instance, and once.
pub fn new_partitions_are_found_at_run_time() {
    let topic = topic("growing", 1);
    produce(&topic, [(0, 0)]);
    let quick = source()
        .topics([&topic])
        .property("partition.discovery.interval.ms", "100");
    let builder = harness(quick.starting_offsets(OffsetsInitializer::latest()));
    let mut instances: Vec<_> = (0..2).map(|i| builder.subtask(i, 2).open().unwrap()).collect();
    grow(&topic, 4);
    sleep(Duration::from_secs(1));
    produce(&topic, (1..=400).map(|n| ((n % 4) as i32, n)));
    let mut records = Vec::new();
    let clock = SystemClock::shared();
    let deadline = clock.now_ms() + 30_000;
    while records.len() < 400 && clock.now_ms() < deadline {
        for h in &mut instances {
            h.poll().unwrap();
            records.extend(h.take_output());
        }
        sleep(Duration::from_millis(1));
    }
    assert_eq!(values(&records), (1..=400).collect::<Vec<_>>());
    // A snapshot holds them: a restored job doesn't begin them again.
    let snapshots: Vec<_> = instances.iter_mut().map(|h| h.snapshot(1).unwrap()).collect();
    let mut h = builder.restore(&snapshots).open().unwrap();
    produce(&topic, [(3, 500)]);
    assert_eq!(values(&read(&mut h, 1)), [500]);
}

/// Goal: an instance's watermark is the smallest of its partitions, so that reading one ahead of another makes nothing late; a
/// partition without records holds it back until it is idle.
pub fn watermarks_wait_for_the_slowest_partition_that_is_not_idle() {
    let topic = topic("watermarks", 3);
    produce(&topic, (0..100).map(|n| (0, n)));
    produce(&topic, (50..60).map(|n| (1, n)));
    let strategy = WatermarkStrategy::for_monotonous_timestamps().with_idleness(Duration::from_secs(5));
    let mut h = for_source(source().topics([&topic]).build().unwrap(), strategy)
        .open()
        .unwrap();
    let mut elements = Vec::new();
    for _ in 0..2000 {
        h.poll().unwrap();
        elements.extend(h.take_elements());
        if elements.len() >= 110 {
            break;
        }
        sleep(Duration::from_millis(1));
    }
    let watermarks = |elements: &[Element<Record>]| {
        let marks = elements.iter().filter_map(|e| match e {
            Element::Watermark(w) => Some(*w),
            _ => None,
        });
        marks.collect::<Vec<_>>()
    };
    assert_eq!(
        (elements.len(), watermarks(&elements)),
        (110, vec![]),
        "partition 2 holds it back"
    );
    h.set_processing_time(4999).unwrap();
    produce(&topic, [(0, 100), (1, 60)]);
    let mut more = Vec::new();
    for _ in 0..2000 {
        h.poll().unwrap();
        more.extend(h.take_elements());
        if more.len() == 2 {
            break;
        }
        sleep(Duration::from_millis(1));
    }
    h.set_processing_time(5000).unwrap();
    // Partition 2 is idle; of the others the slower one counts.
    assert_eq!(watermarks(&h.take_elements()), [60_999]);
}

/// Goal: with `read_committed` a bounded read ends at what is committed, though an open transaction lies behind it; control records
/// don't confuse it.
pub fn an_open_transaction_does_not_hold_up_a_bounded_read() {
    let topic = topic("stable", 1);
    let producer: BaseProducer = config().set("transactional.id", unique("t")).create().unwrap();
    producer.init_transactions(TIMEOUT).unwrap();
    for (values, commits) in [(0..5, true), (90..95, false), (5..10, true)] {
        producer.begin_transaction().unwrap();
        produce_by(&producer, &topic, values.map(|n| (0, n)));
        if commits {
            producer.commit_transaction(TIMEOUT).unwrap();
        } else {
            producer.abort_transaction(TIMEOUT).unwrap();
        }
    }
    producer.begin_transaction().unwrap();
    produce_by(&producer, &topic, (95..99).map(|n| (0, n)));
    let stable = || {
        source()
            .topics([&topic])
            .property("isolation.level", "read_committed")
    };
    assert_eq!(
        read_all(stable().bounded(OffsetsInitializer::latest())),
        (0..10).collect::<Vec<_>>()
    );
    assert_eq!(
        read_all(source().topics([&topic]).bounded(OffsetsInitializer::latest())).len(),
        19
    );
    producer.abort_transaction(TIMEOUT).unwrap();
}

/// Goal: a broker that dies and comes back costs time and no record.
pub fn a_broker_that_goes_away_in_the_middle_is_waited_for() {
    let topic = topic("away", 2);
    produce(&topic, (0..1000).map(|n| ((n % 2) as i32, n)));
    let mut h = harness(source().topics([&topic])).open().unwrap();
    let mut records = read(&mut h, 1000);
    restart();
    produce(&topic, (1000..2000).map(|n| ((n % 2) as i32, n)));
    read_until(&mut h, &mut records, |records| records.len() >= 2000);
    assert_eq!(values(&records), (0..2000).collect::<Vec<_>>());
}

/// Goal: topics, partitions, offsets and brokers that aren't there, and records that can't be read, are errors that name them.
pub fn what_does_not_exist_is_named() {
    let there = topic("there", 1);
    produce(&there, [(0, 1)]);
    let missing = unique("missing");
    let failing = [
        (source().topics([&missing]), ErrorKind::NotFound, missing.as_str()),
        (
            source().partitions([(&there, 5)]),
            ErrorKind::NotFound,
            "partition=5",
        ),
        (
            source().topic_pattern("no-such-.*-topic"),
            ErrorKind::NotFound,
            "no topic matches",
        ),
    ];
    for (source, kind, part) in failing {
        let e = harness(source).open().err().unwrap();
        assert_eq!(e.kind(), kind, "{e}");
        assert!(e.to_string().contains(part), "{e}");
    }
    let beyond = OffsetsInitializer::offsets([((there.clone(), 0), 9)], OffsetResetStrategy::Latest);
    let e = harness(source().topics([&there]).bounded(beyond))
        .open()
        .err()
        .unwrap();
    assert_eq!(
        (e.kind(), e.context("offset")),
        (ErrorKind::Config, Some("9")),
        "{e}"
    );
    // Nobody listens: it is said, after as long as the source waits.
    let away = source().topics([&there]).bootstrap_servers("127.0.0.1:1");
    let e = away.build().unwrap().create_splits(1).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Io, "{e}");
    assert!(e.to_string().contains("bootstrap.servers"), "{e}");

    let gone = OffsetsInitializer::offsets([((there.clone(), 0), 1_000_000)], OffsetResetStrategy::None);
    let mut h = harness(source().topics([&there]).starting_offsets(gone))
        .open()
        .unwrap();
    let e = (0..5000).find_map(|_| {
        sleep(Duration::from_millis(2));
        h.poll().err()
    });
    let e = e.unwrap();
    assert_eq!(
        (e.kind(), e.context("offset")),
        (ErrorKind::NotFound, Some("1000000")),
        "{e}"
    );
    assert!(e.to_string().contains("auto.offset.reset"), "{e}");

    let words = KafkaSource::builder()
        .bootstrap_servers(bootstrap())
        .topics([&there])
        .deserializer(KafkaRecordDeserializer::value_only(|bytes| {
            Err::<Record, _>(millpond_core::Error::new(
                ErrorKind::BadRecord,
                "read word",
                format!("{} bytes", bytes.len()),
            ))
        }));
    let mut h = harness(words).open().unwrap();
    let e = (0..5000).find_map(|_| {
        sleep(Duration::from_millis(2));
        h.poll().err()
    });
    let e = e.unwrap();
    assert_eq!(
        (e.kind(), e.context("offset")),
        (ErrorKind::BadRecord, Some("0")),
        "{e}"
    );
    assert_eq!(e.context("topic"), Some(there.as_str()));
}
