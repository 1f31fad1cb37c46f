//! Behaviour of the coordinator, one rule a test. Orders of events are walked in `tests/exhaustive`, whole jobs are
//! simulated in `tests/simulation`.

mod failing;
mod finishing;
mod pacing;
mod partial;
mod recording;

use super::*;
use crate::barrier::{CheckpointKind, SavepointFormat};

const SAVEPOINT: CheckpointKind = CheckpointKind::Savepoint(SavepointFormat::Canonical);

const SOURCE: TaskId = TaskId {
    vertex: 0,
    subtask: 0,
};
const SINK: TaskId = TaskId {
    vertex: 1,
    subtask: 0,
};

/// The commands by name and checkpoint, which is what most tests are about.
fn names(commands: &[CoordinatorCommand<&'static str>]) -> Vec<String> {
    use CoordinatorCommand as C;
    let name = |command: &CoordinatorCommand<&'static str>| match command {
        C::TriggerSources { barrier, .. } => format!("trigger {}", barrier.checkpoint),
        C::StoreMetadata { checkpoint, .. } => format!("store {checkpoint}"),
        C::NotifyComplete { checkpoint, .. } => format!("complete {checkpoint}"),
        C::NotifyAborted { checkpoint, .. } => format!("aborted {checkpoint}"),
        C::DiscardCheckpoint { checkpoint, states } => format!("discard {checkpoint} of {}", states.len()),
        C::DiscardState { checkpoint, task, .. } => format!("discard {checkpoint} of {task}"),
        C::SavepointDone { token, .. } => format!("done {token}"),
        C::SavepointFailed { token, reason, .. } => format!("failed {token} {:?}", reason.kind),
        C::FailJob { .. } => "fail job".into(),
        C::MayRestore => "may restore".into(),
        C::FinishJob {
            reason: FinishReason::EndOfData,
        } => "finish".into(),
        C::FinishJob {
            reason: FinishReason::Stopped { .. },
        } => "stopped".into(),
    };
    commands.iter().map(name).collect()
}

/// A running job of one source and one sink, with a checkpoint every 100 ms unless said otherwise.
struct Job {
    coordinator: CheckpointCoordinator<&'static str>,
    now: Now,
}

impl Job {
    fn new(change: impl FnOnce(&mut CheckpointConfig)) -> Job {
        let mut config = CheckpointConfig {
            interval_ms: Some(100),
            ..CheckpointConfig::default()
        };
        change(&mut config);
        let plan = CheckpointPlan::new([SOURCE], [SINK]);
        let mut job = Job {
            coordinator: CheckpointCoordinator::new(config, plan, 1),
            now: 50_000.into(),
        };
        job.tell(CoordinatorEvent::JobStarted {
            attempt: 0,
            restored: None,
        });
        job
    }
    fn tell(&mut self, event: CoordinatorEvent<&'static str>) -> Vec<String> {
        names(&self.coordinator.handle(event, self.now))
    }
    /// Lets time pass.
    fn after(&mut self, ms: i64) -> Vec<String> {
        self.now.steady_ms += ms;
        self.now.wall_ms += ms;
        self.tell(CoordinatorEvent::Tick)
    }
    /// Moves the wall clock by so much.
    fn set_wall_clock(&mut self, by_ms: i64) -> Vec<String> {
        self.now.wall_ms += by_ms;
        self.tell(CoordinatorEvent::Tick)
    }
    /// When the coordinator wants to be woken, from now.
    fn wake_in(&self) -> Option<i64> {
        self.coordinator
            .next_deadline_ms()
            .map(|at| at - self.now.steady_ms)
    }
    fn acknowledge(&mut self, checkpoint: u64, task: TaskId) -> Vec<String> {
        let metrics = SubtaskMetrics {
            state_bytes: 10,
            checkpointed_bytes: 4,
            ..SubtaskMetrics::default()
        };
        self.tell(CoordinatorEvent::Acknowledge {
            checkpoint,
            task,
            state: "state",
            metrics,
        })
    }
    fn acknowledge_all(&mut self, checkpoint: u64) -> Vec<String> {
        let mut said = self.acknowledge(checkpoint, SOURCE);
        said.extend(self.acknowledge(checkpoint, SINK));
        said
    }
    fn stored(&mut self, checkpoint: u64) -> Vec<String> {
        let result = Ok(StoredMetadata {
            path: format!("/chk-{checkpoint}"),
            bytes: 3,
        });
        self.tell(CoordinatorEvent::MetadataStored { checkpoint, result })
    }
    fn complete(&mut self, checkpoint: u64) -> Vec<String> {
        let mut said = self.acknowledge_all(checkpoint);
        said.extend(self.stored(checkpoint));
        said
    }
    fn decline(&mut self, checkpoint: u64, kind: FailureKind) -> Vec<String> {
        let reason = FailureReason::new(kind, "disk full");
        self.tell(CoordinatorEvent::Decline {
            checkpoint,
            task: SINK,
            reason,
        })
    }
    fn savepoint(&mut self, token: u64, kind: CheckpointKind) -> Vec<String> {
        self.tell(CoordinatorEvent::TriggerSavepoint {
            token,
            kind,
            target: Some("/sp".into()),
        })
    }
    fn end_of_data(&mut self, attempt: u32, task: TaskId) -> Vec<String> {
        self.tell(CoordinatorEvent::TaskReachedEndOfData { attempt, task })
    }
    fn restart(&mut self, attempt: u32, restored: Option<u64>) -> Vec<String> {
        let mut said = self.tell(CoordinatorEvent::JobRestarting {
            reason: "lost a task".into(),
        });
        said.extend(self.tell(CoordinatorEvent::JobStarted { attempt, restored }));
        said
    }
}
