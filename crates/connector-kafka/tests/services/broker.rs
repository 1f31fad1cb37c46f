//! The broker that the tests talk to, and what they do to it besides.

use millpond_core::host::{entropy, sleep};
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::process::Command;
use std::time::Duration;

pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Where the broker is.
pub fn bootstrap() -> String {
    of_environment("MILLPOND_KAFKA_BOOTSTRAP")
}

/// What `scripts/services` says of the broker.
pub fn of_environment(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run `make test-services`, which starts a broker"))
}

/// A file of certificates or keys.
pub fn certificate(name: &str) -> String {
    format!("{}/{name}", of_environment("MILLPOND_KAFKA_CERTIFICATES"))
}

/// Options of a client.
pub type Properties = Vec<(&'static str, String)>;

/// A login as the one user that the broker knows; its password is grist.
pub fn login(protocol: &str, mechanism: &str, password: &str) -> Properties {
    [
        ("security.protocol", protocol),
        ("sasl.mechanism", mechanism),
        ("sasl.username", "miller"),
        ("sasl.password", password),
    ]
    .map(|(key, value)| (key, value.to_string()))
    .to_vec()
}

pub fn config() -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap());
    config
}

/// A name that nothing else has.
pub fn unique(name: &str) -> String {
    format!("{name}-{:016x}", entropy())
}

/// Kills the broker and starts it again with its data.
pub fn restart() {
    let services = std::env::var("MILLPOND_SERVICES").unwrap();
    let status = Command::new(services)
        .args(["restart", "kafka"])
        .stdout(std::process::Stdio::null())
        .status();
    assert!(status.unwrap().success(), "the broker doesn't come back");
}

fn admin() -> AdminClient<DefaultClientContext> {
    config().create().unwrap()
}

/// Waits for a future without a runtime: the admin client's threads complete it.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        sleep(Duration::from_millis(5));
    }
}

/// A topic with a name of its own, and so many partitions.
pub fn topic(name: &str, partitions: i32) -> String {
    let name = unique(name);
    // The tests' records are from 1970: without this the broker would soon delete them.
    let new = NewTopic::new(&name, partitions, TopicReplication::Fixed(1)).set("retention.ms", "-1");
    let results = wait(admin().create_topics([&new], &AdminOptions::new())).unwrap();
    results.into_iter().for_each(|r| drop(r.unwrap()));
    // It is made, and known a moment later.
    let consumer: BaseConsumer = config().create().unwrap();
    for _ in 0..200 {
        let metadata = consumer.fetch_metadata(Some(&name), TIMEOUT).unwrap();
        let found = &metadata.topics()[0];
        if found.error().is_none() && found.partitions().len() == partitions as usize {
            return name;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("{name} never came up");
}

/// Gives the topic more partitions.
pub fn grow(topic: &str, partitions: usize) {
    let more = NewPartitions::new(topic, partitions);
    let results = wait(admin().create_partitions([&more], &AdminOptions::new())).unwrap();
    results.into_iter().for_each(|r| drop(r.unwrap()));
}

/// Writes values into partitions, each with a timestamp of 1000 times the number after it (0 means "now").
pub fn produce(topic: &str, records: impl IntoIterator<Item = (i32, u64)>) {
    let producer: BaseProducer = config().set("linger.ms", "20").create().unwrap();
    produce_by(&producer, topic, records);
}

pub fn produce_by(producer: &BaseProducer, topic: &str, records: impl IntoIterator<Item = (i32, u64)>) {
    for (partition, value) in records {
        let text = value.to_string();
        let mut record = BaseRecord::to(topic)
            .partition(partition)
            .key(&text)
            .payload(&text)
            .timestamp((value as i64 + 1) * 1000);
        while let Err((e, again)) = producer.send(record) {
            assert_eq!(
                e.rdkafka_error_code(),
                Some(rdkafka::types::RDKafkaErrorCode::QueueFull),
                "{e}"
            );
            producer.poll(Duration::from_millis(20));
            record = again;
        }
        producer.poll(Duration::ZERO);
    }
    producer.flush(TIMEOUT).unwrap();
}

/// A record as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub partition: i32,
    pub key: Option<String>,
    pub value: Option<String>,
    pub timestamp: Option<i64>,
    pub headers: Vec<(String, Vec<u8>)>,
}

/// All that a reader of committed records sees of a topic, to its end.
pub fn committed(topic: &str) -> Vec<Seen> {
    let consumer: BaseConsumer = config()
        .set("group.id", unique("reader"))
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT).unwrap();
    let mut open = metadata.topics()[0].partitions().len();
    let mut list = TopicPartitionList::new();
    for partition in metadata.topics()[0].partitions() {
        list.add_partition_offset(topic, partition.id(), Offset::Beginning)
            .unwrap();
    }
    consumer.assign(&list).unwrap();
    let mut seen = Vec::new();
    while open > 0 {
        match consumer.poll(TIMEOUT) {
            Some(Ok(m)) => seen.push(Seen {
                partition: m.partition(),
                key: m.key().map(text),
                value: m.payload().map(text),
                timestamp: m.timestamp().to_millis(),
                headers: m.headers().map_or_else(Vec::new, |h| {
                    h.iter()
                        .map(|h| (h.key.to_string(), h.value.unwrap_or_default().to_vec()))
                        .collect()
                }),
            }),
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(e)) => panic!("{e}"),
            None => panic!("no end of {topic} in sight"),
        }
    }
    seen
}

/// The values of [`committed`], as numbers, sorted.
pub fn committed_numbers(topic: &str) -> Vec<u64> {
    let mut numbers: Vec<u64> = committed(topic)
        .iter()
        .map(|s| s.value.as_ref().unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
