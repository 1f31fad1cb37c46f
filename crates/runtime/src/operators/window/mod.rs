//! The window operator: elements of a keyed stream in windows, their contents in state, computed when a trigger says so.
//! Flink's `WindowOperator`.
//!
//! | file | what it holds |
//! |---|---|
//! | `operator` | opens the states, assigns windows, fires timers |
//! | `call` | what an element or a timer does to its windows |
//! | `contents` | what is kept of a window: its elements, or what they were reduced or aggregated to |
//! | `merging` | which windows became one, and where their contents are |
//! | `timers` | the timers of one key and one window |

mod call;
mod contents;
mod merging;
mod operator;
mod timers;

pub(crate) use contents::{AggregatedContents, ListedContents, PassThrough, ReducedContents};
pub(crate) use operator::{WindowOperator, WindowSpec};
