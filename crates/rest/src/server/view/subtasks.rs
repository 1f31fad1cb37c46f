//! One vertex's part of a checkpoint, task by task, as Flink's REST interface shows it.

use super::checkpoints::{find, quantiles, task};
use crate::wire::{
    AlignmentSummary, CheckpointAlignment, CheckpointDuration, CheckpointSubtask, CheckpointSubtasks,
    CompletedSubtask, DurationSummary, Quantiles, SubtaskSummary,
};
use millpond_checkpoint::coordinator::{CheckpointStats, SubtaskMetrics, SubtaskStats, TaskId};
use millpond_runtime::master::JobDetails;

/// The part of the vertex with the id `vertex`; `None`: no such vertex, or the statistics don't hold the checkpoint.
pub(in crate::server) fn subtasks(
    d: &JobDetails,
    checkpoint: u64,
    vertex: &str,
) -> Option<CheckpointSubtasks> {
    let stats = find(d, checkpoint)?;
    let (number, of_vertex) = d.vertices.iter().enumerate().find(|(_, v)| v.id == vertex)?;
    let of_subtask = |subtask| {
        stats.tasks.get(&TaskId {
            vertex: number as u32,
            subtask,
        })
    };
    let acknowledged: Vec<&SubtaskStats> = (0..of_vertex.parallelism).filter_map(of_subtask).collect();
    Some(CheckpointSubtasks {
        task: task(stats, number, of_vertex),
        summary: summary(&acknowledged),
        subtasks: (0..of_vertex.parallelism)
            .map(|index| one(stats, index, of_subtask(index)))
            .collect(),
    })
}

fn summary(acknowledged: &[&SubtaskStats]) -> SubtaskSummary {
    let over = |of: fn(&SubtaskMetrics) -> u64| -> Quantiles {
        quantiles(
            acknowledged
                .iter()
                .map(|s| i64::try_from(of(&s.metrics)).unwrap_or(i64::MAX)),
        )
    };
    SubtaskSummary {
        checkpointed_size: over(|m| m.checkpointed_bytes),
        state_size: over(|m| m.state_bytes),
        end_to_end_duration: quantiles(acknowledged.iter().map(|s| s.ack_delay_ms)),
        checkpoint_duration: DurationSummary {
            sync: over(|m| m.sync_ms),
            asynchronous: over(|m| m.async_ms),
        },
        alignment: AlignmentSummary {
            buffered: over(|_| 0),
            processed: over(|m| m.processed_bytes),
            persisted: over(|m| m.persisted_bytes),
            duration: over(|m| m.alignment_ms),
        },
        start_delay: over(|m| m.start_delay_ms),
    }
}

fn one(checkpoint: &CheckpointStats, index: u32, stats: Option<&SubtaskStats>) -> CheckpointSubtask {
    let status = if stats.is_some() {
        "completed"
    } else {
        "pending_or_failed"
    };
    CheckpointSubtask {
        index,
        status: status.to_string(),
        completed: stats.map(|stats| {
            let m = &stats.metrics;
            CompletedSubtask {
                ack_timestamp: checkpoint.trigger_ms.saturating_add(stats.ack_delay_ms),
                end_to_end_duration: stats.ack_delay_ms,
                state_size: m.state_bytes,
                checkpointed_size: m.checkpointed_bytes,
                checkpoint: CheckpointDuration {
                    sync: m.sync_ms,
                    asynchronous: m.async_ms,
                },
                alignment: CheckpointAlignment {
                    buffered: 0,
                    processed: m.processed_bytes,
                    persisted: m.persisted_bytes,
                    duration: m.alignment_ms,
                },
                start_delay: m.start_delay_ms,
                unaligned_checkpoint: m.unaligned,
                aborted: false,
            }
        }),
    }
}
