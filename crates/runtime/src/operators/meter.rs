//! Counts the records of one operator instance.

use crate::operator::{OperatorContext, OperatorMetrics};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The counts, and where others read them. One thread writes, so a store is enough.
#[derive(Default)]
pub(super) struct Meter {
    taken: u64,
    emitted: u64,
    metrics: Arc<OperatorMetrics>,
}

impl Meter {
    pub(super) fn of(ctx: &OperatorContext) -> Self {
        Meter {
            metrics: Arc::clone(&ctx.metrics),
            ..Meter::default()
        }
    }
    #[inline]
    pub(super) fn took_one(&mut self) {
        self.took(1);
    }
    #[inline]
    pub(super) fn took(&mut self, records: u64) {
        self.taken += records;
        self.metrics.records_in.store(self.taken, Ordering::Relaxed);
    }
    #[inline]
    pub(super) fn emitted(&mut self, records: u64) {
        self.emitted += records;
        self.metrics.records_out.store(self.emitted, Ordering::Relaxed);
    }
    pub(super) fn metrics(&self) -> &Arc<OperatorMetrics> {
        &self.metrics
    }
}
