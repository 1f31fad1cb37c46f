//! Which tasks have to be restarted together: those that are connected, by whatever way. Flink's
//! `RestartPipelinedRegionFailoverStrategy`; every channel here is pipelined.
//!
//! Pure: a job graph goes in, sets of tasks come out.

use super::deploy::task_ids;
use crate::graph::{Exchange, JobGraph};
use millpond_checkpoint::coordinator::TaskId;
use std::collections::{BTreeMap, BTreeSet};

/// The regions of a job: tasks of different regions share no channel, directly or by way of others.
pub(super) struct Regions {
    /// For each task, the number of its region.
    of: BTreeMap<TaskId, usize>,
}

impl Regions {
    /// The regions of `graph`.
    pub(super) fn of_graph(graph: &JobGraph) -> Self {
        let tasks: Vec<TaskId> = task_ids(graph).map(|(task, _)| task).collect();
        let parallelism = |vertex: usize| graph.vertices.get(vertex).map_or(0, |v| v.parallelism);
        let channels = graph.edges.iter().flat_map(|edge| {
            let (senders, receivers) = (parallelism(edge.source), parallelism(edge.target));
            let forward = edge.exchange == Exchange::Forward;
            let task = |vertex: usize, subtask| TaskId {
                vertex: vertex as u32,
                subtask,
            };
            // All to all: it is enough to connect everybody with the first receiver.
            let last = if forward { 0 } else { receivers };
            let by_sender = (0..senders).map(move |sender| {
                let receiver = if forward { sender } else { 0 };
                (task(edge.source, sender), task(edge.target, receiver))
            });
            let by_receiver =
                (1..last).map(move |receiver| (task(edge.target, receiver), task(edge.target, 0)));
            by_sender.chain(by_receiver)
        });
        Self::connect(&tasks, channels)
    }

    fn connect(tasks: &[TaskId], channels: impl Iterator<Item = (TaskId, TaskId)>) -> Self {
        let mut of: BTreeMap<TaskId, usize> = tasks.iter().copied().zip(0..).collect();
        let mut members: Vec<Vec<TaskId>> = tasks.iter().map(|task| vec![*task]).collect();
        for (one, other) in channels {
            let (Some(&a), Some(&b)) = (of.get(&one), of.get(&other)) else {
                continue;
            };
            let size = |region: usize| members.get(region).map_or(0, Vec::len);
            let (small, large) = if size(a) < size(b) { (a, b) } else { (b, a) };
            if small == large {
                continue;
            }
            let moved = members.get_mut(small).map(std::mem::take).unwrap_or_default();
            for task in &moved {
                of.insert(*task, large);
            }
            if let Some(kept) = members.get_mut(large) {
                kept.extend(moved);
            }
        }
        Regions { of }
    }

    /// The region of `task`.
    pub(super) fn with(&self, task: TaskId) -> BTreeSet<TaskId> {
        let region = self.of.get(&task);
        let same = |(_, other): &(&TaskId, &usize)| Some(*other) == region;
        self.of.iter().filter(same).map(|(task, _)| *task).collect()
    }

    /// Every task.
    pub(super) fn all(&self) -> BTreeSet<TaskId> {
        self.of.keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn task(vertex: u32, subtask: u32) -> TaskId {
        TaskId { vertex, subtask }
    }

    proptest! {
        /// Goal: two tasks are in one region exactly when a walk over channels leads from one to the other. Method: walk.
        #[test]
        fn regions_are_the_connected_components(
            count in 1_u32..12,
            channels in proptest::collection::vec((0_u32..12, 0_u32..12), 0..14),
        ) {
            let tasks: Vec<TaskId> = (0..count).map(|n| task(n % 3, n)).collect();
            let channels: Vec<(TaskId, TaskId)> = channels
                .into_iter()
                .map(|(a, b)| (tasks[(a % count) as usize], tasks[(b % count) as usize]))
                .collect();
            let regions = Regions::connect(&tasks, channels.iter().copied());
            for start in &tasks {
                let mut reached = BTreeSet::from([*start]);
                loop {
                    let before = reached.len();
                    for (a, b) in &channels {
                        if reached.contains(a) || reached.contains(b) {
                            reached.extend([*a, *b]);
                        }
                    }
                    if reached.len() == before {
                        break;
                    }
                }
                prop_assert_eq!(regions.with(*start), reached);
            }
            prop_assert_eq!(regions.all(), tasks.into_iter().collect::<BTreeSet<_>>());
        }
    }
}
