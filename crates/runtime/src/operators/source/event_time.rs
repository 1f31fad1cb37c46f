//! Timestamps, watermarks and idleness of one stream of records. Flink's `TimestampsAndWatermarks` and
//! `WatermarkOutputMultiplexer`.

use crate::element::WatermarkStatus;
use crate::operator::ChainOutput;
use millpond_api::watermark::TimestampAssigner;
use millpond_api::{Watermark, WatermarkGenerator, WatermarkStrategy};
use millpond_core::Result;

/// What a [`WatermarkStrategy`] is at work, for one instance: once for everything, or once for each split that is read.
pub(in crate::operators) struct EventTime<T> {
    strategy: WatermarkStrategy<T>,
    assigner: Option<TimestampAssigner<T>>,
    idle_timeout_ms: Option<i64>,
    /// The one for records without a split, until a split is selected; then those of the splits.
    parts: Vec<Part<T>>,
    by_split: bool,
    /// Which part the records that come now belong to.
    current: usize,
    last: Watermark,
    idle: bool,
    now_ms: i64,
}

/// Event time of one split.
struct Part<T> {
    split_id: String,
    generator: Option<Box<dyn WatermarkGenerator<T>>>,
    watermark: Watermark,
    idle: bool,
    /// A record came since activity was last noted.
    touched: bool,
    /// When it is idle if nothing comes before.
    idle_at_ms: Option<i64>,
}

impl<T: 'static> EventTime<T> {
    pub(in crate::operators) fn new(strategy: &WatermarkStrategy<T>, now_ms: i64) -> Self {
        let timeout = strategy.idle_timeout();
        let mut event_time = EventTime {
            strategy: strategy.clone(),
            assigner: strategy.timestamp_assigner(),
            idle_timeout_ms: timeout.map(|t| i64::try_from(t.as_millis()).unwrap_or(i64::MAX)),
            parts: Vec::new(),
            by_split: false,
            current: 0,
            last: Watermark::UNINITIALIZED,
            idle: false,
            now_ms,
        };
        event_time.add_part("");
        event_time
    }

    fn add_part(&mut self, split_id: &str) {
        self.parts.push(Part {
            split_id: split_id.to_string(),
            generator: self.strategy.create_generator(),
            watermark: Watermark::UNINITIALIZED,
            idle: false,
            touched: false,
            idle_at_ms: self.idle_timeout_ms.map(|t| self.now_ms.saturating_add(t)),
        });
    }

    /// The records that follow are this split's; one that wasn't known holds the watermark back from now on.
    pub(in crate::operators) fn select_split(&mut self, split_id: &str) {
        if !self.by_split {
            self.by_split = true;
            self.parts.clear();
        }
        if self
            .parts
            .get(self.current)
            .is_some_and(|p| p.split_id == split_id)
        {
            return;
        }
        self.current = match self.parts.iter().position(|p| p.split_id == split_id) {
            Some(at) => at,
            None => {
                self.add_part(split_id);
                self.parts.len() - 1
            }
        };
    }

    /// Nothing more comes of this split.
    pub(in crate::operators) fn release_split(&mut self, split_id: &str) {
        if self.by_split {
            self.parts.retain(|p| p.split_id != split_id);
            // Whatever comes next selects its split first.
            self.current = usize::MAX;
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
        if let Some(part) = self.parts.get_mut(self.current) {
            part.touched = true;
            part.idle = false;
            if let Some(generator) = &mut part.generator {
                generator.on_event(value, timestamp);
            }
        }
        Ok(timestamp)
    }

    /// Whether activity has to be noted at all.
    pub(in crate::operators) fn has_idle_timeout(&self) -> bool {
        self.idle_timeout_ms.is_some()
    }

    /// It is `now_ms`: the idleness of whatever had records is that much further away.
    pub(in crate::operators) fn note_activity(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
        for part in self.parts.iter_mut().filter(|p| p.touched) {
            part.touched = false;
            part.idle_at_ms = self.idle_timeout_ms.map(|t| now_ms.saturating_add(t));
        }
    }

    /// Emits the watermark of all parts that aren't idle, if it has advanced.
    pub(in crate::operators) fn emit_watermark<O>(&mut self, out: &mut dyn ChainOutput<O>) -> Result<()> {
        let mut combined: Option<Watermark> = None;
        for part in &mut self.parts {
            let Some(generator) = &part.generator else {
                return Ok(());
            };
            part.watermark = part.watermark.max(generator.current());
            if !part.idle {
                combined = Some(combined.map_or(part.watermark, |w| w.min(part.watermark)));
            }
        }
        match combined {
            Some(watermark) if watermark > self.last => {
                self.last = watermark;
                out.emit_watermark(watermark)
            }
            // The last one that wasn't idle was released.
            None if !self.idle && !self.parts.is_empty() => {
                self.idle = true;
                out.emit_watermark_status(WatermarkStatus::Idle)
            }
            _ => Ok(()),
        }
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

    /// When the next part becomes idle; `None` when all are, or none ever does.
    pub(in crate::operators) fn next_deadline(&self) -> Option<i64> {
        let active = self.parts.iter().filter(|p| !p.idle);
        active.filter_map(|p| p.idle_at_ms).min().filter(|_| !self.idle)
    }

    /// Makes idle what had nothing for long enough: the rest no longer waits for it, and when nothing is left, neither does
    /// anybody behind.
    pub(in crate::operators) fn check_idle<O>(
        &mut self,
        now_ms: i64,
        out: &mut dyn ChainOutput<O>,
    ) -> Result<()> {
        self.now_ms = now_ms;
        if self.next_deadline().is_none_or(|at| at > now_ms) {
            return Ok(());
        }
        for part in &mut self.parts {
            part.idle |= part.idle_at_ms.is_some_and(|at| at <= now_ms);
        }
        if self.parts.iter().all(|p| p.idle) {
            self.idle = true;
            return out.emit_watermark_status(WatermarkStatus::Idle);
        }
        self.emit_watermark(out)
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
