//! Counters of one task, written by it alone and read by whoever shows the job.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Counters of one task. Each is updated once for a batch or a step, never for a record. Flink's `TaskIOMetricGroup`.
#[derive(Debug)]
pub struct TaskMetrics {
    records_in: AtomicU64,
    records_out: AtomicU64,
    busy_nanos: AtomicU64,
    idle_nanos: AtomicU64,
    backpressured_nanos: AtomicU64,
    current_watermark: AtomicI64,
    alignment_nanos: AtomicU64,
    start_delay_nanos: AtomicU64,
}

impl Default for TaskMetrics {
    fn default() -> Self {
        TaskMetrics {
            records_in: AtomicU64::new(0),
            records_out: AtomicU64::new(0),
            busy_nanos: AtomicU64::new(0),
            idle_nanos: AtomicU64::new(0),
            backpressured_nanos: AtomicU64::new(0),
            current_watermark: AtomicI64::new(i64::MIN),
            alignment_nanos: AtomicU64::new(0),
            start_delay_nanos: AtomicU64::new(0),
        }
    }
}

impl TaskMetrics {
    /// Records that came through channels. Flink's `numRecordsIn`.
    pub fn records_in(&self) -> u64 {
        self.records_in.load(Ordering::Relaxed)
    }
    /// Records that left through channels; one that is broadcast to n channels counts n times. Flink's `numRecordsOut`.
    pub fn records_out(&self) -> u64 {
        self.records_out.load(Ordering::Relaxed)
    }
    /// Nanoseconds spent at work. Flink's `accumulateBusyTimeMs`.
    pub fn busy_nanos(&self) -> u64 {
        self.busy_nanos.load(Ordering::Relaxed)
    }
    /// Nanoseconds spent waiting for input.
    pub fn idle_nanos(&self) -> u64 {
        self.idle_nanos.load(Ordering::Relaxed)
    }
    /// Nanoseconds spent waiting for room in the outputs.
    pub fn backpressured_nanos(&self) -> u64 {
        self.backpressured_nanos.load(Ordering::Relaxed)
    }
    /// The watermark that the task works with; [`i64::MIN`] before the first. Flink's `currentInputWatermark`.
    pub fn current_watermark(&self) -> i64 {
        self.current_watermark.load(Ordering::Relaxed)
    }

    /// Nanoseconds that the last alignment took. Flink's `checkpointAlignmentTime`.
    pub fn alignment_nanos(&self) -> u64 {
        self.alignment_nanos.load(Ordering::Relaxed)
    }
    /// Nanoseconds from the trigger of the last checkpoint to its first barrier here. Flink's `checkpointStartDelayNanos`.
    pub fn start_delay_nanos(&self) -> u64 {
        self.start_delay_nanos.load(Ordering::Relaxed)
    }

    pub(crate) fn add_records_in(&self, records: u64) {
        self.records_in.fetch_add(records, Ordering::Relaxed);
    }
    pub(crate) fn add_records_out(&self, records: u64) {
        self.records_out.fetch_add(records, Ordering::Relaxed);
    }
    pub(crate) fn add_busy_nanos(&self, nanos: u64) {
        self.busy_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
    pub(crate) fn add_idle_nanos(&self, nanos: u64) {
        self.idle_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
    pub(crate) fn add_backpressured_nanos(&self, nanos: u64) {
        self.backpressured_nanos.fetch_add(nanos, Ordering::Relaxed);
    }
    pub(crate) fn set_checkpoint(&self, alignment_nanos: u64, start_delay_nanos: u64) {
        self.alignment_nanos.store(alignment_nanos, Ordering::Relaxed);
        self.start_delay_nanos.store(start_delay_nanos, Ordering::Relaxed);
    }
    pub(crate) fn set_current_watermark(&self, timestamp: i64) {
        self.current_watermark.store(timestamp, Ordering::Relaxed);
    }
}
