//! Apache Flink's state management and checkpointing in Rust, with a stream engine that runs in one process.
//!
//! A job is a `main` that builds a stream and hands it over:
//!
//! ```no_run
//! use millpond::prelude::*;
//! use std::process::ExitCode;
//!
//! /// Counts words, and tells each count.
//! #[derive(Default)]
//! struct CountWords {
//!     count: ValueState<i64>,
//! }
//!
//! impl KeyedProcessFunction for CountWords {
//!     type Key = String;
//!     type In = String;
//!     type Out = (String, i64);
//!
//!     fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
//!         self.count = ctx.state(ValueStateDescriptor::new("count").default_value(0))?;
//!         Ok(())
//!     }
//!
//!     fn process_element(
//!         &mut self,
//!         word: String,
//!         _ctx: &mut KeyedContext<'_, String>,
//!         out: &mut Collector<'_, (String, i64)>,
//!     ) -> Result<()> {
//!         let n = self.count.value()? + 1;
//!         self.count.update(n)?;
//!         out.collect((word, n));
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     millpond::job("wordcount").run(|env| {
//!         let words = ["to", "be", "or", "not", "to", "be"].map(String::from);
//!         env.from_source(CollectionSource::from_elements(words), WatermarkStrategy::no_watermarks(), "words")
//!             .key_by(|word| word.clone())
//!             .process(CountWords::default)
//!             .uid("count")
//!             .sink_to(PrintSink::debug());
//!         Ok(())
//!     })
//! }
//! ```
//!
//! The binary takes the options of `flink run` (`-s`, `-p`, `-D`, `--config`, …), serves Flink's REST paths on loopback, and is
//! found by the `millpond` command.
//!
//! This crate re-exports what a job needs; the layers under it are described in `ARCHITECTURE.md`.

pub mod launcher;
pub mod prelude;

pub use launcher::{JobBinary, job};
pub use millpond_api as api;
pub use millpond_checkpoint as checkpoint;
#[cfg(feature = "kafka")]
pub use millpond_connector_kafka as kafka;
pub use millpond_connectors as connectors;
pub use millpond_core as core;
pub use millpond_core::{Configuration, Error, ErrorKind, JobId, Result};
pub use millpond_derive::{JavaHash, StateType};
pub use millpond_runtime as runtime;
pub use millpond_state as state;
pub use millpond_types as types;

/// The examples of the README, compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
