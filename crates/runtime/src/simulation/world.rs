//! The simulated world: a job, the processes that run it one after the other and beside each other, and what outlives them.

use super::counts::{Counts, What};
use super::faults::Faults;
use super::job::Submission;
use super::ledger::{Ledger, LedgerSink};
use super::log::say;
use super::process::{Program, Running};
use super::savepoints::Savepoint;
use super::scheduler::{Process, Scheduler};
use super::setup::Setup;
use super::store::Medium;
use crate::master::JobHandle;
use millpond_core::hash::{fixed_hash, fmix64};
use millpond_core::host::{Clock, ManualClock};
use millpond_core::{ErrorKind, Result};
use object_store::memory::InMemory;
use std::sync::Arc;

/// A process that goes on for longer will never end.
const STEPS_MAX: u64 = 60_000;
/// How many processes a run may need.
const STARTS_MAX: usize = 200;
/// For how many steps a process is paused at most: long enough for others to end the job.
const PAUSE_STEPS_MAX: u64 = 3_000;

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// A hash of all decisions.
    pub(super) trace: u64,
    /// A hash of what the ledger shows.
    pub(super) output: u64,
    pub(super) counts: Counts,
}

/// What was wrong, for people.
pub(super) type Checked<T = ()> = std::result::Result<T, String>;

/// See the module.
pub(super) struct World {
    pub(super) setup: Arc<Setup>,
    pub(super) faults: Arc<Faults>,
    clock: Arc<ManualClock>,
    pub(super) scheduler: Scheduler,
    pub(super) objects: Arc<InMemory>,
    network: Arc<Process>,
    pub(super) ledger: Ledger,
    pub(super) submission: Submission,
    /// Processes that are paused, or were and don't know that another one has their job.
    outdated: Vec<Running>,
    /// Savepoints that are there and nobody's but their owner's.
    pub(super) savepoints: Vec<Savepoint>,
    /// How many more are asked for.
    pub(super) savepoints_left: u64,
    /// Whether the savepoint that the job starts from goes when the job has a checkpoint.
    pub(super) is_needed_once: bool,
    starts: usize,
    steps: u64,
    pub(super) counts: Counts,
}

impl World {
    pub(super) fn new(seed: u64, plan: impl FnOnce(&mut Setup, &mut Faults)) -> World {
        let mut setup = Setup::from_seed(seed);
        let mut faults = Faults::new(seed, &setup);
        plan(&mut setup, &mut faults);
        let clock = ManualClock::new(1_000_000);
        let mut scheduler = Scheduler::new(fmix64(seed), Arc::clone(&clock));
        World {
            savepoints_left: setup.savepoints,
            setup: Arc::new(setup),
            faults: Arc::new(faults),
            network: scheduler.start_process(),
            scheduler,
            clock,
            objects: Arc::default(),
            ledger: Ledger::default(),
            submission: Submission::first(),
            outdated: Vec::new(),
            savepoints: Vec::new(),
            is_needed_once: false,
            starts: 0,
            steps: 0,
            counts: Counts::default(),
        }
    }

    /// Runs the job to its end, through all that happens to it, and holds the result against what it must be.
    pub(super) fn run(mut self) -> Checked<Outcome> {
        let checked = self.run_jobs();
        // After a violation one is still alive.
        self.scheduler.bury_all();
        let setup = &self.setup;
        checked.map_err(|violation| format!("{violation}\nstarts={}\n{setup:#?}", self.starts))?;
        let mut counts = self.counts;
        counts.add_all(&self.faults.counts());
        counts.add(What::Runs, 1);
        counts.add(What::Processes, self.starts as u64);
        counts.add(What::Requests, self.faults.requests());
        Ok(Outcome {
            trace: self.scheduler.trace(),
            output: fixed_hash(&format!("{:?}", self.ledger.transactions())),
            counts,
        })
    }

    /// Runs the job, those that go on from where it was stopped, and one more from a savepoint that it left behind.
    fn run_jobs(&mut self) -> Checked {
        self.run_to_the_end_of_input()?;
        match self.go_back() {
            true => self.run_to_the_end_of_input(),
            false => Ok(()),
        }
    }

    fn run_to_the_end_of_input(&mut self) -> Checked {
        loop {
            self.run_processes()?;
            let Some(savepoint) = self.stopped_with()? else {
                break;
            };
            self.check_nothing_twice()?;
            self.go_on_from(savepoint)?;
        }
        self.check_nothing_twice()?;
        self.check_nothing_missing()?;
        self.check_remains()
    }

    /// Runs the job in one process after the other, until it ends well.
    fn run_processes(&mut self) -> Checked {
        loop {
            let mut running = self.start();
            let number = running.number;
            say(|| format!("process {number} starts {}", self.submission.name));
            let ended = self.live(&mut running)?;
            say(|| format!("process {number}: {ended:?}"));
            match ended {
                Ended::Well => {
                    self.leave(running)?;
                    break;
                }
                Ended::Killed => self.leave(running)?,
                // It gave up after too many failures; whoever looks after it starts it again.
                Ended::Failed(_) if self.starts < STARTS_MAX => self.leave(running)?,
                Ended::Failed(why) => return Err(format!("the job never ends well: {why}")),
                Ended::Paused => {
                    running.process.freeze();
                    running.wakes_at = self.steps + self.faults.below(PAUSE_STEPS_MAX);
                    self.outdated.push(running);
                }
            }
        }
        self.outlive_the_outdated()
    }

    pub(super) fn start(&mut self) -> Running {
        let process = self.scheduler.start_process();
        let parallelism = self.setup.parallelism[self.starts % self.setup.parallelism.len()];
        self.starts += 1;
        let program = Program {
            setup: Arc::clone(&self.setup),
            submission: self.submission.clone(),
            parallelism,
            sink: LedgerSink {
                ledger: self.ledger.clone(),
                process: Arc::clone(&process),
                faults: Arc::clone(&self.faults),
                number: self.starts,
            },
            medium: Medium {
                objects: Arc::clone(&self.objects),
                process,
                number: self.starts,
                network: Arc::clone(&self.network),
                faults: Arc::clone(&self.faults),
                clock: Arc::clone(&self.clock),
            },
        };
        program.start()
    }

    /// Lets the process live until something ends that.
    pub(super) fn live(&mut self, running: &mut Running) -> Checked<Ended> {
        for _ in 0..STEPS_MAX {
            if !self.step()? {
                return Err(self.stuck("nothing can happen any more, and the job has not ended", running));
            }
            self.look_after_savepoints(running)?;
            let ended = match running.take_end() {
                Some(Ok(())) => Some(Ended::Well),
                Some(Err(e)) => Some(Ended::Failed(e.report())),
                None if self.faults.kills() => Some(Ended::Killed),
                None if self.faults.pauses() => Some(Ended::Paused),
                None => None,
            };
            if let Some(ended) = ended {
                self.check_checkpoints(running)?;
                return Ok(ended);
            }
            if self.faults.strikes(What::ClockJumps, 400) {
                let by_ms = self.faults.below(20_000_000) as i64 - 10_000_000;
                self.clock.set((self.clock.now_ms() + by_ms).max(1));
            }
        }
        Err(self.stuck("the run does not end", running))
    }

    /// Lets one thread go on. `false`: nothing will ever happen again.
    fn step(&mut self) -> Checked<bool> {
        self.steps += 1;
        let awake = self.scheduler.step();
        for index in (0..self.outdated.len()).rev() {
            let outdated = &self.outdated[index];
            if outdated.process.is_frozen() && (!awake || outdated.wakes_at <= self.steps) {
                say(|| format!("process {} wakes up", outdated.number));
                outdated.process.thaw();
            }
            if let Some(end) = outdated.take_end() {
                say(|| format!("process {}: {end:?}", outdated.number));
                self.check_outdated(&end)?;
                let outdated = self.outdated.swap_remove(index);
                self.leave(outdated)?;
            }
        }
        Ok(awake || !self.outdated.is_empty())
    }

    /// Waits until the processes that were paused have found out that they are not needed, and nothing is on its way.
    fn outlive_the_outdated(&mut self) -> Checked {
        for _ in 0..STEPS_MAX {
            if self.outdated.is_empty() && !self.scheduler.has_threads(&self.network) {
                return Ok(());
            }
            if !self.step()? {
                break;
            }
        }
        let first = self.outdated.first();
        Err(first.map_or_else(
            || "a request is never carried out".to_string(),
            |outdated| self.stuck("a process that was paused never ends", outdated),
        ))
    }

    /// The process is over.
    pub(super) fn leave(&mut self, mut running: Running) -> Checked {
        self.take_answers(&mut running)?;
        if let Some(handle) = running.handle() {
            let details = handle.details();
            let all = u64::from(details.full_restarts);
            self.counts
                .add(What::Completed, details.checkpoints.counts.completed);
            self.counts.add(What::Failed, details.checkpoints.counts.failed);
            self.counts.add(What::Restarts, all);
            self.counts
                .add(What::RegionRestarts, u64::from(details.restarts) - all);
        }
        running.process.kill();
        self.scheduler.bury(&running.process);
        Ok(())
    }

    /// A process that was paused while another one took over its job ends, and not well, unless the job had come to its end.
    fn check_outdated(&mut self, end: &Result<()>) -> Checked {
        match end {
            Ok(()) => self.stopped_with().map(drop),
            Err(e) => {
                let fenced = e.kind() == ErrorKind::Fenced;
                self.counts.add(What::FencedOff, u64::from(fenced));
                Ok(())
            }
        }
    }

    fn stuck(&self, what: &str, running: &Running) -> String {
        let details = running.handle().as_ref().map(JobHandle::details);
        format!(
            "{what}; threads: {:?}; job: {details:#?}",
            self.scheduler.threads()
        )
    }
}

/// What ended a process, or its part in the job.
#[derive(Debug)]
pub(super) enum Ended {
    Well,
    /// With the reason.
    Failed(String),
    Killed,
    Paused,
}
