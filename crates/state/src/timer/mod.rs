//! Timers: what a keyed operator asks to be told later, by watermark or by clock, as part of its state.
//!
//! [`InternalTimerService`] keeps them, [`TimerService`] is what a user function sees. A snapshot takes them as
//! [`FrozenTimers`], priority-queue states beside the keyed states. This folder never reads a clock: whoever drives it says
//! what time it is.

mod element;
mod frozen;
mod key_grouped;
mod queue;
mod serializer;
mod service;
mod set;
#[cfg(test)]
mod tests;
mod user;

pub use frozen::FrozenTimers;
pub use queue::TimeDomain;
pub use service::{InternalTimerService, Timer};
pub use user::{SimpleTimerService, TimerService};
