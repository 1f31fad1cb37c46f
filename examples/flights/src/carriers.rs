//! Counts and mean delays by carrier, told once at the end of the data.

use crate::model::{CarrierReport, Departure};
use millpond::prelude::*;

/// The mean of whole minutes.
#[derive(Clone, Debug, Default)]
pub struct MeanDelay;

impl AggregateFunction for MeanDelay {
    type In = i32;
    /// Sum and number.
    type Acc = (i64, i64);
    type Out = f64;

    fn create_accumulator(&self) -> (i64, i64) {
        (0, 0)
    }
    fn add(&self, minutes: i32, (sum, n): &mut (i64, i64)) {
        *sum += i64::from(minutes);
        *n += 1;
    }
    fn get_result(&self, (sum, n): &(i64, i64)) -> f64 {
        *sum as f64 / (*n).max(1) as f64
    }
    fn merge(&self, (sum, n): &mut (i64, i64), other: (i64, i64)) {
        *sum += other.0;
        *n += other.1;
    }
}

/// Rows of a carrier that need a mention.
#[derive(Clone, Debug, Default, StateType)]
struct Tally {
    flights: i64,
    cancelled: i64,
    diverted: i64,
    unknown_aircraft: i64,
}

/// Reports on each carrier at the end of the data.
#[derive(Default)]
pub struct Carriers {
    tally: ValueState<Tally>,
    mean_delay: AggregatingState<MeanDelay>,
    by_airport: MapState<String, i64>,
}

/// The last moment of event time: only the end of the data reaches it.
const END_OF_DATA: i64 = i64::MAX;

impl KeyedProcessFunction for Carriers {
    type Key = String;
    type In = Departure;
    type Out = CarrierReport;

    fn open(&mut self, ctx: &mut RuntimeContext<'_, String>) -> Result<()> {
        self.tally = ctx.state(ValueStateDescriptor::new("tally"))?;
        self.mean_delay = ctx.aggregating_state(AggregatingStateDescriptor::new("mean-delay", MeanDelay))?;
        self.by_airport = ctx.map_state(MapStateDescriptor::new("by-airport"))?;
        Ok(())
    }

    fn process_element(
        &mut self,
        departure: Departure,
        ctx: &mut KeyedContext<'_, String>,
        _out: &mut Collector<'_, CarrierReport>,
    ) -> Result<()> {
        self.tally.modify(|tally| {
            let tally = tally.get_or_insert_default();
            tally.flights += 1;
            tally.cancelled += i64::from(departure.cancelled);
            tally.diverted += i64::from(!departure.cancelled && departure.arr_delay.is_none());
            tally.unknown_aircraft += i64::from(departure.unknown_aircraft);
        })?;
        if let Some(minutes) = departure.arr_delay {
            self.mean_delay.add(minutes)?;
        }
        self.by_airport
            .modify(departure.origin, |n| *n.get_or_insert(0) += 1)?;
        ctx.timer_service().register_event_time_timer(END_OF_DATA)
    }

    fn on_timer(
        &mut self,
        _at: i64,
        ctx: &mut OnTimerContext<'_, String>,
        out: &mut Collector<'_, CarrierReport>,
    ) -> Result<()> {
        let tally = self.tally.get()?.unwrap_or_default();
        out.collect(CarrierReport {
            carrier: ctx.current_key().clone(),
            flights: tally.flights,
            cancelled: tally.cancelled,
            diverted: tally.diverted,
            unknown_aircraft: tally.unknown_aircraft,
            mean_arrival_delay: self.mean_delay.get()?,
            by_airport: self.by_airport.entries()?.into_iter().collect(),
        });
        Ok(())
    }
}
