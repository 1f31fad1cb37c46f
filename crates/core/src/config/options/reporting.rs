//! Options of metrics reporters and of the REST interface.

use super::parsers::text;
use super::ports::{PortRange, port_range};
use crate::config::{parse_bool, parse_number};

options! {
    METRICS_REPORTERS: String = "metrics.reporters", None, text,
        "names of the reporters to start, with commas between them: prom is the one that is there";
    PROMETHEUS_FACTORY_CLASS: String = "metrics.reporter.prom.factory.class", None, text,
        "org.apache.flink.metrics.prometheus.PrometheusReporterFactory starts the reporter prom where metrics.reporters is not set";
    PROMETHEUS_PORT: PortRange = "metrics.reporter.prom.port", Some("9249"), port_range,
        "the port that Prometheus reads metrics at: one, a range such as 9250-9260 of which the first free one is taken, or 0 for any";
    PROMETHEUS_BIND_ADDRESS: String = "metrics.reporter.prom.bind-address", Some("127.0.0.1"), text,
        "the address that the reporter listens at; 0.0.0.0 lets other machines read the metrics";
    PROMETHEUS_FILTER_LABEL_VALUES: bool = "metrics.reporter.prom.filterLabelValueCharacters", Some("true"), parse_bool,
        "whether label values keep only letters, digits, colons and underscores";
    REST_PORT: u16 = "rest.port", Some("0"), parse_number,
        "the port of the REST interface; 0: any free one";
    REST_BIND_ADDRESS: String = "rest.bind-address" or "rest.address", Some("127.0.0.1"), text,
        "the address of the REST interface: a loopback address";
}
