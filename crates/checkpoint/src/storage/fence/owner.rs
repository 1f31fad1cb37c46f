//! Who owns a job, as its epoch's file says it to people and to the tools that clean up.

use millpond_core::host::{SystemClock, entropy};
use serde::{Deserialize, Serialize};

/// The process that took an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Owner {
    /// The host's name, for people.
    pub(crate) host: String,
    /// What tells one machine and its process numbers from another: the boot, and the name space of the numbers.
    pub(crate) machine: String,
    pub(crate) pid: u32,
    /// When the process was started, in the kernel's ticks: process numbers come back.
    pub(crate) process_start: String,
    /// When the epoch was taken, in milliseconds since 1970.
    pub(crate) since_ms: i64,
    /// Random: tells two that are otherwise alike apart.
    pub(crate) token: String,
}

/// Whether a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Liveness {
    Running,
    Ended,
    /// It is on another machine, or this system doesn't say.
    Unknown,
}

impl Owner {
    /// This process.
    pub(crate) fn this_process() -> Owner {
        let pid = std::process::id();
        Owner {
            host: read("/proc/sys/kernel/hostname"),
            machine: machine(),
            pid,
            process_start: process_start(pid).unwrap_or_default(),
            since_ms: SystemClock::shared().now_ms(),
            token: format!("{:016x}", entropy()),
        }
    }

    /// A process in a simulation: but for the token the same in every run.
    pub(crate) fn simulated() -> Owner {
        Owner {
            host: "simulation".to_string(),
            machine: String::new(),
            pid: 0,
            process_start: String::new(),
            since_ms: 0,
            token: format!("{:016x}", entropy()),
        }
    }

    /// Whether it runs, as far as can be seen from here.
    pub(crate) fn liveness(&self) -> Liveness {
        if self.machine.is_empty() || self.machine != machine() {
            return Liveness::Unknown;
        }
        match process_start(self.pid) {
            Some(start) if start == self.process_start => Liveness::Running,
            _ => Liveness::Ended,
        }
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

fn machine() -> String {
    let numbers = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    match read("/proc/sys/kernel/random/boot_id") {
        boot if boot.is_empty() => String::new(),
        boot => format!("{boot} {}", numbers.display()),
    }
}

/// The 22nd field of the process's `stat`; the second is in brackets and may hold anything. A process that has ended and waits for
/// its parent to look counts as ended.
fn process_start(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
    match rest.next()? {
        "Z" | "X" => None,
        _ => rest.nth(18).map(str::to_string),
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_is_known_to_run_to_have_ended_or_to_be_elsewhere() {
        let me = Owner::this_process();
        assert_eq!(me.liveness(), Liveness::Running);
        let other_start = Owner {
            process_start: "1".to_string(),
            ..me.clone()
        };
        assert_eq!(other_start.liveness(), Liveness::Ended);
        let elsewhere = Owner {
            machine: "x".to_string(),
            ..me
        };
        assert_eq!(elsewhere.liveness(), Liveness::Unknown);
    }
}
