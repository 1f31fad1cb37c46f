//! Crashes: at every step of a checkpoint, at random moments, at other parallelisms, and back behind a damaged checkpoint.

use super::{Job, hidden, job, names, sink, visible};
use crate::sink::testing::{SinkJob, Start};
use millpond_core::JobId;
use proptest::prelude::*;
use std::path::Path;
use tempfile::tempdir;

/// A crash's moment within the second checkpoint of a job of two instances.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    BeforeBarrier,
    OneInstancePrepared,
    Prepared,
    OneInstanceCommitted,
    Committed,
}

/// Goal: after a crash at any step the recovered job shows each record once, and nothing is left over.
/// Method: one checkpoint, then a second one interrupted at each step; recover from the newest complete one at each
/// parallelism, send the lost records again, complete a third one.
#[test]
fn a_crash_at_any_step_neither_loses_nor_repeats_a_record() {
    use Moment::*;
    for moment in [
        BeforeBarrier,
        OneInstancePrepared,
        Prepared,
        OneInstanceCommitted,
        Committed,
    ] {
        for parallelism in 1..=3 {
            let dir = tempdir().unwrap();
            let mut job = job(dir.path());
            job.start(Start::Fresh, 2).unwrap();
            write_both(&mut job, 0);
            let mut newest = job.checkpoint().unwrap();
            write_both(&mut job, 100);
            let complete = interrupt(&mut job, moment);
            if complete {
                newest += 1;
            }
            job.start(Start::Recover(newest), parallelism).unwrap();
            assert_eq!(
                hidden(dir.path()),
                0,
                "{moment:?}: leftovers at parallelism {parallelism}"
            );
            let expected = if complete {
                vec![0, 1, 100, 101]
            } else {
                vec![0, 1]
            };
            assert_eq!(visible(dir.path()), expected, "{moment:?}");
            if !complete {
                job.write(0, 100).unwrap();
                job.write(0, 101).unwrap();
            }
            job.write(0, 200).unwrap();
            job.checkpoint().unwrap();
            assert_eq!(visible(dir.path()), [0, 1, 100, 101, 200], "{moment:?}");
        }
    }
}

fn write_both(job: &mut Job, base: u64) {
    job.write(0, base).unwrap();
    job.write(1, base + 1).unwrap();
}

/// Runs the second checkpoint up to `moment`. Answers whether it counts as complete.
fn interrupt(job: &mut Job, moment: Moment) -> bool {
    let id = job.next_checkpoint;
    match moment {
        Moment::BeforeBarrier => return false,
        Moment::OneInstancePrepared => {
            job.instances[1].prepare(id).unwrap();
            return false;
        }
        Moment::Prepared => {
            job.prepare().unwrap();
        }
        Moment::OneInstanceCommitted => {
            job.prepare().unwrap();
            job.instances[1].complete(id).unwrap();
        }
        Moment::Committed => {
            job.checkpoint().unwrap();
        }
    }
    true
}

/// Goal: a checkpoint that all instances prepared but that was never completed is as if it had not been.
#[test]
fn files_of_a_checkpoint_that_never_completed_are_removed() {
    let dir = tempdir().unwrap();
    let mut job = job(dir.path());
    job.start(Start::Fresh, 2).unwrap();
    write_both(&mut job, 0);
    let complete = job.checkpoint().unwrap();
    write_both(&mut job, 100);
    job.prepare().unwrap();
    job.start(Start::Recover(complete), 1).unwrap();
    assert_eq!((visible(dir.path()), hidden(dir.path())), (vec![0, 1], 0));
    // The same before any checkpoint completed: the job starts afresh.
    job.write(0, 5).unwrap();
    job.prepare().unwrap();
    job.start(Start::Fresh, 1).unwrap();
    assert_eq!((visible(dir.path()), hidden(dir.path())), (vec![0, 1], 0));
}

/// Goal: when completed checkpoints turn out damaged and an older one is used, what they had committed is taken back.
#[test]
fn recovery_from_an_older_checkpoint_takes_later_files_back() {
    for parallelism in 1..=3 {
        let dir = tempdir().unwrap();
        let mut job = job(dir.path());
        job.start(Start::Fresh, 2).unwrap();
        let mut ids = Vec::new();
        for round in 0..4 {
            write_both(&mut job, round * 100);
            ids.push(job.checkpoint().unwrap());
        }
        job.start(Start::Recover(ids[1]), parallelism).unwrap();
        assert_eq!(visible(dir.path()), [0, 1, 100, 101], "parallelism {parallelism}");
        for n in [200, 201, 300, 301] {
            job.write(0, n).unwrap();
        }
        job.checkpoint().unwrap();
        assert_eq!(visible(dir.path()), [0, 1, 100, 101, 200, 201, 300, 301]);
    }
}

/// Goal: taking back touches nothing but this sink's files of this job's given-up checkpoints.
#[test]
fn files_of_others_are_never_touched() {
    let dir = tempdir().unwrap();
    let run = |job_name: &str, operator: &'static str, base: u64| {
        let mut job = job(dir.path());
        job.job_id = JobId::from_name(job_name);
        job.operator_name = operator;
        job.start(Start::Fresh, 1).unwrap();
        for n in base..base + 3 {
            job.write(0, n).unwrap();
            job.checkpoint().unwrap();
        }
        job.write(0, base + 9).unwrap();
        job
    };
    let mut ours = run("job", "sink", 0);
    let mut same_job_other_sink = run("job", "late", 10);
    let mut other_job = run("other", "sink", 20);
    let foreign = ["part-x.txt", ".part.inprogress", ".keep", "part-1-2-3-4-5-6.txt"];
    for name in foreign {
        std::fs::write(dir.path().join(name), "999\n").unwrap();
    }
    ours.start(Start::Recover(1), 1).unwrap();
    for name in foreign {
        assert!(names(dir.path()).contains(&name.to_string()), "{name}");
        std::fs::remove_file(dir.path().join(name)).unwrap();
    }
    assert_eq!(visible(dir.path()), [0, 10, 11, 12, 20, 21, 22]);
    // Neither lost the file that it was writing.
    same_job_other_sink.checkpoint().unwrap();
    other_job.checkpoint().unwrap();
    assert_eq!(visible(dir.path()), [0, 10, 11, 12, 19, 20, 21, 22, 29]);
}

/// Goal: a second start of the job without a snapshot adds to what the first one left, and a recovery of the second one takes
/// nothing of the first one back, though their checkpoints have the same numbers.
#[test]
fn a_fresh_start_leaves_the_output_of_the_last_one_alone() {
    let dir = tempdir().unwrap();
    let mut job = job(dir.path());
    for base in [0, 10] {
        job.next_checkpoint = 1;
        job.start(Start::Fresh, 2).unwrap();
        for n in base..base + 3 {
            job.write(0, n).unwrap();
            job.checkpoint().unwrap();
        }
    }
    assert_eq!(visible(dir.path()), [0, 1, 2, 10, 11, 12]);
    job.start(Start::Recover(2), 3).unwrap();
    assert_eq!(visible(dir.path()), [0, 1, 2, 10, 11]);
}

/// Goal: a job from a savepoint of another finishes what the savepoint waits for, and shares the folder with it.
#[test]
fn a_savepoint_brings_its_pending_files_along() {
    let dir = tempdir().unwrap();
    let mut old = job(dir.path());
    old.start(Start::Fresh, 2).unwrap();
    write_both(&mut old, 0);
    let savepoint = old.prepare().unwrap();
    let mut new = SinkJob::new(sink(dir.path()));
    new.job_id = JobId::from_savepoint("job", "here");
    new.checkpoints = old.checkpoints.clone();
    new.start(Start::Savepoint(savepoint), 3).unwrap();
    assert_eq!(visible(dir.path()), [0, 1]);
    // The old job goes on beside it, and hears of its own completion late.
    old.complete(savepoint).unwrap();
    write_both(&mut old, 100);
    old.checkpoint().unwrap();
    new.write(2, 200).unwrap();
    new.checkpoint().unwrap();
    assert_eq!(visible(dir.path()), [0, 1, 100, 101, 200]);
}

/// What a random run does next.
#[derive(Clone, Debug)]
enum Op {
    Write(u8),
    Prepare,
    /// Completes on the first so many instances; the coordinator counts it as complete even for none.
    Complete(u8),
    /// Crashes and recovers, behind so many complete checkpoints, at this parallelism.
    Crash(u8, u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => any::<u8>().prop_map(Op::Write),
        3 => Just(Op::Prepare),
        3 => (0u8..4).prop_map(Op::Complete),
        2 => (0u8..3, 1u32..4).prop_map(|(back, p)| Op::Crash(back, p)),
    ]
}

/// A model of the job: the records of each complete checkpoint.
struct Model {
    next: u64,
    since: Vec<u64>,
    prepared: Option<(u64, Vec<u64>)>,
    complete: Vec<(u64, Vec<u64>)>,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    /// Goal: whatever happens in whatever order, after a recovery exactly the records up to its checkpoint are visible.
    /// Method: random writes, checkpoints, partly delivered notices and crashes, against a model.
    #[test]
    fn a_recovered_folder_holds_exactly_what_its_checkpoint_covers(ops in prop::collection::vec(op(), 1..40)) {
        let dir = tempdir().unwrap();
        let mut job = job(dir.path());
        job.start(Start::Fresh, 2).unwrap();
        let mut model = Model { next: 0, since: Vec::new(), prepared: None, complete: Vec::new() };
        for op in ops.into_iter().chain([Op::Crash(0, 2)]) {
            step(&mut job, &mut model, dir.path(), op);
        }
    }
}

fn step(job: &mut Job, model: &mut Model, dir: &Path, op: Op) {
    match op {
        Op::Write(instance) => {
            let instance = usize::from(instance) % job.instances.len();
            job.write(instance, model.next).unwrap();
            model.since.push(model.next);
            model.next += 1;
        }
        Op::Prepare => {
            let id = job.prepare().unwrap();
            // A checkpoint that never completes leaves its records to the next one.
            let mut records = model.prepared.take().map(|(_, r)| r).unwrap_or_default();
            records.append(&mut model.since);
            model.prepared = Some((id, records));
        }
        Op::Complete(instances) => {
            let Some((id, records)) = model.prepared.take() else {
                return;
            };
            for instance in job.instances.iter_mut().take(usize::from(instances)) {
                instance.complete(id).unwrap();
            }
            model.complete.push((id, records));
        }
        Op::Crash(back, parallelism) => {
            let kept = model.complete.len().saturating_sub(usize::from(back));
            if kept == 0 && !model.complete.is_empty() {
                return;
            }
            model.complete.truncate(kept);
            (model.since, model.prepared) = (Vec::new(), None);
            match model.complete.last() {
                Some((id, _)) => job.start(Start::Recover(*id), parallelism).unwrap(),
                None => job.start(Start::Fresh, parallelism).unwrap(),
            }
            let mut expected: Vec<u64> = model.complete.iter().flat_map(|(_, r)| r.clone()).collect();
            expected.sort_unstable();
            assert_eq!((visible(dir), hidden(dir)), (expected, 0));
        }
    }
}
