//! Deliberate defects, each of which the checker has to find.

/// One defect, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    None,
    /// Tasks read channels they were told to block.
    NeverBlock,
    /// Tasks snapshot when the first barrier of a checkpoint arrives.
    FirstBarrier,
    /// Tasks ignore notices that a checkpoint was aborted.
    DeafToAborts,
    /// Sinks commit with the snapshot instead of on completion.
    EarlyCommit,
    /// What is in the first channel of a task when barriers overtake is not stored.
    ForgetChannel,
    /// Acknowledgements that arrive twice have their state deleted.
    DeleteDuplicates,
}
