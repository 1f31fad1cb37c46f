//! Puts metrics together from what the parts of a job know.

use super::rate::{OperatorRates, TaskRates};
use super::{Metric, MetricValue};
use crate::master::JobStatus;
use crate::operator::OperatorMetrics;
use crate::task::TaskMetrics;
use millpond_checkpoint::coordinator::CheckpointStatistics;
use std::sync::atomic::Ordering;

const NANOS_PER_MS: u64 = 1_000_000;
const NANOS_PER_MS_RATE: f64 = 1e6;

/// The statuses that a job can be in for a while, and the metric that says for how long it has been.
const STATUS_TIMES: [(JobStatus, &str); 6] = [
    (JobStatus::Initializing, "initializingTime"),
    (JobStatus::Created, "createdTime"),
    (JobStatus::Running, "runningTime"),
    (JobStatus::Restarting, "restartingTime"),
    (JobStatus::Cancelling, "cancellingTime"),
    (JobStatus::Failing, "failingTime"),
];

/// Where a job stands, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusTimes {
    pub(crate) status: JobStatus,
    /// Since it entered the status.
    pub(crate) for_ms: u64,
    /// Since it last ran, if it doesn't run now and did before.
    pub(crate) down_ms: Option<u64>,
    pub(crate) restarts: u32,
    pub(crate) full_restarts: u32,
}

impl StatusTimes {
    /// The metrics of Flink's groups "Availability".
    fn metrics(self) -> Vec<Metric> {
        let in_status = |status| if self.status == status { self.for_ms } else { 0 };
        let mut metrics: Vec<Metric> = STATUS_TIMES
            .iter()
            .map(|(status, name)| Metric::integer(*name, in_status(*status)))
            .collect();
        let over = self.status.is_globally_terminal();
        let unless_over = |ms: u64| {
            if over {
                -1
            } else {
                i64::try_from(ms).unwrap_or(i64::MAX)
            }
        };
        metrics.extend([
            Metric::integer("uptime", unless_over(in_status(JobStatus::Running))),
            Metric::integer("downtime", unless_over(self.down_ms.unwrap_or(0))),
            Metric::integer("numRestarts", self.restarts),
            Metric::integer("fullRestarts", self.full_restarts),
        ]);
        metrics
    }
}

/// The numbers of a job's checkpoints.
pub(crate) struct CheckpointNumbers<'a>(pub(crate) &'a CheckpointStatistics);

impl CheckpointNumbers<'_> {
    /// The metrics of Flink's `CheckpointStatsTracker`.
    fn metrics(&self) -> Vec<Metric> {
        let counts = &self.0.counts;
        let latest = self.0.latest_completed.as_ref();
        let of_latest = |value: Option<u64>| value.map_or(-1, |v| i64::try_from(v).unwrap_or(i64::MAX));
        let duration = latest.map(|c| u64::try_from(c.end_to_end_ms).unwrap_or(0));
        vec![
            Metric::integer("totalNumberOfCheckpoints", counts.total),
            Metric::integer("numberOfInProgressCheckpoints", counts.in_progress),
            Metric::integer("numberOfCompletedCheckpoints", counts.completed),
            Metric::integer("numberOfFailedCheckpoints", counts.failed),
            Metric::integer(
                "lastCompletedCheckpointId",
                of_latest(latest.map(|c| c.checkpoint)),
            ),
            Metric::integer("lastCheckpointDuration", of_latest(duration)),
            Metric::integer(
                "lastCheckpointSize",
                of_latest(latest.map(|c| c.checkpointed_bytes)),
            ),
            Metric::integer("lastCheckpointFullSize", of_latest(latest.map(|c| c.state_bytes))),
            Metric::integer(
                "lastCheckpointProcessedData",
                of_latest(latest.map(|c| c.processed_bytes)),
            ),
            Metric::integer(
                "lastCheckpointPersistedData",
                of_latest(latest.map(|c| c.persisted_bytes)),
            ),
            Metric::integer(
                "lastCheckpointRestoreTimestamp",
                self.0.latest_restored.map_or(-1, |r| r.restored_ms),
            ),
        ]
    }
}

pub(crate) fn job_metrics(times: StatusTimes, checkpoints: &CheckpointNumbers<'_>) -> Vec<Metric> {
    let mut metrics = times.metrics();
    metrics.extend(checkpoints.metrics());
    metrics
}

pub(crate) fn task_metrics(task: &TaskMetrics, rates: &TaskRates, now_nanos: u64) -> Vec<Metric> {
    let [records_in, records_out, busy, idle, backpressured] = rates.per_second(now_nanos, task);
    vec![
        Metric::integer("numRecordsIn", task.records_in()),
        Metric::integer("numRecordsOut", task.records_out()),
        Metric::rate("numRecordsInPerSecond", records_in),
        Metric::rate("numRecordsOutPerSecond", records_out),
        Metric::rate("busyTimeMsPerSecond", busy / NANOS_PER_MS_RATE),
        Metric::rate("idleTimeMsPerSecond", idle / NANOS_PER_MS_RATE),
        Metric::rate("backPressuredTimeMsPerSecond", backpressured / NANOS_PER_MS_RATE),
        Metric::integer("accumulateBusyTimeMs", task.busy_nanos() / NANOS_PER_MS),
        Metric::integer("accumulateIdleTimeMs", task.idle_nanos() / NANOS_PER_MS),
        Metric::integer(
            "accumulateBackPressuredTimeMs",
            task.backpressured_nanos() / NANOS_PER_MS,
        ),
        Metric::integer("currentInputWatermark", task.current_watermark()),
        Metric::integer("checkpointAlignmentTime", task.alignment_nanos()),
        Metric::integer("checkpointStartDelayNanos", task.start_delay_nanos()),
    ]
}

pub(crate) fn operator_metrics(
    operator: &OperatorMetrics,
    rates: &OperatorRates,
    now_nanos: u64,
) -> Vec<Metric> {
    let [records_in, records_out] = rates.per_second(now_nanos, operator);
    let mut metrics = vec![
        Metric::integer("numRecordsIn", operator.records_in.load(Ordering::Relaxed)),
        Metric::integer("numRecordsOut", operator.records_out.load(Ordering::Relaxed)),
        Metric::rate("numRecordsInPerSecond", records_in),
        Metric::rate("numRecordsOutPerSecond", records_out),
        Metric::integer("currentOutputWatermark", operator.output_watermark()),
        Metric::integer(
            "currentStateSize",
            operator.state_size_bytes.load(Ordering::Relaxed),
        ),
    ];
    let input = operator.input_watermark();
    metrics.extend(input.map(|watermark| Metric::integer("currentInputWatermark", watermark)));
    let numbers = operator
        .user
        .values()
        .into_iter()
        .chain(operator.keyed_state.key_counts())
        .chain(operator.gauges.values());
    metrics.extend(numbers.map(|(name, value)| Metric::integer(name, value)));
    let distributions = operator.keyed_state.statistics().into_iter();
    metrics.extend(distributions.map(|(name, statistics)| Metric {
        name,
        value: MetricValue::Histogram(statistics),
    }));
    metrics
}
