//! The `millpond` command as a person or a script runs it: against real jobs in this process, and programs to run.
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code")]

use assert_cmd::Command;
use millpond_api::function::{KeyedContext, KeyedProcessFunction, RuntimeContext};
use millpond_api::{Collector, WatermarkStrategy};
use millpond_connectors::{DataGeneratorSource, DiscardingSink};
use millpond_core::host::sleep;
use millpond_core::{Configuration, Result};
use millpond_rest::registry::Registry;
use millpond_rest::server::RestServer;
use millpond_runtime::datastream::StreamExecutionEnvironment;
use millpond_runtime::master::{JobHandle, JobStatus};
use millpond_state::descriptor::ValueStateDescriptor;
use millpond_state::keyed::ValueState;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

/// A home with some endless jobs.
struct Home {
    folder: TempDir,
    jobs: Vec<(JobHandle, RestServer)>,
}

/// What a call of the command came to.
struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Home {
    fn new() -> Home {
        Home {
            folder: tempfile::tempdir().unwrap(),
            jobs: Vec::new(),
        }
    }

    /// Starts a job that takes a checkpoint every 200 ms.
    fn job(&mut self, name: &str) -> JobHandle {
        let env = StreamExecutionEnvironment::new(Configuration::new());
        env.set_option("execution.checkpointing.interval", "200 ms");
        let source = DataGeneratorSource::new(|i| i, None).rate_per_second(1000);
        env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
            .uid("numbers")
            .sink_to(DiscardingSink::new())
            .uid("sink");
        let handle = env.execute_async(name).unwrap();
        let registry = Registry::at(self.folder.path().join("jobs"));
        let server = RestServer::start_in(&registry, handle.clone(), "127.0.0.1", 0).unwrap();
        self.jobs.push((handle.clone(), server));
        until(&handle, |h| h.status() == JobStatus::Running);
        handle
    }

    fn millpond(&self, args: &[&str]) -> Outcome {
        self.millpond_in(Path::new("."), args)
    }

    fn millpond_in(&self, folder: &Path, args: &[&str]) -> Outcome {
        let output = Command::cargo_bin("millpond")
            .unwrap()
            .args(args)
            .current_dir(folder)
            .env("MILLPOND_HOME", self.folder.path())
            .env("TZ", "UTC")
            .timeout(Duration::from_secs(30))
            .output()
            .unwrap();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// A program that is a shell script.
    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for (handle, server) in self.jobs.drain(..) {
            handle.cancel();
            drop(server);
            let _ = handle.wait();
        }
    }
}

impl Outcome {
    /// It went well, and this is what it printed.
    #[track_caller]
    fn good(&self) -> &str {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.stdout.trim_end()
    }

    /// It failed with `code`, and said all of `texts`.
    #[track_caller]
    fn bad(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        assert!(self.stderr.starts_with("error: "), "{}", self.stderr);
        for text in texts {
            assert!(self.stderr.contains(text), "{text} is not in {}", self.stderr);
        }
        assert_eq!(self.stdout, "", "results only on standard output");
    }
}

fn until(handle: &JobHandle, condition: impl Fn(&JobHandle) -> bool) {
    for _ in 0..1000 {
        if condition(handle) {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("waited in vain; {:?}", handle.details());
}

/// One row a job in the table, the same jobs in the JSON; nothing but a note when none runs.
#[test]
fn list_shows_the_jobs_that_run() {
    let mut home = Home::new();
    let none = home.millpond(&["list"]);
    assert_eq!(none.good(), "");
    assert!(none.stderr.contains("no job runs"), "{}", none.stderr);
    assert_eq!(home.millpond(&["list", "--json"]).good(), "[]");

    let (clicks, orders) = (home.job("clicks"), home.job("orders"));
    let table = home.millpond(&["list"]);
    let lines: Vec<&str> = table.good().lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines.iter().all(|l| !l.contains('\u{1b}')),
        "colours in a pipe: {lines:?}"
    );
    let cells = |line: &str| line.split_whitespace().map(str::to_string).collect::<Vec<_>>();
    for (line, job, name) in [(1, &clicks, "clicks"), (2, &orders, "orders")] {
        assert!(!lines.get(line).unwrap().starts_with(' '), "{lines:?}");
        let cells = cells(lines.get(line).unwrap());
        assert_eq!(cells.first().unwrap(), &job.job_id().to_string());
        assert_eq!(cells.get(1..3).unwrap(), [name, "RUNNING"]);
        assert!(cells.last().unwrap().starts_with("127.0.0.1:"), "{cells:?}");
    }
    let json: Value = serde_json::from_str(home.millpond(&["list", "--json"]).good()).unwrap();
    let names: Vec<&str> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|j| j["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["clicks", "orders"]);
    assert_eq!(json[0]["jid"], clicks.job_id().to_string());
    assert_eq!(json[0]["pid"], std::process::id());

    clicks.cancel();
    until(&clicks, JobHandle::is_over);
    assert_eq!(home.millpond(&["list"]).good().lines().count(), 2);
    let all = home.millpond(&["list", "-a"]);
    assert!(all.good().contains("CANCELED"), "{}", all.stdout);
}

/// The path is all that standard output gets, a relative folder is this shell's, and `run -s` could take it.
#[test]
fn savepoint_prints_the_path() {
    let mut home = Home::new();
    let job = home.job("saved");
    let here = tempfile::tempdir().unwrap();
    let outcome = home.millpond_in(here.path(), &["savepoint", "saved", "sp"]);
    let path = outcome.good();
    assert_eq!(path.lines().count(), 1);
    let local = path
        .strip_prefix("file://")
        .or(path.strip_prefix("file:"))
        .unwrap_or(path);
    assert!(Path::new(local).join("_metadata").is_file(), "{path}");
    assert!(
        fs::canonicalize(local)
            .unwrap()
            .starts_with(fs::canonicalize(here.path()).unwrap()),
        "{path}"
    );
    assert_eq!(job.status(), JobStatus::Running);
    // Without a folder on either side there is nowhere to put it.
    home.millpond(&["savepoint", "saved"])
        .bad(1, &["execution.checkpointing.savepoint-dir"]);
}

#[test]
fn stop_ends_the_job_with_a_savepoint() {
    let mut home = Home::new();
    for (name, args) in [
        ("kept", vec!["stop", "--savepointPath", "DIR", "kept"]),
        ("drained", vec!["stop", "-p", "DIR", "--drain", "drained"]),
        ("native", vec!["stop", "-p", "DIR", "--type", "native", "native"]),
    ] {
        let job = home.job(name);
        let folder = home.folder.path().join(name);
        let args: Vec<&str> = args
            .iter()
            .map(|a| if *a == "DIR" { folder.to_str().unwrap() } else { a })
            .collect();
        let outcome = home.millpond(&args);
        let path = outcome.good();
        until(&job, JobHandle::is_over);
        assert_eq!(job.status(), JobStatus::Finished);
        assert_eq!(job.wait().unwrap().savepoint.as_deref(), Some(path));
    }
}

#[test]
fn cancel_ends_the_job_and_waits_for_it() {
    let mut home = Home::new();
    let job = home.job("cancelled");
    let outcome = home.millpond(&["cancel", &job.job_id().to_string()]);
    assert_eq!(outcome.good(), "");
    assert!(
        outcome.stderr.contains("cancelled cancelled"),
        "{}",
        outcome.stderr
    );
    assert_eq!(job.status(), JobStatus::Canceled);
    home.millpond(&["cancel", "cancelled"])
        .bad(1, &["the job is over: CANCELED"]);
}

/// A row for each remembered checkpoint, newest first, with the sort and the path of savepoints.
#[test]
fn checkpoints_shows_what_became_of_them() {
    let mut home = Home::new();
    let job = home.job("told");
    let id = home
        .millpond(&["checkpoint", "told"])
        .good()
        .parse::<u64>()
        .unwrap();
    let savepoint = home.millpond(&[
        "savepoint",
        "told",
        home.folder.path().join("sp").to_str().unwrap(),
    ]);
    until(&job, |j| j.details().checkpoints.counts.completed > id + 1);
    let outcome = home.millpond(&["checkpoints", "told"]);
    let table = outcome.good();
    let header = table
        .lines()
        .next()
        .unwrap()
        .split_whitespace()
        .collect::<Vec<_>>();
    assert_eq!(
        header,
        [
            "ID",
            "KIND",
            "STATUS",
            "TRIGGERED",
            "DURATION",
            "WRITTEN",
            "STATE",
            "NOTE"
        ]
    );
    let row = table.lines().find(|l| l.contains("savepoint")).unwrap();
    assert!(
        row.contains(savepoint.good()) && row.contains("COMPLETED"),
        "{table}"
    );
    let ids: Vec<u64> = table
        .lines()
        .skip(1)
        .map(|l| l.split_whitespace().next().unwrap().parse().unwrap())
        .collect();
    assert!(ids.contains(&id) && ids.is_sorted_by(|a, b| a > b), "{table}");
    assert!(outcome.stderr.contains("0 failed"), "{}", outcome.stderr);
    let json: Value = serde_json::from_str(home.millpond(&["checkpoints", "--json", "told"]).good()).unwrap();
    assert!(json["counts"]["completed"].as_u64().unwrap() > id);
    assert_eq!(json["latest"]["savepoint"]["external_path"], savepoint.good());
}

/// A savepoint that can't be stored: its error at once, and its row with the reason later.
#[test]
fn checkpoints_shows_why_one_failed() {
    let mut home = Home::new();
    home.job("troubled");
    let in_the_way = home.folder.path().join("file");
    fs::write(&in_the_way, b"").unwrap();
    home.millpond(&["savepoint", "troubled", in_the_way.to_str().unwrap()])
        .bad(1, &["file"]);
    let outcome = home.millpond(&["checkpoints", "troubled"]);
    let row = outcome.good().lines().find(|l| l.contains("FAILED")).unwrap();
    assert!(
        row.contains("savepoint") && row.contains("storage could not be prepared"),
        "{row}"
    );
    assert!(outcome.stderr.contains("1 failed"), "{}", outcome.stderr);
}

/// Names that mean no job or two, with what to write instead.
#[test]
fn jobs_that_cant_be_told_are_explained() {
    let mut home = Home::new();
    home.millpond(&["cancel", "clicks"])
        .bad(1, &["no such job runs", "no job runs on this machine"]);
    let first = home.job("clicks");
    home.millpond(&["cancel", "clikcs"])
        .bad(1, &["did you mean clicks?", &first.job_id().to_string()]);
    assert_eq!(first.status(), JobStatus::Running);
    home.millpond(&["checkpoints", &first.job_id().to_string()])
        .good();
}

/// The run's options come first, in the spelling of job binaries, then the job's own arguments untouched; the exit code is the job's.
#[test]
fn run_passes_options_arguments_and_the_exit_code() {
    let home = Home::new();
    let job = home.script("job", "for a in \"$@\"; do echo \"<$a>\"; done; exit 7");
    let job = job.to_str().unwrap();
    let line = [
        "run",
        "-s",
        "/sp/x y",
        "-p",
        "4",
        "-D",
        "a.b=c d",
        "-D",
        "e=",
        "--claim-mode",
        "NO_CLAIM",
        "-n",
        "--config",
        "c.yaml",
        job,
        "-p",
        "9",
        "--input",
        "in",
        "--",
        "*",
    ];
    let outcome = home.millpond(&line);
    assert_eq!(outcome.code, 7, "{}", outcome.stderr);
    let expected = [
        "-s",
        "/sp/x y",
        "-p",
        "4",
        "-D",
        "a.b=c d",
        "-D",
        "e=",
        "--config",
        "c.yaml",
        "--claim-mode",
        "no-claim",
        "--allow-non-restored-state",
        "-p",
        "9",
        "--input",
        "in",
        "--",
        "*",
    ];
    let printed: Vec<&str> = outcome
        .stdout
        .lines()
        .map(|l| l.trim_matches(['<', '>']))
        .collect();
    assert_eq!(printed, expected);
    // A file in this folder needs no ./ in front.
    let plain = home.millpond_in(home.folder.path(), &["run", "job", "x"]);
    assert_eq!((plain.code, plain.stdout.as_str()), (7, "<x>\n"));
}

#[test]
fn programs_that_cant_be_run_are_explained() {
    let home = Home::new();
    let path = |name: &str| home.folder.path().join(name).to_str().unwrap().to_string();
    home.millpond(&["run", &path("absent")])
        .bad(1, &["no such program", "absent", "cargo build"]);
    home.millpond(&["run", home.folder.path().to_str().unwrap()])
        .bad(1, &["a folder"]);
    for name in ["text", "job.jar"] {
        fs::write(path(name), "no program").unwrap();
    }
    home.millpond(&["run", &path("text")])
        .bad(1, &["not executable", "chmod +x"]);
    home.millpond(&["run", &path("job.jar")])
        .bad(1, &["a jar runs in Flink"]);
    fs::write(path("strange"), "#!/absent/interpreter\n").unwrap();
    fs::set_permissions(path("strange"), fs::Permissions::from_mode(0o755)).unwrap();
    home.millpond(&["run", &path("strange")])
        .bad(1, &["strange", "interpreter"]);
}

/// Usage errors have a code of their own, and every verb explains itself with an example.
#[test]
fn usage_is_explained() {
    let home = Home::new();
    for args in [
        vec!["stop"],
        vec!["frobnicate"],
        vec!["run", "-D", "novalue", "x"],
        vec!["run", "-p", "0", "x"],
        vec!["run", "--claim-mode", "legacy", "x"],
    ] {
        let outcome = home.millpond(&args);
        assert_eq!(outcome.code, 2, "{args:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("error: "), "{}", outcome.stderr);
    }
    for verb in [
        "run",
        "list",
        "savepoint",
        "stop",
        "cancel",
        "checkpoint",
        "checkpoints",
    ] {
        let help = home.millpond(&[verb, "--help"]);
        assert!(
            help.good().contains(&format!("millpond {verb}")) && help.good().contains("Example"),
            "{verb}"
        );
    }
}

/// An unusable home is said, not passed over as "no jobs".
#[test]
fn a_home_that_others_may_write_to_is_refused() {
    let home = Home::new();
    let jobs = home.folder.path().join("jobs");
    fs::create_dir(&jobs).unwrap();
    fs::set_permissions(&jobs, fs::Permissions::from_mode(0o777)).unwrap();
    home.millpond(&["list"]).bad(1, &["MILLPOND_HOME", "jobs"]);
}

/// Remembers the last number of each key.
#[derive(Default)]
struct Last(ValueState<u64>);

impl KeyedProcessFunction for Last {
    type Key = String;
    type In = u64;
    type Out = u64;
    fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
        self.0 = ctx.state(ValueStateDescriptor::new("last number"))?;
        Ok(())
    }
    fn process_element(
        &mut self,
        n: u64,
        _: &mut KeyedContext<'_, String>,
        _: &mut Collector<'_, u64>,
    ) -> Result<()> {
        self.0.update(n % 3)
    }
}

/// Goal: a person sees what a key has, and what there is where they got a name wrong. Method: names with blanks and slashes
/// in them, so that they have to be escaped on their way.
#[test]
fn state_of_a_key_is_printed_as_json() {
    let mut home = Home::new();
    let env = StreamExecutionEnvironment::new(Configuration::new());
    let source = DataGeneratorSource::new(|i| i, None).rate_per_second(1000);
    env.from_source(source, WatermarkStrategy::no_watermarks(), "numbers")
        .uid("numbers")
        .key_by(|n| format!("key/{} ü", n % 3))
        .process(Last::default)
        .uid("the last")
        .sink_to(DiscardingSink::new())
        .uid("sink");
    let handle = env.execute_async("stateful").unwrap();
    let registry = Registry::at(home.folder.path().join("jobs"));
    let server = RestServer::start_in(&registry, handle.clone(), "127.0.0.1", 0).unwrap();
    home.jobs.push((handle.clone(), server));
    until(&handle, |h| h.status() == JobStatus::Running);
    let get = |uid: &str, state: &str, key: &str| {
        home.millpond(&[
            "state", "get", "stateful", "--uid", uid, "--state", state, "--key", key,
        ])
    };
    let mut answer = Value::Null;
    for _ in 0..100 {
        answer = serde_json::from_str(get("the last", "last number", "key/2 ü").good()).unwrap();
        if !answer["value"].is_null() {
            break;
        }
        sleep(Duration::from_millis(20));
    }
    assert_eq!(answer["value"], 2, "{answer}");
    assert_eq!(answer["kind"], "VALUE");
    assert_eq!(answer["keyType"], "StringSerializer");
    get("last", "last number", "k").bad(1, &["no such operator", "the last"]);
    get("the last", "last", "k").bad(1, &["no such keyed state", "it has last number"]);
    get("sink", "last", "k").bad(1, &["no keyed state"]);
}
