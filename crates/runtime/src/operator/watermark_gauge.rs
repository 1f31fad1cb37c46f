//! The last watermark that passed a place of a chain, for whoever looks from outside. Flink's `WatermarkGauge`.

use millpond_api::Watermark;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// The last watermark that passed a place of a chain. Clones show the same place.
#[derive(Clone, Debug)]
pub struct WatermarkGauge(Arc<AtomicI64>);

impl Default for WatermarkGauge {
    /// One that no watermark has passed.
    fn default() -> Self {
        WatermarkGauge(Arc::new(AtomicI64::new(Watermark::UNINITIALIZED.timestamp)))
    }
}

impl WatermarkGauge {
    /// Notes that a watermark passes.
    pub fn set(&self, watermark: Watermark) {
        self.0.store(watermark.timestamp, Ordering::Relaxed);
    }
    /// Its timestamp; [`i64::MIN`] before the first.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}
