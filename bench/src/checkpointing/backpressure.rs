//! A checkpoint behind full queues: a sink takes a thousand records a second, its source makes as many as it can.

use super::{median, with_folder};
use millpond::prelude::*;
use millpond_core::Error;
use millpond_core::host::sleep;

const ROUNDS: usize = 3;

pub(super) fn run(suite: &str) -> Result<()> {
    // An aligned one takes as long as the queue: one is enough to see it.
    println!("{suite} aligned_ms {:.0}", one(false)?);
    let mut unaligned = Vec::new();
    for _ in 0..ROUNDS {
        unaligned.push(one(true)?);
    }
    println!("{suite} unaligned_ms {:.0}", median(unaligned));
    Ok(())
}

/// From the trigger to the completion of the first checkpoint, in milliseconds.
fn one(unaligned: bool) -> Result<f64> {
    with_folder(&[], |env| {
        env.set_parallelism(1);
        env.set_option("execution.checkpointing.unaligned.enabled", unaligned);
        let numbers = DataGeneratorSource::new(|i| i as i64, None);
        env.from_source(numbers, WatermarkStrategy::no_watermarks(), "numbers")
            .rebalance()
            .map(|n| {
                sleep(Duration::from_millis(1));
                n
            })
            .sink_to(DiscardingSink::new());
        let job = env.execute_async("backpressured")?;
        // Half a second fills the queue a hundred times over.
        sleep(Duration::from_millis(500));
        job.trigger_checkpoint().wait_for(Duration::from_secs(60))?;
        let took = job
            .details()
            .checkpoints
            .latest_completed
            .map(|c| c.end_to_end_ms);
        job.cancel();
        // It was cancelled, so this is an error.
        let _ = job.wait();
        took.map(|ms| ms as f64)
            .ok_or_else(|| Error::illegal_state("measure checkpoint", "none completed"))
    })
}
