//! Drives many tasks on one thread in a seeded random order, on a driven clock: the same seed gives the same run.
//!
//! Between two tasks that could both go on, a thread scheduler decides by chance; here the seed decides. Snapshots' asynchronous
//! parts are pieces of work like the tasks' steps. When nothing can go on but something waits for a time, the clock
//! jumps there. Relies on gates in [`crate::channel::SendMode::Overdraft`].

use super::deployment::{SnapshotExecutor, SnapshotJob};
use super::driver::{Driven, drive};
use super::stream_task::{Step, StreamTask};
use millpond_core::hash::fmix64;
use millpond_core::host::{Clock, ManualClock, SeededRandom};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Drives tasks and snapshots in a seeded order.
///
/// The master runs beside it: call [`SeededScheduler::step`], hand on what the tasks reported, and so on until it answers
/// `false` and the master has nothing to say either.
pub struct SeededScheduler {
    random: SeededRandom,
    clock: Arc<ManualClock>,
    tasks: Vec<Slot>,
    jobs: Arc<ScheduledJobs>,
    trace: u64,
}

struct Slot {
    task: StreamTask,
    /// Set while it sleeps: what it said.
    asleep: Option<Step>,
    /// A running number, for the trace.
    number: u64,
}

/// Snapshot work that waits for its turn.
#[derive(Default)]
struct ScheduledJobs(Mutex<Vec<SnapshotJob>>);

impl SnapshotExecutor for ScheduledJobs {
    fn execute(&self, job: SnapshotJob) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(job);
    }
}

impl SeededScheduler {
    /// A scheduler without tasks.
    pub fn new(seed: u64, clock: Arc<ManualClock>) -> Self {
        SeededScheduler {
            random: SeededRandom::new(seed),
            clock,
            tasks: Vec::new(),
            jobs: Arc::default(),
            trace: 0,
        }
    }

    /// What tasks that are deployed here have their snapshots written by.
    pub fn executor(&self) -> Arc<dyn SnapshotExecutor> {
        self.jobs.clone()
    }

    /// Adds a task. Those that are over leave by themselves.
    pub fn add(&mut self, task: StreamTask) {
        let id = task.id();
        let number = (u64::from(id.vertex) << 32) | u64::from(id.subtask);
        self.tasks.push(Slot {
            task,
            asleep: None,
            number,
        });
    }

    /// How many tasks aren't over.
    pub fn running(&self) -> usize {
        self.tasks.len()
    }

    /// A hash of every decision so far: equal for two runs that went the same way.
    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// Lets one task make a step, or runs one piece of snapshot work, or moves the clock to the next time that a task waits
    /// for. `false`: nothing will happen any more without a message to a task.
    pub fn step(&mut self) -> bool {
        let now_ms = self.clock.now_ms();
        let ready: Vec<usize> = (0..)
            .zip(&self.tasks)
            .filter(|(_, slot)| slot.is_ready(now_ms))
            .map(|(index, _)| index)
            .collect();
        let jobs = self.jobs.0.lock().unwrap_or_else(PoisonError::into_inner).len();
        let choices = ready.len() + jobs;
        if choices == 0 {
            return self.jump();
        }
        let choice = usize::try_from(self.random.below(choices as u64)).unwrap_or(0);
        match ready.get(choice) {
            Some(index) => self.step_task(*index),
            None => self.run_job(choice - ready.len()),
        }
        true
    }

    /// Steps until nothing will happen without a message, at most `steps_max` times. Whether that point was reached.
    pub fn run_until_quiet(&mut self, steps_max: usize) -> bool {
        (0..steps_max).any(|_| !self.step())
    }

    fn step_task(&mut self, index: usize) {
        let Some(slot) = self.tasks.get_mut(index) else {
            return;
        };
        slot.task.signal().take_wake_up();
        let driven = drive(&mut slot.task);
        let code = match driven {
            Driven::Step(Step::Progress) => 1,
            Driven::Step(Step::Idle { .. }) => 2,
            Driven::Step(Step::Blocked { .. }) => 3,
            Driven::Step(Step::Finished) | Driven::Over => 4,
        };
        slot.asleep = match driven {
            Driven::Step(step @ (Step::Idle { .. } | Step::Blocked { .. })) => Some(step),
            _ => None,
        };
        let number = slot.number;
        if driven == Driven::Over {
            self.tasks.remove(index);
        }
        self.note(number, code);
    }

    fn run_job(&mut self, index: usize) {
        let mut jobs = self.jobs.0.lock().unwrap_or_else(PoisonError::into_inner);
        if index >= jobs.len() {
            return;
        }
        let job = jobs.remove(index);
        drop(jobs);
        job();
        self.note(index as u64, 5);
    }

    /// Moves the clock to the next time that somebody waits for.
    fn jump(&mut self) -> bool {
        let until = |slot: &Slot| match slot.asleep {
            Some(Step::Idle { until_ms } | Step::Blocked { until_ms }) => until_ms,
            _ => None,
        };
        let Some(next_ms) = self.tasks.iter().filter_map(until).min() else {
            return false;
        };
        let now_ms = self.clock.now_ms();
        let by_ms = next_ms.saturating_sub(now_ms).max(0).unsigned_abs();
        self.clock.advance(Duration::from_millis(by_ms));
        self.note(by_ms, 6);
        true
    }

    fn note(&mut self, subject: u64, code: u64) {
        self.trace = fmix64(self.trace ^ fmix64(subject.wrapping_mul(8).wrapping_add(code)));
    }
}

impl Slot {
    fn is_ready(&self, now_ms: i64) -> bool {
        match self.asleep {
            None => true,
            Some(
                Step::Idle {
                    until_ms: Some(until_ms),
                }
                | Step::Blocked {
                    until_ms: Some(until_ms),
                },
            ) if until_ms <= now_ms => true,
            Some(_) => self.task.signal().is_woken(),
        }
    }
}

impl fmt::Debug for SeededScheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SeededScheduler")
            .field("running", &self.tasks.len())
            .field("trace", &self.trace)
            .finish_non_exhaustive()
    }
}
