//! The pipeline: two streams of flights by key, names beside them, findings into files.

use crate::carriers::Carriers;
use crate::knock_on::KnockOn;
use crate::model::{AirlineRow, FlightRow, PlaneRow, Reference};
use clap::Args;
use millpond::connectors::MalformedRows;
use millpond::core::host;
use millpond::prelude::*;
use std::path::PathBuf;

/// Within a day rows are sorted by actual, not by scheduled departure, and those of cancelled flights come last: so a row
/// can come a day after others of its schedule. An hour more for the change of the clocks.
const OUT_OF_ORDER: Duration = Duration::from_secs(25 * 3600);

/// Options of the flights job.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Flights")]
pub struct FlightsArgs {
    /// The folder with the data set.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/data"))]
    pub data: PathBuf,

    /// Where the findings go.
    #[arg(long, value_name = "DIR", default_value = "out/flights/findings")]
    pub output: PathBuf,

    /// Fail at a row that can't be read, instead of counting and skipping it.
    #[arg(long)]
    pub fail_on_malformed: bool,

    /// Slow the job down: the most flights that one source task reads a second.
    #[arg(long, value_name = "N")]
    pub throttle: Option<u64>,
}

/// Builds the job.
pub fn build(env: &StreamExecutionEnvironment, args: &FlightsArgs) -> Result<()> {
    let malformed = if args.fail_on_malformed {
        MalformedRows::Fail
    } else {
        MalformedRows::Skip
    };

    let event_time = WatermarkStrategy::for_bounded_out_of_orderness(OUT_OF_ORDER)
        .with_timestamp_assigner(|row: &FlightRow, _| row.scheduled_ms());
    let source = FileSource::csv::<FlightRow>(args.data.join("flights")).malformed_rows(malformed);
    let mut flights = env.from_source(source, event_time, "flights").uid("flights");
    if let Some(per_second) = args.throttle {
        flights = flights.map(move |row| throttle(row, per_second)).name("throttle");
    }

    let airlines = FileSource::csv::<AirlineRow>(args.data.join("airlines.csv")).malformed_rows(malformed);
    let airlines = env
        .from_source(airlines, WatermarkStrategy::no_watermarks(), "airlines")
        .uid("airlines")
        .set_parallelism(1)
        .map(Reference::from)
        .set_parallelism(1);
    let planes = FileSource::csv::<PlaneRow>(args.data.join("planes.csv")).malformed_rows(malformed);
    let planes = env
        .from_source(planes, WatermarkStrategy::no_watermarks(), "planes")
        .uid("planes")
        .set_parallelism(1)
        .map(Reference::from)
        .set_parallelism(1);
    let names = airlines.union(&[&planes]).broadcast();

    flights
        .flat_map(|row: FlightRow, out| {
            out.collect_all(row.leg());
            Ok(())
        })
        .name("legs")
        .key_by(|leg| leg.tailnum.clone())
        .connect(&names)
        .process(KnockOn::default)
        .name("knock-on delays")
        .uid("knock-on")
        .sink_to(FileSink::json_lines(args.output.join("chains")))
        .name("chains")
        .uid("chains");

    flights
        .map(|row: FlightRow| row.departure())
        .name("departures")
        .key_by(|departure| departure.carrier.clone())
        .process(Carriers::default)
        .name("carriers")
        .uid("carriers")
        .sink_to(FileSink::json_lines(args.output.join("carriers")))
        .name("carrier reports")
        .uid("carrier-reports");
    Ok(())
}

fn throttle(row: FlightRow, per_second: u64) -> FlightRow {
    host::sleep(Duration::from_nanos(1_000_000_000 / per_second.max(1)));
    row
}
