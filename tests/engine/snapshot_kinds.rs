//! What can be done with which kind of snapshot: the cells of the table in `docs/storage.md`, one test each.
//!
//! Method: a job counts 12,000 numbers by key. Some way in, a snapshot of the kind is taken; what comes after it is thrown away with
//! the job. Another job goes on from the snapshot, changed as the cell says, and every count has to be there exactly once.

use super::{counted, environment, expected_counts, numbers, occurrences};
use millpond_connectors::CollectSink;
use millpond_core::host::sleep;
use millpond_core::{Error, ErrorKind, Result};
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_runtime::master::{JobHandle, SavepointInfo};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    CanonicalSavepoint,
    NativeSavepoint,
    AlignedCheckpoint,
    UnalignedCheckpoint,
}

impl Kind {
    /// Whether it may share files with others of its job.
    fn is_checkpoint(self) -> bool {
        matches!(self, Kind::AlignedCheckpoint | Kind::UnalignedCheckpoint)
    }
}

/// How a job is built.
#[derive(Clone, Copy)]
struct Job {
    parallelism: u32,
    backend: &'static str,
    /// Whether counts are narrower numbers.
    narrow: bool,
    /// An operator that the other doesn't have.
    with_more: bool,
}

const FIRST: Job = Job {
    parallelism: 2,
    backend: "hashmap",
    narrow: false,
    with_more: false,
};

/// How fast a job runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Most numbers are still to come when the snapshot is taken.
    Steady,
    /// The source is held up by a count that is slow: numbers wait in channels when the snapshot is taken.
    Backpressured,
    /// To the end.
    Fast,
}

struct Taken {
    dir: TempDir,
    path: PathBuf,
    sink: CollectSink<(i64, i64)>,
}

fn build(env: &StreamExecutionEnvironment, job: Job, pace: Pace, sink: &CollectSink<(i64, i64)>) {
    // Only what is asked for: what is not in the snapshot must not be committed.
    env.set_option("execution.checkpointing.interval", "1 h");
    env.set_option("execution.checkpointing.incremental", true);
    env.set_option("execution.checkpointing.data-inline-threshold", "0");
    env.set_option("state.backend.type", job.backend);
    env.set_option(
        "execution.checkpointing.externalized-checkpoint-retention",
        "RETAIN_ON_CANCELLATION",
    );
    env.set_option("taskmanager.network.memory.buffers-per-channel", 2);
    let rate = if pace == Pace::Steady { 10_000 } else { 1_000_000 };
    let mut numbers = numbers(env, Some(12_000), rate);
    if job.with_more {
        numbers = numbers.map(|n| n).uid("more");
    }
    let counts = match job.narrow {
        true => counted::<i32>(&numbers),
        false => counted::<i64>(&numbers),
    };
    counts
        .map(move |count| {
            if pace == Pace::Backpressured {
                sleep(Duration::from_micros(200));
            }
            count
        })
        .uid("pace")
        .sink_to(sink.clone())
        .uid("sink");
}

fn take(kind: Kind, job: Job) -> Taken {
    let dir = tempfile::tempdir().unwrap();
    let sink = CollectSink::exactly_once();
    let env = environment(job.parallelism);
    let folder = |name: &str| dir.path().join(name).display().to_string();
    env.set_option("execution.checkpointing.dir", folder("checkpoints"));
    env.set_option("state.backend.rocksdb.localdir", folder("local"));
    let pace = if kind == Kind::UnalignedCheckpoint {
        env.set_option("execution.checkpointing.unaligned.enabled", true);
        Pace::Backpressured
    } else {
        Pace::Steady
    };
    build(&env, job, pace, &sink);
    let handle = env.execute_async("first").unwrap();
    // Declined until all tasks run; and an incremental snapshot is only one behind another.
    super::eventually("a first checkpoint", || {
        handle.trigger_checkpoint().wait().is_ok()
    });
    let target = Some(folder("savepoints"));
    let snapshot = match kind {
        Kind::CanonicalSavepoint => handle.trigger_savepoint(target).wait().unwrap(),
        Kind::NativeSavepoint => handle.trigger_native_savepoint(target).wait().unwrap(),
        Kind::AlignedCheckpoint => handle.trigger_checkpoint().wait().unwrap(),
        Kind::UnalignedCheckpoint => with_records_in_flight(&handle),
    };
    let path = snapshot.path;
    handle.cancel();
    assert_eq!(handle.wait().unwrap_err().kind(), ErrorKind::Cancelled);
    Taken {
        path: PathBuf::from(path.trim_start_matches("file:")),
        dir,
        sink,
    }
}

/// A checkpoint that holds numbers which its barriers overtook.
fn with_records_in_flight(job: &JobHandle) -> SavepointInfo {
    for _ in 0..100 {
        let taken = job.trigger_checkpoint().wait().unwrap();
        let stats = job.details().checkpoints.latest_completed.unwrap();
        if stats.unaligned && stats.persisted_bytes > 0 {
            return taken;
        }
    }
    panic!("none of 100 checkpoints overtook a record");
}

fn go_on(taken: &Taken, path: &Path, job: Job) -> Result<()> {
    let env = environment(job.parallelism);
    env.set_option("execution.state-recovery.path", path.display());
    let local = taken.dir.path().join("local");
    env.set_option("state.backend.rocksdb.localdir", local.display());
    build(&env, job, Pace::Fast, &taken.sink);
    env.execute("second").map(|_| ())
}

fn works(kind: Kind, first: Job, second: Job) {
    let taken = take(kind, first);
    go_on(&taken, &taken.path, second).unwrap();
    complete(&taken);
}

fn complete(taken: &Taken) {
    assert_eq!(occurrences(taken.sink.collected()), expected_counts(12_000));
}

fn moves(kind: Kind) {
    let taken = take(kind, FIRST);
    // A checkpoint shares files with others of its job: it moves with the job's folder.
    let whole = if kind.is_checkpoint() {
        taken.path.parent().unwrap()
    } else {
        taken.path.as_path()
    };
    let moved = taken.dir.path().join("elsewhere");
    std::fs::rename(whole, &moved).unwrap();
    let path = moved.join(taken.path.strip_prefix(whole).unwrap());
    go_on(&taken, &path, FIRST).unwrap();
    complete(&taken);
}

/// Whether it still opens when everything else of its job is gone.
fn alone(kind: Kind) -> Result<()> {
    let taken = take(kind, FIRST);
    for entry in std::fs::read_dir(taken.dir.path().join("checkpoints")).unwrap() {
        let job = entry.unwrap().path();
        if kind.is_checkpoint() {
            std::fs::remove_dir_all(job.join("shared")).unwrap();
        } else {
            std::fs::remove_dir_all(job).unwrap();
        }
    }
    go_on(&taken, &taken.path, FIRST)?;
    complete(&taken);
    Ok(())
}

macro_rules! cells {
    ($($module:ident: $kind:expr),*) => {$(
        mod $module {
            use super::*;

            #[test]
            fn restores_at_another_parallelism() {
                works($kind, FIRST, Job { parallelism: 3, ..FIRST });
                works($kind, FIRST, Job { parallelism: 1, ..FIRST });
            }

            #[test]
            fn restores_into_a_job_with_other_operators() {
                works($kind, FIRST, Job { with_more: true, ..FIRST });
                works($kind, Job { with_more: true, ..FIRST }, FIRST);
            }

            #[test]
            fn restores_into_wider_types() {
                works($kind, Job { narrow: true, ..FIRST }, FIRST);
            }

            #[test]
            fn restores_from_where_it_was_moved_to() {
                moves($kind);
            }
        }
    )*};
}

cells!(
    a_canonical_savepoint: Kind::CanonicalSavepoint,
    a_native_savepoint: Kind::NativeSavepoint,
    an_aligned_checkpoint: Kind::AlignedCheckpoint,
    an_unaligned_checkpoint: Kind::UnalignedCheckpoint
);

#[test]
fn savepoints_need_nothing_of_their_job_and_checkpoints_do() {
    alone(Kind::CanonicalSavepoint).unwrap();
    alone(Kind::NativeSavepoint).unwrap();
    for kind in [Kind::AlignedCheckpoint, Kind::UnalignedCheckpoint] {
        let error: Error = alone(kind).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
}

#[cfg(feature = "rocksdb")]
mod another_backend {
    use super::*;

    const ROCKSDB: Job = Job {
        backend: "rocksdb",
        ..FIRST
    };

    #[test]
    fn restores_a_canonical_savepoint() {
        works(Kind::CanonicalSavepoint, FIRST, ROCKSDB);
        works(Kind::CanonicalSavepoint, ROCKSDB, FIRST);
    }

    #[test]
    fn refuses_rocksdbs_own_format_by_name() {
        for kind in [
            Kind::NativeSavepoint,
            Kind::AlignedCheckpoint,
            Kind::UnalignedCheckpoint,
        ] {
            let taken = take(kind, ROCKSDB);
            let error = go_on(&taken, &taken.path, FIRST).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Incompatible, "{}", error.report());
        }
    }
}
