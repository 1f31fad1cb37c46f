//! What the job measures: the list in the documentation against a running job, in every form that it can be read in.

use super::{Running, get};
use millpond_api::function::{KeyedContext, KeyedProcessFunction, RuntimeContext};
use millpond_api::{Collector, WatermarkStrategy};
use millpond_connectors::{DataGeneratorSource, DiscardingSink};
use millpond_core::{Configuration, Result};
use millpond_rest::metrics::PrometheusListener;
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_state::descriptor::ValueStateDescriptor;
use millpond_state::keyed::ValueState;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const SCOPES: [&str; 3] = [
    "flink_jobmanager_job_",
    "flink_taskmanager_job_task_operator_",
    "flink_taskmanager_job_task_",
];

/// Remembers the last number of each key, and counts.
#[derive(Default)]
struct Last(ValueState<i64>);

impl KeyedProcessFunction for Last {
    type Key = i64;
    type In = i64;
    type Out = i64;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, i64>) -> Result<()> {
        self.0 = ctx.state(ValueStateDescriptor::new("last").default_value(0))?;
        Ok(())
    }
    fn process_element(
        &mut self,
        n: i64,
        _ctx: &mut KeyedContext<'_, i64>,
        out: &mut Collector<'_, i64>,
    ) -> Result<()> {
        out.collect(self.0.value()?);
        self.0.update(n)
    }
}

/// A page as text.
fn page(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    text
}

/// The names in a page of metrics, by scope.
fn exposed(page: &str) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut names = BTreeMap::<_, BTreeSet<_>>::new();
    for line in page.lines().filter(|l| l.starts_with("flink_")) {
        let name = line.split('{').next().unwrap();
        let scope = SCOPES.iter().find(|scope| name.starts_with(**scope)).unwrap();
        names
            .entry(*scope)
            .or_default()
            .insert(name[scope.len()..].to_owned());
    }
    names
}

/// The names that the documentation lists under a heading: all between backticks in the first cells of the table there.
fn documented(heading: &str) -> BTreeSet<String> {
    let page = include_str!("../../../../docs/metrics.md");
    let section = page.split("\n## ").find(|s| s.starts_with(heading)).unwrap();
    let first_cells = section.lines().filter_map(|l| l.strip_prefix("| `"));
    first_cells
        .flat_map(|row| {
            let cell = format!("`{}", row.split(" | ").next().unwrap());
            cell.split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Goal: the documentation lists exactly what a job has everywhere, and at least what it has on demand. Method: a job with every switch on
/// that needs no other feature.
#[test]
fn the_documentation_lists_what_a_running_job_measures() {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    env.enable_checkpointing(Duration::from_millis(20));
    env.set_option("state.latency-track.keyed-state-enabled", true);
    env.set_option("state.size-track.keyed-state-enabled", true);
    let source = DataGeneratorSource::new(|i| i as i64, None).rate_per_second(1000);
    env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .key_by(|n| n % 10)
        .process(Last::default)
        .sink_to(DiscardingSink::new());
    let running = Running::of(env.execute_async("measured").unwrap());
    const COMPLETED: &str = "flink_jobmanager_job_numberOfCompletedCheckpoints{";
    running.until(|r| {
        let page = page(r.address(), "/metrics");
        let completed = page.lines().find(|l| l.starts_with(COMPLETED));
        page.contains("numKeys") && completed.is_some_and(|l| !l.ends_with(" 0"))
    });
    let page = page(running.address(), "/metrics");
    let exposed = exposed(&page);
    let on_demand = documented("Where they apply");
    for scope in SCOPES {
        let (exposed, documented) = (&exposed[scope], documented(&format!("`{scope}`")));
        assert!(!documented.is_empty());
        let missing: Vec<_> = documented.difference(exposed).collect();
        assert!(
            missing.is_empty(),
            "documented under {scope} and not there: {missing:?}"
        );
        for name in exposed.difference(&documented) {
            let plain = name.strip_suffix("_count").unwrap_or(name);
            assert!(
                scope.contains("operator") && on_demand.contains(plain),
                "{scope}{name} is not in docs/metrics.md"
            );
        }
    }
    let samples = || page.lines().filter(|l| !l.starts_with('#'));
    let value = |name: &str| -> f64 {
        let line = samples().find(|l| l.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    assert!(value(COMPLETED) >= 1.0);
    assert!(value("flink_jobmanager_job_runningTime{") >= 0.0);
    assert_eq!(value("flink_jobmanager_job_restartingTime{"), 0.0);
    let labels = samples()
        .find(|l| l.starts_with("flink_taskmanager_job_task_operator_numRecordsIn{"))
        .unwrap();
    for label in [
        "job_id=",
        "job_name=\"measured\"",
        "task_id=",
        "task_name=",
        "subtask_index=\"0\"",
        "operator_id=",
        "operator_name=",
    ] {
        assert!(labels.contains(label), "{labels}");
    }
}

#[test]
fn the_reporter_answers_on_its_own_port_when_it_is_asked_for() {
    let running = Running::start("reported");
    let with = |options: &[(&str, &str)]| {
        let mut config = Configuration::new();
        for (key, value) in options {
            config.set(*key, value);
        }
        PrometheusListener::bind(&config)
    };
    assert!(with(&[]).unwrap().is_none());
    assert!(with(&[("metrics.reporter.prom.port", "0")]).unwrap().is_none());
    let asked = [
        ("metrics.reporters", "prom"),
        (
            "metrics.reporter.prom.factory.class",
            "org.apache.flink.metrics.prometheus.PrometheusReporterFactory",
        ),
    ];
    for way in asked {
        let listener = with(&[way, ("metrics.reporter.prom.port", "0")])
            .unwrap()
            .unwrap();
        let reporter = listener.serve(running.handle.clone()).unwrap();
        for path in ["/", "/metrics"] {
            let page = page(reporter.address(), path);
            assert!(page.contains("flink_jobmanager_job_uptime{"), "{page}");
            assert!(
                page.to_lowercase()
                    .contains("content-type: text/plain; version=0.0.4"),
                "{page}"
            );
        }
        let taken = reporter.address().port().to_string();
        let e = with(&[way, ("metrics.reporter.prom.port", &taken)])
            .err()
            .unwrap();
        assert!(e.to_string().contains("metrics.reporter.prom.port"), "{e}");
    }
    for (key, value) in [
        ("metrics.reporters", "prom,jmx"),
        ("metrics.reporter.prom.factory.class", "org.example.Other"),
        ("metrics.reporter.prom.bind-address", "somewhere"),
    ] {
        let e = with(&[("metrics.reporters", "prom"), (key, value)])
            .err()
            .unwrap();
        assert!(e.to_string().contains(key), "{e}");
    }
}

#[test]
fn metrics_are_listed_and_selected_as_json() {
    let running = Running::start("listed");
    let ids = |path: &str| -> Vec<String> {
        let (status, body) = get(running.address(), path);
        assert_eq!(status, 200, "{body}");
        let entries = body.as_array().unwrap();
        assert!(entries.iter().all(|e| e.get("value").is_none()));
        entries
            .iter()
            .map(|e| e["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert!(ids(&running.path("/metrics")).contains(&"numRestarts".to_owned()));
    let (_, chosen) = get(
        running.address(),
        &running.path("/metrics?get=numRestarts,fullRestarts,nonsense"),
    );
    let chosen = chosen.as_array().unwrap();
    assert_eq!(chosen.len(), 2);
    assert_eq!(chosen[0]["value"], Value::from("0"));

    let (_, job) = get(running.address(), &running.path(""));
    let vertex = job["vertices"][0]["id"].as_str().unwrap().to_owned();
    let of_vertex = ids(&running.path(&format!("/vertices/{vertex}/metrics")));
    assert!(
        of_vertex.contains(&"0.busyTimeMsPerSecond".to_owned()),
        "{of_vertex:?}"
    );
    let of_operator = of_vertex
        .iter()
        .find(|id| id.ends_with(".currentOutputWatermark"));
    assert!(
        of_operator.is_some_and(|id| id.starts_with("0.")),
        "{of_vertex:?}"
    );
    let of_subtask = ids(&running.path(&format!("/vertices/{vertex}/subtasks/0/metrics")));
    assert!(of_subtask.contains(&"busyTimeMsPerSecond".to_owned()));
    for path in [
        "/vertices/nobody/metrics",
        &format!("/vertices/{vertex}/subtasks/99/metrics"),
    ] {
        assert_eq!(get(running.address(), &running.path(path)).0, 404, "{path}");
    }
}
