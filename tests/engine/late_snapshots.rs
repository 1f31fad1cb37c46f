//! Snapshots that are still being written when their job ends.

use super::{environment, eventually, numbers};
use millpond_api::Collector;
use millpond_api::function::{KeyedContext, KeyedProcessFunction, RuntimeContext};
use millpond_connectors::CollectSink;
use millpond_core::{Error, Result};
use millpond_state::descriptor::ValueStateDescriptor;
use millpond_state::keyed::ValueState;
use serde::{Deserialize, Serialize, Serializer};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// Holds every snapshot back while it is shut.
struct Gate {
    shut: Mutex<bool>,
    moved: Condvar,
    arrived: AtomicU64,
}

static GATE: Gate = Gate {
    shut: Mutex::new(false),
    moved: Condvar::new(),
    arrived: AtomicU64::new(0),
};

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.moved.notify_all();
    }
    fn pass(&self) {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        let shut = self.shut.lock().unwrap();
        drop(self.moved.wait_while(shut, |shut| *shut).unwrap());
    }
}

/// A number that is written to a snapshot when the gate lets it.
#[derive(Clone, Debug, Default, Deserialize)]
struct Held(u64);

impl Serialize for Held {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        GATE.pass();
        serializer.serialize_newtype_struct("Held", &self.0)
    }
}

#[derive(Default)]
struct Hold {
    last: ValueState<Held>,
}

impl KeyedProcessFunction for Hold {
    type Key = i64;
    type In = i64;
    type Out = i64;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.last = ctx.state(ValueStateDescriptor::registered("last"))?;
        Ok(())
    }
    fn process_element(
        &mut self,
        n: i64,
        _ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, i64>,
    ) -> Result<()> {
        out.collect(n);
        self.last.update(Held(n.unsigned_abs()))
    }
}

/// What lies in the checkpoints' folders without `_metadata`, but for the mark that their number is taken.
fn unfinished(dir: &Path) -> Vec<PathBuf> {
    let entries = |dir: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let named = |path: &Path, start: &str| path.file_name().unwrap().to_string_lossy().starts_with(start);
    let job = entries(dir).pop().unwrap();
    let folders = entries(&job).into_iter();
    folders
        .filter(|path| named(path, "chk-") && !path.join("_metadata").exists())
        .flat_map(|path| entries(&path))
        .filter(|path| !named(path, "_epoch"))
        .collect()
}

/// Goal: whatever a snapshot thread writes for a checkpoint that its job's end gave up is deleted. Method: state that can't be
/// serialized before the job's tasks are gone; then the folder is looked at.
#[test]
fn a_snapshot_that_outlives_its_job_leaves_nothing_behind() {
    for cancels in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let env = environment(1);
        env.set_option("execution.checkpointing.dir", dir.path().display());
        env.set_option(
            "execution.checkpointing.externalized-checkpoint-retention",
            "RETAIN_ON_CANCELLATION",
        );
        env.set_option("execution.checkpointing.data-inline-threshold", "0b");
        env.set_option("restart-strategy.type", "none");
        env.register_serializers(|r| {
            r.register_serde::<Held>();
        });
        let fails = Arc::new(AtomicBool::new(false));
        let told_to_fail = Arc::clone(&fails);
        numbers(&env, None, 1_000)
            .try_map(move |n| match told_to_fail.load(Ordering::SeqCst) {
                true => Err(Error::user("told to fail")),
                false => Ok(n),
            })
            .key_by(|n| n % 10)
            .process(Hold::default)
            .uid("hold")
            .sink_to(CollectSink::new());
        GATE.set(true);
        let arrived = GATE.arrived.load(Ordering::SeqCst);
        let job = env.execute_async("held").unwrap();
        eventually("a snapshot that is being written", || {
            GATE.arrived.load(Ordering::SeqCst) > arrived
        });
        match cancels {
            true => job.cancel(),
            false => fails.store(true, Ordering::SeqCst),
        }
        eventually("the end of every task", || {
            job.details().vertices.iter().all(|v| v.running == 0)
        });
        GATE.set(false);
        job.wait().unwrap_err();
        assert_eq!(
            unfinished(dir.path()),
            Vec::<PathBuf>::new(),
            "cancels: {cancels}"
        );
    }
}
