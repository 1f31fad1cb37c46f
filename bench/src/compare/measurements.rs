//! What benches printed: a list of numbers for every operation of every suite, in the order of first appearance.
//!
//! The format is that of `millpond-bench`: `<suite> <operation> <number>`, a line each; empty lines and those that start with `#`
//! are remarks.

use millpond_core::hash::HashMap;
use millpond_core::{Error, ErrorKind, Result};

const OPERATION: &str = "read benchmark results";

/// Suite and operation.
pub type Row = (String, String);

/// The numbers of one side.
#[derive(Debug, Default)]
pub struct Measurements {
    order: Vec<Row>,
    numbers: HashMap<Row, Vec<f64>>,
}

impl Measurements {
    /// Reads result files; an operation that stands in several has several numbers.
    ///
    /// # Errors
    /// `Io` for a file that can't be read, `BadRecord` for a line that is neither result nor remark.
    pub fn read(files: &[String]) -> Result<Self> {
        let mut measurements = Measurements::default();
        for file in files {
            let text =
                std::fs::read_to_string(file).map_err(|e| Error::io(OPERATION, e).with("file", file))?;
            measurements
                .add(&text)
                .map_err(|error| error.with("file", file))?;
        }
        Ok(measurements)
    }

    /// Takes in the lines of `text`.
    pub fn add(&mut self, text: &str) -> Result<()> {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (row, value) = result(line).ok_or_else(|| {
                Error::new(ErrorKind::BadRecord, OPERATION, "a line that is no result")
                    .with("line_number", number + 1)
                    .with("line", line)
                    .hint("results are `<suite> <operation> <number>` with a number above 0")
            })?;
            let known = self.numbers.entry(row.clone()).or_default();
            if known.is_empty() {
                self.order.push(row);
            }
            known.push(value);
        }
        Ok(())
    }

    /// All rows in the order of first appearance.
    pub fn rows(&self) -> &[Row] {
        &self.order
    }

    /// The median of a row's numbers, of an even count the mean of the middle two.
    pub fn median(&self, suite: &str, operation: &str) -> Option<f64> {
        let row = (suite.to_owned(), operation.to_owned());
        let mut numbers = self.numbers.get(&row)?.clone();
        numbers.sort_by(f64::total_cmp);
        let upper = *numbers.get(numbers.len() / 2)?;
        let lower = *numbers.get((numbers.len() - 1) / 2)?;
        Some(f64::midpoint(lower, upper))
    }
}

fn result(line: &str) -> Option<(Row, f64)> {
    let mut words = line.split_whitespace();
    let row = (words.next()?.to_owned(), words.next()?.to_owned());
    let value: f64 = words.next()?.parse().ok()?;
    let valid = words.next().is_none() && value.is_finite() && value > 0.0;
    valid.then_some((row, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: rounds that were run in turn give one number. Method: three rounds and two, the outlier in either place.
    #[test]
    fn the_median_of_all_rounds_counts() {
        let mut measurements = Measurements::default();
        for text in ["s a 10\ns b 2", "# remark\n\ns a 9000\n", "s  a 20\n s b 4"] {
            measurements.add(text).unwrap();
        }
        assert_eq!(measurements.median("s", "a"), Some(20.0));
        assert_eq!(measurements.median("s", "b"), Some(3.0));
        assert_eq!(measurements.median("s", "c"), None);
        let rows: Vec<&str> = measurements.rows().iter().map(|row| row.1.as_str()).collect();
        assert_eq!(rows, ["a", "b"]);
    }

    /// Goal: a stack trace among the results never passes for one. Method: lines that are nearly results.
    #[test]
    fn lines_that_are_no_results_are_refused_with_their_number() {
        for line in [
            "s a", "s a 1 2", "s a fast", "s a 0", "s a -1", "s a NaN", "s a inf",
        ] {
            let error = Measurements::default()
                .add(&format!("s a 1\n{line}"))
                .unwrap_err();
            assert_eq!(error.context("line_number"), Some("2"), "{line}");
        }
    }

    /// Goal: a missing file is named. Method: read one that isn't there.
    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Measurements::read(&["no/such/results".to_owned()]).unwrap_err();
        assert_eq!(error.context("file"), Some("no/such/results"));
    }
}
