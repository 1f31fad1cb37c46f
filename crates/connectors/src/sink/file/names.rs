//! The names of part files. They carry all that is needed to know whose a file is and whether it must be taken back.
//!
//! ```text
//! .<prefix>-<job>-<sink>-<run>-<subtask>-<n>.inprogress                      being written
//! .<prefix>-<job>-<sink>-<run>-<subtask>-<checkpoint>-<n><suffix>.pending    complete, waiting for its checkpoint
//!  <prefix>-<job>-<sink>-<run>-<subtask>-<checkpoint>-<n><suffix>            finished
//! ```
//! `job` is the first 8 digits of the job's id, `sink` 8 digits of a hash of job id and operator name. `run` tells apart the
//! times that the job was started without a snapshot: such a start begins to count checkpoints at 1 again.

use millpond_core::JobId;
use millpond_core::hash::murmur3_x64_128;

/// What all part files of one sink of one job have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// Prefix, job and sink, with a dash at the end.
    stem: String,
    suffix: String,
}

/// A part file's name, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartName {
    pub stage: Stage,
    pub run: u64,
    pub subtask: u32,
    /// 0 for a file in progress: its checkpoint isn't known yet.
    pub checkpoint_id: u64,
}

/// How far a part file has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    InProgress,
    Pending,
    Finished,
}

impl Owner {
    pub(crate) fn new(prefix: &str, suffix: &str, job_id: JobId, operator_name: &str) -> Self {
        let job = job_id.to_string();
        let sink = murmur3_x64_128(format!("{job}\n{operator_name}").as_bytes()).0 >> 32;
        Owner {
            stem: format!("{prefix}-{}-{sink:08x}-", job.get(..8).unwrap_or(&job)),
            suffix: suffix.to_string(),
        }
    }

    pub(crate) fn in_progress(&self, run: u64, subtask: u32, n: u64) -> String {
        format!(".{}{run}-{subtask}-{n}.inprogress", self.stem)
    }

    pub(crate) fn finished(&self, run: u64, subtask: u32, checkpoint_id: u64, n: u64) -> String {
        format!("{}{run}-{subtask}-{checkpoint_id}-{n}{}", self.stem, self.suffix)
    }

    /// The name that a file has while it waits to be named `finished`.
    pub(crate) fn pending(finished: &str) -> String {
        format!(".{finished}.pending")
    }

    /// Reads a name of this owner's; `None` for any other.
    pub(crate) fn parse(&self, name: &str) -> Option<PartName> {
        if let Some(hidden) = name.strip_prefix('.') {
            if let Some(body) = hidden.strip_suffix(".inprogress") {
                let [run, subtask, _n] = numbers(body.strip_prefix(&self.stem)?)?;
                return part(Stage::InProgress, run, subtask, 0);
            }
            return self.parse_sealed(hidden.strip_suffix(".pending")?, Stage::Pending);
        }
        self.parse_sealed(name, Stage::Finished)
    }

    fn parse_sealed(&self, name: &str, stage: Stage) -> Option<PartName> {
        let body = name
            .strip_prefix(&self.stem)?
            .strip_suffix(self.suffix.as_str())?;
        let [run, subtask, checkpoint_id, _n] = numbers(body)?;
        part(stage, run, subtask, checkpoint_id)
    }
}

fn part(stage: Stage, run: u64, subtask: u64, checkpoint_id: u64) -> Option<PartName> {
    Some(PartName {
        stage,
        run,
        subtask: u32::try_from(subtask).ok()?,
        checkpoint_id,
    })
}

/// Exactly `N` numbers between dashes, spelled as we spell them.
fn numbers<const N: usize>(text: &str) -> Option<[u64; N]> {
    let numbers: Option<Vec<u64>> = text
        .split('-')
        .map(|t| t.parse::<u64>().ok().filter(|n| n.to_string() == t))
        .collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_left_alone() {
        let job = JobId::from_name("job");
        let owner = Owner::new("part", ".jsonl", job, "chains");
        let finished = owner.finished(1, 2, 30, 4);
        let expected = PartName {
            stage: Stage::Finished,
            run: 1,
            subtask: 2,
            checkpoint_id: 30,
        };
        assert_eq!(owner.parse(&finished), Some(expected));
        assert_eq!(
            owner.parse(&Owner::pending(&finished)),
            Some(PartName {
                stage: Stage::Pending,
                ..expected
            })
        );
        let in_progress = PartName {
            stage: Stage::InProgress,
            checkpoint_id: 0,
            ..expected
        };
        assert_eq!(owner.parse(&owner.in_progress(1, 2, 4)), Some(in_progress));
        for other in [
            format!("{finished}.bak"),
            finished.replace(".jsonl", ".csv"),
            finished.replace("part", "copy"),
            finished.replace("-30-", "-030-"),
            finished.replace("-30-", "-30-1-"),
            finished.replace("-30-", "-+30-"),
            "part-0".to_string(),
            String::new(),
        ] {
            assert_eq!(owner.parse(&other), None, "{other}");
        }
        for other in [
            Owner::new("part", ".jsonl", JobId::from_name("job2"), "chains"),
            Owner::new("part", ".jsonl", job, "late"),
        ] {
            assert_eq!(
                other.parse(&finished),
                None,
                "two sinks of one folder don't know each other's files"
            );
        }
    }
}
