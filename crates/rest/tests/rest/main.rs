//! The REST interface over real jobs: a small job on real threads, its server, and the client or plain HTTP against it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

mod metrics;
mod operations;
mod paths;
mod refusals;
mod running_jobs;

use millpond_api::WatermarkStrategy;
use millpond_connectors::{DataGeneratorSource, DiscardingSink};
use millpond_core::Configuration;
use millpond_core::host::sleep;
use millpond_rest::client::JobClient;
use millpond_rest::registry::Registry;
use millpond_rest::server::RestServer;
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_runtime::master::{JobHandle, JobStatus};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use tempfile::TempDir;

/// An endless job with its server. Dropped, both end.
struct Running {
    handle: JobHandle,
    server: Option<RestServer>,
    folder: TempDir,
}

impl Running {
    fn start(name: &str) -> Running {
        Running::with(name, &[])
    }

    fn with(name: &str, options: &[(&str, &str)]) -> Running {
        Running::of(endless(name, options))
    }

    fn of(handle: JobHandle) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let registry = Registry::at(folder.path().join("jobs"));
        let server = RestServer::start_in(&registry, handle.clone(), "127.0.0.1", 0).unwrap();
        let running = Running {
            handle,
            server: Some(server),
            folder,
        };
        running.until(|r| r.handle.status() == JobStatus::Running);
        running
    }

    fn registry(&self) -> Registry {
        Registry::at(self.folder.path().join("jobs"))
    }

    fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().address()
    }

    fn client(&self) -> JobClient {
        JobClient::new(self.address(), self.handle.job_id())
    }

    /// The path under the job's own.
    fn path(&self, rest: &str) -> String {
        format!("/jobs/{}{rest}", self.handle.job_id())
    }

    fn savepoints(&self) -> String {
        self.folder
            .path()
            .join("savepoints")
            .to_str()
            .unwrap()
            .to_string()
    }

    fn until(&self, condition: impl Fn(&Running) -> bool) {
        for _ in 0..1000 {
            if condition(self) {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("waited in vain; {:?}", self.handle.details());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.cancel();
        let _ = self.handle.wait();
    }
}

/// Numbers without end, slowly, from two sources into one sink task.
fn endless(name: &str, options: &[(&str, &str)]) -> JobHandle {
    let env = StreamExecutionEnvironment::new(Configuration::new());
    env.set_parallelism(2);
    for (key, value) in options {
        env.set_option(key, value);
    }
    let source = DataGeneratorSource::new(|i| i as i64, None).rate_per_second(1000);
    env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .uid("numbers")
        .rebalance()
        .sink_to(DiscardingSink::new())
        .uid("sink");
    env.execute_async(name).unwrap()
}

/// One request by hand, as any other HTTP client would send it: status and answer.
fn http(address: SocketAddr, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    let host = if headers.to_lowercase().contains("host:") {
        String::new()
    } else {
        format!("Host: {address}\r\n")
    };
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\n{host}{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server may refuse before it has read everything.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let status = answer
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| panic!("{answer}"));
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let json = serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {answer}"));
    (status, json)
}

fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    http(address, "GET", path, "", b"")
}
