//! What makes a task leave a batch before its end: a message, a barrier that overtakes, a timeout.

use crate::channel::TaskSignal;

/// After so many records at most a chain looks whether it is interrupted; a chain that looks ahead, after as many as it
/// sees. Slow functions make a barrier that overtakes wait this long.
pub const RECORDS_BETWEEN_LOOKS: usize = 16;

/// After so many timers of one firing that can be interrupted the task looks around in any case: whether its outputs have room, too.
const TIMERS_AT_ONCE: usize = 128;

/// Asked between records of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interrupt<'a> {
    signal: Option<&'a TaskSignal>,
    /// A wall-clock time from which on it is due, in milliseconds since the epoch.
    from_ms: Option<i64>,
}

impl<'a> Interrupt<'a> {
    /// It never comes.
    pub fn never() -> Self {
        Self::default()
    }

    pub(crate) fn new(signal: &'a TaskSignal, from_ms: Option<i64>) -> Self {
        Interrupt {
            signal: Some(signal),
            from_ms,
        }
    }

    /// Whether to leave the rest of the batch for later.
    #[inline]
    pub fn is_due(&self) -> bool {
        let Some(signal) = self.signal else { return false };
        signal.is_urgent()
            || self
                .from_ms
                .is_some_and(|from_ms| signal.clock().now_ms() >= from_ms)
    }
}

/// How much of what is due a firing of timers fires.
#[derive(Clone, Copy, Debug)]
pub enum Firing<'a> {
    /// All of it.
    Whole,
    /// One timer at least, then until it is interrupted or has fired many.
    Part(Interrupt<'a>),
}

impl Firing<'_> {
    /// Whether it ends after `fired` timers, although there may be more.
    #[inline]
    pub fn ends_after(&self, fired: usize) -> bool {
        match self {
            Firing::Whole => false,
            Firing::Part(interrupt) => fired > 0 && (fired >= TIMERS_AT_ONCE || interrupt.is_due()),
        }
    }
}
