//! Metrics. Flink's `MetricCollectionResponseBody`, which is a list of these.

use serde::{Deserialize, Serialize};

/// One metric. Flink's `Metric`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricEntry {
    /// Its name, behind what it belongs to.
    pub id: String,
    /// What it says, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}
