//! `list` and `checkpoints`: what runs, and what became of its checkpoints.

use crate::args::{CheckpointsArgs, ListArgs, StateGetArgs};
use crate::folders;
use crate::output::{complain, print, print_json, table};
use crate::units;
use comfy_table::{Cell, CellAlignment, Color};
use millpond_core::Result;
use millpond_rest::client::{FoundJob, find, list as running};
use millpond_rest::registry::Registry;
use millpond_rest::wire::{Checkpoint, JobSummary};
use serde::Serialize;

/// A job in the JSON of `list`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Listed<'a> {
    #[serde(flatten)]
    summary: Option<&'a JobSummary>,
    /// As in the registry, where the job itself doesn't answer.
    job_id: &'a str,
    job_name: &'a str,
    pid: u32,
    address: &'a str,
    answers: bool,
}

pub(crate) fn list(args: &ListArgs) -> Result<()> {
    let mut jobs = running(&Registry::of_user())?;
    let found = jobs.len();
    if !args.all {
        jobs.retain(|j| j.summary.as_ref().is_some_and(|s| s.end_time < 0));
    }
    if args.json {
        return print_json(&jobs.iter().map(listed).collect::<Vec<_>>());
    }
    if jobs.is_empty() {
        complain(match found {
            0 => "no job runs on this machine",
            _ => "no job runs; `millpond list -a` also shows those that are over or don't answer",
        });
        return Ok(());
    }
    let mut rows = table(&["JOB ID", "NAME", "STATUS", "STARTED", "DURATION", "ADDRESS"]);
    for job in &jobs {
        let (status, duration) = match &job.summary {
            Some(s) => (s.state.as_str(), units::duration(s.duration)),
            None => ("NO ANSWER", "-".to_string()),
        };
        rows.add_row([
            Cell::new(&job.entry.job_id),
            Cell::new(&job.entry.name),
            coloured(status),
            Cell::new(units::time(job.entry.start_ms)),
            Cell::new(duration).set_alignment(CellAlignment::Right),
            Cell::new(&job.entry.address),
        ]);
    }
    print(rows.trim_fmt())
}

fn listed(job: &FoundJob) -> Listed<'_> {
    Listed {
        summary: job.summary.as_ref(),
        job_id: &job.entry.job_id,
        job_name: &job.entry.name,
        pid: job.entry.pid,
        address: &job.entry.address,
        answers: job.summary.is_some(),
    }
}

pub(crate) fn checkpoints(args: &CheckpointsArgs) -> Result<()> {
    if let Some(command) = &args.folders {
        return folders::carry_out(command);
    }
    let job = find(&Registry::of_user(), args.job.as_deref().unwrap_or_default())?;
    let checkpoints = job.client.checkpoints()?;
    if args.json {
        return print_json(&checkpoints);
    }
    if checkpoints.history.is_empty() {
        complain("no checkpoints yet");
    } else {
        let mut rows = table(&[
            "ID",
            "KIND",
            "STATUS",
            "TRIGGERED",
            "DURATION",
            "WRITTEN",
            "STATE",
            "NOTE",
        ]);
        for checkpoint in &checkpoints.history {
            rows.add_row(row(checkpoint));
        }
        print(rows.trim_fmt())?;
    }
    let counts = &checkpoints.counts;
    complain(&format!(
        "{} triggered: {} completed, {} failed, {} in progress; {} restored",
        counts.total, counts.completed, counts.failed, counts.in_progress, counts.restored
    ));
    Ok(())
}

pub(crate) fn state(args: &StateGetArgs) -> Result<()> {
    let job = find(&Registry::of_user(), &args.job)?;
    print_json(&job.client.state(&args.uid, &args.state, &args.key)?)
}

fn row(c: &Checkpoint) -> [Cell; 8] {
    let right = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let kind = match c.checkpoint_type.as_str() {
        "CHECKPOINT" => "checkpoint",
        "SAVEPOINT" => "savepoint",
        "SYNC_SAVEPOINT" => "stop",
        other => other,
    };
    // The path is what a person wants of a savepoint; the job minds its checkpoints itself.
    let note = match (&c.failure_message, &c.external_path) {
        (Some(why), _) => why.clone(),
        (None, Some(path)) if c.is_savepoint => path.clone(),
        _ if c.status == "IN_PROGRESS" => {
            format!("{} of {} tasks", c.num_acknowledged_subtasks, c.num_subtasks)
        }
        _ => String::new(),
    };
    [
        right(c.id.to_string()),
        Cell::new(kind),
        coloured(&c.status),
        Cell::new(units::time(c.trigger_timestamp)),
        right(units::duration(c.end_to_end_duration)),
        right(units::bytes(c.checkpointed_size)),
        right(units::bytes(c.state_size)),
        Cell::new(note),
    ]
}

fn coloured(status: &str) -> Cell {
    let cell = Cell::new(status);
    match status {
        "RUNNING" | "FINISHED" | "COMPLETED" => cell.fg(Color::Green),
        "FAILED" | "FAILING" => cell.fg(Color::Red),
        _ => cell.fg(Color::Yellow),
    }
}
