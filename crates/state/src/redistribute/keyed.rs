//! Keyed state: whoever owns a key group gets the handles that hold it.

use crate::handle::KeyedStateHandle;
use millpond_types::key_group::key_group_range_for_operator;

/// The keyed state of each of `new_parallelism` instances, from the handles of all old instances: those whose key groups
/// intersect the instance's own. A handle may go to several instances, each of which restores only what it owns.
///
/// `new_parallelism` is at most `max_parallelism`, which has not changed (trusted; the coordinator refuses a job otherwise).
pub fn redistribute_keyed_state(
    old: &[Vec<KeyedStateHandle>],
    new_parallelism: u32,
    max_parallelism: u32,
) -> Vec<Vec<KeyedStateHandle>> {
    (0..new_parallelism)
        .map(|index| {
            let own = key_group_range_for_operator(max_parallelism, new_parallelism, index);
            old.iter()
                .flatten()
                .filter(|handle| handle.range().intersection(&own).is_some())
                .cloned()
                .collect()
        })
        .collect()
}
