//! Knock-on delays: an aircraft that arrives late leaves late again, and again.
//!
//! Keyed by aircraft. Legs come nearly, not exactly, in the order of their departures, from several files at once, so they wait
//! in state until the watermark says that nothing earlier can come; a timer for each then hands them on in order. That
//! makes the result independent of the order in which files are read, and so of parallelism and of restarts.

use crate::model::{ClosedBy, ClosedChain, ClosedLeg, Leg, Reference, RunningChain, show_time};
use millpond::prelude::*;

/// From how many minutes on a flight counts as late.
const LATE_MINUTES: i32 = 15;
/// A chain closes so long after its last leg.
const SILENCE_MS: i64 = 24 * 3_600_000;

/// Finds chains of late legs.
#[derive(Default)]
pub struct KnockOn {
    /// Legs that wait for the watermark, by scheduled departure.
    waiting: MapState<i64, Vec<Leg>>,
    last_leg: ValueState<Leg>,
    chain: ValueState<RunningChain>,
    departures: MapState<String, i64>,
    airlines: BroadcastState<String, String>,
    models: BroadcastState<String, String>,
}

impl KeyedBroadcastProcessFunction for KnockOn {
    type Key = String;
    type In = Leg;
    type Broadcast = Reference;
    type Out = ClosedChain;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
        self.waiting = ctx.map_state(MapStateDescriptor::new("waiting"))?;
        self.last_leg = ctx.state(ValueStateDescriptor::new("last-leg"))?;
        self.chain = ctx.state(ValueStateDescriptor::new("chain"))?;
        self.departures = ctx.map_state(MapStateDescriptor::new("departures"))?;
        self.airlines = ctx.broadcast_state(MapStateDescriptor::new("airlines"))?;
        self.models = ctx.broadcast_state(MapStateDescriptor::new("models"))?;
        Ok(())
    }

    fn process_element(
        &mut self,
        leg: Leg,
        ctx: &mut ReadOnlyContext<'_, String>,
        _out: &mut Collector<'_, ClosedChain>,
    ) -> Result<()> {
        let scheduled_ms = leg.scheduled_ms;
        self.waiting
            .modify(scheduled_ms, |legs| legs.get_or_insert_default().push(leg))?;
        ctx.timer_service().register_event_time_timer(scheduled_ms)
    }

    fn process_broadcast_element(
        &mut self,
        reference: Reference,
        ctx: &mut BroadcastContext<'_, String>,
        _out: &mut Collector<'_, ClosedChain>,
    ) -> Result<()> {
        match reference {
            Reference::Airline { carrier, name } => self.airlines.put(ctx.permit(), carrier, name),
            Reference::Plane { tailnum, model } => self.models.put(ctx.permit(), tailnum, model),
        }
    }

    // The watermark over both inputs passes a leg only when the broadcast side, which has no event time, has ended: so every
    // name is known when the first timer fires.
    fn on_timer(
        &mut self,
        now_ms: i64,
        ctx: &mut OnTimerContext<'_, String>,
        out: &mut Collector<'_, ClosedChain>,
    ) -> Result<()> {
        if let Some(mut legs) = self.waiting.remove(&now_ms)? {
            legs.sort();
            for leg in legs {
                self.advance(leg, ctx, out)?;
            }
        }
        let silent = self
            .chain
            .with(|chain| chain.is_some_and(|c| c.closes_ms == now_ms))?;
        if silent {
            self.close(ctx, out, ClosedBy::Silence)?;
        }
        Ok(())
    }
}

impl KnockOn {
    /// Takes the aircraft's next leg, in the order of departures.
    fn advance(
        &mut self,
        leg: Leg,
        ctx: &mut OnTimerContext<'_, String>,
        out: &mut Collector<'_, ClosedChain>,
    ) -> Result<()> {
        self.departures
            .modify(leg.origin.clone(), |n| *n.get_or_insert(0) += 1)?;
        let previous = self.last_leg.get()?;
        self.last_leg.update(leg.clone())?;
        let knocked_on_by = previous.filter(|p| {
            p.arr_delay.is_some_and(|late| late >= LATE_MINUTES)
                && leg.dep_delay >= LATE_MINUTES
                && leg.scheduled_ms - p.scheduled_ms <= SILENCE_MS
        });
        let Some(previous) = knocked_on_by else {
            return self.close(ctx, out, ClosedBy::Recovery);
        };
        let closes_ms = leg.scheduled_ms + SILENCE_MS;
        let closed_before = self.chain.modify(|chain| match chain {
            Some(running) => {
                running.legs.push(leg);
                Some(std::mem::replace(&mut running.closes_ms, closes_ms))
            }
            None => {
                *chain = Some(RunningChain {
                    legs: vec![previous, leg],
                    closes_ms,
                });
                None
            }
        })?;
        if let Some(before) = closed_before {
            self.forget_timer(before, ctx)?;
        }
        ctx.timer_service().register_event_time_timer(closes_ms)
    }

    fn close(
        &mut self,
        ctx: &mut OnTimerContext<'_, String>,
        out: &mut Collector<'_, ClosedChain>,
        closed_by: ClosedBy,
    ) -> Result<()> {
        let Some(chain) = self.chain.get()? else {
            return Ok(());
        };
        self.chain.clear()?;
        self.forget_timer(chain.closes_ms, ctx)?;
        let (Some(first), Some(last)) = (chain.legs.first(), chain.legs.last()) else {
            return Ok(());
        };
        out.collect(ClosedChain {
            tailnum: ctx.current_key().clone(),
            model: self.models.get(ctx.current_key())?,
            airline: self
                .airlines
                .get(&first.carrier)?
                .unwrap_or_else(|| first.carrier.clone()),
            legs: chain.legs.len(),
            first_departure: show_time(first.scheduled_ms),
            last_departure: show_time(last.scheduled_ms),
            route: chain.legs.iter().map(closed_leg).collect(),
            departure_delay_minutes: chain.legs.iter().map(|l| i64::from(l.dep_delay)).sum(),
            departures_by_airport: self.departures.entries()?.into_iter().collect(),
            closed_by,
        });
        Ok(())
    }

    /// Deletes the timer of a chain's end, unless a leg waits for the same moment.
    fn forget_timer(&self, at_ms: i64, ctx: &mut OnTimerContext<'_, String>) -> Result<()> {
        if self.waiting.contains(&at_ms)? {
            return Ok(());
        }
        ctx.timer_service().delete_event_time_timer(at_ms)
    }
}

fn closed_leg(leg: &Leg) -> ClosedLeg {
    ClosedLeg {
        flight: format!("{}{}", leg.carrier, leg.flight),
        from: leg.origin.clone(),
        to: leg.dest.clone(),
        dep_delay: leg.dep_delay,
        arr_delay: leg.arr_delay,
    }
}
