//! The comparison itself: which rows stand against which, their ratios and the geometric mean of these.
//!
//! Flink's rows set the list, so that nothing we lose or lack drops out. A suite of ours named `<backend>_<variant>` that Flink
//! doesn't have (a backend with other options, say) stands against Flink's `<backend>`.
//!
//! Numbers are rates unless the operation's name ends with another unit ([`Unit`]). Ratios always say how many times better ours
//! is: of rates the larger number is, of time and space the smaller one.

use super::measurements::Measurements;
use std::fmt::{self, Display, Formatter};

/// What is printed, in order.
#[derive(Debug, PartialEq)]
pub struct Table {
    rows: Vec<Compared>,
    geomeans: Vec<(String, Option<f64>)>,
}

#[derive(Debug, PartialEq)]
struct Compared {
    suite: String,
    operation: String,
    ours: Option<f64>,
    flink: f64,
}

/// What a row's numbers are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Unit {
    /// Operations a second.
    Rate,
    /// Milliseconds (`_ms`) or megabytes (`_mb`).
    Cost,
}

impl Unit {
    fn of(operation: &str) -> Self {
        if operation.ends_with("_ms") || operation.ends_with("_mb") {
            Unit::Cost
        } else {
            Unit::Rate
        }
    }

    /// How many decimals say enough: a phase may take less than a millisecond.
    fn decimals(self) -> usize {
        match self {
            Unit::Rate => 0,
            Unit::Cost => 1,
        }
    }
}

impl Compared {
    fn unit(&self) -> Unit {
        Unit::of(&self.operation)
    }

    fn ratio(&self) -> Option<f64> {
        self.ours.map(|ours| match self.unit() {
            Unit::Rate => ours / self.flink,
            Unit::Cost => self.flink / ours,
        })
    }
}

/// Sets ours against Flink's; a ratio above 1 is a gain.
pub fn compare(ours: &Measurements, flink: &Measurements) -> Table {
    let mut rows = Vec::new();
    let mut geomeans = Vec::new();
    for flink_suite in suites(flink) {
        let mut against = variants(flink_suite, ours, flink);
        if against.is_empty() {
            // Nothing of ours: Flink's rows stand alone.
            against.push(flink_suite);
        }
        for suite in against {
            let compared: Vec<Compared> = flink
                .rows()
                .iter()
                .filter(|row| row.0 == flink_suite)
                .filter_map(|(_, operation)| {
                    Some(Compared {
                        suite: suite.to_owned(),
                        operation: operation.clone(),
                        ours: ours.median(suite, operation),
                        flink: flink.median(flink_suite, operation)?,
                    })
                })
                .collect();
            // A mean over seconds, bytes and rates would say nothing.
            let alike = compared.iter().all(|row| row.unit() == Unit::Rate);
            if compared.len() > 1 && alike {
                geomeans.push((suite.to_owned(), geomean(&compared)));
            }
            rows.extend(compared);
        }
    }
    Table { rows, geomeans }
}

/// The suites in the order of first appearance.
fn suites(measurements: &Measurements) -> Vec<&str> {
    let mut suites: Vec<&str> = Vec::new();
    for (suite, _) in measurements.rows() {
        if !suites.contains(&suite.as_str()) {
            suites.push(suite);
        }
    }
    suites
}

/// Our suites that stand against a suite of Flink's: the one of that name, and variants that Flink doesn't have itself.
fn variants<'a>(flink_suite: &str, ours: &'a Measurements, flink: &Measurements) -> Vec<&'a str> {
    let flink_suites = suites(flink);
    suites(ours)
        .into_iter()
        .filter(|suite| {
            let variant = suite
                .strip_prefix(flink_suite)
                .is_some_and(|rest| rest.starts_with('_'));
            *suite == flink_suite || (variant && !flink_suites.contains(suite))
        })
        .collect()
}

/// The geometric mean of the ratios of all rows that have one; none when no row has.
fn geomean(rows: &[Compared]) -> Option<f64> {
    let logarithms: Vec<f64> = rows.iter().filter_map(Compared::ratio).map(f64::ln).collect();
    let sum: f64 = logarithms.iter().sum();
    (!logarithms.is_empty()).then(|| (sum / logarithms.len() as f64).exp())
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut marked = "";
        for row in &self.rows {
            if row.unit() == Unit::Cost && marked != row.suite {
                marked = &row.suite;
                writeln!(
                    f,
                    "# {marked}: milliseconds (_ms) and megabytes (_mb), lower is better"
                )?;
            }
            let Compared {
                suite,
                operation,
                flink,
                ..
            } = row;
            let decimals = row.unit().decimals();
            let ours = number(row.ours, decimals);
            let ratio = number(row.ratio(), 2);
            writeln!(f, "{suite} {operation} {ours} {flink:.decimals$} {ratio}")?;
        }
        for (suite, ratio) in &self.geomeans {
            writeln!(f, "geomean {suite} {}", number(*ratio, 2))?;
        }
        Ok(())
    }
}

fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(ours: &str, flink: &str) -> String {
        let (mut left, mut right) = (Measurements::default(), Measurements::default());
        left.add(ours).unwrap();
        right.add(flink).unwrap();
        compare(&left, &right).to_string()
    }

    /// Goal: lost rows stand there and weigh as much as won ones. Method: four times faster and four times slower: on average equal.
    #[test]
    fn lost_rows_stay_and_count() {
        let table = compared(
            "hashmap get 400\nhashmap put 25",
            "hashmap get 100\nhashmap put 100",
        );
        assert_eq!(
            table,
            "hashmap get 400 100 4.00\nhashmap put 25 100 0.25\ngeomean hashmap 1.00\n"
        );
    }

    /// Goal: what one side lacks distorts nothing. Method: a row only ours, one only Flink's, and a suite only Flink's.
    #[test]
    fn rows_of_one_side_are_left_out_of_the_mean() {
        let table = compared(
            "hashmap get 800\nhashmap snapshot_sync_5m 0.2",
            "hashmap get 100\nhashmap put 100\nrocksdb get 5\nrocksdb put 6",
        );
        assert_eq!(
            table,
            "hashmap get 800 100 8.00\nhashmap put - 100 -\nrocksdb get - 5 -\nrocksdb put - 6 -\n\
             geomean hashmap 8.00\ngeomean rocksdb -\n"
        );
    }

    /// Goal: configurations of ours stand against Flink's one. Method: two variants, and a suite of Flink's that looks like one.
    #[test]
    fn variants_of_a_backend_stand_against_that_backend() {
        let table = compared(
            "engine count 9\nrocksdb get 10\nrocksdb_uniform get 6\nengine_rocksdb count 8\nrocksdbx get 1",
            "engine count 3\nengine_rocksdb count 2\nrocksdb get 4",
        );
        assert_eq!(
            table,
            "engine count 9 3 3.00\nengine_rocksdb count 8 2 4.00\nrocksdb get 10 4 2.50\nrocksdb_uniform get 6 4 1.50\n"
        );
    }

    /// Goal: where less is better a ratio above 1 is a gain too, and nobody takes such a row for a rate. Method: half the time,
    /// twice the bytes, and a rate whose name only looks like one.
    #[test]
    fn of_time_and_space_less_is_better() {
        let table = compared(
            "big restore_ms 50.25\nbig checkpoint_mb 200\nbig alarms 4",
            "big restore_ms 100.5\nbig checkpoint_mb 100\nbig alarms 2",
        );
        assert_eq!(
            table,
            "# big: milliseconds (_ms) and megabytes (_mb), lower is better\n\
             big restore_ms 50.2 100.5 2.00\nbig checkpoint_mb 200.0 100.0 0.50\nbig alarms 4 2 2.00\n"
        );
    }
}
