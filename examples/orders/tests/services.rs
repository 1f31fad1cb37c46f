//! The orders job against a broker, which `make test-services` starts.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

use millpond::core::host::{entropy, sleep};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(60);
const ORDERS: i64 = 20_000;
const CUSTOMERS: i64 = 7;

fn config() -> ClientConfig {
    let bootstrap = std::env::var("MILLPOND_KAFKA_BOOTSTRAP").unwrap_or_else(|_| {
        panic!("MILLPOND_KAFKA_BOOTSTRAP names no broker: run `make test-services`, which starts one")
    });
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

fn create_topic(name: &str) {
    let admin: AdminClient<_> = config().create().unwrap();
    let topic = NewTopic::new(name, 1, TopicReplication::Fixed(1));
    let mut created = std::pin::pin!(admin.create_topics([&topic], &AdminOptions::new()));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    while created.as_mut().poll(&mut context).is_pending() {
        sleep(Duration::from_millis(5));
    }
}

fn produce(topic: &str) {
    let producer: BaseProducer = config().create().unwrap();
    for n in 0..ORDERS {
        let order = format!("customer {},{n}", n % CUSTOMERS);
        let record = BaseRecord::<(), str>::to(topic).payload(&order);
        producer.send(record).map_err(|(e, _)| e).unwrap();
        producer.poll(Duration::ZERO);
    }
    producer.flush(TIMEOUT).unwrap();
}

/// What a reader of committed records sees.
fn totals(topic: &str) -> Vec<String> {
    let consumer: BaseConsumer = config()
        .set("group.id", topic)
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut totals = Vec::new();
    while let Ok(message) = consumer.poll(TIMEOUT).unwrap() {
        totals.push(String::from_utf8(message.payload().unwrap().to_vec()).unwrap());
    }
    totals
}

fn job(from: &str, to: &str, place: &Path) -> Command {
    let mut job = Command::new(env!("CARGO_BIN_EXE_orders"));
    job.env("MILLPOND_LOG", "warn")
        .args(["--bounded", "--from", from, "--to", to]);
    job.args([
        "--bootstrap-servers",
        &std::env::var("MILLPOND_KAFKA_BOOTSTRAP").unwrap(),
    ]);
    job.args(["-D", "execution.checkpointing.interval=200ms", "-D"]);
    job.arg(format!(
        "execution.checkpointing.dir={}",
        place.join("checkpoints").display()
    ));
    job.current_dir(place);
    job
}

/// Goal: every total shows once, though the job was killed. Method: the totals are known, customer by customer.
#[test]
fn every_total_shows_once_though_the_job_is_killed() {
    let place = tempfile::tempdir().unwrap();
    let (from, to) = (
        format!("orders-{:x}", entropy()),
        format!("totals-{:x}", entropy()),
    );
    create_topic(&from);
    create_topic(&to);
    produce(&from);
    for after_ms in [700, 1500] {
        let mut killed = job(&from, &to, place.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        sleep(Duration::from_millis(after_ms));
        killed.kill().unwrap();
        killed.wait().unwrap();
    }
    let ended = job(&from, &to, place.path()).output().unwrap();
    assert!(
        ended.status.success(),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );

    let mut expected = Vec::new();
    for customer in 0..CUSTOMERS {
        let orders = (0..ORDERS).filter(|n| n % CUSTOMERS == customer);
        let mut spent = 0;
        expected.extend(orders.map(|cents| {
            spent += cents;
            format!("customer {customer},{spent}")
        }));
    }
    let mut seen = totals(&to);
    seen.sort_unstable();
    expected.sort_unstable();
    assert_eq!(seen.len(), expected.len());
    assert_eq!(seen, expected);
}
