//! What makes a task leave a batch before its end: a message, a barrier that overtakes, a timeout.

use crate::channel::TaskSignal;

/// After so many records at most a chain looks whether it is interrupted; a chain that looks ahead, after as many as it
/// sees. Slow functions make a barrier that overtakes wait this long.
pub const RECORDS_BETWEEN_LOOKS: usize = 16;

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
