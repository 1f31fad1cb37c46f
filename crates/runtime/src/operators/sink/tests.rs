//! The protocol between writer, committer and checkpoints: crashes, retries, aborts, restores at any parallelism.

use crate::testing::for_sink;
use millpond_api::sink::{CommitRequest, Committer, CommitterInitContext};
use millpond_api::{Sink, SinkContext, SinkWriter, WriterInitContext};
use millpond_core::{Error, ErrorKind, Result};
use std::sync::{Arc, Mutex};

/// What a committer does with a request that it sees for the so-manieth time.
type Answer = fn(&mut CommitRequest<String>);

/// A sink that notes every call. Its writer stages records, joined by commas at the barrier.
#[derive(Clone)]
struct Ledger {
    log: Arc<Mutex<Vec<String>>>,
    answer: Answer,
}

impl Ledger {
    fn new(answer: Answer) -> Self {
        Ledger {
            log: Arc::default(),
            answer,
        }
    }
    fn note(&self, line: impl Into<String>) {
        self.log.lock().unwrap().push(line.into());
    }
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

struct LedgerWriter {
    ledger: Ledger,
    staged: Vec<String>,
}

impl Sink for Ledger {
    type In = String;
    type Writer = LedgerWriter;
    fn create_writer(&self, ctx: &mut WriterInitContext<'_>) -> Result<LedgerWriter> {
        self.note(format!("open {}", ctx.operator_name));
        Ok(LedgerWriter {
            ledger: self.clone(),
            staged: Vec::new(),
        })
    }
    fn create_committer(&self, _: &CommitterInitContext<'_>) -> Result<Option<Box<dyn Committer<String>>>> {
        Ok(Some(Box::new(self.clone())))
    }
}

impl SinkWriter for LedgerWriter {
    type In = String;
    type Committable = String;
    fn write(&mut self, value: String, ctx: &SinkContext) -> Result<()> {
        if value == "bad" {
            return Err(Error::new(ErrorKind::Io, "write", "the disk is full"));
        }
        self.staged
            .push(format!("{value}@{}<{}", ctx.timestamp, ctx.watermark));
        Ok(())
    }
    fn flush(&mut self, end_of_input: bool) -> Result<()> {
        if end_of_input {
            self.ledger.note("end");
        }
        Ok(())
    }
    fn prepare_commit(&mut self, _: u64) -> Result<Vec<String>> {
        let staged = std::mem::take(&mut self.staged);
        Ok(if staged.is_empty() {
            Vec::new()
        } else {
            vec![staged.join(",")]
        })
    }
}

impl Committer<String> for Ledger {
    fn commit(&mut self, requests: &mut [CommitRequest<String>]) -> Result<()> {
        for request in requests {
            let restored = if request.is_restored() { " restored" } else { "" };
            let retries = request.number_of_retries();
            self.note(format!("commit {}{restored} {retries}", request.committable()));
            (self.answer)(request);
        }
        Ok(())
    }
}

fn committed(_: &mut CommitRequest<String>) {}

/// Goal: a committable is in the snapshot of its own barrier, is committed when that completes, and a restored instance commits
/// it before it makes a writer: a crash between the two phases loses nothing, one after both repeats a harmless commit.
#[test]
fn a_crash_between_the_phases_is_made_up_for_before_the_writer_opens() -> Result<()> {
    let ledger = Ledger::new(committed);
    let builder = for_sink(ledger.clone());
    let mut h = builder.open()?;
    h.process_watermark(4)?;
    h.process_element("a".into(), 5)?;
    let first = h.snapshot(1)?;
    assert_eq!(ledger.take(), ["open tested"]);
    let e = h.process_element("bad".into(), 6).unwrap_err();
    assert_eq!((e.kind(), e.context("operator")), (ErrorKind::Io, Some("tested")));

    let mut h = builder.restore(&[first]).open()?;
    assert_eq!(ledger.take(), ["commit a@5<4 restored 0", "open tested"]);
    // What was committed is in no later snapshot.
    let second = h.snapshot(2)?;
    h.notify_checkpoint_complete(2)?;
    builder.restore(&[second]).open()?;
    assert_eq!(ledger.take(), ["open tested"]);
    Ok(())
}

/// Goal: committables of an aborted checkpoint, and of one whose notice was lost, are committed with the next that completes,
/// the oldest first; until then every snapshot holds them.
#[test]
fn an_aborted_checkpoint_leaves_its_committables_to_the_next() -> Result<()> {
    let ledger = Ledger::new(committed);
    let builder = for_sink(ledger.clone());
    let mut h = builder.open()?;
    h.process_element("a".into(), 1)?;
    h.snapshot(1)?;
    h.notify_checkpoint_aborted(1)?;
    h.process_element("b".into(), 2)?;
    let second = h.snapshot(2)?;
    h.process_element("c".into(), 3)?;
    h.snapshot(3)?;
    assert_eq!(ledger.take(), ["open tested"]);
    h.notify_checkpoint_complete(2)?;
    let min = i64::MIN;
    let both = [format!("commit a@1<{min} 0"), format!("commit b@2<{min} 0")];
    assert_eq!(ledger.take(), both);
    builder.restore(&[second]).open()?;
    assert_eq!(ledger.take().len(), 3, "both again, and the writer");
    Ok(())
}

/// Goal: what can't be committed for the moment is tried again, in place of it what is left of it, and only so often.
#[test]
fn a_commit_is_retried_as_often_as_the_option_says() -> Result<()> {
    let third_time = Ledger::new(|request| match request.number_of_retries() {
        0 => request.retry_later(),
        1 => request.update_and_retry_later("the rest".into()),
        _ => {}
    });
    let mut h = for_sink(third_time.clone())
        .option("sink.committer.retries", 2)
        .open()?;
    h.process_watermark(0)?;
    h.process_element("a".into(), 1)?;
    h.snapshot(1)?;
    h.notify_checkpoint_complete(1)?;
    let tries = [
        "open tested",
        "commit a@1<0 0",
        "commit a@1<0 1",
        "commit the rest 2",
    ];
    assert_eq!(third_time.take(), tries);
    let count = |name: &str| {
        let counters = h.counters();
        counters.iter().find(|(n, _)| n == name).map(|(_, v)| *v)
    };
    assert_eq!(count("retriedCommittables"), Some(2));
    assert_eq!(count("successfulCommittables"), Some(1));

    let never = Ledger::new(CommitRequest::retry_later);
    let builder = for_sink(never.clone()).option("sink.committer.retries", 2);
    let mut h = builder.open()?;
    h.process_element("a".into(), 1)?;
    let snapshot = h.snapshot(7)?;
    let e = h.notify_checkpoint_complete(7).unwrap_err();
    assert_eq!((e.kind(), e.context("checkpoint")), (ErrorKind::Io, Some("7")));
    assert!(
        e.to_string().contains("tries=3") && e.to_string().contains("nothing is lost"),
        "{e}"
    );
    // A start can't go past it either.
    let e = builder.restore(&[snapshot]).open().err().unwrap();
    assert_eq!(e.kind(), ErrorKind::Io, "{e}");
    Ok(())
}

/// Goal: what the committer says of a request decides whether the job goes on.
#[test]
fn a_known_failure_is_passed_over_and_an_unknown_one_fails_the_task() -> Result<()> {
    for (answer, fails) in [
        (
            (|r| r.signal_failed_with_known_reason(Error::user("fenced"))) as Answer,
            false,
        ),
        (
            |r| r.signal_failed_with_unknown_reason(Error::user("fenced")),
            true,
        ),
        (CommitRequest::signal_already_committed, false),
    ] {
        let mut h = for_sink(Ledger::new(answer)).open()?;
        h.process_element("a".into(), 1)?;
        h.snapshot(1)?;
        let result = h.notify_checkpoint_complete(1);
        assert_eq!(result.is_err(), fails);
        // Settled either way: it doesn't come again.
        h.notify_checkpoint_complete(2)?;
    }
    Ok(())
}

/// Goal: after a restore at any parallelism each committable is committed by exactly one instance: the one that its maker's
/// number leaves when divided by the parallelism.
#[test]
fn a_restore_at_another_parallelism_hands_committables_out() -> Result<()> {
    let ledger = Ledger::new(committed);
    let builder = for_sink(ledger.clone());
    let mut snapshots = Vec::new();
    for i in 0..4 {
        let mut h = builder.subtask(i, 4).open()?;
        h.process_watermark(0)?;
        h.process_element(format!("r{i}"), 1)?;
        snapshots.push(h.snapshot(1)?);
    }
    ledger.take();
    for parallelism in 1..=6 {
        for i in 0..parallelism {
            builder.subtask(i, parallelism).restore(&snapshots).open()?;
            let expected: Vec<String> = (0..4)
                .filter(|maker| maker % parallelism == i)
                .map(|maker| format!("commit r{maker}@1<0 restored 0"))
                .chain(["open tested".to_string()])
                .collect();
            assert_eq!(ledger.take(), expected, "instance {i} of {parallelism}");
        }
    }
    Ok(())
}

/// Goal: at the end of the input everything is flushed; with checkpoints the last of them commits, without them the end does.
#[test]
fn the_end_of_the_input_commits_where_no_checkpoint_will() -> Result<()> {
    for checkpointing in [true, false] {
        let ledger = Ledger::new(committed);
        let mut h = for_sink(ledger.clone()).checkpointing(checkpointing).open()?;
        h.process_watermark(0)?;
        h.process_element("a".into(), 1)?;
        h.end_input()?;
        let mut expected = vec!["open tested", "end"];
        if checkpointing {
            assert_eq!(ledger.log.lock().unwrap().len(), 2);
            h.snapshot(1)?;
            h.notify_checkpoint_complete(1)?;
        }
        expected.push("commit a@1<0 0");
        assert_eq!(ledger.take(), expected);
    }
    Ok(())
}

/// A sink that stages but can't commit.
struct Halfway(Ledger);
impl Sink for Halfway {
    type In = String;
    type Writer = LedgerWriter;
    fn create_writer(&self, ctx: &mut WriterInitContext<'_>) -> Result<LedgerWriter> {
        self.0.create_writer(ctx)
    }
}

#[test]
fn committables_without_a_committer_are_refused() -> Result<()> {
    let mut h = for_sink(Halfway(Ledger::new(committed))).open()?;
    h.process_element("a".into(), 1)?;
    let e = h.snapshot(1).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::IllegalState);
    assert!(e.to_string().contains("create_committer"), "{e}");
    Ok(())
}
