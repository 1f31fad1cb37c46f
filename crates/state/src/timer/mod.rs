//! Timers: what a keyed operator asks to be told later, by watermark or by clock, as part of its state.
//!
//! [`InternalTimerService`] keeps them, [`TimerService`] is what a user function sees. A snapshot takes them as
//! [`FrozenTimers`], priority-queue states beside the keyed states. They are in memory, or in the store of a backend that has
//! one. This folder never reads a clock: whoever drives it says what time it is.

mod element;
mod frozen;
mod heads;
mod key_grouped;
mod queue;
mod serializer;
mod service;
mod set;
mod stored;
#[cfg(test)]
mod tests;
mod user;

pub use frozen::FrozenTimers;
pub use queue::TimeDomain;
pub use service::{InternalTimerService, Timer};
pub use user::{SimpleTimerService, TimerService};
