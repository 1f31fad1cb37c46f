//! One process of the world: it submits the job and drives the job's master, as `millpond run` does.

use super::coroutine::pause;
use super::host::{SimulatedHost, Snapshots};
use super::job::{self, Submission};
use super::ledger::LedgerSink;
use super::scheduler::{Process, Wait};
use super::setup::Setup;
use super::store::Medium;
use crate::master::{JobHandle, Pending, SavepointInfo, prepare};
use millpond_core::Result;
use millpond_core::host::Clock;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Stands for the master in the trace.
pub(super) const MASTER: u64 = 4 << 40;

/// A process that runs the job, as its owner sees it.
pub(super) struct Running {
    pub(super) process: Arc<Process>,
    /// Its number among those of the run.
    pub(super) number: usize,
    pub(super) shared: Arc<Mutex<Shared>>,
    /// Savepoints that were asked for and not answered.
    pub(super) asked: Vec<Pending<SavepointInfo>>,
    /// Whether it was asked to stop.
    pub(super) stopping: bool,
    /// At which step of the run it wakes up, if it is paused.
    pub(super) wakes_at: u64,
}

/// What the main thread shows.
#[derive(Default)]
pub(super) struct Shared {
    handle: Option<JobHandle>,
    /// Set when the job has ended in this process, with its error.
    ended: Option<Result<()>>,
}

impl Running {
    /// The job, once it was submitted.
    pub(super) fn handle(&self) -> Option<JobHandle> {
        lock(&self.shared).handle.clone()
    }

    /// How the job has ended in this process, once.
    pub(super) fn take_end(&self) -> Option<Result<()>> {
        lock(&self.shared).ended.take()
    }
}

/// All that a process is started with.
pub(super) struct Program {
    pub(super) setup: Arc<Setup>,
    pub(super) submission: Submission,
    pub(super) parallelism: u32,
    pub(super) sink: LedgerSink,
    pub(super) medium: Medium,
}

impl Program {
    /// Starts it.
    pub(super) fn start(self) -> Running {
        let shared = Arc::<Mutex<Shared>>::default();
        let running = Running {
            process: Arc::clone(&self.medium.process),
            number: self.sink.number,
            shared: Arc::clone(&shared),
            asked: Vec::new(),
            stopping: false,
            wakes_at: 0,
        };
        let body = move || {
            let ended = self.run(&shared);
            lock(&shared).ended = Some(ended);
        };
        running.process.spawn(MASTER, Box::new(body));
        running
    }

    /// The main thread.
    fn run(self, shared: &Mutex<Shared>) -> Result<()> {
        let medium = self.medium;
        let (process, clock) = (Arc::clone(&medium.process), Arc::clone(&medium.clock));
        let graph = job::graph(
            &self.setup,
            &self.submission,
            self.parallelism,
            &medium.faults,
            &self.sink,
        )?;
        let host = SimulatedHost {
            snapshots: Snapshots::of(&process, &clock),
            medium,
        };
        let (handle, master) = prepare(graph, clock as Arc<dyn Clock>, Arc::new(host))?;
        lock(shared).handle = Some(handle.clone());
        if let Some(mut master) = master {
            master.start();
            while !master.is_over() && !process.is_dead() {
                match master.take_event() {
                    Some(event) => master.handle(Some(event)),
                    None if master.is_due() => master.handle(None),
                    None => {
                        pause(Wait::News(master.deadline_ms()));
                        continue;
                    }
                }
                pause(Wait::Turn);
            }
        }
        if process.is_dead() {
            return Ok(());
        }
        handle.wait().map(drop)
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
