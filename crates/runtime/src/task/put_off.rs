//! Event time that is put off: timers whose firing a barrier that overtakes may interrupt. Flink's `MailboxWatermarkProcessor`.
//!
//! With `execution.checkpointing.unaligned.interruptible-timers.enabled` an operator with timers only notes a watermark that it takes. The
//! steps that follow fire the timers that it makes due, some at a time; between them the task looks for messages, for barriers that
//! overtake and for room in its outputs, but takes nothing from its channels. What came with the watermark (that the inputs are idle,
//! that they ended) waits until the watermark is passed on. So a snapshot may fall between two timers, and nothing else is another order
//! than without the option.

use super::TaskChain;
use super::core::TaskCore;
use super::interrupt::Interrupt;
use super::visit::each_operator;
use crate::element::WatermarkStatus;
use crate::operator::VisitOrder;
use millpond_core::config::options;
use millpond_core::{Configuration, Result};

/// What waits behind a watermark that was put off.
#[derive(Debug, Default)]
pub(super) struct PutOff {
    pub(super) becomes_idle: bool,
    pub(super) data_ended: bool,
}

/// Whether timers may be interrupted: the option counts only beside unaligned checkpoints, as in Flink.
///
/// # Errors
/// Config when an option is wrong.
pub(crate) fn interrupts_timers(config: &Configuration) -> Result<bool> {
    Ok(config.require(&options::UNALIGNED_ENABLED)?
        && config.require(&options::UNALIGNED_INTERRUPTIBLE_TIMERS)?)
}

impl TaskCore {
    /// Fires some of the timers that are due, and does what waits behind the last.
    pub(super) fn go_on_with_event_time(&mut self, chain: &mut dyn TaskChain) -> Result<()> {
        let from_ms = self.aligner.timeout().map(|(_, from_ms)| from_ms);
        let interrupt = Interrupt::new(self.gate.signal(), from_ms);
        let mut more = false;
        each_operator(chain, VisitOrder::UpstreamFirst, |operator| {
            more |= operator.advance_event_time(interrupt)?;
            Ok(())
        })?;
        if more {
            return Ok(());
        }
        let PutOff {
            becomes_idle,
            data_ended,
        } = self.put_off.take().unwrap_or_default();
        if becomes_idle {
            chain.process_watermark_status(WatermarkStatus::Idle)?;
        }
        if data_ended {
            self.end_data(chain)?;
        }
        Ok(())
    }
}
