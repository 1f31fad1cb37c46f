//! The table at the end: read back from what the job committed, so it says what a reader of the output would see.

use crate::model::{CarrierReport, ClosedChain, ClosedLeg};
use comfy_table::{Attribute, Cell, CellAlignment, Table, presets};
use millpond::prelude::*;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Flights in the data set, as its README says.
pub const FLIGHTS_EXPECTED: i64 = 336_776;

/// Everything that the job found.
pub struct Findings {
    /// The closed chains, longest first.
    pub chains: Vec<ClosedChain>,
    /// The carriers, the latest first.
    pub carriers: Vec<CarrierReport>,
}

impl Findings {
    /// Reads the committed files under `output`.
    ///
    /// # Errors
    /// Io when a file can't be read, Corrupt when a line isn't what the job writes.
    pub fn read(output: &Path) -> Result<Self> {
        let mut chains: Vec<ClosedChain> = read_lines(&output.join("chains"))?;
        chains.sort_by(|a, b| {
            let by_length = b
                .legs
                .cmp(&a.legs)
                .then(b.departure_delay_minutes.cmp(&a.departure_delay_minutes));
            by_length.then_with(|| (&a.tailnum, &a.first_departure).cmp(&(&b.tailnum, &b.first_departure)))
        });
        let mut carriers: Vec<CarrierReport> = read_lines(&output.join("carriers"))?;
        carriers.sort_by(|a, b| {
            let mean = |c: &CarrierReport| c.mean_arrival_delay.unwrap_or(f64::NEG_INFINITY);
            mean(b)
                .total_cmp(&mean(a))
                .then_with(|| a.carrier.cmp(&b.carrier))
        });
        Ok(Findings { chains, carriers })
    }

    /// The table, as text.
    pub fn table(&self, airlines: &BTreeMap<String, String>) -> String {
        let mut text = String::new();
        self.longest_chains(&mut text);
        self.carriers_by_delay(&mut text, airlines);
        self.totals(&mut text);
        text
    }

    fn longest_chains(&self, text: &mut String) {
        let mut table = table(&["legs", "aircraft", "model", "airline", "from", "late by", "route"]);
        for c in self.chains.iter().take(10) {
            let hours = format!(
                "{} h {:02} min",
                c.departure_delay_minutes / 60,
                c.departure_delay_minutes % 60
            );
            table.add_row(vec![
                right(c.legs),
                Cell::new(&c.tailnum),
                Cell::new(c.model.as_deref().unwrap_or("?")),
                Cell::new(&c.airline),
                Cell::new(&c.first_departure),
                right(hours),
                Cell::new(route(&c.route)),
            ]);
        }
        let _ = writeln!(
            text,
            "The longest chains of late departures ({} in all)\n{table}\n",
            self.chains.len()
        );
    }

    fn carriers_by_delay(&self, text: &mut String, airlines: &BTreeMap<String, String>) {
        let mut table = table(&[
            "",
            "carrier",
            "mean arrival delay",
            "flights",
            "cancelled",
            "diverted",
            "no aircraft",
        ]);
        for c in &self.carriers {
            let mean = c
                .mean_arrival_delay
                .map_or("-".to_string(), |m| format!("{m:+.1} min"));
            table.add_row(vec![
                Cell::new(&c.carrier),
                Cell::new(airlines.get(&c.carrier).map_or("?", String::as_str)),
                right(mean),
                right(thousands(c.flights)),
                right(thousands(c.cancelled)),
                right(thousands(c.diverted)),
                right(thousands(c.unknown_aircraft)),
            ]);
        }
        let _ = writeln!(text, "Carriers by mean arrival delay\n{table}\n");
    }

    fn totals(&self, text: &mut String) {
        let sum = |f: fn(&CarrierReport) -> i64| self.carriers.iter().map(f).sum::<i64>();
        let mut by_airport: BTreeMap<&str, i64> = BTreeMap::new();
        for (airport, n) in self.carriers.iter().flat_map(|c| &c.by_airport) {
            *by_airport.entry(airport).or_default() += n;
        }
        let airports: Vec<_> = by_airport
            .iter()
            .map(|(a, n)| format!("{a} {}", thousands(*n)))
            .collect();
        let flights = sum(|c| c.flights);
        let verdict = if flights == FLIGHTS_EXPECTED {
            "all of them"
        } else {
            "NOT the whole data set"
        };
        let _ = writeln!(
            text,
            "Flights counted: {} ({verdict}), of them {} cancelled, {} diverted, {} without an aircraft's number.\nBy airport: {}.",
            thousands(flights),
            thousands(sum(|c| c.cancelled)),
            thousands(sum(|c| c.diverted)),
            thousands(sum(|c| c.unknown_aircraft)),
            airports.join(", "),
        );
    }
}

/// The legs' destinations, with an origin where it changes: `EWR > TYS DTW, JFK > BOS`.
fn route(legs: &[ClosedLeg]) -> String {
    let mut text = String::new();
    let mut from = None;
    for leg in legs {
        if from != Some(&leg.from) {
            text.push_str(if from.is_some() { ", " } else { "" });
            text.push_str(&format!("{} >", leg.from));
            from = Some(&leg.from);
        }
        text.push_str(&format!(" {}", leg.to));
    }
    text
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(header.iter().map(|h| Cell::new(h).add_attribute(Attribute::Bold)));
    table
}

fn right(value: impl ToString) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}

fn thousands(n: i64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// Every line of every committed file in a folder; hidden files are not committed yet.
fn read_lines<T: DeserializeOwned>(folder: &Path) -> Result<Vec<T>> {
    let io = |e| Error::io("read output", e).with("path", folder.display());
    let mut rows = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if entry.file_name().to_string_lossy().starts_with('.') || !entry.path().is_file() {
            continue;
        }
        let file = std::fs::File::open(entry.path()).map_err(io)?;
        for line in BufReader::new(file).lines() {
            let line = line.map_err(io)?;
            rows.push(serde_json::from_str(&line).map_err(|e| {
                Error::corrupt("read output", "a line is not what the job writes")
                    .with("path", entry.path().display())
                    .source(e)
            })?);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (n, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (336_776, "336,776"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(n), text);
        }
    }
}
