//! From Kafka to Kafka, killed again and again: a million records, twenty deaths of the process, three of the broker.
//!
//! The job counts records by key in keyed state and writes each count as `key:count`. A count that is missing means a lost record, one
//! that comes twice a repeated output, one that is too high a record that was counted twice: so what a reader of committed records
//! sees tells whether source, state and sink agree on where the job was.

use crate::broker::{TIMEOUT, bootstrap, committed, config, produce_by, restart, topic};
use millpond_api::function::{KeyedContext, KeyedProcessFunction, RuntimeContext};
use millpond_api::{Collector, WatermarkStrategy};
use millpond_connector_kafka::{
    DeliveryGuarantee, KafkaRecordDeserializer, KafkaRecordSerializer, KafkaSink, KafkaSource,
};
use millpond_core::host::{SeededRandom, SystemClock, entropy, sleep};
use millpond_core::{Error, Result};
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_state::descriptor::ValueStateDescriptor;
use millpond_state::keyed::ValueState;
use rdkafka::producer::BaseProducer;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

const RECORDS: u64 = 1_000_000;
const KILLS: u64 = 20;
/// After these kills the broker dies, too, while the next process runs.
const BROKER_DIES: [u64; 3] = [5, 10, 15];
const KEYS: u64 = 1000;
const PARTITIONS: i32 = 4;

/// What one process of the job goes by.
pub struct Life {
    from: String,
    to: String,
    place: PathBuf,
}

const VARIABLES: [&str; 3] = ["MILLPOND_TEST_FROM", "MILLPOND_TEST_TO", "MILLPOND_TEST_PLACE"];

impl Life {
    /// What this process was started for, if it is one of the job's.
    pub fn of_this_process() -> Option<Self> {
        let [from, to, place] = VARIABLES.map(|v| std::env::var(v).ok());
        Some(Life {
            from: from?,
            to: to?,
            place: place?.into(),
        })
    }

    fn start(&self) -> Process {
        let values = [&self.from, &self.to, &self.place.display().to_string()];
        let child = Command::new(std::env::current_exe().unwrap())
            .envs(VARIABLES.into_iter().zip(values))
            .spawn();
        Process(child.unwrap())
    }
}

/// A life of the job. It ends with SIGKILL, also when the test fails.
struct Process(Child);

impl Process {
    fn kill(mut self) {
        assert_eq!(self.0.try_wait().unwrap(), None, "the job ended by itself");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Counts the records of a key.
#[derive(Default)]
struct Count {
    count: ValueState<i64>,
}

impl KeyedProcessFunction for Count {
    type Key = i64;
    type In = i64;
    type Out = (i64, i64);
    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.count = ctx.state(ValueStateDescriptor::new("count").default_value(0))?;
        Ok(())
    }
    fn process_element(
        &mut self,
        n: i64,
        _ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, (i64, i64)>,
    ) -> Result<()> {
        let count = self.count.value()? + 1;
        self.count.update(count)?;
        out.collect((n % KEYS as i64, count));
        Ok(())
    }
}

/// The job's process. It runs until it is killed.
pub fn run(life: &Life) {
    job(life).unwrap();
}

fn job(life: &Life) -> Result<()> {
    let env = StreamExecutionEnvironment::get_execution_environment();
    env.set_parallelism(2)
        .enable_checkpointing(Duration::from_millis(300))
        .set_option("execution.checkpointing.dir", life.place.display())
        .set_option("execution.checkpointing.timeout", "30 s")
        .set_option("execution.checkpointing.tolerable-failed-checkpoints", 5)
        .set_option("restart-strategy.type", "fixed-delay")
        .set_option("restart-strategy.fixed-delay.attempts", 1000)
        .set_option("restart-strategy.fixed-delay.delay", "200 ms");
    let number = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).map_err(|e| Error::user(e.to_string()))?;
        text.parse::<i64>().map_err(|e| Error::user(e.to_string()))
    };
    let source = KafkaSource::builder()
        .bootstrap_servers(bootstrap())
        .topics([&life.from])
        .group_id(&life.from)
        .deserializer(KafkaRecordDeserializer::value_only(number))
        .build()?;
    let serializer = KafkaRecordSerializer::topic(&life.to)
        .value(|(key, count): &(i64, i64), out| {
            out.extend_from_slice(format!("{key}:{count}").as_bytes());
            Ok(())
        })
        .key(|(key, _), out| {
            out.extend_from_slice(key.to_string().as_bytes());
            Ok(())
        });
    let sink = KafkaSink::builder()
        .bootstrap_servers(bootstrap())
        .serializer(serializer)
        .delivery_guarantee(DeliveryGuarantee::ExactlyOnce)
        .transactional_id_prefix(&life.to)
        .build()?;
    env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .uid("numbers")
        .key_by(|n| n % KEYS as i64)
        .process(Count::default)
        .uid("count")
        .sink_to(sink)
        .uid("counts");
    env.execute("kafka to kafka").map(drop)
}

/// Goal: each record is counted and each count written exactly once, whatever dies. Method: see the module; the seed is printed.
pub fn a_job_that_is_killed_again_and_again_counts_each_record_once() {
    let place = tempfile::tempdir().unwrap();
    let life = Life {
        from: topic("from", PARTITIONS),
        to: topic("to", PARTITIONS),
        place: place.path().to_path_buf(),
    };
    let seed = entropy();
    println!("seed {seed}");
    let mut random = SeededRandom::new(seed);
    let producer: BaseProducer = config()
        .set("linger.ms", "20")
        .set("enable.idempotence", "true")
        .create()
        .unwrap();
    let share = RECORDS / (KILLS + 1);
    let mut produced = 0;
    let mut checkpoints = BTreeSet::new();
    for kill in 1..=KILLS {
        let process = life.start();
        produce_by(&producer, &life.from, numbers(produced, produced + share));
        produced += share;
        if BROKER_DIES.contains(&(kill - 1)) {
            restart();
        }
        // Every other life gets to a checkpoint, however slow the machine is; the others end wherever they are.
        if kill % 2 == 0 {
            wait_for_another(place.path(), &checkpoints);
        } else {
            sleep(Duration::from_millis(500));
        }
        sleep(Duration::from_millis(random.below(2500)));
        process.kill();
        checkpoints.extend(completed(place.path()));
    }
    let process = life.start();
    produce_by(&producer, &life.from, numbers(produced, RECORDS));
    wait_for_the_end(&life.to);
    process.kill();
    // Whatever the last life left half done, another one finds nothing to repeat.
    let process = life.start();
    sleep(Duration::from_secs(3));
    process.kill();
    check(&life.to);
}

/// Waits until a checkpoint is complete that isn't among `known`.
fn wait_for_another(place: &Path, known: &BTreeSet<String>) {
    let clock = SystemClock::shared();
    let deadline = clock.now_ms() + TIMEOUT.as_millis() as i64;
    while completed(place)
        .iter()
        .all(|checkpoint| known.contains(checkpoint))
    {
        assert!(
            clock.now_ms() < deadline,
            "no checkpoint after {known:?} completes"
        );
        sleep(Duration::from_millis(20));
    }
}

fn numbers(from: u64, to: u64) -> impl Iterator<Item = (i32, u64)> {
    (from..to).map(|n| ((n % PARTITIONS as u64) as i32, n))
}

/// The numbers of the completed checkpoints that are on the disk.
fn completed(place: &Path) -> Vec<String> {
    // Folders come and go meanwhile.
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let jobs = entries(place).map(|job| job.path());
    jobs.flat_map(|job| entries(&job).collect::<Vec<_>>())
        .map(|checkpoint| checkpoint.path())
        .filter(|c| c.join("_metadata").exists())
        .map(|c| c.file_name().unwrap().to_string_lossy().to_string())
        .collect()
}

fn wait_for_the_end(to: &str) {
    let clock = SystemClock::shared();
    let deadline = clock.now_ms() + 3 * TIMEOUT.as_millis() as i64;
    let mut seen = 0;
    while seen < RECORDS as usize {
        assert!(clock.now_ms() < deadline, "only {seen} of {RECORDS} results came");
        sleep(Duration::from_secs(2));
        seen = committed(to).len();
    }
}

/// Every count of every key, each once.
fn check(to: &str) {
    let mut results: Vec<(u64, u64)> = committed(to)
        .iter()
        .map(|record| {
            let (key, count) = record.value.as_ref().unwrap().split_once(':').unwrap();
            (key.parse().unwrap(), count.parse().unwrap())
        })
        .collect();
    results.sort_unstable();
    let expected = (0..KEYS).flat_map(|key| (1..=RECORDS / KEYS).map(move |count| (key, count)));
    let wrong = results
        .iter()
        .copied()
        .zip(expected)
        .find(|(found, expected)| found != expected);
    assert_eq!(
        wrong, None,
        "the first result that isn't as it should be, and what it should be"
    );
    assert_eq!(results.len() as u64, RECORDS);
}
