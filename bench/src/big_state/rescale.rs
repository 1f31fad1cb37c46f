//! Two instances become three, and three become two. Each instance has a thread, as its task would; they restore at the same
//! time.

use super::instance::{Instance, Place};
use super::keys::{Dataset, Values, key_group};
use super::{MAX_PARALLELISM, Suite};
use millpond_core::{CheckpointId, Error, Result, host};
use millpond_state::handle::KeyedStateHandle;
use millpond_state::redistribute::redistribute_keyed_state;
use millpond_types::KeyGroupRange;
use millpond_types::key_group::key_group_range_for_operator;
use std::sync::{Arc, Barrier};

/// The handles of a checkpoint, by instance.
type Handles = Vec<Vec<KeyedStateHandle>>;

pub(super) fn run(suite: &Suite) -> Result<()> {
    let place = Place::new(suite.kind, &suite.scratch, "rescale")?;
    let (two, _) = generation(&place, suite.dataset, 2, None, 1)?;
    let (three, nanos) = generation(&place, suite.dataset, 3, Some((two, 1)), 2)?;
    suite.print_ms("rescale_2_to_3", nanos);
    let (_, nanos) = generation(&place, suite.dataset, 2, Some((three, 2)), 3)?;
    suite.print_ms("rescale_3_to_2", nanos);
    Ok(())
}

/// What a thread does with its instance: comes up, from a checkpoint or filling itself, and takes checkpoint `next`.
struct Task {
    place: Place,
    dataset: Dataset,
    range: KeyGroupRange,
    from: Option<(Vec<KeyedStateHandle>, CheckpointId)>,
    next: CheckpointId,
    /// Where all meet when they have processed a record: no checkpoint is taken while one still restores.
    all_up: Arc<Barrier>,
}

/// Runs `parallelism` instances until each has taken checkpoint `next`. Answers their handles, and after how many
/// nanoseconds all had processed a record.
fn generation(
    place: &Place,
    dataset: Dataset,
    parallelism: u32,
    from: Option<(Handles, CheckpointId)>,
    next: CheckpointId,
) -> Result<(Handles, u64)> {
    let mut assigned = from.map(|(old, id)| {
        (
            redistribute_keyed_state(&old, parallelism, MAX_PARALLELISM).into_iter(),
            id,
        )
    });
    let all_up = Arc::new(Barrier::new(parallelism as usize));
    let start = place.now();
    let mut threads = Vec::new();
    for index in 0..parallelism {
        let task = Task {
            place: place.clone(),
            dataset,
            range: key_group_range_for_operator(MAX_PARALLELISM, parallelism, index),
            from: assigned
                .as_mut()
                .map(|(handles, id)| (handles.next().unwrap_or_default(), *id)),
            next,
            all_up: Arc::clone(&all_up),
        };
        threads.push(host::spawn(format!("instance-{index}"), move || task.run())?);
    }
    let (mut handles, mut up) = (Vec::new(), 0);
    for thread in threads {
        let (handle, at) = thread
            .join()
            .map_err(|_| Error::illegal_state("run benchmarks", "a thread panicked"))??;
        handles.push(vec![handle]);
        up = up.max(at);
    }
    Ok((handles, up.saturating_sub(start)))
}

impl Task {
    /// The handle of the checkpoint, and when the first record had been processed.
    fn run(&self) -> Result<(KeyedStateHandle, u64)> {
        let up = self.bring_up();
        self.all_up.wait();
        let (mut instance, at) = up?;
        Ok((instance.checkpoint(self.next)?.handle, at))
    }

    fn bring_up(&self) -> Result<(Instance, u64)> {
        let (handles, id) = self.from.clone().unwrap_or((Vec::new(), self.next));
        let instance = Instance::open(&self.place, self.range, &handles, id)?;
        if self.from.is_none() {
            instance.update(0..self.dataset.keys, &mut Values::new(7))?;
        }
        let own = (0..self.dataset.keys).find(|key| self.range.contains(key_group(*key)));
        let own = own.ok_or_else(|| Error::illegal_state("run benchmarks", "an instance without keys"))?;
        instance.process(own, Values::new(0).next())?;
        Ok((instance, self.place.now()))
    }
}
