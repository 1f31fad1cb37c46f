//! Event time inside a task: the watermark of several channels together.

#[cfg(test)]
mod tests;
mod valve;

pub use valve::{StatusWatermarkValve, ValveOutput};
