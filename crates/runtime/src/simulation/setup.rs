//! What one seed stands for: a job, its options, and the troubles that it will see.

use millpond_core::host::SeededRandom;

/// A job and its circumstances.
#[derive(Debug)]
pub(super) struct Setup {
    /// How many times the job's graph is in it, each a region of its own.
    pub(super) parts: i64,
    /// Splits of each source.
    pub(super) splits: i32,
    /// Records of each split.
    pub(super) records: i64,
    /// Distinct keys of each part.
    pub(super) keys: i64,
    /// The parallelism of the first process and of those after it, around and around.
    pub(super) parallelism: Vec<u32>,
    /// Flink's options.
    pub(super) options: Vec<(&'static str, String)>,
    /// How many kills, pauses, failures of functions and of requests may happen.
    pub(super) troubles: u64,
    /// How many savepoints are asked for.
    pub(super) savepoints: u64,
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
                "execution.checkpointing.file-merging.enabled",
                (one_of(&[0, 1]) == 1).to_string(),
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
        let setup = Setup {
            parts: one_of(&[1, 1, 1, 2]) as i64,
            splits: one_of(&[1, 2, 3]) as i32,
            records: one_of(&[5, 20, 40]) as i64,
            keys: one_of(&[1, 3, 10]) as i64,
            parallelism,
            options,
            troubles: one_of(&[0, 3, 6, 12]),
            savepoints: one_of(&[0, 0, 1, 3]),
            slow_one_in,
        };
        setup.with(&[
            (
                "execution.checkpointing.unaligned.interruptible-timers.enabled",
                (one_of(&[0, 1]) == 1).to_string(),
            ),
            (
                "execution.checkpointing.snapshot-compression",
                (one_of(&[0, 1]) == 1).to_string(),
            ),
        ])
    }

    /// The same with more options.
    fn with(mut self, more: &[(&'static str, String)]) -> Setup {
        self.options.extend_from_slice(more);
        self
    }
}

impl Setup {
    /// Sets an option that the seed set otherwise.
    pub(super) fn set(&mut self, key: &'static str, value: &str) {
        self.options.retain(|(k, _)| *k != key);
        self.options.push((key, value.to_string()));
    }
}
