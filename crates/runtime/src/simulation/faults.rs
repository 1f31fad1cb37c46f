//! What goes wrong, by chance or by plan. Shared by all processes of a world.

use super::counts::{Counts, What};
use super::setup::Setup;
use millpond_core::host::SeededRandom;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A bug put in on purpose, to see whether the simulation finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    None,
    /// A file counts as stored before it is.
    AcknowledgesEarly,
    /// With an old checkpoint goes a shared file that others still name.
    DeletesSharedFile,
    /// A task that is restored forgets the records in flight of one of its channels.
    ForgetsChannel,
}

/// See the module.
pub(super) struct Faults {
    random: Mutex<SeededRandom>,
    /// How many may still happen.
    left: AtomicU64,
    slow_one_in: u64,
    requests: AtomicU64,
    /// The request that fails by plan, counted from 1; 0: none does.
    pub(super) request_to_fail: u64,
    /// The request at which the process is killed by plan.
    pub(super) request_to_kill_at: u64,
    /// The request at which the process is paused by plan, until others have ended the job.
    pub(super) request_to_pause_at: u64,
    pub(super) mutant: Mutant,
    kill: AtomicBool,
    pause: AtomicBool,
    stopped: AtomicBool,
    counts: Mutex<Counts>,
}

impl Faults {
    pub(super) fn new(seed: u64, setup: &Setup) -> Self {
        Faults {
            random: Mutex::new(SeededRandom::new(seed ^ 0xfa17)),
            left: AtomicU64::new(setup.troubles),
            slow_one_in: setup.slow_one_in,
            requests: AtomicU64::new(0),
            request_to_fail: 0,
            request_to_kill_at: 0,
            request_to_pause_at: 0,
            mutant: Mutant::None,
            kill: AtomicBool::new(false),
            pause: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            counts: Mutex::default(),
        }
    }

    /// Whether something goes wrong here, with a chance of one in `odds` while troubles are left. Counted as `what`.
    pub(super) fn strikes(&self, what: What, odds: u64) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        let strikes = left > 0 && self.below(odds) == 0;
        if strikes {
            self.left.store(left - 1, Ordering::Relaxed);
            self.counts().add(what, 1);
        }
        strikes
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        lock(&self.random).below(bound)
    }

    pub(super) fn request_fails(&self) -> bool {
        if self.stopped.load(Ordering::Relaxed) {
            return false;
        }
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if number == self.request_to_kill_at {
            self.kill.store(true, Ordering::Relaxed);
        }
        if number == self.request_to_pause_at {
            self.pause.store(true, Ordering::Relaxed);
        }
        let planned = number == self.request_to_fail;
        if planned {
            self.counts().add(What::FailedRequests, 1);
        }
        planned || self.strikes(What::FailedRequests, 60)
    }

    pub(super) fn answer_is_lost(&self) -> bool {
        self.strikes(What::LostAnswers, 80)
    }

    /// How much later than its sender gives up on it a request is carried out, in milliseconds; `None`: it is not late.
    pub(super) fn request_is_late_ms(&self) -> Option<i64> {
        self.strikes(What::LateRequests, 150)
            .then(|| self.below(100) as i64)
    }

    pub(super) fn function_fails(&self) -> bool {
        self.strikes(What::FailedFunctions, 150)
    }

    /// How long a request takes, in milliseconds.
    pub(super) fn request_takes_ms(&self) -> i64 {
        match self.below(self.slow_one_in) {
            0 => 1 + self.below(20) as i64,
            _ => 0,
        }
    }

    /// Nothing goes wrong from here on.
    pub(super) fn stop(&self) {
        self.left.store(0, Ordering::Relaxed);
        for flag in [&self.kill, &self.pause] {
            flag.store(false, Ordering::Relaxed);
        }
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Things go wrong again, so many.
    pub(super) fn resume(&self, troubles: u64) {
        self.left.store(troubles, Ordering::Relaxed);
        self.stopped.store(false, Ordering::Relaxed);
    }

    /// How many requests there were.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether the process is killed now, by plan or by chance.
    pub(super) fn kills(&self) -> bool {
        self.is_planned(&self.kill, What::Kills) || self.strikes(What::Kills, 400)
    }

    /// Whether the process is paused now.
    pub(super) fn pauses(&self) -> bool {
        self.is_planned(&self.pause, What::Pauses) || self.strikes(What::Pauses, 800)
    }

    fn is_planned(&self, flag: &AtomicBool, what: What) -> bool {
        let now = flag.swap(false, Ordering::Relaxed);
        self.counts().add(what, u64::from(now));
        now
    }

    /// What has gone wrong so far.
    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        lock(&self.counts)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
