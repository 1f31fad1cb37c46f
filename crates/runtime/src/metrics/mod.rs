//! What a job measures, under Flink's names and in Flink's scopes: read by REST and by reporters. `docs/metrics.md` lists every name.
//!
//! Counters are written by the tasks that own them, once for a batch or a step; everything else is worked out when somebody asks. Rates
//! are those of the last minute: the job master takes a sample of the counters every few seconds.

mod collect;
mod rate;

pub(crate) use collect::{CheckpointNumbers, StatusTimes, job_metrics, operator_metrics, task_metrics};
pub(crate) use rate::{OperatorRates, TaskRates};

use millpond_core::JobId;
use millpond_state::metrics::HistogramStatistics;

/// Everything that a job measures, at one moment.
#[derive(Clone, Debug)]
pub struct JobMetrics {
    /// Its id.
    pub job_id: JobId,
    /// Its name.
    pub job_name: String,
    /// Of the job as a whole. Flink's scope `<host>.jobmanager.<job_name>`.
    pub metrics: Vec<Metric>,
    /// Of its tasks, in their order.
    pub tasks: Vec<SubtaskMetrics>,
}

/// What one task measures. Flink's scope `<host>.taskmanager.<tm_id>.<job_name>.<task_name>.<subtask_index>`.
#[derive(Clone, Debug)]
pub struct SubtaskMetrics {
    /// Its vertex's id: that of the first operator.
    pub task_id: String,
    /// Its vertex's name.
    pub task_name: String,
    /// Which parallel instance it is, from 0.
    pub subtask_index: u32,
    /// Which attempt it is.
    pub attempt: u32,
    /// Of the task.
    pub metrics: Vec<Metric>,
    /// Of its operators, upstream first.
    pub operators: Vec<OperatorInstanceMetrics>,
}

/// What one operator instance measures. Flink's scope
/// `<host>.taskmanager.<tm_id>.<job_name>.<operator_name>.<subtask_index>`.
#[derive(Clone, Debug)]
pub struct OperatorInstanceMetrics {
    /// Its id.
    pub operator_id: String,
    /// Its name.
    pub operator_name: String,
    /// What it measures; counters of its function and numbers of its states among it.
    pub metrics: Vec<Metric>,
}

/// One number or distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Flink's name, behind the groups that it is in, with dots between: `numRecordsIn`, `state_name.count.valueStateGetLatency`.
    pub name: String,
    /// What it says now.
    pub value: MetricValue,
}

/// What a metric says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MetricValue {
    /// A whole number: a counter, a gauge.
    Integer(i64),
    /// A rate.
    Rate(f64),
    /// What the last values say.
    Histogram(HistogramStatistics),
}

impl Metric {
    pub(crate) fn integer(name: impl Into<String>, value: impl TryInto<i64>) -> Self {
        Metric {
            name: name.into(),
            value: MetricValue::Integer(value.try_into().unwrap_or(i64::MAX)),
        }
    }
    pub(crate) fn rate(name: &str, value: f64) -> Self {
        Metric {
            name: name.to_owned(),
            value: MetricValue::Rate(value),
        }
    }
}
