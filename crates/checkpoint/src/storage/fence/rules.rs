//! The rules of ownership, as pure functions over what a listing of the job's `epochs/` folder says.
//!
//! `docs/storage.md` has the protocol and why it is safe; `tests/exhaustive/fencing.rs` goes through every interleaving of
//! processes that follow these rules.

use millpond_core::CheckpointId;
use serde::{Deserialize, Serialize};

/// Says who owns the job from when on. Greater is newer.
pub type Epoch = u64;

/// How many takeovers are remembered: a process may have been asleep since the oldest of them.
const TAKEOVERS_MAX: usize = 64;
const START_SUFFIX: &str = ".start";

/// What one file in `epochs/` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EpochFile {
    /// A process owns the job in this epoch.
    Owner(Epoch),
    /// What the owner of this epoch found when it took over.
    Start(Epoch),
}

impl EpochFile {
    /// Reads a file's name; `None` for one that is none of ours.
    pub fn parse(name: &str) -> Option<EpochFile> {
        let (digits, start) = match name.strip_suffix(START_SUFFIX) {
            Some(digits) => (digits, true),
            None => (name, false),
        };
        let epoch: Epoch = digits.parse().ok()?;
        if epoch.to_string() != digits {
            return None;
        }
        Some(if start {
            EpochFile::Start(epoch)
        } else {
            EpochFile::Owner(epoch)
        })
    }

    /// Its name.
    pub fn name(self) -> String {
        match self {
            EpochFile::Owner(epoch) => epoch.to_string(),
            EpochFile::Start(epoch) => format!("{epoch}{START_SUFFIX}"),
        }
    }

    /// Its epoch.
    pub fn epoch(self) -> Epoch {
        match self {
            EpochFile::Owner(epoch) | EpochFile::Start(epoch) => epoch,
        }
    }
}

/// The epoch to take: above all that were, and above `now_ms`, so that none is taken twice though the folder was cleared.
pub fn next_epoch(files: &[EpochFile], now_ms: i64) -> Epoch {
    let last = files.iter().map(|f| f.epoch()).max().unwrap_or(0);
    last.saturating_add(1).max(u64::try_from(now_ms).unwrap_or(0))
}

/// Whether the owner of `epoch` still owns the job: its file is there, and none of a later epoch.
pub fn holds(files: &[EpochFile], epoch: Epoch) -> bool {
    files.contains(&EpochFile::Owner(epoch)) && files.iter().all(|f| f.epoch() <= epoch)
}

/// Whether an owner of `epoch` has begun: nobody else may have it, also when he has given it back since.
pub fn is_used(files: &[EpochFile], epoch: Epoch) -> bool {
    files.contains(&EpochFile::Start(epoch))
}

/// The epoch whose owner may be running: the latest that was taken and not given back.
pub fn held(files: &[EpochFile]) -> Option<Epoch> {
    let owners = files.iter().filter(|f| matches!(f, EpochFile::Owner(_)));
    owners.map(|f| f.epoch()).max()
}

/// The file that says which checkpoints count.
pub fn latest_start(files: &[EpochFile]) -> Option<EpochFile> {
    let starts = files.iter().filter(|f| matches!(f, EpochFile::Start(_)));
    starts.copied().max_by_key(|f| f.epoch())
}

/// One takeover: from then on, checkpoints of earlier epochs count up to a number only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeover {
    /// The new owner's epoch.
    pub epoch: Epoch,
    /// The newest checkpoint that it found; 0: none.
    pub checkpoint: CheckpointId,
}

/// The takeovers of a job, oldest first: what a `.start` file holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Takeovers {
    /// See the type.
    pub takeovers: Vec<Takeover>,
    /// The epoch of the job's result, if the last of them found one that counts: it does so from now on, though it is older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Epoch>,
}

impl Takeovers {
    /// Whether the checkpoint `id` of the owner of `epoch` doesn't count: it came to exist after somebody else had taken over and
    /// had not found it.
    pub fn is_void(&self, epoch: Epoch, id: CheckpointId) -> bool {
        self.takeovers
            .iter()
            .any(|t| t.epoch > epoch && id > t.checkpoint)
    }

    /// Whether a checkpoint of this number might not count, whoever wrote it.
    pub fn may_void(&self, id: CheckpointId) -> bool {
        self.is_void(0, id)
    }

    /// These and one more, without those that it makes meaningless.
    #[must_use]
    pub fn and(&self, new: Takeover) -> Takeovers {
        let mut takeovers: Vec<Takeover> = self
            .takeovers
            .iter()
            .copied()
            .filter(|t| t.epoch < new.epoch && t.checkpoint < new.checkpoint)
            .collect();
        takeovers.push(new);
        let surplus = takeovers.len().saturating_sub(TAKEOVERS_MAX);
        takeovers.drain(..surplus);
        Takeovers {
            takeovers,
            result: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_read_in_one_spelling_only() {
        for file in [EpochFile::Owner(7), EpochFile::Start(1_700_000_000_000)] {
            assert_eq!(EpochFile::parse(&file.name()), Some(file));
        }
        for name in ["", "07", "+7", "7.begin", "x.start", ".start"] {
            assert_eq!(EpochFile::parse(name), None, "{name}");
        }
    }

    #[test]
    fn an_epoch_is_above_all_that_were_and_above_the_clock() {
        assert_eq!(next_epoch(&[], 1000), 1000);
        assert_eq!(next_epoch(&[EpochFile::Start(2000)], 1000), 2001);
        assert_eq!(next_epoch(&[EpochFile::Owner(5)], -1), 6);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Goal: takeovers that are dropped as meaningless were. Method: against a list that drops none.
        #[test]
        fn takeovers_that_are_dropped_decide_nothing(
            checkpoints in proptest::collection::vec(0..12u64, 0..TAKEOVERS_MAX),
        ) {
            let mut all = Takeovers::default();
            let mut kept = Takeovers::default();
            for (i, checkpoint) in checkpoints.into_iter().enumerate() {
                let new = Takeover { epoch: 2 * i as u64 + 2, checkpoint };
                all.takeovers.push(new);
                kept = kept.and(new);
            }
            for epoch in 0..2 * TAKEOVERS_MAX as u64 + 4 {
                for id in 0..14 {
                    prop_assert_eq!(all.is_void(epoch, id), kept.is_void(epoch, id), "epoch {} checkpoint {}", epoch, id);
                }
            }
        }
    }
}
