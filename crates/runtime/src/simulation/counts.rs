//! What runs come across, counted: the report of a search, and the proof that it reached what it is for.

use std::fmt;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Runs,
    Processes,
    Kills,
    Pauses,
    FencedOff,
    Requests,
    FailedRequests,
    LostAnswers,
    LateRequests,
    FailedFunctions,
    ClockJumps,
    Restarts,
    RegionRestarts,
    Completed,
    Failed,
    Savepoints,
    FailedSavepoints,
    Drains,
    StartsFromSavepoint,
    Verified,
    Rows,
}

/// Every one with its name in the report.
const ALL: [(What, &str); 21] = [
    (What::Runs, "runs"),
    (What::Processes, "processes"),
    (What::Kills, "processes killed"),
    (What::Pauses, "processes paused"),
    (What::FencedOff, "processes fenced off"),
    (What::Requests, "storage requests"),
    (What::FailedRequests, "requests failed"),
    (What::LostAnswers, "answers lost"),
    (What::LateRequests, "requests carried out late"),
    (What::FailedFunctions, "functions failed"),
    (What::ClockJumps, "clock set"),
    (What::Restarts, "restarts of all tasks"),
    (What::RegionRestarts, "restarts of regions"),
    (What::Completed, "checkpoints completed"),
    (What::Failed, "checkpoints aborted"),
    (What::Savepoints, "savepoints completed"),
    (What::FailedSavepoints, "savepoints failed"),
    (What::Drains, "jobs told to drain and stop"),
    (What::StartsFromSavepoint, "jobs started from a savepoint"),
    (What::Verified, "snapshots read back whole"),
    (What::Rows, "results compared"),
];

/// How often each has been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts([u64; ALL.len()]);

impl Counts {
    pub(super) fn add(&mut self, what: What, times: u64) {
        self.0[what as usize] += times;
    }

    pub(super) fn get(&self, what: What) -> u64 {
        self.0[what as usize]
    }

    pub(super) fn add_all(&mut self, others: &Counts) {
        for (mine, other) in self.0.iter_mut().zip(others.0) {
            *mine += other;
        }
    }

    /// Every count with its name.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ALL.iter().map(|(what, name)| (*name, self.get(*what)))
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.named()
            .try_for_each(|(name, times)| writeln!(f, "{times:>12} {name}"))
    }
}

#[test]
fn every_name_stands_at_its_place() {
    for (place, (what, _)) in ALL.iter().enumerate() {
        assert_eq!(*what as usize, place);
    }
}
