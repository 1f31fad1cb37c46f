//! The keyed count with a checkpoint every second and with none, in turns.

use super::{median, with_folder};
use crate::engine::keyed_count;
use millpond::prelude::*;

const RECORDS: u64 = 30_000_000;
const ROUNDS: usize = 3;

pub(super) fn run(suite: &str, options: &[(&str, &str)]) -> Result<()> {
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(rate(options, None)?);
        with.push(rate(options, Some(Duration::from_secs(1)))?);
    }
    let (with, without) = (median(with), median(without));
    println!("{suite} keyed_count_without {without:.0}");
    println!("{suite} keyed_count_every_second {with:.0}");
    println!(
        "# {suite}: a checkpoint every second costs {:.1} %",
        (1.0 - with / without) * 100.0
    );
    Ok(())
}

/// Records a second.
fn rate(options: &[(&str, &str)], interval: Option<Duration>) -> Result<f64> {
    with_folder(options, |env| {
        if let Some(interval) = interval {
            env.enable_checkpointing(interval);
        }
        let result = keyed_count(env, RECORDS)?;
        Ok(RECORDS as f64 * 1000.0 / result.net_runtime_ms.max(1) as f64)
    })
}
