//! A task as others may look at it, and what the tasks of a vertex come to together.

use super::status::VertexDetails;
use crate::metrics::{OperatorRates, TaskRates};
use crate::operator::OperatorMetrics;
use crate::task::TaskMetrics;
use millpond_checkpoint::coordinator::TaskId;
use millpond_state::metrics::HistogramStatistics;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The counters of one running task.
pub(super) struct TaskView {
    pub(super) id: TaskId,
    pub(super) attempt: u32,
    pub(super) state: TaskState,
    pub(super) task: Arc<TaskMetrics>,
    pub(super) operators: Vec<Arc<OperatorMetrics>>,
    pub(super) task_rates: TaskRates,
    pub(super) operator_rates: Vec<OperatorRates>,
}

impl TaskView {
    pub(super) fn new(
        id: TaskId,
        attempt: u32,
        task: Arc<TaskMetrics>,
        operators: Vec<Arc<OperatorMetrics>>,
    ) -> Self {
        TaskView {
            id,
            attempt,
            state: TaskState::Deploying,
            task,
            task_rates: TaskRates::default(),
            operator_rates: operators.iter().map(|_| OperatorRates::default()).collect(),
            operators,
        }
    }

    pub(super) fn sample(&mut self, now_nanos: u64) {
        self.task_rates.sample(now_nanos, &self.task);
        for (rates, operator) in self.operator_rates.iter_mut().zip(&self.operators) {
            rates.sample(now_nanos, operator);
        }
    }
}

/// How far a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TaskState {
    Deploying,
    Running,
    Finished,
    /// Cancelled or failed.
    Gone,
}

/// Adds what a histogram of one task says, by the names that Flink's REST interface gives such values. Of percentiles those of the slowest
/// task count.
fn add_statistics(counters: &mut BTreeMap<String, u64>, name: &str, statistics: &HistogramStatistics) {
    *counters.entry(format!("{name}_count")).or_default() += statistics.count;
    for (what, value) in [
        ("p50", statistics.p50),
        ("p99", statistics.p99),
        ("max", statistics.max),
    ] {
        let slowest = counters.entry(format!("{name}_{what}")).or_default();
        *slowest = value.max(*slowest);
    }
}

pub(super) fn sum_up(details: &VertexDetails, vertex: usize, tasks: &[TaskView]) -> VertexDetails {
    let mut sum = details.clone();
    let (mut busy, mut idle, mut backpressured) = (0, 0, 0);
    let mut watermark = i64::MAX;
    let mut counters: BTreeMap<String, u64> = BTreeMap::new();
    let own = || tasks.iter().filter(|t| t.id.vertex as usize == vertex);
    for t in own() {
        sum.running += u32::from(t.state == TaskState::Running);
        sum.finished += u32::from(t.state == TaskState::Finished);
        sum.records_in += t.task.records_in();
        sum.records_out += t.task.records_out();
        busy += t.task.busy_nanos();
        idle += t.task.idle_nanos();
        backpressured += t.task.backpressured_nanos();
        watermark = watermark.min(t.task.current_watermark());
        for operator in &t.operators {
            let of_state = operator.keyed_state.key_counts().into_iter();
            let gauges = operator.gauges.values();
            for (name, value) in operator.user.values().into_iter().chain(of_state).chain(gauges) {
                *counters.entry(name).or_default() += value;
            }
            for (name, statistics) in operator.keyed_state.statistics() {
                add_statistics(&mut counters, &name, &statistics);
            }
        }
    }
    if details.is_sink {
        let taken = |t: &TaskView| {
            t.operators
                .last()
                .map_or(0, |o| o.records_in.load(Ordering::Relaxed))
        };
        sum.records_out = own().map(taken).sum();
    }
    if details.is_source {
        let emitted = |t: &TaskView| {
            t.operators
                .first()
                .map_or(0, |o| o.records_out.load(Ordering::Relaxed))
        };
        sum.records_in = own().map(emitted).sum();
    }
    let total = (busy + idle + backpressured).max(1) as f64;
    sum.busy = busy as f64 / total;
    sum.idle = idle as f64 / total;
    sum.backpressured = backpressured as f64 / total;
    sum.watermark_ms = (own().next().is_some() && watermark != i64::MIN).then_some(watermark);
    sum.counters = counters.into_iter().collect();
    sum
}
