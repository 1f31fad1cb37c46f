//! Timestamps and watermarks in mid-stream. Flink's `TimestampsAndWatermarksOperator`.

use super::meter::Meter;
use super::source::EventTime;
use super::user_code::not_initialized;
use crate::element::WatermarkStatus;
use crate::operator::{ChainOutput, ChainedOperator, OneInputOperator, OperatorContext};
use millpond_api::{Watermark, WatermarkStrategy};
use millpond_core::Result;
use millpond_core::host::Clock;
use std::sync::Arc;

/// A watermark is considered after so many records, and after so long.
const RECORDS_PER_WATERMARK: u64 = 256;
/// Flink's default of `pipeline.auto-watermark-interval`.
const INTERVAL_MS: i64 = 200;

/// Gives records timestamps and puts watermarks between them; those of the source are dropped, except for the last one.
pub(crate) struct TimestampsAndWatermarksOperator<T> {
    strategy: WatermarkStrategy<T>,
    opened: Option<Opened<T>>,
}

struct Opened<T> {
    event_time: EventTime<T>,
    clock: Arc<dyn Clock>,
    meter: Meter,
    /// Records since the last watermark was considered.
    since: u64,
    /// Records since idleness was considered.
    active: bool,
    next_at_ms: i64,
}

impl<T> TimestampsAndWatermarksOperator<T> {
    pub(crate) fn new(strategy: WatermarkStrategy<T>) -> Self {
        TimestampsAndWatermarksOperator {
            strategy,
            opened: None,
        }
    }
}

impl<T: Send + 'static> ChainedOperator for TimestampsAndWatermarksOperator<T> {
    type Out = T;

    fn initialize(&mut self, ctx: OperatorContext, _out: &mut dyn ChainOutput<T>) -> Result<()> {
        let now_ms = ctx.clock.now_ms();
        self.opened = Some(Opened {
            event_time: EventTime::new(&self.strategy, now_ms),
            clock: Arc::clone(&ctx.clock),
            meter: Meter::of(&ctx),
            since: 0,
            active: false,
            next_at_ms: now_ms.saturating_add(INTERVAL_MS),
        });
        Ok(())
    }
    /// Only the end of event time passes.
    fn process_watermark(&mut self, watermark: Watermark, out: &mut dyn ChainOutput<T>) -> Result<()> {
        if watermark != Watermark::MAX {
            return Ok(());
        }
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        opened.event_time.pass_watermark(watermark, out)
    }
    /// The strategy's own idleness counts, not that of the source.
    fn process_watermark_status(
        &mut self,
        _status: WatermarkStatus,
        _out: &mut dyn ChainOutput<T>,
    ) -> Result<()> {
        Ok(())
    }
    fn next_processing_timer(&self) -> Option<i64> {
        let opened = self.opened.as_ref()?;
        let idle = opened.event_time.next_deadline();
        let watermark = (opened.since > 0 || opened.active).then_some(opened.next_at_ms);
        idle.into_iter().chain(watermark).min()
    }
    fn advance_processing_time(&mut self, now_ms: i64, out: &mut dyn ChainOutput<T>) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        if opened.active {
            opened.active = false;
            opened.event_time.note_activity(opened.clock.now_ms());
        }
        if opened.since > 0 {
            opened.since = 0;
            opened.event_time.emit_watermark(out)?;
        }
        opened.next_at_ms = now_ms.saturating_add(INTERVAL_MS);
        opened.event_time.check_idle(now_ms, out)
    }
}

impl<T: Send + 'static> OneInputOperator for TimestampsAndWatermarksOperator<T> {
    type In = T;

    fn process_element(&mut self, value: T, timestamp: i64, out: &mut dyn ChainOutput<T>) -> Result<()> {
        let opened = self.opened.as_mut().ok_or_else(not_initialized)?;
        opened.meter.took_one();
        let timestamp = opened.event_time.on_record(&value, timestamp, out)?;
        opened.meter.emitted(1);
        opened.active = true;
        out.collect(value, timestamp)?;
        opened.since += 1;
        if opened.since >= RECORDS_PER_WATERMARK {
            opened.since = 0;
            opened.event_time.emit_watermark(out)?;
        }
        Ok(())
    }
}
