//! Checkpoint statistics as Flink's REST interface shows them.

use crate::wire::{
    Checkpoint, CheckpointTask, Checkpoints, Counts, Latest, MinMaxAvg, Quantiles, Restored, Summary,
};
use millpond_checkpoint::barrier::CheckpointKind;
use millpond_checkpoint::coordinator::{CheckpointStats, CheckpointStatus, SubtaskMetrics, SubtaskStats};
use millpond_runtime::master::{JobDetails, VertexDetails};
use std::collections::BTreeMap;

pub(in crate::server) fn checkpoints(d: &JobDetails) -> Checkpoints {
    let s = &d.checkpoints;
    let completed = || {
        s.history
            .iter()
            .filter(|c| c.status == CheckpointStatus::Completed)
    };
    let bytes = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Checkpoints {
        counts: Counts {
            restored: s.counts.restored,
            total: s.counts.total,
            in_progress: s.counts.in_progress,
            completed: s.counts.completed,
            failed: s.counts.failed,
        },
        summary: Summary {
            checkpointed_size: quantiles(completed().map(|c| bytes(c.checkpointed_bytes))),
            state_size: quantiles(completed().map(|c| bytes(c.state_bytes))),
            end_to_end_duration: quantiles(completed().map(|c| c.end_to_end_ms)),
        },
        latest: Latest {
            completed: s.latest_completed.as_ref().map(one),
            savepoint: s.latest_savepoint.as_ref().map(one),
            failed: s.latest_failed.as_ref().map(one),
            restored: s.latest_restored.map(|r| Restored {
                id: r.checkpoint,
                restore_timestamp: r.restored_ms,
            }),
        },
        history: s.history.iter().map(one).collect(),
    }
}

/// One checkpoint with its tasks; `None` when the statistics don't hold it (any more).
pub(in crate::server) fn checkpoint(d: &JobDetails, id: u64) -> Option<Checkpoint> {
    let stats = find(d, id)?;
    let mut checkpoint = one(stats);
    checkpoint.tasks = d
        .vertices
        .iter()
        .enumerate()
        .map(|(number, vertex)| (vertex.id.clone(), task(stats, number, vertex)))
        .collect();
    Some(checkpoint)
}

/// What the statistics hold of a checkpoint.
pub(super) fn find(d: &JobDetails, id: u64) -> Option<&CheckpointStats> {
    let s = &d.checkpoints;
    let latest = [&s.latest_completed, &s.latest_savepoint, &s.latest_failed];
    s.history
        .iter()
        .chain(latest.into_iter().flatten())
        .find(|c| c.checkpoint == id)
}

fn one(c: &CheckpointStats) -> Checkpoint {
    Checkpoint {
        class_name: c.status.as_str().to_lowercase(),
        id: c.checkpoint,
        status: c.status.as_str().to_string(),
        is_savepoint: c.kind.is_savepoint(),
        checkpoint_type: match c.kind {
            CheckpointKind::Checkpoint if c.unaligned => "UNALIGNED_CHECKPOINT",
            CheckpointKind::Checkpoint => "CHECKPOINT",
            CheckpointKind::Savepoint(_) => "SAVEPOINT",
            CheckpointKind::Stop { .. } => "SYNC_SAVEPOINT",
        }
        .to_string(),
        trigger_timestamp: c.trigger_ms,
        latest_ack_timestamp: c.latest_ack_ms.map_or(-1, |ms| c.trigger_ms.saturating_add(ms)),
        checkpointed_size: c.checkpointed_bytes,
        state_size: c.state_bytes,
        end_to_end_duration: c.end_to_end_ms,
        alignment_buffered: 0,
        processed_data: c.processed_bytes,
        persisted_data: c.persisted_bytes,
        num_subtasks: c.subtasks as u64,
        num_acknowledged_subtasks: c.tasks.len() as u64,
        tasks: BTreeMap::new(),
        external_path: c.path.clone(),
        failure_timestamp: c
            .failure
            .as_ref()
            .map(|_| c.trigger_ms.saturating_add(c.end_to_end_ms)),
        failure_message: c.failure.as_ref().map(ToString::to_string),
    }
}

pub(super) fn task(c: &CheckpointStats, number: usize, vertex: &VertexDetails) -> CheckpointTask {
    let own: Vec<&SubtaskStats> = c
        .tasks
        .iter()
        .filter(|(id, _)| id.vertex as usize == number)
        .map(|(_, stats)| stats)
        .collect();
    let over = |of: fn(&SubtaskMetrics) -> u64| min_max_avg(own.iter().map(|s| of(&s.metrics)));
    let sum = |of: fn(&SubtaskMetrics) -> u64| {
        own.iter()
            .map(|s| of(&s.metrics))
            .fold(0_u64, u64::saturating_add)
    };
    let latest = own.iter().map(|s| s.ack_delay_ms).max();
    let all = !own.is_empty() && own.len() >= vertex.parallelism as usize;
    CheckpointTask {
        id: c.checkpoint,
        status: if all {
            CheckpointStatus::Completed
        } else {
            c.status
        }
        .as_str()
        .to_string(),
        latest_ack_timestamp: latest.map_or(-1, |ms| c.trigger_ms.saturating_add(ms)),
        checkpointed_size: sum(|m| m.checkpointed_bytes),
        state_size: sum(|m| m.state_bytes),
        end_to_end_duration: latest.unwrap_or(-1),
        alignment_buffered: 0,
        processed_data: sum(|m| m.processed_bytes),
        persisted_data: sum(|m| m.persisted_bytes),
        num_subtasks: u64::from(vertex.parallelism),
        num_acknowledged_subtasks: own.len() as u64,
        sync_duration: over(|m| m.sync_ms),
        async_duration: over(|m| m.async_ms),
        alignment_duration: over(|m| m.alignment_ms),
        start_delay: over(|m| m.start_delay_ms),
    }
}

fn min_max_avg(values: impl Iterator<Item = u64> + Clone) -> MinMaxAvg {
    let count = values.clone().count() as u128;
    let total: u128 = values.clone().map(u128::from).sum();
    MinMaxAvg {
        min: values.clone().min().unwrap_or(0),
        max: values.max().unwrap_or(0),
        avg: total
            .checked_div(count)
            .and_then(|avg| u64::try_from(avg).ok())
            .unwrap_or(0),
    }
}

pub(super) fn quantiles(values: impl Iterator<Item = i64>) -> Quantiles {
    let mut sorted: Vec<i64> = values.collect();
    sorted.sort_unstable();
    let (Some(min), Some(max)) = (sorted.first(), sorted.last()) else {
        return Quantiles::default();
    };
    // The nearest rank: the smallest value that at least that many thousandths of the values don't exceed.
    let rank = |thousandths: usize| {
        let rank = (sorted.len() * thousandths).div_ceil(1000).max(1);
        sorted.get(rank - 1).copied().unwrap_or(*max)
    };
    let total: i128 = sorted.iter().map(|v| i128::from(*v)).sum();
    Quantiles {
        min: *min,
        max: *max,
        avg: i64::try_from(total / sorted.len() as i128).unwrap_or(i64::MAX),
        p50: rank(500),
        p90: rank(900),
        p95: rank(950),
        p99: rank(990),
        p999: rank(999),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nearest ranks of one to a hundred, in any order, and of nothing.
    #[test]
    fn quantiles_are_nearest_ranks() {
        let q = quantiles((1..=100).rev());
        assert_eq!((q.min, q.max, q.avg), (1, 100, 50));
        assert_eq!((q.p50, q.p90, q.p95, q.p99, q.p999), (50, 90, 95, 99, 100));
        assert_eq!(quantiles(std::iter::empty()), Quantiles::default());
        assert_eq!(quantiles(std::iter::once(7)).p50, 7);
    }

    #[test]
    fn a_mean_over_no_tasks_is_zero() {
        assert_eq!(min_max_avg(std::iter::empty()), MinMaxAvg::default());
        assert_eq!(
            min_max_avg([1, 4, 4].into_iter()),
            MinMaxAvg {
                min: 1,
                max: 4,
                avg: 3
            }
        );
    }
}
