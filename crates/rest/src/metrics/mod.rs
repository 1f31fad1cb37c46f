//! A job's metrics for others to read: in Prometheus' text form, by the REST interface or by a reporter of its own.
//! `docs/metrics.md` lists them.

mod prometheus;
mod reporter;

pub use prometheus::text;
pub(crate) use reporter::answer;
pub use reporter::{PrometheusListener, PrometheusReporter};
