//! How checkpoints end, as functions of a running job hear it.

use super::{environment, eventually, numbers};
use millpond_api::Collector;
use millpond_api::function::{ProcessContext, ProcessFunction};
use millpond_connectors::DiscardingSink;
use millpond_core::{CheckpointId, Result};
use std::sync::{Arc, Mutex};

/// What a function was told.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Notice {
    Complete(CheckpointId),
    Aborted(CheckpointId),
}

/// Notes what it hears.
#[derive(Clone)]
struct Listener {
    heard: Arc<Mutex<Vec<Notice>>>,
}

impl Listener {
    fn hear(&self, notice: Notice) -> Result<()> {
        self.heard.lock().unwrap().push(notice);
        Ok(())
    }
}

impl ProcessFunction for Listener {
    type In = i64;
    type Out = i64;

    fn process_element(
        &mut self,
        n: i64,
        _: &mut ProcessContext<'_>,
        out: &mut Collector<'_, i64>,
    ) -> Result<()> {
        out.collect(n);
        Ok(())
    }
    fn notify_checkpoint_complete(&mut self, checkpoint_id: CheckpointId) -> Result<()> {
        self.hear(Notice::Complete(checkpoint_id))
    }
    fn notify_checkpoint_aborted(&mut self, checkpoint_id: CheckpointId) -> Result<()> {
        self.hear(Notice::Aborted(checkpoint_id))
    }
}

/// Goal: a function hears of each checkpoint how it ended, of a savepoint that is complete nothing, and of the one that its job stops
/// with before it is closed. Method: all are asked for one after the other; the second finds something in the way of its metadata.
#[test]
fn functions_hear_how_checkpoints_end() {
    let dir = tempfile::tempdir().unwrap();
    let savepoints = || Some(dir.path().display().to_string());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let env = environment(1);
    env.set_option("execution.checkpointing.interval", "1 h");
    let checkpoints = dir.path().join("checkpoints");
    env.set_option("execution.checkpointing.dir", checkpoints.display());
    env.set_option("execution.checkpointing.tolerable-failed-checkpoints", 10);
    let (first, second) = (1, 2);
    let listener = Listener {
        heard: Arc::clone(&heard),
    };
    numbers(&env, None, 1_000)
        .process(move || listener.clone())
        .sink_to(DiscardingSink::new());
    let job = env.execute_async("listening").unwrap();
    // Declined by the coordinator, without a number, until all tasks run.
    eventually("the job runs", || {
        job.status() == millpond_runtime::master::JobStatus::Running
    });
    assert_eq!(job.trigger_checkpoint().wait().unwrap().checkpoint, first);
    let of_the_job = std::fs::read_dir(&checkpoints).unwrap().next().unwrap().unwrap();
    let in_the_way = of_the_job
        .path()
        .join(format!("chk-{second}/_metadata/something"));
    std::fs::create_dir_all(in_the_way).unwrap();
    let failed = job.trigger_checkpoint().wait().unwrap_err();
    assert!(failed.report().contains("_metadata"), "{}", failed.report());
    // One that begins before the job has taken its next epoch, in the background, fails with it.
    let mut again = (0..20).map(|_| job.trigger_checkpoint().wait());
    let third = again.find_map(Result::ok).unwrap().checkpoint;
    job.trigger_savepoint(savepoints()).wait().unwrap();
    let last = job
        .stop_with_savepoint(false, savepoints())
        .wait()
        .unwrap()
        .checkpoint;
    job.wait().unwrap();
    let mut expected = vec![Notice::Complete(first)];
    expected.extend((second..third).map(Notice::Aborted));
    expected.extend([Notice::Complete(third), Notice::Complete(last)]);
    assert_eq!(*heard.lock().unwrap(), expected);
}
