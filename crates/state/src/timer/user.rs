//! What a user function sees of timers: those of the current key.

use super::service::InternalTimerService;
use millpond_core::Result;
use millpond_types::StateKey;

/// Time and timers for the key of the record, or timer, that is being processed. Flink's `TimerService`.
pub trait TimerService {
    /// The clock's time, in milliseconds since the epoch.
    fn current_processing_time(&self) -> i64;
    /// The watermark; `i64::MIN` before the first.
    fn current_watermark(&self) -> i64;
    /// Asks for `on_timer` when the watermark reaches `timestamp`. Asking twice is asking once.
    ///
    /// # Errors
    /// As the key's serializer.
    fn register_event_time_timer(&mut self, timestamp: i64) -> Result<()>;
    /// Asks for `on_timer` when the clock reaches `timestamp`. Asking twice is asking once.
    ///
    /// # Errors
    /// As the key's serializer.
    fn register_processing_time_timer(&mut self, timestamp: i64) -> Result<()>;
    /// Takes such a request back; nothing happens if there is none.
    ///
    /// # Errors
    /// As the key's serializer.
    fn delete_event_time_timer(&mut self, timestamp: i64) -> Result<()>;
    /// Takes such a request back; nothing happens if there is none.
    ///
    /// # Errors
    /// As the key's serializer.
    fn delete_processing_time_timer(&mut self, timestamp: i64) -> Result<()>;
}

/// An [`InternalTimerService`] seen from one key and one namespace, at one moment. Flink's `SimpleTimerService`.
#[derive(Debug)]
pub struct SimpleTimerService<'a, K, N> {
    service: &'a mut InternalTimerService<K, N>,
    key: &'a K,
    namespace: &'a N,
    processing_time: i64,
}

impl<'a, K, N> SimpleTimerService<'a, K, N> {
    /// The timers of `key` in `namespace`; the clock shows `processing_time`.
    pub fn new(
        service: &'a mut InternalTimerService<K, N>,
        key: &'a K,
        namespace: &'a N,
        processing_time: i64,
    ) -> Self {
        SimpleTimerService {
            service,
            key,
            namespace,
            processing_time,
        }
    }
}

impl<K: StateKey, N: 'static> TimerService for SimpleTimerService<'_, K, N> {
    fn current_processing_time(&self) -> i64 {
        self.processing_time
    }
    fn current_watermark(&self) -> i64 {
        self.service.current_watermark()
    }
    fn register_event_time_timer(&mut self, timestamp: i64) -> Result<()> {
        self.service
            .register_event_time_timer(self.key, self.namespace, timestamp)
    }
    fn register_processing_time_timer(&mut self, timestamp: i64) -> Result<()> {
        self.service
            .register_processing_time_timer(self.key, self.namespace, timestamp)
    }
    fn delete_event_time_timer(&mut self, timestamp: i64) -> Result<()> {
        self.service
            .delete_event_time_timer(self.key, self.namespace, timestamp)
    }
    fn delete_processing_time_timer(&mut self, timestamp: i64) -> Result<()> {
        self.service
            .delete_processing_time_timer(self.key, self.namespace, timestamp)
    }
}
