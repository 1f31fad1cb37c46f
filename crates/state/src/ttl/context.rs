//! What every wrapper decides by: the configuration, the clock, and the cleanup that an access pays for.

use super::{StateTtlConfig, StateVisibility, UpdateType};
use crate::keyed::KeyContext;
use millpond_core::Result;
use millpond_core::host::Clock;
use millpond_types::StateKey;
use std::rc::Rc;
use std::sync::Arc;

/// A moment, and how long values live: decides who is dead then. Flink's `TtlUtils`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiry {
    /// Milliseconds of processing time.
    pub(crate) now_ms: i64,
    /// Positive.
    pub(crate) time_to_live_ms: i64,
}

impl Expiry {
    /// Whether a life that began at `timestamp` is over.
    #[inline]
    pub(crate) fn is_over(self, timestamp: i64) -> bool {
        timestamp.saturating_add(self.time_to_live_ms) <= self.now_ms
    }
}

/// Removes expired values of a state in the background, a little at a time.
pub(crate) trait TtlCleanup {
    /// Takes the next step; `written` says how many values the access wrote that pays for it: none, if it was a read.
    ///
    /// # Errors
    /// Those of the place where the state is. The same step is taken again then.
    fn step(&self, expiry: Expiry, written: usize) -> Result<()>;
}

/// What the wrappers of one state share.
pub(crate) struct TtlContext {
    clock: Arc<dyn Clock>,
    time_to_live_ms: i64,
    update_on_read: bool,
    return_expired: bool,
    cleanup: Option<Rc<dyn TtlCleanup>>,
}

/// What a read makes of a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Whether the reader sees it.
    pub(super) visible: bool,
    pub(super) then: Then,
}

/// What happens to a stored value after it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Nothing,
    /// Its life is over: it is removed.
    Remove,
    /// Its life begins anew.
    Touch,
}

impl TtlContext {
    fn new(config: &StateTtlConfig, clock: Arc<dyn Clock>, cleanup: Option<Rc<dyn TtlCleanup>>) -> Self {
        TtlContext {
            clock,
            time_to_live_ms: config.time_to_live_ms(),
            update_on_read: config.update_type() == UpdateType::OnReadAndWrite,
            return_expired: config.state_visibility() == StateVisibility::ReturnExpiredIfNotCleanedUp,
            cleanup,
        }
    }

    /// Lets `cleanup` take a step with each access, and with each record if it is configured so.
    pub(crate) fn with_cleanup<K: StateKey>(
        config: &StateTtlConfig,
        clock: Arc<dyn Clock>,
        records: &KeyContext<K>,
        cleanup: impl FnOnce(usize) -> Rc<dyn TtlCleanup>,
    ) -> Self {
        let strategy = config.cleanup_strategies().incremental_cleanup_strategy();
        let cleanup = strategy.map(|strategy| {
            let cleanup = cleanup(strategy.cleanup_size);
            if strategy.run_cleanup_for_every_record {
                // Weak, for the state knows the context.
                let (weak, clock) = (Rc::downgrade(&cleanup), Arc::clone(&clock));
                let time_to_live_ms = config.time_to_live_ms();
                records.add_listener(move || {
                    if let Some(cleanup) = weak.upgrade() {
                        let now_ms = clock.now_ms();
                        let moment = Expiry {
                            now_ms,
                            time_to_live_ms,
                        };
                        // What fails here is tried again by the next access, which can say so.
                        let _ = cleanup.step(moment, 1);
                    }
                });
            }
            cleanup
        });
        TtlContext::new(config, clock, cleanup)
    }

    /// Whether a read begins a life anew.
    pub(super) fn updates_on_read(&self) -> bool {
        self.update_on_read
    }

    /// Whether expired values are removed with accesses.
    pub(super) fn cleans_up(&self) -> bool {
        self.cleanup.is_some()
    }

    /// The moment of an access. Each access asks once.
    #[inline]
    pub(super) fn moment(&self) -> Expiry {
        Expiry {
            now_ms: self.clock.now_ms(),
            time_to_live_ms: self.time_to_live_ms,
        }
    }

    /// Whether a value can be read, or what is added can be added to it.
    #[inline]
    pub(super) fn visible(&self, moment: Expiry, timestamp: i64) -> bool {
        self.return_expired || !moment.is_over(timestamp)
    }

    /// What a read at `moment` makes of a value of this timestamp.
    #[inline]
    pub(super) fn judge(&self, moment: Expiry, timestamp: i64) -> Verdict {
        if moment.is_over(timestamp) {
            return Verdict {
                visible: self.return_expired,
                then: Then::Remove,
            };
        }
        let touch = self.update_on_read && timestamp != moment.now_ms;
        Verdict {
            visible: true,
            then: if touch { Then::Touch } else { Then::Nothing },
        }
    }

    /// The end of an access that wrote `written` values or elements; 0 for a read.
    #[inline]
    pub(super) fn accessed(&self, moment: Expiry, written: usize) -> Result<()> {
        match &self.cleanup {
            Some(cleanup) => cleanup.step(moment, written),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_ends_on_the_millisecond_and_never_overflows() {
        // Goal: Flink's `TtlUtils#expired` at its edges. Method: moments around the end, and timestamps near the ends of i64.
        let at = |now_ms, time_to_live_ms| Expiry {
            now_ms,
            time_to_live_ms,
        };
        assert!(!at(109, 10).is_over(100));
        assert!(at(110, 10).is_over(100));
        assert!(!at(i64::MAX - 1, i64::MAX).is_over(5));
        assert!(at(i64::MAX, i64::MAX).is_over(5));
        assert!(!at(i64::MIN + 9, 10).is_over(i64::MIN));
        assert!(at(i64::MIN + 10, 10).is_over(i64::MIN));
    }
}
