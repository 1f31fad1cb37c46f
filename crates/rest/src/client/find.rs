//! Who runs: what the registry folder says, checked with the jobs themselves, and one of them by what a person calls it.

use super::connection::Connection;
use super::job::JobClient;
use crate::registry::{Entry, Registry};
use crate::wire::{JobSummary, JobsOverview};
use millpond_core::{Error, ErrorKind, JobId, Result};
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

/// How long a job may take to say that it is there.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const FIND: &str = "find job";

/// A job that runs on this machine.
#[derive(Clone, Debug)]
pub struct FoundJob {
    /// To ask it.
    pub client: JobClient,
    /// What its entry says.
    pub entry: Entry,
    /// What it says of itself; `None` when its process lives but doesn't answer in time.
    pub summary: Option<JobSummary>,
}

/// All jobs in the registry that run, by name and start. Entries that no process stands behind any more are cleared away.
///
/// # Errors
/// Io when the registry's folder can't be read; Config when it is not this user's own.
pub fn list(registry: &Registry) -> Result<Vec<FoundJob>> {
    let mut jobs = Vec::new();
    for (path, entry) in registry.entries()? {
        match look(&path, entry) {
            Some(job) => jobs.push(job),
            None => {
                if let Err(e) = fs::remove_file(&path) {
                    tracing::debug!(path = %path.display(), "stale entry not removed: {e}");
                }
            }
        }
    }
    jobs.sort_by(|a, b| (&a.entry.name, a.entry.start_ms).cmp(&(&b.entry.name, b.entry.start_ms)));
    Ok(jobs)
}

/// The running job that `text` means: a job id, the beginning of one, a name, or the `address:port` where it listens.
///
/// # Errors
/// As [`list`]; NotFound when there is none, naming the ones that run; Config when there are several.
pub fn find(registry: &Registry, text: &str) -> Result<FoundJob> {
    choose(list(registry)?, text)
}

/// The job behind an entry; `None` when there is none (any more).
fn look(path: &Path, entry: Entry) -> Option<FoundJob> {
    let (Ok(address), Ok(id)) = (entry.address.parse::<SocketAddr>(), entry.job_id.parse::<JobId>()) else {
        tracing::warn!(path = %path.display(), "an entry that no job wrote is cleared away");
        return None;
    };
    if !address.ip().is_loopback() {
        tracing::warn!(path = %path.display(), "an entry with an address off this machine is cleared away");
        return None;
    }
    let client = JobClient::new(address, id);
    match TcpStream::connect_timeout(&address, ANSWER_WITHIN) {
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => return None,
        Err(_) => return silent(client, entry),
    }
    match Connection::new(address, ANSWER_WITHIN).get::<JobsOverview>("/jobs/overview") {
        Ok(overview) => {
            // Another job may have got the port.
            let summary = overview.jobs.into_iter().find(|j| j.jid == entry.job_id)?;
            Some(FoundJob {
                client,
                entry,
                summary: Some(summary),
            })
        }
        Err(_) => silent(client, entry),
    }
}

/// Something is there but doesn't answer as a job: stopped in a debugger, overloaded, or another program on a port that was
/// a job's. The process tells.
fn silent(client: JobClient, entry: Entry) -> Option<FoundJob> {
    lives(entry.pid).then_some(FoundJob {
        client,
        entry,
        summary: None,
    })
}

fn lives(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // Not permitted to signal it: it is there, but somebody else's, so not the job.
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}

fn choose(jobs: Vec<FoundJob>, text: &str) -> Result<FoundJob> {
    let lower = text.to_ascii_lowercase();
    let rules: [&dyn Fn(&FoundJob) -> bool; 4] = [
        &|j| j.entry.job_id == lower,
        &|j| j.entry.address == text,
        &|j| j.entry.name == text,
        &|j| !lower.is_empty() && j.entry.job_id.starts_with(&lower),
    ];
    for rule in rules {
        let mut hits: Vec<&FoundJob> = jobs.iter().filter(|j| rule(j)).collect();
        if hits.len() > 1 {
            return Err(Error::config(FIND, "several running jobs are meant")
                .with("job", text)
                .hint(format!("they are {}; give an id or an address", names(&hits))));
        }
        if let Some(hit) = hits.pop() {
            return Ok(hit.clone());
        }
    }
    let unknown = Error::new(ErrorKind::NotFound, FIND, "no such job runs").with("job", text);
    let all: Vec<&FoundJob> = jobs.iter().collect();
    Err(match nearest(&all, text) {
        _ if all.is_empty() => unknown.hint("no job runs on this machine"),
        Some(near) => unknown.hint(format!("did you mean {near}? Running: {}", names(&all))),
        None => unknown.hint(format!("running: {}", names(&all))),
    })
}

fn nearest<'a>(jobs: &[&'a FoundJob], text: &str) -> Option<&'a str> {
    jobs.iter()
        .map(|j| (strsim::jaro_winkler(text, &j.entry.name), j.entry.name.as_str()))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

fn names(jobs: &[&FoundJob]) -> String {
    let one = |j: &&FoundJob| format!("{} ({} at {})", j.entry.name, j.entry.job_id, j.entry.address);
    jobs.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str, id: &str, port: u16) -> FoundJob {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        FoundJob {
            client: JobClient::new(address, id.parse().unwrap()),
            entry: Entry {
                job_id: id.to_string(),
                name: name.to_string(),
                pid: 1,
                address: address.to_string(),
                start_ms: 0,
            },
            summary: None,
        }
    }

    fn jobs() -> Vec<FoundJob> {
        vec![
            job("flights", "aaaa0000000000000000000000000000", 1),
            job("clicks", "aabb0000000000000000000000000000", 2),
            job("clicks", "cc000000000000000000000000000000", 3),
            job("aa", "dd000000000000000000000000000000", 4),
        ]
    }

    /// Ids, addresses, names and beginnings of ids all mean a job; a name wins over the beginning of another job's id.
    #[test]
    fn a_job_is_found_by_what_a_person_calls_it() {
        for (text, port) in [
            ("flights", 1),
            ("aaaa", 1),
            ("CC000000000000000000000000000000", 3),
            ("127.0.0.1:2", 2),
            ("c", 3),
            ("aa", 4),
        ] {
            assert_eq!(
                choose(jobs(), text).unwrap().client.address().port(),
                port,
                "{text}"
            );
        }
    }

    #[test]
    fn several_or_no_hits_name_the_candidates() {
        for text in ["clicks", "a"] {
            let e = choose(jobs(), text).unwrap_err();
            assert_eq!(e.kind(), ErrorKind::Config);
            assert!(
                e.to_string()
                    .contains("aabb0000000000000000000000000000 at 127.0.0.1:2"),
                "{e}"
            );
        }
        let e = choose(jobs(), "fligths").unwrap_err();
        assert_eq!(e.kind(), ErrorKind::NotFound);
        assert!(e.to_string().contains("did you mean flights?"), "{e}");
        for text in ["", "zzz"] {
            let e = choose(jobs(), text).unwrap_err();
            assert!(e.to_string().contains("running: flights"), "{e}");
        }
        assert!(
            choose(Vec::new(), "x")
                .unwrap_err()
                .to_string()
                .contains("no job runs")
        );
    }
}
