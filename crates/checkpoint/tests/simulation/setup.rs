//! The shape of one simulated job and the trouble it is in for, all drawn from the seed.

use millpond_checkpoint::barrier::CheckpointingMode;
use millpond_checkpoint::coordinator::{CheckpointConfig, CheckpointPlan, TaskId};
use millpond_core::hash::fmix64;
use millpond_core::host::SeededRandom;

pub const SOURCES: u32 = 0;
pub const KEYED: u32 = 1;
pub const SINKS: u32 = 2;

/// A record: the source it is from and its place there. Nothing else matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    pub source: usize,
    pub offset: usize,
}

#[derive(Clone, Debug)]
pub struct Setup {
    pub sources: usize,
    pub keyed: usize,
    pub sinks: usize,
    pub records_per_source: usize,
    pub channel_capacity: usize,
    pub config: CheckpointConfig,
    /// How many bad things may happen; when they are used up the run must come to its end.
    pub faults: u32,
    pub savepoints: u32,
    pub stops: u32,
}

impl Setup {
    pub fn from_seed(seed: u64) -> Setup {
        let mut rng = SeededRandom::new(fmix64(seed ^ 0x5e70));
        let mut between = |low: u64, high: u64| low + rng.below(high - low + 1);
        let mode = if between(0, 3) == 0 {
            CheckpointingMode::AtLeastOnce
        } else {
            CheckpointingMode::ExactlyOnce
        };
        let unaligned = mode == CheckpointingMode::ExactlyOnce && between(0, 1) == 0;
        let config = CheckpointConfig {
            mode,
            unaligned,
            aligned_timeout_ms: (between(0, 1) * between(1, 12)) as i64,
            interval_ms: (between(0, 7) != 0).then(|| between(1, 25) as i64),
            timeout_ms: between(15, 120) as i64,
            min_pause_ms: (between(0, 2) * between(0, 10)) as i64,
            max_concurrent: if unaligned { 1 } else { between(1, 2) as usize },
            tolerable_failures: between(0, 3) as u32,
            final_checkpoint: true,
            history_max: 4,
            ..CheckpointConfig::default()
        };
        Setup {
            sources: between(1, 3) as usize,
            keyed: between(1, 3) as usize,
            sinks: between(1, 2) as usize,
            records_per_source: between(0, 16) as usize,
            channel_capacity: between(1, 4) as usize,
            config,
            faults: between(0, 12) as u32,
            savepoints: between(0, 2) as u32,
            stops: between(0, 1) as u32,
        }
    }

    pub fn mode(&self) -> CheckpointingMode {
        self.config.mode
    }

    pub fn plan(&self) -> CheckpointPlan {
        let (sources, others): (Vec<_>, Vec<_>) = self
            .task_ids()
            .into_iter()
            .partition(|task| task.vertex == SOURCES);
        CheckpointPlan::new(sources, others)
    }

    /// Every task: sources first, then keyed tasks, then sinks. A task's place here is its index in the world.
    pub fn task_ids(&self) -> Vec<TaskId> {
        let of = |vertex: u32, count: usize| (0..count as u32).map(move |subtask| TaskId { vertex, subtask });
        of(SOURCES, self.sources)
            .chain(of(KEYED, self.keyed))
            .chain(of(SINKS, self.sinks))
            .collect()
    }

    /// The tasks that read from tasks of `vertex`.
    pub fn downstream(&self, vertex: u32) -> std::ops::Range<usize> {
        match vertex {
            SOURCES => self.sources..self.sources + self.keyed,
            KEYED => self.sources + self.keyed..self.sources + self.keyed + self.sinks,
            _ => 0..0,
        }
    }

    /// The task of the next vertex that `record` goes to.
    pub fn route(&self, vertex: u32, record: Record) -> usize {
        let hash = fmix64((record.source * 1_000 + record.offset) as u64) as usize;
        let range = self.downstream(vertex);
        range.start + (hash >> vertex) % range.len()
    }

    pub fn all_records(&self) -> impl Iterator<Item = Record> + '_ {
        (0..self.sources)
            .flat_map(|source| (0..self.records_per_source).map(move |offset| Record { source, offset }))
    }
}
