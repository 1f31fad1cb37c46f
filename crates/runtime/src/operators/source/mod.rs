//! Runs a source's reader at the head of a task. Flink's `SourceOperator`.
//!
//! | part | what it does |
//! |---|---|
//! | `splits` | who reads which split, at the first start and after a restore |
//! | `event_time` | timestamps, watermarks and idleness of what is read |
//! | `operator` | the reader, its state and its output |
//! | `head` | the source as the head of a chain |

mod event_time;
mod head;
mod operator;
mod splits;
#[cfg(test)]
mod tests;

pub(super) use event_time::EventTime;
pub(crate) use head::SourceNode;
