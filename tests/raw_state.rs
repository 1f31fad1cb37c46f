//! Raw state of functions: what they write by themselves comes back to whoever owns it, at any parallelism.
#![expect(clippy::unwrap_used, reason = "test code")]

use millpond_api::Collector;
use millpond_api::function::{
    KeyedContext, KeyedProcessFunction, ProcessContext, ProcessFunction, RuntimeContext, StateSnapshotContext,
};
use millpond_core::{Error, ErrorKind, Result};
use millpond_runtime::testing::{
    HarnessBuilder, OneInputHarness, for_keyed_process_function, for_process_function,
};
use millpond_state::handle::OperatorSubtaskState;
use millpond_types::JavaHash;
use millpond_types::key_group::{key_group_for_hash, operator_index_for_key_group};
use std::collections::BTreeMap;
use std::io::{Read, Write};

const KEYS: i64 = 40;

fn io(e: std::io::Error) -> Error {
    Error::user("raw state can't be used").source(e)
}

fn read_i64(input: &mut impl Read) -> Result<i64> {
    let mut bytes = [0; 8];
    input.read_exact(&mut bytes).map_err(io)?;
    Ok(i64::from_be_bytes(bytes))
}

fn key_group(key: i64) -> u32 {
    key_group_for_hash(key.java_hash(), 128)
}

/// What to do wrong in a snapshot.
#[derive(Clone, Copy, Default, PartialEq)]
enum Wrong {
    #[default]
    Nothing,
    ForeignKeyGroup,
    KeyGroupTwice,
    NoKeyGroup,
    /// Not in the snapshot: at the restore it doesn't ask.
    DoesNotAsk,
}

/// Counts by key in a map of its own, and keeps that by raw keyed state: by key group, pairs of key and count, no key group
/// without keys.
#[derive(Default)]
struct Counts {
    counts: BTreeMap<u32, BTreeMap<i64, i64>>,
    wrong: Wrong,
}

impl KeyedProcessFunction for Counts {
    type Key = i64;
    type In = i64;
    type Out = (i64, i64);

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        if self.wrong == Wrong::DoesNotAsk {
            return Ok(());
        }
        for input in ctx.raw_keyed_state_inputs() {
            let mut bytes = Vec::new();
            input.stream().read_to_end(&mut bytes).map_err(io)?;
            let mut rest = bytes.as_slice();
            let of_group = self.counts.entry(input.key_group_id()).or_default();
            while !rest.is_empty() {
                let key = read_i64(&mut rest)?;
                of_group.insert(key, read_i64(&mut rest)?);
            }
        }
        Ok(())
    }
    fn process_element(
        &mut self,
        key: i64,
        _: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, (i64, i64)>,
    ) -> Result<()> {
        let of_group = self.counts.entry(key_group(key)).or_default();
        let count = of_group.entry(key).or_insert(0);
        *count += 1;
        out.collect((key, *count));
        Ok(())
    }
    fn snapshot_state(&mut self, ctx: &mut StateSnapshotContext<'_>) -> Result<()> {
        let out = ctx.raw_keyed_operator_state_output()?;
        match self.wrong {
            Wrong::ForeignKeyGroup => out.start_new_key_group(127)?,
            Wrong::NoKeyGroup => out.write_all(b"lost").map_err(io)?,
            _ => {}
        }
        // In no order that a reader could rely on.
        for (group, counts) in self.counts.iter().rev() {
            out.start_new_key_group(*group)?;
            for (key, count) in counts {
                out.write_all(&key.to_be_bytes()).map_err(io)?;
                out.write_all(&count.to_be_bytes()).map_err(io)?;
            }
            if self.wrong == Wrong::KeyGroupTwice {
                out.start_new_key_group(*group)?;
            }
        }
        Ok(())
    }
}

type Keyed = HarnessBuilder<OneInputHarness<i64, (i64, i64)>>;

fn keyed(wrong: Wrong) -> Keyed {
    for_keyed_process_function(
        move || Counts {
            wrong,
            ..Counts::default()
        },
        |key: &i64| *key,
    )
}

/// Counts every key once more on `parallelism` instances that start from `restored`, which is checked to have counted `before`.
fn count_once_more(
    restored: Option<&[OperatorSubtaskState]>,
    parallelism: u32,
    before: i64,
) -> Result<Vec<OperatorSubtaskState>> {
    let mut snapshots = Vec::new();
    for index in 0..parallelism {
        let builder = keyed(Wrong::Nothing).subtask(index, parallelism);
        let builder = restored.map_or_else(|| builder.clone(), |states| builder.restore(states));
        let mut h = builder.open()?;
        for key in 0..KEYS {
            if operator_index_for_key_group(key_group(key), 128, parallelism) == index {
                h.process_element(key, 0)?;
                assert_eq!(h.take_output(), [(key, before + 1)]);
            }
        }
        snapshots.push(h.snapshot(1)?);
    }
    Ok(snapshots)
}

#[test]
fn raw_keyed_state_follows_its_key_groups_through_rescales() -> Result<()> {
    let at_2 = count_once_more(None, 2, 0)?;
    assert!(
        at_2.iter()
            .all(|s| s.raw_keyed.len() == 1 && s.raw_operator.is_empty())
    );
    let at_3 = count_once_more(Some(&at_2), 3, 1)?;
    let at_1 = count_once_more(Some(&at_3), 1, 2)?;
    count_once_more(Some(&at_1), 4, 3).map(drop)
}

#[test]
fn nothing_written_is_no_state() -> Result<()> {
    let state = keyed(Wrong::Nothing).open()?.snapshot(1)?;
    assert!(state.raw_keyed.is_empty() && state.raw_operator.is_empty());
    keyed(Wrong::DoesNotAsk).restore(&[state]).open().map(drop)
}

#[test]
fn what_is_wrong_with_a_section_is_said() -> Result<()> {
    for (wrong, says) in [
        (Wrong::ForeignKeyGroup, "belongs to another operator instance"),
        (Wrong::KeyGroupTwice, "started before"),
        (Wrong::NoKeyGroup, "start_new_key_group"),
    ] {
        let mut h = keyed(wrong).subtask(0, 2).open()?;
        let own = (0..KEYS).find(|k| operator_index_for_key_group(key_group(*k), 128, 2) == 0);
        h.process_element(own.unwrap(), 0)?;
        let report = h.snapshot(1).unwrap_err().report();
        assert!(
            report.contains(says) && report.contains("operator=tested"),
            "{report}"
        );
    }
    Ok(())
}

#[test]
fn raw_state_that_nobody_asks_for_is_refused() -> Result<()> {
    let states = count_once_more(None, 1, 0)?;
    let Err(e) = keyed(Wrong::DoesNotAsk).restore(&states).open() else {
        unreachable!("its state would be lost")
    };
    assert_eq!(e.kind(), ErrorKind::Unsupported);
    let report = e.report();
    for part in [
        "raw keyed state",
        "operator=tested",
        "raw_keyed_state_inputs",
        "canonical savepoint",
    ] {
        assert!(report.contains(part), "{report}");
    }
    // Nor can a function without keys have it.
    let Err(e) = plain().restore(&states).open() else {
        unreachable!("its state would be lost")
    };
    assert!(e.report().contains("raw keyed state"), "{}", e.report());
    Ok(())
}

/// Holds lines, each a partition of its raw operator state: its length, then its text.
#[derive(Default)]
struct Lines {
    lines: Vec<String>,
}

impl ProcessFunction for Lines {
    type In = String;
    type Out = String;

    fn open(&mut self, ctx: &mut RuntimeContext<'_>) -> Result<()> {
        for input in ctx.raw_operator_state_inputs() {
            let mut stream = input.stream();
            let mut line = vec![0; read_i64(&mut stream)? as usize];
            stream.read_exact(&mut line).map_err(io)?;
            self.lines.push(String::from_utf8(line).unwrap());
        }
        Ok(())
    }
    fn process_element(
        &mut self,
        line: String,
        _: &mut ProcessContext<'_>,
        out: &mut Collector<'_, String>,
    ) -> Result<()> {
        if line == "tell" {
            out.collect_all(self.lines.clone());
        } else {
            self.lines.push(line);
        }
        Ok(())
    }
    fn snapshot_state(&mut self, ctx: &mut StateSnapshotContext<'_>) -> Result<()> {
        assert!(ctx.raw_keyed_operator_state_output().is_err());
        let out = ctx.raw_operator_state_output();
        for line in &self.lines {
            out.start_new_partition();
            out.write_all(&(line.len() as i64).to_be_bytes()).map_err(io)?;
            out.write_all(line.as_bytes()).map_err(io)?;
        }
        assert_eq!(out.number_of_partitions(), self.lines.len());
        Ok(())
    }
}

fn plain() -> HarnessBuilder<OneInputHarness<String, String>> {
    for_process_function(Lines::default)
}

/// Goal: partitions are dealt out, each to one instance, none lost, in runs that differ by one at the most. Method: lines, one of them
/// longer than what is read at once, on 2, 3, 7 and 1 instances.
#[test]
fn partitions_of_raw_operator_state_are_dealt_out_when_the_job_is_rescaled() -> Result<()> {
    let mut all: Vec<String> = (0..11).map(|n| format!("line {n}")).collect();
    all.push("long ".repeat(40_000));
    let mut states = Vec::new();
    for half in all.chunks(6) {
        let mut h = plain().open()?;
        for line in half {
            h.process_element(line.clone(), 0)?;
        }
        states.push(h.snapshot(1)?);
    }
    for parallelism in [3, 7, 1, 2] {
        let mut found = Vec::new();
        let mut next = Vec::new();
        for index in 0..parallelism {
            let mut h = plain().restore(&states).subtask(index, parallelism).open()?;
            h.process_element("tell".to_string(), 0)?;
            let own = h.take_output();
            assert!(own.len() / 2 <= all.len() / parallelism as usize);
            assert!(own.len() >= all.len() / parallelism as usize);
            found.extend(own);
            next.push(h.snapshot(2)?);
        }
        found.sort();
        all.sort();
        assert_eq!(found, all, "parallelism {parallelism}");
        states = next;
    }
    Ok(())
}

/// Goal: `_metadata` holds it. Method: a job is stopped with a savepoint on 2 instances and goes on on 3.
#[test]
fn a_savepoint_holds_raw_state() -> Result<()> {
    use millpond_api::WatermarkStrategy;
    use millpond_connectors::{CollectSink, DataGeneratorSource};
    use millpond_core::Configuration;
    use millpond_runtime::datastream::StreamExecutionEnvironment;

    const RECORDS: u64 = 4_000;
    let dir = tempfile::tempdir().unwrap();
    let sink = CollectSink::exactly_once();
    let job = |parallelism: u32, per_second: u64| {
        let env = StreamExecutionEnvironment::new(Configuration::new());
        env.set_parallelism(parallelism)
            .enable_checkpointing(std::time::Duration::from_millis(20));
        // Also what is small becomes a file.
        env.set_option("execution.checkpointing.data-inline-threshold", "0b");
        let source = DataGeneratorSource::new(|i| i as i64, Some(RECORDS)).rate_per_second(per_second);
        env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
            .uid("numbers")
            .key_by(|n| n % KEYS)
            .process(CountsOfNumbers::default)
            .uid("counts")
            .sink_to(sink.clone())
            .uid("sink");
        env
    };
    let running = job(2, 2_000).execute_async("raw")?;
    while sink.collected().is_empty() && !running.status().is_globally_terminal() {
        millpond_core::host::sleep(std::time::Duration::from_millis(5));
    }
    let savepoint = running
        .stop_with_savepoint(false, Some(dir.path().display().to_string()))
        .wait()?
        .path;
    running.wait()?;
    let env = job(3, 1_000_000);
    env.set_option("execution.state-recovery.path", savepoint);
    env.execute("raw goes on")?;
    let mut seen = BTreeMap::<i64, Vec<i64>>::new();
    for (key, count) in sink.collected() {
        seen.entry(key).or_default().push(count);
    }
    assert_eq!(seen.len() as i64, KEYS);
    for counts in seen.values_mut() {
        counts.sort_unstable();
        let expected: Vec<i64> = (1..=RECORDS as i64 / KEYS).collect();
        assert_eq!(*counts, expected);
    }
    Ok(())
}

/// [`Counts`] of numbers by their remainder.
#[derive(Default)]
struct CountsOfNumbers(Counts);

impl KeyedProcessFunction for CountsOfNumbers {
    type Key = i64;
    type In = i64;
    type Out = (i64, i64);
    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.0.open(ctx)
    }
    fn process_element(
        &mut self,
        n: i64,
        ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, (i64, i64)>,
    ) -> Result<()> {
        self.0.process_element(n % KEYS, ctx, out)
    }
    fn snapshot_state(&mut self, ctx: &mut StateSnapshotContext<'_>) -> Result<()> {
        self.0.snapshot_state(ctx)
    }
}
