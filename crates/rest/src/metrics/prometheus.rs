//! Metrics in Prometheus' text form, with the names and labels of Flink's `AbstractPrometheusReporter`.
//!
//! Flink has a gauge of everything, counters and meters too; so it is here. A histogram is its quantiles and a count.

use millpond_core::{Error, Result};
use millpond_runtime::metrics::{JobMetrics, Metric, MetricValue};
use millpond_state::metrics::HistogramStatistics;
use prometheus::proto::{Gauge, LabelPair, Metric as Sample, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};
use std::collections::BTreeMap;

const JOB_SCOPE: &str = "jobmanager_job";
const TASK_SCOPE: &str = "taskmanager_job_task";
const OPERATOR_SCOPE: &str = "taskmanager_job_task_operator";

/// Groups whose next part is a value, not a name: it becomes a label.
const VARIABLES: [&str; 2] = ["state_name", "column_family"];

/// `metrics` as Prometheus reads them. With `filter_label_values` (Flink's default), what stands in labels keeps only the characters
/// that names may have.
///
/// # Errors
/// IllegalState when a metric can't be expressed.
pub fn text(metrics: &JobMetrics, filter_label_values: bool) -> Result<String> {
    let mut families = Families {
        by_name: BTreeMap::new(),
        filter_label_values,
    };
    let mut labels = Labels(vec![
        ("job_id", metrics.job_id.to_string()),
        ("job_name", metrics.job_name.clone()),
    ]);
    families.add_all(JOB_SCOPE, &metrics.metrics, &labels);
    for task in &metrics.tasks {
        let of_job = labels.0.len();
        labels.0.extend([
            ("task_id", task.task_id.clone()),
            ("task_name", task.task_name.clone()),
            ("task_attempt_num", task.attempt.to_string()),
            ("subtask_index", task.subtask_index.to_string()),
        ]);
        families.add_all(TASK_SCOPE, &task.metrics, &labels);
        for operator in &task.operators {
            let of_task = labels.0.len();
            labels.0.extend([
                ("operator_id", operator.operator_id.clone()),
                ("operator_name", operator.operator_name.clone()),
            ]);
            families.add_all(OPERATOR_SCOPE, &operator.metrics, &labels);
            labels.0.truncate(of_task);
        }
        labels.0.truncate(of_job);
    }
    families.encode()
}

/// The labels of a scope.
struct Labels(Vec<(&'static str, String)>);

struct Families {
    by_name: BTreeMap<String, (String, Vec<Sample>)>,
    filter_label_values: bool,
}

impl Families {
    fn add_all(&mut self, scope: &str, metrics: &[Metric], labels: &Labels) {
        for metric in metrics {
            self.add(scope, metric, labels);
        }
    }

    fn add(&mut self, scope: &str, metric: &Metric, labels: &Labels) {
        let (name, variable) = split_variable(&metric.name);
        let full = format!("flink_{scope}_{}", plain(&name));
        let help = format!("{name} (scope: {scope})");
        let mut pairs: Vec<LabelPair> = labels
            .0
            .iter()
            .map(|(name, value)| self.label(name, value))
            .collect();
        pairs.extend(variable.map(|(name, value)| self.label(name, value)));
        match metric.value {
            MetricValue::Integer(value) => self.sample(full, help, pairs, value as f64),
            MetricValue::Rate(value) => self.sample(full, help, pairs, value),
            MetricValue::Histogram(statistics) => {
                for (quantile, value) in quantiles(&statistics) {
                    let mut pairs = pairs.clone();
                    pairs.push(self.label("quantile", quantile));
                    self.sample(full.clone(), help.clone(), pairs, value as f64);
                }
                self.sample(format!("{full}_count"), help, pairs, statistics.count as f64);
            }
        }
    }

    fn sample(&mut self, name: String, help: String, labels: Vec<LabelPair>, value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut sample = Sample::default();
        sample.set_label(labels);
        sample.set_gauge(gauge);
        let family = self.by_name.entry(name);
        family.or_insert_with(|| (help, Vec::new())).1.push(sample);
    }

    fn label(&self, name: &str, value: &str) -> LabelPair {
        let mut pair = LabelPair::default();
        pair.set_name(name.to_owned());
        // A quantile is a number, whatever else is filtered.
        let filtered = self.filter_label_values && name != "quantile";
        pair.set_value(if filtered { plain(value) } else { value.to_owned() });
        pair
    }

    fn encode(self) -> Result<String> {
        let families: Vec<MetricFamily> = self
            .by_name
            .into_iter()
            .map(|(name, (help, samples))| {
                let mut family = MetricFamily::default();
                family.set_name(name);
                family.set_help(help);
                family.set_field_type(MetricType::GAUGE);
                family.set_metric(samples);
                family
            })
            .collect();
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&families, &mut text)
            .map_err(|e| Error::illegal_state("write metrics", e.to_string()))?;
        String::from_utf8(text).map_err(|e| Error::illegal_state("write metrics", e.to_string()))
    }
}

/// `state_name.count.numKeys` is `state_name.numKeys` with the label `state_name="count"`. The state's name may have dots itself.
fn split_variable(name: &str) -> (String, Option<(&'static str, &str)>) {
    for variable in VARIABLES {
        let rest = name
            .strip_prefix(variable)
            .and_then(|rest| rest.strip_prefix('.'));
        if let Some((value, leaf)) = rest.and_then(|rest| rest.rsplit_once('.')) {
            return (format!("{variable}.{leaf}"), Some((variable, value)));
        }
    }
    (name.to_owned(), None)
}

/// `text` with `_` for what names may not have.
fn plain(text: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == ':' || c == '_';
    text.chars().map(|c| if allowed(c) { c } else { '_' }).collect()
}

fn quantiles(statistics: &HistogramStatistics) -> [(&'static str, u64); 6] {
    [
        ("0.5", statistics.p50),
        ("0.75", statistics.p75),
        ("0.95", statistics.p95),
        ("0.98", statistics.p98),
        ("0.99", statistics.p99),
        ("0.999", statistics.p999),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use millpond_core::JobId;
    use millpond_runtime::metrics::{OperatorInstanceMetrics, SubtaskMetrics};

    fn metric(name: &str, value: MetricValue) -> Metric {
        Metric {
            name: name.to_owned(),
            value,
        }
    }

    /// Goal: the text is, to the byte, what Prometheus reads, with Flink's names and labels. Method: one metric of each kind.
    #[test]
    fn every_kind_of_metric_is_written_as_flinks_reporter_names_it() {
        let latency = HistogramStatistics {
            count: 7,
            min: 1,
            p50: 2,
            p75: 3,
            p95: 4,
            p98: 5,
            p99: 6,
            p999: 7,
            max: 8,
            mean: 2,
        };
        let metrics = JobMetrics {
            job_id: JobId::from_name("j"),
            job_name: "two words".into(),
            metrics: vec![metric("numRestarts", MetricValue::Integer(2))],
            tasks: vec![SubtaskMetrics {
                task_id: "ab".into(),
                task_name: "Source: n -> count".into(),
                subtask_index: 1,
                attempt: 3,
                metrics: vec![metric("busyTimeMsPerSecond", MetricValue::Rate(12.5))],
                operators: vec![OperatorInstanceMetrics {
                    operator_id: "cd".into(),
                    operator_name: "count".into(),
                    metrics: vec![
                        metric("currentInputWatermark", MetricValue::Integer(i64::MIN)),
                        metric("state_name.my.state.numKeys", MetricValue::Integer(5)),
                        metric("count.rocksdb_estimate-num-keys", MetricValue::Integer(6)),
                        metric(
                            "state_name.s.valueStateGetLatency",
                            MetricValue::Histogram(latency),
                        ),
                    ],
                }],
            }],
        };
        let job = format!("job_id=\"{}\",job_name=\"two_words\"", metrics.job_id);
        let task = format!(
            "{job},task_id=\"ab\",task_name=\"Source:_n____count\",task_attempt_num=\"3\",subtask_index=\"1\""
        );
        let operator = format!("{task},operator_id=\"cd\",operator_name=\"count\"");
        let latency = |quantile: &str, value| {
            format!(
                "flink_taskmanager_job_task_operator_state_name_valueStateGetLatency{{{operator},state_name=\"s\",quantile=\"{quantile}\"}} {value}"
            )
        };
        let samples = [
            format!("flink_jobmanager_job_numRestarts{{{job}}} 2"),
            format!("flink_taskmanager_job_task_busyTimeMsPerSecond{{{task}}} 12.5"),
            format!("flink_taskmanager_job_task_operator_count_rocksdb_estimate_num_keys{{{operator}}} 6"),
            format!(
                "flink_taskmanager_job_task_operator_currentInputWatermark{{{operator}}} -9223372036854776000"
            ),
            format!(
                "flink_taskmanager_job_task_operator_state_name_numKeys{{{operator},state_name=\"my_state\"}} 5"
            ),
            latency("0.5", 2),
            latency("0.75", 3),
            latency("0.95", 4),
            latency("0.98", 5),
            latency("0.99", 6),
            latency("0.999", 7),
            format!(
                "flink_taskmanager_job_task_operator_state_name_valueStateGetLatency_count{{{operator},state_name=\"s\"}} 7"
            ),
        ];
        let written = text(&metrics, true).unwrap();
        let lines: Vec<&str> = written.lines().filter(|l| !l.starts_with('#')).collect();
        assert_eq!(lines, samples);
        assert!(written.starts_with(
            "# HELP flink_jobmanager_job_numRestarts numRestarts (scope: jobmanager_job)\n# TYPE flink_jobmanager_job_numRestarts gauge\n"
        ));
        let whole = text(&metrics, false).unwrap();
        assert!(whole.contains("task_name=\"Source: n -> count\""), "{whole}");
    }
}
