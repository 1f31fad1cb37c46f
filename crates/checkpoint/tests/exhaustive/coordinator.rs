//! The coordinator of a job of two tasks, in each order of what can reach it.
//!
//! Each kind of event may come a bounded number of times; the walk takes every sequence of them up to a depth and
//! holds the commands against an independent account of what was acknowledged, stored and answered.

use millpond_checkpoint::barrier::{CheckpointKind, SavepointFormat};
use millpond_checkpoint::coordinator::*;
use std::collections::{BTreeMap, BTreeSet};

const SOURCE: TaskId = TaskId {
    vertex: 0,
    subtask: 0,
};
const SINK: TaskId = TaskId {
    vertex: 1,
    subtask: 0,
};
const TASKS: [TaskId; 2] = [SOURCE, SINK];
const INTERVAL_MS: i64 = 10;
const TIMEOUT_MS: i64 = 100;

/// A state is known by its checkpoint, its task and which time it is sent.
type State = (u64, TaskId, u8);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Open,
    Storing,
    Completed,
    Aborted,
}

#[derive(Clone)]
struct World {
    coordinator: CheckpointCoordinator<State>,
    now_ms: i64,
    path: Vec<Step>,
    fates: BTreeMap<u64, (CheckpointKind, Fate)>,
    acknowledged: BTreeSet<(u64, TaskId)>,
    sent: BTreeMap<(u64, TaskId), u8>,
    tokens: BTreeSet<u64>,
    restarts_owed: u32,
    is_over: bool,
    used: [u8; 8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Interval,
    Timeout,
    Acknowledge(u64, TaskId),
    Decline(u64, TaskId),
    Store(u64, bool),
    Savepoint(CheckpointKind),
    EndOfData(TaskId),
    Restart,
    Start,
}

impl World {
    fn new(tolerable_failures: u32, max_concurrent: usize) -> World {
        let config = CheckpointConfig {
            interval_ms: Some(INTERVAL_MS),
            timeout_ms: TIMEOUT_MS,
            max_concurrent,
            tolerable_failures,
            ..CheckpointConfig::default()
        };
        let mut world = World {
            coordinator: CheckpointCoordinator::new(config, CheckpointPlan::new([SOURCE], [SINK]), 1),
            now_ms: 0,
            path: Vec::new(),
            fates: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            sent: BTreeMap::new(),
            tokens: BTreeSet::new(),
            restarts_owed: 0,
            is_over: false,
            used: [0; 8],
        };
        world.tell(CoordinatorEvent::JobStarted {
            attempt: 0,
            restored: None,
        });
        world
    }

    /// What may happen next, and how often at most in one run.
    fn steps(&self) -> Vec<(Step, Option<(usize, u8)>)> {
        let mut steps = vec![
            (Step::Interval, Some((0, 2))),
            (Step::Timeout, Some((1, 1))),
            (
                Step::Savepoint(CheckpointKind::Savepoint(SavepointFormat::Canonical)),
                Some((2, 1)),
            ),
            (
                Step::Savepoint(CheckpointKind::Stop {
                    format: SavepointFormat::Canonical,
                    drain: false,
                }),
                Some((3, 1)),
            ),
            (Step::Restart, Some((4, 1))),
            (Step::Start, Some((5, 1))),
            (Step::EndOfData(SOURCE), Some((6, 1))),
            (Step::EndOfData(SINK), Some((7, 1))),
        ];
        for (id, (_, fate)) in &self.fates {
            if *fate == Fate::Storing {
                steps.extend([true, false].map(|well| (Step::Store(*id, well), None)));
            }
            for task in TASKS {
                if self.sent.get(&(*id, task)).is_none_or(|times| *times < 2) {
                    steps.push((Step::Acknowledge(*id, task), None));
                }
            }
            if *fate == Fate::Open {
                steps.push((Step::Decline(*id, SINK), None));
            }
        }
        steps
    }

    fn walk(&self, depth: usize) -> u64 {
        if depth == 0 {
            self.clone().wind_up();
            return 1;
        }
        let mut runs = 0;
        for (step, limit) in self.steps() {
            let mut next = self.clone();
            if let Some((slot, most)) = limit {
                if next.used[slot] == most {
                    continue;
                }
                next.used[slot] += 1;
            }
            next.take(step);
            runs += next.walk(depth - 1);
        }
        runs
    }

    fn take(&mut self, step: Step) {
        self.path.push(step);
        match step {
            Step::Interval => self.tell_at(INTERVAL_MS, CoordinatorEvent::Tick),
            Step::Timeout => self.tell_at(TIMEOUT_MS, CoordinatorEvent::Tick),
            Step::Acknowledge(checkpoint, task) => {
                let times = self.sent.entry((checkpoint, task)).or_default();
                *times += 1;
                let state = (checkpoint, task, *times);
                if self.fates[&checkpoint].1 == Fate::Open {
                    self.acknowledged.insert((checkpoint, task));
                }
                let metrics = SubtaskMetrics::default();
                self.tell(CoordinatorEvent::Acknowledge {
                    checkpoint,
                    task,
                    state,
                    metrics,
                });
            }
            Step::Decline(checkpoint, task) => {
                let reason = FailureReason::new(FailureKind::TaskSnapshot, "");
                self.tell(CoordinatorEvent::Decline {
                    checkpoint,
                    task,
                    reason,
                });
            }
            Step::Store(checkpoint, well) => {
                let stored = StoredMetadata {
                    path: "here".into(),
                    bytes: 1,
                };
                let result = if well { Ok(stored) } else { Err("disk full".into()) };
                self.set(checkpoint, if well { Fate::Completed } else { Fate::Aborted });
                self.tell(CoordinatorEvent::MetadataStored { checkpoint, result });
            }
            Step::Savepoint(kind) => {
                let token = u64::from(kind.is_stop());
                self.tokens.insert(token);
                self.tell(CoordinatorEvent::TriggerSavepoint {
                    token,
                    kind,
                    target: None,
                });
            }
            Step::EndOfData(task) => self.tell(CoordinatorEvent::TaskReachedEndOfData { attempt: 0, task }),
            Step::Restart => {
                self.restarts_owed = u32::from(!self.is_over);
                self.tell(CoordinatorEvent::JobRestarting {
                    reason: String::new(),
                });
            }
            Step::Start => {
                let restored = self.coordinator.latest_completed();
                self.tell(CoordinatorEvent::JobStarted { attempt: 1, restored });
            }
        }
    }

    fn tell(&mut self, event: CoordinatorEvent<State>) {
        self.tell_at(0, event);
    }

    fn tell_at(&mut self, after_ms: i64, event: CoordinatorEvent<State>) {
        self.now_ms += after_ms;
        for command in self.coordinator.handle(event, self.now_ms) {
            self.check(command);
        }
        let counts = self.coordinator.statistics().counts;
        assert_eq!(
            counts.total,
            counts.in_progress + counts.completed + counts.failed,
            "{:?}",
            self.path
        );
    }

    fn set(&mut self, checkpoint: u64, fate: Fate) {
        if let Some((_, known)) = self.fates.get_mut(&checkpoint) {
            *known = fate;
        }
    }

    fn fate(&self, checkpoint: u64) -> Fate {
        self.fates[&checkpoint].1
    }

    fn check(&mut self, command: CoordinatorCommand<State>) {
        let path = format!("{:?}: {command:?}", self.path);
        match command {
            CoordinatorCommand::TriggerSources { barrier, sources, .. } => {
                assert!(!self.is_over, "{path}");
                assert_eq!(sources, [SOURCE], "{path}");
                let last = self.fates.keys().next_back().copied().unwrap_or(0);
                assert!(barrier.checkpoint > last, "{path}");
                self.fates.insert(barrier.checkpoint, (barrier.kind, Fate::Open));
            }
            CoordinatorCommand::StoreMetadata {
                checkpoint, states, ..
            } => {
                assert_eq!(self.fate(checkpoint), Fate::Open, "{path}");
                let expected = TASKS.map(|task| (task, (checkpoint, task, 1)));
                assert_eq!(states, BTreeMap::from(expected), "{path}");
                assert!(
                    TASKS
                        .iter()
                        .all(|t| self.acknowledged.contains(&(checkpoint, *t))),
                    "{path}"
                );
                self.set(checkpoint, Fate::Storing);
            }
            CoordinatorCommand::NotifyComplete { checkpoint, tasks } => {
                let (kind, fate) = self.fates[&checkpoint];
                assert_eq!((fate, &tasks[..]), (Fate::Completed, &TASKS[..]), "{path}");
                assert!(
                    kind != CheckpointKind::Savepoint(SavepointFormat::Canonical),
                    "{path}"
                );
            }
            CoordinatorCommand::NotifyAborted { checkpoint, .. } => {
                assert!(
                    matches!(self.fate(checkpoint), Fate::Open | Fate::Aborted),
                    "{path}"
                );
            }
            CoordinatorCommand::DiscardCheckpoint { checkpoint, states } => {
                assert!(
                    matches!(self.fate(checkpoint), Fate::Open | Fate::Aborted),
                    "{path}"
                );
                let acknowledged = TASKS
                    .iter()
                    .filter(|t| self.acknowledged.contains(&(checkpoint, **t)));
                assert_eq!(states.len(), acknowledged.count(), "{path}");
                self.set(checkpoint, Fate::Aborted);
            }
            CoordinatorCommand::DiscardState { checkpoint, .. } => {
                assert_eq!(self.fate(checkpoint), Fate::Aborted, "{path}");
            }
            CoordinatorCommand::SavepointDone {
                token, checkpoint, ..
            } => {
                assert_eq!(self.fate(checkpoint), Fate::Completed, "{path}");
                assert!(self.tokens.remove(&token), "{path}");
            }
            CoordinatorCommand::SavepointFailed { token, .. } => {
                assert!(self.tokens.remove(&token), "{path}")
            }
            CoordinatorCommand::FailJob { .. } => {
                assert!(self.fates.values().all(|(_, fate)| *fate != Fate::Open), "{path}");
            }
            CoordinatorCommand::MayRestore => {
                assert!(
                    self.fates.values().all(|(_, fate)| *fate != Fate::Storing),
                    "{path}"
                );
                assert_eq!(std::mem::take(&mut self.restarts_owed), 1, "{path}");
            }
            CoordinatorCommand::FinishJob { .. } => {
                assert!(!std::mem::replace(&mut self.is_over, true), "{path}");
            }
        }
    }

    /// However a run went, ending it leaves nothing open.
    fn wind_up(mut self) {
        self.is_over = true;
        self.tell(CoordinatorEvent::Shutdown {
            reason: String::new(),
        });
        let storing = self.fates.iter().filter(|(_, (_, fate))| *fate == Fate::Storing);
        for checkpoint in storing.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.take(Step::Store(checkpoint, true));
        }
        let open: Vec<_> = self
            .fates
            .iter()
            .filter(|(_, (_, fate))| *fate == Fate::Open)
            .collect();
        assert!(open.is_empty(), "{:?}: {open:?}", self.path);
        assert!(
            self.tokens.is_empty(),
            "{:?}: unanswered {:?}",
            self.path,
            self.tokens
        );
        assert_eq!(
            self.coordinator.statistics().counts.in_progress,
            0,
            "{:?}",
            self.path
        );
        assert_eq!(self.coordinator.next_deadline_ms(), None, "{:?}", self.path);
    }
}

/// Goal: whatever comes in whatever order, a checkpoint completes only with every acknowledgement and stored metadata,
/// ends once, loses no state and answers every request. Method: walk all sequences of five events.
#[test]
fn two_tasks_in_every_order() {
    let mut runs = 0;
    for (tolerable_failures, max_concurrent) in [(0, 1), (1, 2)] {
        runs += World::new(tolerable_failures, max_concurrent).walk(5);
    }
    assert!(runs > 50_000, "only {runs} runs");
}

/// Goal: as above, deeper: the second checkpoint is under way while the first is acknowledged, aborted or stored.
/// Method: two checkpoints are triggered first, then all sequences of five events follow.
#[test]
fn two_checkpoints_under_way_in_every_order() {
    let mut world = World::new(1, 2);
    world.used[0] = 2;
    world.take(Step::Interval);
    world.take(Step::Interval);
    assert_eq!(world.fates.len(), 2);
    let runs = world.walk(5);
    assert!(runs > 50_000, "only {runs} runs");
}
