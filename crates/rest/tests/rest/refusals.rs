//! Requests that are wrong, and addresses that won't do. Nothing of it disturbs the job.

use crate::{Running, endless, get, http};
use millpond_core::ErrorKind;
use millpond_rest::client::JobClient;
use millpond_rest::registry::Registry;
use millpond_rest::server::RestServer;
use millpond_runtime::master::JobStatus;

/// Ids and paths that don't exist, ids that are none, methods that don't fit: each with its status and a text.
#[test]
fn what_isnt_there_is_refused_with_a_reason() {
    let job = Running::start("asked");
    let other = "f".repeat(32);
    let vertex = job.handle.details().vertices[0].id.clone();
    let unknown_trigger = format!("/savepoints/{other}");
    for (method, path, status, text) in [
        ("GET", format!("/jobs/{other}"), 404, "no job"),
        ("PATCH", format!("/jobs/{other}?mode=cancel"), 404, "no job"),
        ("POST", format!("/jobs/{other}/stop"), 404, "no job"),
        ("GET", "/jobs/xyz".to_string(), 400, "32 hexadecimal digits"),
        ("GET", "/jobs/%ff/checkpoints".to_string(), 400, "UTF-8"),
        ("GET", job.path(&unknown_trigger), 404, "trigger id"),
        ("GET", job.path("/savepoints/1"), 400, "trigger id"),
        ("GET", format!("/savepoint-disposal/{other}"), 404, "trigger id"),
        ("POST", "/savepoint-disposal".to_string(), 400, "savepoint-path"),
        (
            "GET",
            job.path("/checkpoints/details/77"),
            404,
            "no checkpoint 77",
        ),
        (
            "GET",
            job.path(&format!("/checkpoints/details/77/subtasks/{other}")),
            404,
            "no vertex",
        ),
        (
            "GET",
            job.path(&format!("/checkpoints/details/77/subtasks/{vertex}")),
            404,
            "no checkpoint 77",
        ),
        ("GET", job.path("/checkpoints/details/first"), 400, "number"),
        ("GET", job.path("/checkpoints/details/-1"), 400, "number"),
        ("PATCH", job.path("?mode=stop"), 400, "/stop"),
        ("PATCH", job.path("?mode=halt"), 400, "halt"),
        ("PATCH", job.path("?mode=cancel&mode=cancel"), 400, "duplicate"),
        ("DELETE", job.path(""), 405, "method"),
        ("GET", job.path("/stop"), 405, "method"),
        ("GET", "/taskmanagers".to_string(), 404, "/taskmanagers"),
        ("GET", "/".to_string(), 404, "no such path"),
    ] {
        let (got, answer) = http(job.address(), method, &path, "", b"");
        assert_eq!(got, status, "{method} {path}: {answer}");
        let errors = answer["errors"].as_array().unwrap();
        assert!(
            errors[0].as_str().unwrap().contains(text),
            "{method} {path}: {answer}"
        );
    }
    assert_eq!(job.handle.status(), JobStatus::Running);
}

/// Bodies that are no JSON, have fields of wrong types or names, or are far too long.
#[test]
fn damaged_bodies_are_refused() {
    let job = Running::start("sent to");
    let long = format!("{{\"target-directory\": \"{}\"}}", "x".repeat(100_000));
    let nested = "[".repeat(50_000);
    for (path, body, status) in [
        ("/savepoints", "{", 400),
        ("/savepoints", "nonsense", 400),
        ("/savepoints", "[]", 400),
        ("/savepoints", "{\"target-directory\": 7}", 400),
        ("/savepoints", "{\"targetDirectory\": \"/tmp\"}", 400),
        ("/savepoints", "{\"cancel-job\": \"yes\"}", 400),
        ("/savepoints", "{\"triggerId\": \"short\"}", 400),
        ("/savepoints", "{\"formatType\": \"BINARY\"}", 400),
        ("/savepoints", "\u{0}\u{1}", 400),
        ("/savepoints", &long, 413),
        ("/savepoints", &nested, 400),
        ("/stop", "{\"target-directory\": \"/tmp\"}", 400),
        ("/stop", "{\"drain\": 1}", 400),
        ("/stop", "{\"drain\": true", 400),
        ("/checkpoints", "{\"checkpointType\": \"FULL\"}", 400),
        ("/checkpoints", "null", 400),
    ] {
        let (got, answer) = http(job.address(), "POST", &job.path(path), "", body.as_bytes());
        let start: String = body.chars().take(60).collect();
        assert_eq!(got, status, "{path} {start}: {answer}");
        assert!(answer["errors"][0].is_string(), "{answer}");
    }
    assert_eq!(job.handle.details().checkpoints.counts.total, 0);
    assert_eq!(job.handle.status(), JobStatus::Running);
}

/// A page in a browser of this machine can't reach a job, whether it sends its own origin or rebinds a name to loopback.
#[test]
fn web_pages_of_other_sites_are_refused() {
    let job = Running::start("guarded");
    for headers in [
        "Origin: https://example.org\r\n",
        "Origin: null\r\n",
        "Origin: http://127.0.0.1.example.org\r\n",
        "Host: example.org\r\n",
        "Host: rebound.example.org:8081\r\n",
    ] {
        let (status, answer) = http(job.address(), "POST", &job.path("/stop"), headers, b"{}");
        assert_eq!(status, 403, "{headers}: {answer}");
    }
    for headers in ["", "Origin: http://localhost:3000\r\n", "Host: localhost\r\n"] {
        assert_eq!(
            http(job.address(), "GET", "/overview", headers, b"").0,
            200,
            "{headers}"
        );
    }
    assert_eq!(job.handle.status(), JobStatus::Running);
}

/// Addresses beyond loopback, texts that are no address, and a port that another job has.
#[test]
fn unfit_addresses_and_taken_ports_are_named() {
    let job = Running::start("first");
    let registry = job.registry();
    let refused = |address: &str, port: u16| {
        let error = RestServer::start_in(&registry, job.handle.clone(), address, port)
            .err()
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        error.to_string()
    };
    for address in ["0.0.0.0", "::", "192.168.0.1"] {
        let text = refused(address, 0);
        assert!(text.contains("loopback") && text.contains(address), "{text}");
    }
    assert!(refused("example.org", 0).contains("no IP address"));
    let taken = refused("127.0.0.1", job.address().port());
    assert!(
        taken.contains("taken") && taken.contains(&job.address().port().to_string()),
        "{taken}"
    );
    assert!(taken.contains("rest.port=0"), "{taken}");
    // The failed attempts left the first one's entry alone.
    assert_eq!(registry.entries().unwrap().len(), 1);
}

#[test]
fn a_client_tells_jobs_that_cant_be_reached_from_other_jobs() {
    let job = Running::start("reached");
    let other = JobClient::new(job.address(), "f".repeat(32).parse().unwrap());
    assert_eq!(other.job().unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(other.summary().unwrap_err().kind(), ErrorKind::NotFound);
    let port = {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        gone.local_addr().unwrap()
    };
    let nobody = JobClient::new(port, job.handle.job_id());
    let error = nobody.status().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("can't be reached"), "{error}");
}

/// A server without a registry folder still serves: being found by name is a comfort.
#[test]
fn a_registry_that_cant_be_written_doesnt_keep_the_server_down() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    let handle = endless("unregistered", &[]);
    let server =
        RestServer::start_in(&Registry::at(file.join("jobs")), handle.clone(), "localhost", 0).unwrap();
    assert_eq!(get(server.address(), "/overview").0, 200);
    handle.cancel();
    drop(server);
    assert!(handle.wait().is_err());
}
