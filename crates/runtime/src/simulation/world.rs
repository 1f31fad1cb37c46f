//! The simulated world: one job, the processes that run it one after the other, and what outlives them.

use super::coroutine::pause;
use super::host::{SimulatedHost, Snapshots};
use super::job;
use super::ledger::Ledger;
use super::scheduler::{Process, Scheduler, Wait};
use super::setup::{Faults, Setup};
use super::store::Medium;
use crate::master::{JobHandle, prepare};
use futures::{FutureExt, StreamExt};
use millpond_checkpoint::storage::{FileSystemCheckpointStorage, StorageOptions};
use millpond_core::hash::{fixed_hash, fmix64};
use millpond_core::host::{Background, Clock, ManualClock};
use millpond_core::{JobId, Result};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

/// A run that takes longer will never end.
const STEPS_MAX: u64 = 60_000;
/// Stands for the master in the trace.
const MASTER: u64 = 4 << 40;

/// What a run came across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) trace: u64,
    pub(super) output: u64,
    pub(super) requests: u64,
    pub(super) completed: u64,
    pub(super) failed: u64,
    pub(super) restarts: u64,
    pub(super) kills: u64,
    pub(super) failed_requests: u64,
    pub(super) lost_answers: u64,
    pub(super) failed_functions: u64,
    pub(super) clock_jumps: u64,
    pub(super) rows: u64,
}

impl Outcome {
    pub(super) fn add(&mut self, other: &Outcome) {
        self.requests += other.requests;
        self.completed += other.completed;
        self.failed += other.failed;
        self.restarts += other.restarts;
        self.kills += other.kills;
        self.failed_requests += other.failed_requests;
        self.lost_answers += other.lost_answers;
        self.failed_functions += other.failed_functions;
        self.clock_jumps += other.clock_jumps;
        self.rows += other.rows;
    }

    pub(super) fn counts(&self) -> [(&'static str, u64); 8] {
        [
            ("completed checkpoints", self.completed),
            ("failed checkpoints", self.failed),
            ("restarts", self.restarts),
            ("kills", self.kills),
            ("failed requests", self.failed_requests),
            ("lost answers", self.lost_answers),
            ("failed functions", self.failed_functions),
            ("clock jumps", self.clock_jumps),
        ]
    }
}

/// See the module.
pub(super) struct World {
    setup: Arc<Setup>,
    faults: Arc<Faults>,
    clock: Arc<ManualClock>,
    scheduler: Scheduler,
    objects: Arc<InMemory>,
    ledger: Ledger,
    starts: usize,
    outcome: Outcome,
}

/// A process that runs the job.
struct Running {
    process: Arc<Process>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    handle: Option<JobHandle>,
    /// Set when the job has ended in this process, with its error.
    ended: Option<Result<()>>,
}

impl World {
    pub(super) fn new(seed: u64, plan: impl FnOnce(&mut Setup, &mut Faults)) -> World {
        let mut setup = Setup::from_seed(seed);
        let mut faults = Faults::new(seed, &setup);
        plan(&mut setup, &mut faults);
        let clock = ManualClock::new(1_000_000);
        World {
            setup: Arc::new(setup),
            faults: Arc::new(faults),
            scheduler: Scheduler::new(fmix64(seed), Arc::clone(&clock)),
            clock,
            objects: Arc::default(),
            ledger: Ledger::default(),
            starts: 0,
            outcome: Outcome::default(),
        }
    }

    /// Runs the job to its end, through all that happens to it, and holds the result against what it must be.
    pub(super) fn run(mut self) -> std::result::Result<Outcome, String> {
        let outcome = self.run_processes();
        // After a violation one is still alive.
        self.scheduler.bury_all();
        let setup = &self.setup;
        outcome.map_err(|violation| format!("{violation}\nstarts={}\n{setup:#?}", self.starts))?;
        self.count();
        Ok(self.outcome)
    }

    fn run_processes(&mut self) -> std::result::Result<(), String> {
        loop {
            let running = self.start();
            let ended = self.live(&running)?;
            self.check_checkpoints(&running)?;
            self.note(&running);
            running.process.kill();
            self.scheduler.bury(&running.process);
            match ended {
                // Killed: the next process goes on.
                None => {}
                Some(Ok(())) => break,
                // It gave up after too many failures; whoever looks after it starts it again.
                Some(Err(e)) if self.starts < 200 => tracing::debug!(reason = %e.report(), "started again"),
                Some(Err(e)) => return Err(format!("the job never ends well: {}", e.report())),
            }
        }
        self.check_output()?;
        self.check_remains()
    }

    fn start(&mut self) -> Running {
        let process = self.scheduler.start_process();
        let parallelism = self.setup.parallelism[self.starts % self.setup.parallelism.len()];
        self.starts += 1;
        let running = Running {
            process: Arc::clone(&process),
            shared: Arc::default(),
        };
        let medium = Medium {
            objects: Arc::clone(&self.objects),
            process: Arc::clone(&process),
            faults: Arc::clone(&self.faults),
            clock: Arc::clone(&self.clock),
        };
        let (setup, ledger, shared) = (
            Arc::clone(&self.setup),
            self.ledger.clone(),
            Arc::clone(&running.shared),
        );
        let body = move || {
            let ended = run_job(&setup, parallelism, &ledger, medium, &shared);
            lock(&shared).ended = Some(ended);
        };
        process.spawn(MASTER, Box::new(body));
        running
    }

    /// Lets the process live until the job ends in it or it is killed (`None`).
    fn live(&mut self, running: &Running) -> std::result::Result<Option<Result<()>>, String> {
        for _ in 0..STEPS_MAX {
            if !self.scheduler.step() {
                return Err(self.stuck("nothing can happen any more, and the job has not ended", running));
            }
            if let Some(ended) = lock(&running.shared).ended.take() {
                return Ok(Some(ended));
            }
            if self.faults.take_kill() || self.faults.strikes(400) {
                self.outcome.kills += 1;
                return Ok(None);
            }
            if self.faults.strikes(400) {
                self.outcome.clock_jumps += 1;
                let by_ms = self.faults.below(20_000_000) as i64 - 10_000_000;
                self.clock.set((self.clock.now_ms() + by_ms).max(1));
            }
        }
        Err(self.stuck("the run does not end", running))
    }

    fn stuck(&self, what: &str, running: &Running) -> String {
        let details = lock(&running.shared).handle.as_ref().map(JobHandle::details);
        format!(
            "{what}; threads: {:?}; job: {details:#?}",
            self.scheduler.threads()
        )
    }

    /// What the coordinator called complete is there and whole.
    fn check_checkpoints(&self, running: &Running) -> std::result::Result<(), String> {
        let Some(handle) = lock(&running.shared).handle.clone() else {
            return Ok(());
        };
        if handle.is_over() {
            return Ok(());
        }
        let storage = self.storage(handle.job_id());
        if storage.read_job_result().is_ok_and(|result| result.is_some()) {
            // The job has come to its end: its checkpoints go.
            return Ok(());
        }
        let details = handle.details();
        let Some(completed) = details.checkpoints.latest_completed.map(|c| c.checkpoint) else {
            return Ok(());
        };
        let found = storage
            .find_latest_intact()
            .map_err(|e| format!("checkpoint {completed} was complete, but: {}", e.report()))?;
        match found.latest {
            Some(latest) if latest.checkpoint_id() >= completed => Ok(()),
            latest => Err(format!(
                "checkpoint {completed} was complete, but the newest intact one is {:?} (damaged: {:?}); there are {:#?}, and the job is {:?}",
                latest.map(|l| l.checkpoint_id()),
                found.skipped,
                self.files(),
                details.status,
            )),
        }
    }

    fn check_output(&self) -> std::result::Result<(), String> {
        let (shown, expected) = (self.ledger.shown(), job::expected(&self.setup));
        for (row, times) in &shown {
            match expected.get(row) {
                None => return Err(format!("the row {row:?} is wrong")),
                Some(1) if *times == 1 => {}
                Some(_) => {
                    let showing = self.ledger.showing(*row);
                    return Err(format!("the row {row:?} shows {times} times: {showing:#?}"));
                }
            }
        }
        match expected.keys().find(|row| !shown.contains_key(row)) {
            Some(row) => Err(format!("the row {row:?} is missing")),
            None => Ok(()),
        }
    }

    /// A finished job leaves its result behind and nothing else, at the latest when it is started once more.
    fn check_remains(&mut self) -> std::result::Result<(), String> {
        self.faults.stop();
        let running = self.start();
        let ended = self.live(&running)?;
        running.process.kill();
        self.scheduler.bury(&running.process);
        match ended {
            Some(Ok(())) => {}
            Some(Err(e)) => {
                return Err(format!(
                    "a finished job fails when it is started again: {}",
                    e.report()
                ));
            }
            None => return Err("killed without a reason".into()),
        }
        match self
            .files()
            .iter()
            .find(|name| !name.ends_with("job-result.json"))
        {
            Some(orphan) => Err(format!("{orphan} is left behind")),
            None => Ok(()),
        }
    }

    /// What is stored.
    fn files(&self) -> Vec<String> {
        let objects = self.objects.list(None).filter_map(|o| async move { o.ok() });
        let names = objects.map(|o| o.location.to_string()).collect();
        names.now_or_never().unwrap_or_default()
    }

    /// The world's storage without troubles.
    fn storage(&self, job: JobId) -> Arc<FileSystemCheckpointStorage> {
        FileSystemCheckpointStorage::on_store(
            Arc::clone(&self.objects) as _,
            "simulated:",
            job,
            StorageOptions::default(),
            Arc::new(Nobody),
        )
    }

    fn note(&mut self, running: &Running) {
        if let Some(handle) = &lock(&running.shared).handle {
            let details = handle.details();
            self.outcome.completed += details.checkpoints.counts.completed;
            self.outcome.failed += details.checkpoints.counts.failed;
            self.outcome.restarts += u64::from(details.restarts);
        }
    }

    fn count(&mut self) {
        let shown = self.ledger.shown();
        let outcome = &mut self.outcome;
        outcome.trace = self.scheduler.trace();
        outcome.rows = shown.len() as u64;
        outcome.output = fixed_hash(&format!("{:?}", self.ledger.transactions()));
        outcome.requests = self.faults.requests();
        outcome.failed_requests = self.faults.failed_requests.load(Ordering::Relaxed);
        outcome.lost_answers = self.faults.lost_answers.load(Ordering::Relaxed);
        outcome.failed_functions = self.faults.failed_functions.load(Ordering::Relaxed);
    }
}

/// Deletes nothing: for a storage that is only looked at.
struct Nobody;

impl Background for Nobody {
    fn run(&self, _work: Box<dyn FnOnce() + Send>) {}
    fn pause(&self) {}
}

/// The main thread of a process.
fn run_job(
    setup: &Arc<Setup>,
    parallelism: u32,
    ledger: &Ledger,
    medium: Medium,
    shared: &Mutex<Shared>,
) -> Result<()> {
    let process = Arc::clone(&medium.process);
    let clock = Arc::clone(&medium.clock);
    let graph = job::graph(setup, parallelism, ledger, &medium.faults, &process)?;
    let host = SimulatedHost {
        snapshots: Snapshots::of(&process, &clock),
        medium,
    };
    let (handle, master) = prepare(graph, Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(host))?;
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

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
