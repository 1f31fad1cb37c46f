//! The timers of one key and one window.

use millpond_api::function::TimerService;
use millpond_core::Result;
use millpond_core::host::Clock;
use millpond_state::timer::InternalTimerService;
use millpond_types::StateKey;

/// The name of the timer service, as in Flink.
pub(super) const WINDOW_TIMERS: &str = "window-timers";

/// The timers of `key` and `window`. It reads the clock only when it is asked.
pub(super) struct WindowTimers<'a, K, W> {
    pub(super) service: &'a mut InternalTimerService<K, W>,
    pub(super) key: &'a K,
    pub(super) window: W,
    pub(super) clock: &'a dyn Clock,
}

impl<K: StateKey, W: 'static> TimerService for WindowTimers<'_, K, W> {
    fn current_processing_time(&self) -> i64 {
        self.clock.now_ms()
    }
    fn current_watermark(&self) -> i64 {
        self.service.current_watermark()
    }
    fn register_event_time_timer(&mut self, timestamp: i64) -> Result<()> {
        self.service
            .register_event_time_timer(self.key, &self.window, timestamp)
    }
    fn register_processing_time_timer(&mut self, timestamp: i64) -> Result<()> {
        self.service
            .register_processing_time_timer(self.key, &self.window, timestamp)
    }
    fn delete_event_time_timer(&mut self, timestamp: i64) -> Result<()> {
        self.service
            .delete_event_time_timer(self.key, &self.window, timestamp)
    }
    fn delete_processing_time_timer(&mut self, timestamp: i64) -> Result<()> {
        self.service
            .delete_processing_time_timer(self.key, &self.window, timestamp)
    }
}
