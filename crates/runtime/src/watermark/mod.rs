//! Event time inside a task: the watermark of several channels together.

mod valve;

pub use valve::{StatusWatermarkValve, ValveOutput};
