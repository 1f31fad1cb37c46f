//! What one seed stands for: a job, its options, and the troubles that it will see.

use millpond_core::host::SeededRandom;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A job and its circumstances.
#[derive(Debug)]
pub(super) struct Setup {
    /// Splits of the source.
    pub(super) splits: i32,
    /// Records of each split.
    pub(super) records: i64,
    /// Distinct keys.
    pub(super) keys: i64,
    /// The parallelism of the first process and of those after it, around and around.
    pub(super) parallelism: Vec<u32>,
    /// Flink's options.
    pub(super) options: Vec<(&'static str, String)>,
    /// How many kills, stops, failures of functions and of requests may happen.
    pub(super) troubles: u64,
    /// Of so many requests one takes longer.
    pub(super) slow_one_in: u64,
}

impl Setup {
    pub(super) fn from_seed(seed: u64) -> Setup {
        let mut random = SeededRandom::new(seed ^ 0x5e7);
        let mut one_of = |choices: &[u64]| choices[random.below(choices.len() as u64) as usize];
        let slow_one_in = one_of(&[2, 10, 100]);
        // A time-out below what an undisturbed checkpoint takes would keep the job from ever ending.
        let timeouts: &[u64] = if slow_one_in == 2 {
            &[10_000]
        } else {
            &[100, 500, 10_000]
        };
        let timeout_ms = one_of(timeouts);
        let parallelism = (0..3).map(|_| one_of(&[1, 2, 2, 3]) as u32).collect();
        let concurrent = one_of(&[1, 1, 2]);
        let options = vec![
            (
                "execution.checkpointing.interval",
                format!("{} ms", one_of(&[2, 5, 10, 30])),
            ),
            (
                "execution.checkpointing.min-pause",
                format!("{} ms", one_of(&[0, 0, 3])),
            ),
            ("execution.checkpointing.timeout", format!("{timeout_ms} ms")),
            (
                "execution.checkpointing.max-concurrent-checkpoints",
                concurrent.to_string(),
            ),
            (
                "execution.checkpointing.incremental",
                (concurrent == 1 && one_of(&[0, 1]) == 1).to_string(),
            ),
            (
                "execution.checkpointing.unaligned.enabled",
                (concurrent == 1 && one_of(&[0, 1]) == 1).to_string(),
            ),
            (
                "execution.checkpointing.aligned-checkpoint-timeout",
                format!("{} ms", one_of(&[0, 0, 5])),
            ),
            (
                "execution.checkpointing.tolerable-failed-checkpoints",
                one_of(&[0, 2, 100]).to_string(),
            ),
            (
                "execution.checkpointing.num-retained",
                one_of(&[1, 1, 2, 3]).to_string(),
            ),
            (
                "execution.checkpointing.data-inline-threshold",
                one_of(&[0, 0, 20_000]).to_string(),
            ),
            (
                "execution.buffer-timeout.interval",
                format!("{} ms", one_of(&[0, 1, 5])),
            ),
            (
                "taskmanager.network.memory.buffers-per-channel",
                one_of(&[1, 2, 8]).to_string(),
            ),
            (
                "pipeline.operator-chaining.enabled",
                (one_of(&[0, 1]) == 1).to_string(),
            ),
            ("pipeline.max-parallelism", "12".to_string()),
            ("restart-strategy.type", "fixed-delay".to_string()),
            (
                "restart-strategy.fixed-delay.attempts",
                one_of(&[0, 1, 1000]).to_string(),
            ),
            (
                "restart-strategy.fixed-delay.delay",
                format!("{} ms", one_of(&[0, 1, 50])),
            ),
        ];
        Setup {
            splits: one_of(&[1, 2, 3]) as i32,
            records: one_of(&[5, 20, 40]) as i64,
            keys: one_of(&[1, 3, 10]) as i64,
            parallelism,
            options,
            troubles: one_of(&[0, 3, 6, 12]),
            slow_one_in,
        }
    }
}

impl Setup {
    /// Sets an option that the seed set otherwise.
    pub(super) fn set(&mut self, key: &'static str, value: &str) {
        self.options.retain(|(k, _)| *k != key);
        self.options.push((key, value.to_string()));
    }
}

/// A bug put in on purpose, to see whether the simulation finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    None,
    /// A file counts as stored before it is.
    AcknowledgesEarly,
    /// With an old checkpoint goes a shared file that others still name.
    DeletesSharedFile,
}

/// What goes wrong, by chance or by plan. Shared by all processes of a world.
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
    pub(super) mutant: Mutant,
    kill: AtomicBool,
    stopped: AtomicBool,
    pub(super) failed_requests: AtomicU64,
    pub(super) lost_answers: AtomicU64,
    pub(super) failed_functions: AtomicU64,
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
            mutant: Mutant::None,
            kill: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            failed_requests: AtomicU64::new(0),
            lost_answers: AtomicU64::new(0),
            failed_functions: AtomicU64::new(0),
        }
    }

    /// Whether something goes wrong here, with a chance of one in `odds` while troubles are left.
    pub(super) fn strikes(&self, odds: u64) -> bool {
        let left = self.left.load(Ordering::Relaxed);
        let strikes = left > 0 && self.below(odds) == 0;
        if strikes {
            self.left.store(left - 1, Ordering::Relaxed);
        }
        strikes
    }

    pub(super) fn below(&self, bound: u64) -> u64 {
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .below(bound)
    }

    pub(super) fn request_fails(&self) -> bool {
        if self.stopped.load(Ordering::Relaxed) {
            return false;
        }
        let number = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        if number == self.request_to_kill_at {
            self.kill.store(true, Ordering::Relaxed);
        }
        count(
            &self.failed_requests,
            number == self.request_to_fail || self.strikes(60),
        )
    }

    pub(super) fn answer_is_lost(&self) -> bool {
        count(&self.lost_answers, self.strikes(80))
    }

    pub(super) fn function_fails(&self) -> bool {
        count(&self.failed_functions, self.strikes(150))
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
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// How many requests there were.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Whether the moment has come at which the plan kills the process.
    pub(super) fn take_kill(&self) -> bool {
        self.kill.swap(false, Ordering::Relaxed)
    }
}

fn count(counter: &AtomicU64, happens: bool) -> bool {
    counter.fetch_add(u64::from(happens), Ordering::Relaxed);
    happens
}
