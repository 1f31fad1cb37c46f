//! The timers of the current key, as a user function sees them.

use millpond_core::Result;
use millpond_core::host::Clock;
use millpond_state::timer::{InternalTimerService, TimerService};
use millpond_types::{StateKey, VoidNamespace};

/// The name of a process function's timer service, as in Flink.
pub(super) const USER_TIMERS: &str = "user-timers";

/// The timers of one key. It reads the clock only when it is asked.
pub(super) struct KeyTimers<'a, K> {
    pub(super) service: &'a mut InternalTimerService<K, VoidNamespace>,
    pub(super) key: &'a K,
    pub(super) clock: &'a dyn Clock,
}

impl<K: StateKey> TimerService for KeyTimers<'_, K> {
    fn current_processing_time(&self) -> i64 {
        self.clock.now_ms()
    }
    fn current_watermark(&self) -> i64 {
        self.service.current_watermark()
    }
    fn register_event_time_timer(&mut self, timestamp: i64) -> Result<()> {
        self.service
            .register_event_time_timer(self.key, &VoidNamespace, timestamp)
    }
    fn register_processing_time_timer(&mut self, timestamp: i64) -> Result<()> {
        self.service
            .register_processing_time_timer(self.key, &VoidNamespace, timestamp)
    }
    fn delete_event_time_timer(&mut self, timestamp: i64) -> Result<()> {
        self.service
            .delete_event_time_timer(self.key, &VoidNamespace, timestamp)
    }
    fn delete_processing_time_timer(&mut self, timestamp: i64) -> Result<()> {
        self.service
            .delete_processing_time_timer(self.key, &VoidNamespace, timestamp)
    }
}
