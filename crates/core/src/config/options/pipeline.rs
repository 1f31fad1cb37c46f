//! Options of the job and how it runs: its name and parallelism, chains, channels, asynchronous state, sinks.

use super::parsers::{positive, text};
use crate::config::{parse_bool, parse_duration, parse_number};
use crate::ids::JobId;
use std::time::Duration;

options! {
    PIPELINE_NAME: String = "pipeline.name", None, text,
        "the job's name; its id, and so its checkpoint folder, follows from it";
    JOB_ID: JobId = "$internal.pipeline.job-id" or "pipeline.job-id", None, job_id,
        "the job's id, 32 hexadecimal digits, instead of the one that follows from its name";
    PARALLELISM_DEFAULT: u32 = "parallelism.default", Some("1"), positive,
        "how many tasks an operator runs as, from 1 to 32768";
    MAX_PARALLELISM: u32 = "pipeline.max-parallelism", None, positive,
        "how many key groups keyed state has, from 1 to 32768: no operator can ever have more tasks, and it can't be changed while state is kept; by default what the snapshot has that the job starts from, else 128, more for a high parallelism";
    OPERATOR_CHAINING: bool = "pipeline.operator-chaining.enabled", Some("true"), parse_bool,
        "whether operators that need no exchange between them share a task";
    BUFFER_TIMEOUT: Duration = "execution.buffer-timeout.interval" or "execution.buffer-timeout", Some("100 ms"), parse_duration,
        "the longest that a busy task keeps records back to fill a batch";
    BUFFERS_PER_CHANNEL: u32 = "taskmanager.network.memory.buffers-per-channel", Some("8"), positive,
        "how many batches a channel between two tasks holds before its sender has to wait";
    MAX_OVERDRAFT_BUFFERS: u32 = "taskmanager.network.memory.max-overdraft-buffers-per-gate", Some("5"), parse_number,
        "how many batches more a channel may hold when its sender is in the midst of its input and can't stop there";
    ASYNC_STATE_TOTAL_BUFFER_SIZE: u32 = "execution.async-state.total-buffer-size" or "execution.async-state.in-flight-records-limit", Some("6000"), positive,
        "how many records and timers of an operator with asynchronous state may be in flight; others wait until there are fewer";
    ASYNC_STATE_ACTIVE_BUFFER_SIZE: u32 = "execution.async-state.active-buffer-size" or "execution.async-state.buffer-size", Some("1000"), positive,
        "how many accesses to asynchronous state are gathered before they are executed together, while there is input";
    ASYNC_STATE_ACTIVE_BUFFER_TIMEOUT: u32 = "execution.async-state.active-buffer-timeout" or "execution.async-state.buffer-timeout", Some("1000"), parse_number,
        "the milliseconds after which gathered accesses are executed although there are fewer; 0: never, as long as there is input";
    ASYNC_STATE_GATHER_ALL: bool = "$internal.execution.async-state.gather-all", Some("false"), parse_bool,
        "whether accesses to asynchronous state are gathered also when nothing has to be loaded for them: for tests";
    COMMITTER_RETRIES: u32 = "sink.committer.retries", Some("10"), parse_number,
        "how often a sink tries again to commit what it can't commit for the moment before its task fails";
}

fn job_id(text: &str) -> std::result::Result<JobId, String> {
    text.trim()
        .parse()
        .map_err(|_| "expected 32 hexadecimal digits".to_string())
}
