//! Timestamps, watermarks and idleness of one stream of records. Flink's `TimestampsAndWatermarks`.

use crate::element::WatermarkStatus;
use crate::operator::ChainOutput;
use millpond_api::watermark::TimestampAssigner;
use millpond_api::{Watermark, WatermarkGenerator, WatermarkStrategy};
use millpond_core::Result;

/// What a [`WatermarkStrategy`] is at work, for one instance.
pub(in crate::operators) struct EventTime<T> {
    assigner: Option<TimestampAssigner<T>>,
    generator: Option<Box<dyn WatermarkGenerator<T>>>,
    idle_timeout_ms: Option<i64>,
    last: Watermark,
    idle: bool,
    /// When the instance is idle if nothing comes before.
    idle_at_ms: Option<i64>,
}

impl<T: 'static> EventTime<T> {
    pub(in crate::operators) fn new(strategy: &WatermarkStrategy<T>, now_ms: i64) -> Self {
        let timeout = strategy.idle_timeout();
        let idle_timeout_ms = timeout.map(|t| i64::try_from(t.as_millis()).unwrap_or(i64::MAX));
        EventTime {
            assigner: strategy.timestamp_assigner(),
            generator: strategy.create_generator(),
            idle_timeout_ms,
            last: Watermark::UNINITIALIZED,
            idle: false,
            idle_at_ms: idle_timeout_ms.map(|t| now_ms.saturating_add(t)),
        }
    }

    /// The event time of `value`, which the generator sees, too. Ends idleness.
    #[inline]
    pub(in crate::operators) fn on_record<O>(
        &mut self,
        value: &T,
        timestamp: i64,
        out: &mut dyn ChainOutput<O>,
    ) -> Result<i64> {
        if self.idle {
            self.activate(out)?;
        }
        let timestamp = match &self.assigner {
            Some(assign) => assign(value, timestamp),
            None => timestamp,
        };
        if let Some(generator) = &mut self.generator {
            generator.on_event(value, timestamp);
        }
        Ok(timestamp)
    }

    /// Whether activity has to be noted at all.
    pub(in crate::operators) fn has_idle_timeout(&self) -> bool {
        self.idle_timeout_ms.is_some()
    }

    /// Something came at `now_ms`: idleness is that much further away.
    pub(in crate::operators) fn note_activity(&mut self, now_ms: i64) {
        self.idle_at_ms = self.idle_timeout_ms.map(|t| now_ms.saturating_add(t));
    }

    /// Emits the generator's watermark if it has advanced.
    pub(in crate::operators) fn emit_watermark<O>(&mut self, out: &mut dyn ChainOutput<O>) -> Result<()> {
        let Some(generator) = &self.generator else {
            return Ok(());
        };
        let watermark = generator.current();
        if watermark > self.last {
            self.last = watermark;
            out.emit_watermark(watermark)?;
        }
        Ok(())
    }

    /// Passes a watermark on that comes from outside: the end of event time.
    pub(in crate::operators) fn pass_watermark<O>(
        &mut self,
        watermark: Watermark,
        out: &mut dyn ChainOutput<O>,
    ) -> Result<()> {
        if watermark <= self.last {
            return Ok(());
        }
        self.last = watermark;
        // Receivers disregard the watermarks of an idle channel.
        self.activate(out)?;
        out.emit_watermark(watermark)
    }

    /// When the instance becomes idle; `None` when it is, or never does.
    pub(in crate::operators) fn next_deadline(&self) -> Option<i64> {
        self.idle_at_ms.filter(|_| !self.idle)
    }

    /// Becomes idle if the time has come.
    pub(in crate::operators) fn check_idle<O>(
        &mut self,
        now_ms: i64,
        out: &mut dyn ChainOutput<O>,
    ) -> Result<()> {
        if self.next_deadline().is_some_and(|at| at <= now_ms) {
            self.idle = true;
            out.emit_watermark_status(WatermarkStatus::Idle)?;
        }
        Ok(())
    }

    #[cold]
    fn activate<O>(&mut self, out: &mut dyn ChainOutput<O>) -> Result<()> {
        if self.idle {
            self.idle = false;
            out.emit_watermark_status(WatermarkStatus::Active)?;
        }
        Ok(())
    }
}
