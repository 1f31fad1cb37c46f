//! The watermark and the status of several channels together, as Flink's `StatusWatermarkValve` has them.
//!
//! Pure: events in, what to pass on out. Unlike Flink's, a channel whose event time ended ([`Watermark::MAX`]) neither
//! holds back nor pushes on: while another channel is idle it doesn't make all its records late.

use crate::element::WatermarkStatus;
use millpond_api::Watermark;

/// What the operators behind the valve should hear: a new status of active before the watermark, one of idle after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValveOutput {
    /// The new status, if it changed.
    pub status: Option<WatermarkStatus>,
    /// The new watermark, if it rose.
    pub watermark: Option<Watermark>,
}

/// Combines watermarks of channels.
///
/// The watermark is the smallest over the channels that are active and aligned, and never falls. A channel that comes back
/// from idleness behind it is not aligned until it has caught up. When the last active channel falls idle, the
/// watermark rises to the largest that any open channel reached, since nobody holds it back any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusWatermarkValve {
    channels: Vec<ChannelState>,
    watermark: Watermark,
    status: WatermarkStatus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ChannelState {
    watermark: Watermark,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Aligned,
    /// Active, but still behind the common watermark.
    CatchingUp,
    Idle,
    /// Its event time is over.
    Ended,
}

impl StatusWatermarkValve {
    /// A valve over `channels` channels, all active, without watermarks.
    pub fn new(channels: usize) -> Self {
        let start = ChannelState {
            watermark: Watermark::UNINITIALIZED,
            phase: Phase::Aligned,
        };
        StatusWatermarkValve {
            channels: vec![start; channels],
            watermark: Watermark::UNINITIALIZED,
            status: WatermarkStatus::Active,
        }
    }

    /// The watermark of all channels together.
    pub fn watermark(&self) -> Watermark {
        self.watermark
    }

    /// The status of all channels together.
    pub fn status(&self) -> WatermarkStatus {
        self.status
    }

    /// Takes a channel's watermark. One from an idle channel is ignored, unless it is the end of event time.
    pub fn input_watermark(&mut self, channel: usize, watermark: Watermark) -> ValveOutput {
        if watermark == Watermark::MAX {
            return self.end_channel(channel);
        }
        let common = self.watermark;
        let Some(state) = self.channels.get_mut(channel) else {
            return ValveOutput::default();
        };
        if watermark <= state.watermark {
            return ValveOutput::default();
        }
        match state.phase {
            Phase::Idle | Phase::Ended => return ValveOutput::default(),
            Phase::CatchingUp if watermark >= common => state.phase = Phase::Aligned,
            Phase::CatchingUp | Phase::Aligned => {}
        }
        state.watermark = watermark;
        self.rise_to_smallest()
    }

    /// Takes a channel's status.
    pub fn input_status(&mut self, channel: usize, status: WatermarkStatus) -> ValveOutput {
        let common = self.watermark;
        let Some(state) = self.channels.get_mut(channel) else {
            return ValveOutput::default();
        };
        match (state.phase, status) {
            (Phase::Aligned | Phase::CatchingUp, WatermarkStatus::Idle) => {
                state.phase = Phase::Idle;
                self.after_leaving()
            }
            (Phase::Idle, WatermarkStatus::Active) => {
                state.phase = if state.watermark >= common {
                    Phase::Aligned
                } else {
                    Phase::CatchingUp
                };
                let status = self.change_status(WatermarkStatus::Active);
                let ValveOutput { watermark, .. } = self.rise_to_smallest();
                ValveOutput { status, watermark }
            }
            _ => ValveOutput::default(),
        }
    }

    /// The channel's event time is over: no record will follow. When it was the last one, the common event time is over.
    pub fn end_channel(&mut self, channel: usize) -> ValveOutput {
        let Some(state) = self.channels.get_mut(channel) else {
            return ValveOutput::default();
        };
        if state.phase == Phase::Ended {
            return ValveOutput::default();
        }
        state.phase = Phase::Ended;
        self.after_leaving()
    }

    /// A channel stopped counting: the others decide now.
    fn after_leaving(&mut self) -> ValveOutput {
        let any = |phase: fn(Phase) -> bool| self.channels.iter().any(|c| phase(c.phase));
        if any(|p| matches!(p, Phase::Aligned | Phase::CatchingUp)) {
            return self.rise_to_smallest();
        }
        if !any(|p| p == Phase::Idle) {
            // Whoever is idle ignores watermarks, so the end is told to the active.
            let status = self.change_status(WatermarkStatus::Active);
            return ValveOutput {
                status,
                watermark: self.rise_to(Watermark::MAX),
            };
        }
        let open = self.channels.iter().filter(|c| c.phase == Phase::Idle);
        let largest = open.map(|c| c.watermark).max();
        let watermark = match self.status {
            WatermarkStatus::Active => largest.and_then(|w| self.rise_to(w)),
            WatermarkStatus::Idle => None,
        };
        ValveOutput {
            status: self.change_status(WatermarkStatus::Idle),
            watermark,
        }
    }

    fn rise_to_smallest(&mut self) -> ValveOutput {
        let aligned = self.channels.iter().filter(|c| c.phase == Phase::Aligned);
        let smallest = aligned.map(|c| c.watermark).min();
        ValveOutput {
            status: None,
            watermark: smallest.and_then(|w| self.rise_to(w)),
        }
    }

    fn rise_to(&mut self, watermark: Watermark) -> Option<Watermark> {
        (watermark > self.watermark).then(|| {
            self.watermark = watermark;
            watermark
        })
    }

    fn change_status(&mut self, status: WatermarkStatus) -> Option<WatermarkStatus> {
        (self.status != status).then(|| {
            self.status = status;
            status
        })
    }
}
