//! What flows through the job: rows of the data set, legs of an aircraft, and what the job finds.

use millpond::StateType;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;

/// A row of the flights table. `NA` is `None`.
#[derive(Clone, Debug, Deserialize)]
pub struct FlightRow {
    /// Minutes late at departure; none for a cancelled flight.
    #[serde(deserialize_with = "na")]
    pub dep_delay: Option<i32>,
    /// Minutes late at arrival; none for a cancelled or diverted flight.
    #[serde(deserialize_with = "na")]
    pub arr_delay: Option<i32>,
    /// Actual departure, local HHMM; none for a cancelled flight.
    #[serde(deserialize_with = "na")]
    pub dep_time: Option<i32>,
    /// The carrier's code.
    pub carrier: String,
    /// The flight number.
    pub flight: i32,
    /// The aircraft; some rows have none.
    #[serde(deserialize_with = "na")]
    pub tailnum: Option<String>,
    /// Where it left.
    pub origin: String,
    /// Where it went.
    pub dest: String,
    /// Scheduled minute of departure.
    pub minute: i64,
    /// Scheduled hour of departure, UTC.
    #[serde(deserialize_with = "hour_ms")]
    pub time_hour: i64,
}

impl FlightRow {
    /// Scheduled departure in milliseconds since the epoch: the row's event time.
    pub fn scheduled_ms(&self) -> i64 {
        self.time_hour + self.minute * 60_000
    }

    /// The row as a leg of its aircraft: none when the flight was cancelled or the aircraft is unknown.
    pub fn leg(&self) -> Option<Leg> {
        self.dep_time?;
        Some(Leg {
            tailnum: self.tailnum.clone()?,
            scheduled_ms: self.scheduled_ms(),
            carrier: self.carrier.clone(),
            flight: self.flight,
            origin: self.origin.clone(),
            dest: self.dest.clone(),
            dep_delay: self.dep_delay.unwrap_or(0),
            arr_delay: self.arr_delay,
        })
    }

    /// What the carrier's report counts of it.
    pub fn departure(&self) -> Departure {
        Departure {
            carrier: self.carrier.clone(),
            origin: self.origin.clone(),
            arr_delay: self.arr_delay,
            cancelled: self.dep_time.is_none(),
            unknown_aircraft: self.tailnum.is_none(),
        }
    }
}

/// A flight that took place, of a known aircraft.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, StateType)]
pub struct Leg {
    /// Scheduled departure, milliseconds since the epoch.
    pub scheduled_ms: i64,
    /// The flight number.
    pub flight: i32,
    /// The carrier's code.
    pub carrier: String,
    /// Where it left.
    pub origin: String,
    /// Where it went.
    pub dest: String,
    /// Minutes late at departure.
    pub dep_delay: i32,
    /// Minutes late at arrival; none if it was diverted.
    pub arr_delay: Option<i32>,
    /// The aircraft.
    pub tailnum: String,
}

/// A chain of late legs while it runs.
#[derive(Clone, Debug, PartialEq, StateType)]
pub struct RunningChain {
    /// Its legs so far, at least two.
    pub legs: Vec<Leg>,
    /// When it closes if no leg continues it, milliseconds since the epoch.
    pub closes_ms: i64,
}

/// A row as the carrier's report sees it.
#[derive(Clone, Debug)]
pub struct Departure {
    /// The carrier's code.
    pub carrier: String,
    /// Where it left or should have left.
    pub origin: String,
    /// Minutes late at arrival, if it arrived where it should.
    pub arr_delay: Option<i32>,
    /// Whether it never left.
    pub cancelled: bool,
    /// Whether the row names no aircraft.
    pub unknown_aircraft: bool,
}

/// Names that go with codes: the broadcast side of the job.
#[derive(Clone, Debug)]
pub enum Reference {
    /// A carrier's name.
    Airline {
        /// The carrier's code.
        carrier: String,
        /// Its name.
        name: String,
    },
    /// An aircraft's model.
    Plane {
        /// The aircraft.
        tailnum: String,
        /// Manufacturer and model.
        model: String,
    },
}

/// A row of the airlines table.
#[derive(Clone, Debug, Deserialize)]
pub struct AirlineRow {
    carrier: String,
    name: String,
}

/// A row of the planes table.
#[derive(Clone, Debug, Deserialize)]
pub struct PlaneRow {
    tailnum: String,
    manufacturer: String,
    model: String,
}

impl From<AirlineRow> for Reference {
    fn from(row: AirlineRow) -> Self {
        Reference::Airline {
            carrier: row.carrier,
            name: row.name,
        }
    }
}

impl From<PlaneRow> for Reference {
    fn from(row: PlaneRow) -> Self {
        Reference::Plane {
            tailnum: row.tailnum,
            model: format!("{} {}", row.manufacturer, row.model),
        }
    }
}

/// A chain that has closed: one line of the job's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClosedChain {
    /// The aircraft.
    pub tailnum: String,
    /// Its manufacturer and model; none where the planes table doesn't have it.
    pub model: Option<String>,
    /// The name of the carrier that flew the first leg.
    pub airline: String,
    /// How many legs.
    pub legs: usize,
    /// Scheduled departure of the first leg, UTC.
    pub first_departure: String,
    /// Scheduled departure of the last leg, UTC.
    pub last_departure: String,
    /// The legs: flight number, from, to, minutes late at departure and arrival.
    pub route: Vec<ClosedLeg>,
    /// Minutes late at departure, over all legs.
    pub departure_delay_minutes: i64,
    /// The aircraft's departures of the year so far, by airport.
    pub departures_by_airport: BTreeMap<String, i64>,
    /// Why it closed.
    pub closed_by: ClosedBy,
}

/// A leg of a closed chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClosedLeg {
    /// Carrier and flight number.
    pub flight: String,
    /// Where it left.
    pub from: String,
    /// Where it went.
    pub to: String,
    /// Minutes late at departure.
    pub dep_delay: i32,
    /// Minutes late at arrival; none if it was diverted.
    pub arr_delay: Option<i32>,
}

/// Why a chain closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// The aircraft left (nearly) on time, or its last leg had arrived so.
    Recovery,
    /// No leg came for 24 hours.
    Silence,
}

/// What the job says about one carrier at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CarrierReport {
    /// The carrier's code.
    pub carrier: String,
    /// Rows of the data set.
    pub flights: i64,
    /// Of them, cancelled.
    pub cancelled: i64,
    /// Of them, left but not known to have arrived: diverted.
    pub diverted: i64,
    /// Of them, without an aircraft, so part of no chain.
    pub unknown_aircraft: i64,
    /// Mean minutes late at arrival; none if no flight arrived.
    pub mean_arrival_delay: Option<f64>,
    /// Rows by airport of departure.
    pub by_airport: BTreeMap<String, i64>,
}

fn na<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text = <&str>::deserialize(deserializer)?;
    if text == "NA" || text.is_empty() {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|e| serde::de::Error::custom(format!("{text:?}: {e}")))
}

fn hour_ms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = <&str>::deserialize(deserializer)?;
    let hour: jiff::Timestamp = text
        .parse()
        .map_err(|e| serde::de::Error::custom(format!("{text:?}: {e}")))?;
    Ok(hour.as_millisecond())
}

/// A time as people read it, UTC to the minute.
pub fn show_time(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(t) => t.strftime("%Y-%m-%d %H:%MZ").to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,\
                          tailnum,origin,dest,air_time,distance,hour,minute,time_hour\n";

    fn row(line: &str) -> Result<FlightRow, csv::Error> {
        csv::Reader::from_reader(format!("{HEADER}{line}\n").as_bytes())
            .deserialize()
            .next()
            .unwrap()
    }

    #[test]
    fn a_row_gives_its_event_time_and_its_leg() {
        let r =
            row("2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z")
                .unwrap();
        assert_eq!(show_time(r.scheduled_ms()), "2013-01-01 10:15Z");
        let leg = r.leg().unwrap();
        assert_eq!(
            (leg.tailnum.as_str(), leg.dep_delay, leg.arr_delay),
            ("N14228", 2, Some(11))
        );
    }

    #[test]
    fn cancelled_and_unknown_rows_are_no_legs_but_are_counted() {
        let r = row("2013,1,1,NA,1630,NA,NA,1815,NA,EV,4308,NA,EWR,RDU,NA,416,16,30,2013-01-01T21:00:00Z")
            .unwrap();
        assert!(r.leg().is_none());
        assert!(r.departure().cancelled && r.departure().unknown_aircraft);
    }

    #[test]
    fn nonsense_is_an_error_that_shows_the_text() {
        let e = row("2013,1,1,5x7,515,2,830,819,11,UA,1545,N1,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z")
            .unwrap_err();
        assert!(e.to_string().contains("5x7"), "{e}");
    }
}
