//! Assignment, against the broker that librdkafka brings along for tests.

use super::super::consumer::{UNBOUNDED, consumer};
use super::*;
use crate::properties::Properties;
use millpond_core::host::{SystemClock, sleep};
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

const TOPIC: &str = "numbers";
const PARTITIONS: i32 = 3;
const RECORDS: usize = 10;
const SOON: Duration = Duration::from_secs(30);

fn write(servers: &str) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .create()
        .unwrap();
    for (partition, n) in (0..PARTITIONS).flat_map(|p| (0..RECORDS).map(move |n| (p, n))) {
        let value = n.to_string();
        let record: BaseRecord<'_, (), str> = BaseRecord::to(TOPIC).partition(partition).payload(&value);
        producer.send(record).unwrap();
    }
    producer.flush(SOON).unwrap();
}

fn offsets(partition: &Partition) -> Vec<i64> {
    std::iter::from_fn(|| partition.queue.poll(Duration::ZERO))
        .map(|m| m.unwrap().offset())
        .collect()
}

/// Goal: a partition that has its queue before it is assigned gets every record by it, also when others are assigned later. Method:
/// wait long enough for a fetch before anything is taken; whatever came to the consumer's own queue would be lost.
#[test]
fn records_wait_in_their_partitions_queue() {
    let cluster = MockCluster::new(1).unwrap();
    cluster.create_topic(TOPIC, PARTITIONS, 1).unwrap();
    let servers = cluster.bootstrap_servers();
    write(&servers);
    let mut properties = Properties::default();
    properties.set("bootstrap.servers", servers);
    properties.set("group.id", "readers");
    let consumer = consumer(&properties, UNBOUNDED).unwrap();
    let mut partitions = Vec::new();
    for partition in 0..PARTITIONS {
        let split = KafkaPartitionSplit {
            topic: TOPIC.to_string(),
            partition,
            starting_offset: 0,
            stopping_offset: KafkaPartitionSplit::NO_STOPPING_OFFSET,
        };
        let partition = Partition::open(&consumer, split).unwrap();
        assign(&consumer, std::slice::from_ref(&partition)).unwrap();
        partitions.push(partition);
        sleep(Duration::from_millis(100));
    }
    let clock = SystemClock::shared();
    let deadline = clock.now_ms() + SOON.as_millis() as i64;
    let mut seen = vec![Vec::new(); partitions.len()];
    while seen.iter().any(|s| s.len() < RECORDS) {
        assert!(clock.now_ms() < deadline, "only {seen:?} came");
        let stray = consumer
            .poll(Duration::from_millis(10))
            .and_then(std::result::Result::ok);
        assert_eq!(
            stray.map(|m| (m.partition(), m.offset())),
            None,
            "outside its queue"
        );
        for (seen, partition) in seen.iter_mut().zip(&partitions) {
            seen.extend(offsets(partition));
        }
    }
    for seen in seen {
        assert_eq!(seen, (0..RECORDS as i64).collect::<Vec<_>>());
    }
}
