//! One instance with the whole state: its first checkpoint, those after one percent has changed, and a restore.

use super::instance::{Checkpoint, Instance, Place};
use super::keys::{Percent, Values};
use super::{MAX_PARALLELISM, Suite};
use millpond_core::{CheckpointId, Result, host};
use millpond_types::KeyGroupRange;
use std::time::Duration;

/// RocksDB goes on compacting what was written to fill the state. Checkpoints are taken, with this pause before each and at
/// most so many, until one adds less than a hundredth: what those after it add comes from the changes between them.
const SETTLE_PAUSE: Duration = Duration::from_secs(2);
const SETTLE_MAX: usize = 30;

pub(super) fn run(suite: &Suite) -> Result<()> {
    let place = Place::new(suite.kind, &suite.scratch, "checkpoints")?;
    let range = KeyGroupRange::new(0, MAX_PARALLELISM - 1)?;
    let mut instance = Instance::open(&place, range, &[], 1)?;
    instance.update(0..suite.dataset.keys, &mut Values::new(7))?;
    let mut id: CheckpointId = 1;
    let mut last = instance.checkpoint(id)?;
    print(suite, "checkpoint", &last);
    let small = last.bytes / 100;
    for _ in 0..SETTLE_MAX {
        host::sleep(SETTLE_PAUSE);
        id += 1;
        last = instance.checkpoint(id)?;
        if last.bytes <= small {
            break;
        }
    }
    println!("# {} settled after {} checkpoints", suite.name, id - 1);
    for (name, percent) in Percent::ALL {
        id += 1;
        let keys = suite.dataset.percent(percent);
        instance.update(keys.into_iter(), &mut Values::new(id))?;
        last = instance.checkpoint(id)?;
        print(suite, name, &last);
    }
    drop(instance);

    let value = Values::new(0).next();
    let start = place.now();
    let restored = Instance::open(&place, range, &[last.handle], id)?;
    restored.process(0, value)?;
    suite.print_ms("restore", place.now().saturating_sub(start));
    Ok(())
}

fn print(suite: &Suite, name: &str, checkpoint: &Checkpoint) {
    suite.print_ms(&format!("{name}_sync"), checkpoint.sync_nanos);
    suite.print_ms(&format!("{name}_async"), checkpoint.async_nanos);
    suite.print_mb(name, checkpoint.bytes);
}
