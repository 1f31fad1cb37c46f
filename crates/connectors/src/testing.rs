//! What the tests of sources share: readers driven by hand, and a log that can be looked at.

use millpond_api::{InputStatus, Source, SourceOutput, SourceReader, SourceReaderContext};
use millpond_core::Result;
use millpond_core::host::{Clock, ManualClock};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

/// The context of instance `subtask_index` of `parallelism` on `clock`.
pub fn reader_context(subtask_index: u32, parallelism: u32, clock: Arc<dyn Clock>) -> SourceReaderContext {
    SourceReaderContext {
        subtask_index,
        parallelism,
        clock,
    }
}

/// A reader for each of `parallelism` instances, split `i` given to instance `i % parallelism`.
pub fn readers<S: Source>(source: &S, splits: Vec<S::Split>, parallelism: u32) -> Result<Vec<S::Reader>> {
    let clock: Arc<dyn Clock> = ManualClock::new(0);
    let mut parts: Vec<Vec<S::Split>> = (0..parallelism).map(|_| Vec::new()).collect();
    for (i, split) in splits.into_iter().enumerate() {
        parts[i % parallelism as usize].push(split);
    }
    let mut readers = Vec::new();
    for (i, part) in (0..).zip(parts) {
        let mut reader = source.create_reader(&reader_context(i, parallelism, clock.clone()))?;
        reader.add_splits(part)?;
        readers.push(reader);
    }
    Ok(readers)
}

/// Polls once; appends what came to `out`.
pub fn poll<R: SourceReader>(reader: &mut R, out: &mut Vec<R::Out>) -> Result<InputStatus> {
    let mut emit = |value, _timestamp| {
        out.push(value);
        Ok(())
    };
    reader.poll_next(&mut SourceOutput::new(&mut emit))
}

/// Polls to the end.
pub fn drain<R: SourceReader>(reader: &mut R, out: &mut Vec<R::Out>) -> Result<()> {
    while poll(reader, out)? != InputStatus::EndOfInput {}
    Ok(())
}

/// Everything that the source yields from its start.
pub fn read_all<S: Source>(source: &S, parallelism: u32) -> Result<Vec<S::Out>> {
    let mut out = Vec::new();
    for reader in &mut readers(source, source.create_splits(parallelism)?, parallelism)? {
        drain(reader, &mut out)?;
    }
    Ok(out)
}

/// The contract of positions: reads with `before` instances, each polled as often as `polls` says; then takes a snapshot, puts
/// it on `after` fresh instances, and reads to the end. Answers all records of both lives.
pub fn read_with_restore<S: Source>(
    source: &S,
    before: u32,
    polls: &[usize],
    after: u32,
) -> Result<Vec<S::Out>> {
    let mut out = Vec::new();
    let mut snapshot = Vec::new();
    let mut first_life = readers(source, source.create_splits(before)?, before)?;
    for (reader, polls) in first_life.iter_mut().zip(polls.iter().cycle()) {
        for _ in 0..*polls {
            poll(reader, &mut out)?;
        }
        snapshot.extend(reader.snapshot_state(1)?);
        // What is read after the snapshot is lost in the crash.
        poll(reader, &mut Vec::new())?;
    }
    for reader in &mut readers(source, snapshot, after)? {
        drain(reader, &mut out)?;
    }
    Ok(out)
}

/// Runs `f` and answers what it logged, a line an event.
pub fn logged<R>(f: impl FnOnce() -> R) -> (R, String) {
    let log = Arc::new(Mutex::new(String::new()));
    let result = tracing::subscriber::with_default(Log(log.clone()), f);
    let text = log.lock().unwrap().clone();
    (result, text)
}

struct Log(Arc<Mutex<String>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut line = event.metadata().level().to_string();
        event.record(
            &mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                write!(line, " {}={value:?}", field.name()).unwrap();
            },
        );
        writeln!(self.0.lock().unwrap(), "{line}").unwrap();
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}
