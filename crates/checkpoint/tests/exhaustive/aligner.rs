//! The aligner over two channels and two checkpoints, in each order of deliveries and notices.
//!
//! A channel is a script; the world is how far each script was read, which notices came, and the machine. The walk
//! takes each next step that a task could take: reading a channel that isn't blocked, or an abort notice.

use millpond_checkpoint::align::{AlignAbort, AlignCommand, AlignEvent, BarrierAligner};
use millpond_checkpoint::barrier::{CheckpointBarrier, CheckpointKind, CheckpointingMode};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Record,
    Barrier(u64),
    Cancel(u64),
    End,
}
use Item::{Barrier, Cancel, End, Record};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolved {
    Snapshot,
    Abort(AlignAbort),
}

#[derive(Clone)]
struct World<'a> {
    mode: CheckpointingMode,
    scripts: [&'a [Item]; 2],
    read: [usize; 2],
    notices: Vec<u64>,
    noticed: Vec<u64>,
    aligner: BarrierAligner,
    blocked: [bool; 2],
    resolved: BTreeMap<u64, Resolved>,
    steps: u64,
}

impl World<'_> {
    /// Walks every continuation; answers how many runs there are.
    fn walk(&self) -> u64 {
        let mut runs = 0;
        for channel in 0..2 {
            let Some(item) = self.scripts[channel].get(self.read[channel]) else {
                continue;
            };
            if self.blocked[channel] {
                continue;
            }
            let mut next = self.clone();
            next.read[channel] += 1;
            let barrier = |checkpoint| CheckpointBarrier::new(checkpoint, 0, CheckpointKind::Checkpoint);
            match *item {
                Record => {}
                Barrier(id) => next.tell(AlignEvent::Barrier {
                    channel,
                    barrier: barrier(id),
                }),
                Cancel(checkpoint) => next.tell(AlignEvent::CancelBarrier { channel, checkpoint }),
                End => next.tell(AlignEvent::EndOfPartition { channel }),
            }
            runs += next.walk();
        }
        for (index, checkpoint) in self.notices.iter().copied().enumerate() {
            let mut next = self.clone();
            next.notices.remove(index);
            next.noticed.push(checkpoint);
            next.tell(AlignEvent::Aborted { checkpoint });
            runs += next.walk();
        }
        if runs == 0 {
            self.check_end();
            runs = 1;
        }
        runs
    }

    fn tell(&mut self, event: AlignEvent) {
        self.steps += 1;
        for command in self.aligner.handle(event, self.steps) {
            match command {
                AlignCommand::Block { channel } => {
                    assert_eq!(self.mode, CheckpointingMode::ExactlyOnce);
                    assert!(!self.blocked[channel], "blocked twice");
                    self.blocked[channel] = true;
                }
                AlignCommand::UnblockAll => self.blocked = [false; 2],
                AlignCommand::Snapshot {
                    barrier,
                    alignment_nanos,
                    started_nanos,
                    unaligned,
                } => {
                    assert!(!unaligned);
                    assert!(started_nanos > 0 && started_nanos + alignment_nanos == self.steps);
                    self.check_cut(barrier.checkpoint);
                    self.resolve(barrier.checkpoint, Resolved::Snapshot);
                }
                AlignCommand::Persist { .. }
                | AlignCommand::Overtake { .. }
                | AlignCommand::Persisted { .. }
                | AlignCommand::StopPersisting { .. } => panic!("nothing overtakes here: {command:?}"),
                AlignCommand::Abort { checkpoint, cause } => {
                    if cause == AlignAbort::Coordinator {
                        assert!(self.noticed.contains(&checkpoint), "nobody said so");
                    }
                    self.resolve(checkpoint, Resolved::Abort(cause));
                }
            }
        }
        for channel in 0..2 {
            assert_eq!(
                self.aligner.is_blocked(channel),
                self.blocked[channel],
                "the commands tell it all"
            );
        }
    }

    fn resolve(&mut self, checkpoint: u64, how: Resolved) {
        let before = self.resolved.insert(checkpoint, how);
        assert_eq!(
            before, None,
            "checkpoint {checkpoint} is resolved twice: now {how:?}"
        );
        let newer = self
            .resolved
            .range(checkpoint + 1..)
            .any(|(_, how)| *how == Resolved::Snapshot);
        assert!(
            how != Resolved::Snapshot || !newer,
            "checkpoint {checkpoint} after a newer one"
        );
    }

    /// Each channel was read exactly (at least, when nobody blocks) through the barrier, unless it ended without one.
    fn check_cut(&self, checkpoint: u64) {
        for channel in 0..2 {
            let script = self.scripts[channel];
            let read = self.read[channel];
            let at = script.iter().position(|item| *item == Barrier(checkpoint));
            match (at, self.mode) {
                (Some(at), CheckpointingMode::ExactlyOnce) => {
                    let ended_after = read > at && script[at + 1..read] == [End];
                    assert!(
                        read == at + 1 || ended_after,
                        "channel {channel} was read to {read}, not {at}"
                    );
                }
                (Some(at), CheckpointingMode::AtLeastOnce) => assert!(read > at),
                (None, _) => assert!(script[..read].contains(&End), "channel {channel} has no barrier"),
            }
        }
    }

    fn check_end(&self) {
        let all_read = (0..2).all(|channel| self.read[channel] == self.scripts[channel].len());
        assert!(
            all_read,
            "a channel stays blocked: read={:?} resolved={:?}",
            self.read, self.resolved
        );
        assert_eq!(self.blocked, [false; 2]);
        let barriers = self
            .scripts
            .iter()
            .copied()
            .flatten()
            .filter_map(|item| match item {
                Barrier(id) => Some(*id),
                _ => None,
            });
        for id in barriers {
            // A barrier that comes after a newer one is stale: its checkpoint has lost a barrier, and times out.
            let is_stale = self
                .scripts
                .iter()
                .any(|s| !s.contains(&Barrier(id)) && s.contains(&Barrier(id + 1)));
            let is_resolved = self.resolved.contains_key(&id);
            assert!(
                is_resolved || is_stale,
                "checkpoint {id} is neither taken nor given up: {:?} {:?} {:?}",
                self.mode,
                self.scripts,
                self.noticed
            );
        }
    }
}

/// The number of runs, and how each checkpoint was resolved in the last one.
fn explore(mode: CheckpointingMode, scripts: [&[Item]; 2], notices: &[u64]) -> u64 {
    let world = World {
        mode,
        scripts,
        read: [0; 2],
        notices: notices.to_vec(),
        noticed: Vec::new(),
        aligner: BarrierAligner::new(mode, 2),
        blocked: [false; 2],
        resolved: BTreeMap::new(),
        steps: 0,
    };
    world.walk()
}

const BOTH: [Item; 5] = [Record, Barrier(1), Record, Barrier(2), Record];
const CANCELLED_FIRST: [Item; 5] = [Record, Cancel(1), Record, Barrier(2), Record];
const CANCELLED_SECOND: [Item; 4] = [Barrier(1), Record, Cancel(2), Record];
const ENDS_EARLY: [Item; 3] = [Record, Barrier(1), End];
const ENDS_AFTER: [Item; 5] = [Barrier(1), Record, Barrier(2), Record, End];
const ENDS_AT_ONCE: [Item; 2] = [Record, End];
const SKIPS_FIRST: [Item; 3] = [Record, Barrier(2), Record];

/// Goal: in each order, a cut is exact, each checkpoint is resolved once, no channel stays blocked. Method: walk all
/// orders of two channels (whole, cancelled, ended, with a barrier missing) and of the coordinator's abort notices.
///
/// A barrier missing at the end of a script is no case: the coordinator's notice, or the next barrier, always follows.
#[test]
fn two_channels_and_two_checkpoints_in_every_order() {
    let mut runs = 0;
    for mode in [CheckpointingMode::ExactlyOnce, CheckpointingMode::AtLeastOnce] {
        let firsts: [&[Item]; 4] = [&BOTH, &CANCELLED_FIRST, &ENDS_AFTER, &SKIPS_FIRST];
        for first in firsts {
            for second in firsts {
                for notices in [&[][..], &[1], &[2], &[1, 2]] {
                    runs += explore(mode, [first, second], notices);
                }
            }
        }
        // A channel that ends stands back for the barriers of the other.
        for second in [&ENDS_EARLY[..], &ENDS_AT_ONCE, &ENDS_AFTER] {
            for notices in [&[][..], &[1], &[2], &[1, 2]] {
                runs += explore(mode, [&ENDS_AFTER, second], notices);
                runs += explore(mode, [second, &BOTH], notices);
            }
        }
        // Cancelled by one upstream task, delivered by the other: the second word is stale.
        for notices in [&[][..], &[2]] {
            runs += explore(mode, [&BOTH, &CANCELLED_SECOND], notices);
        }
    }
    assert!(runs > 50_000, "only {runs} runs");
}

/// Goal: the walk sees a broken machine. Method: an at-least-once machine held to the exactly-once rule.
#[test]
fn a_machine_that_does_not_block_fails_the_walk() {
    let world = World {
        mode: CheckpointingMode::ExactlyOnce,
        scripts: [&BOTH, &BOTH],
        read: [0; 2],
        notices: Vec::new(),
        noticed: Vec::new(),
        aligner: BarrierAligner::new(CheckpointingMode::AtLeastOnce, 2),
        blocked: [false; 2],
        resolved: BTreeMap::new(),
        steps: 0,
    };
    let walked = std::panic::catch_unwind(|| world.walk());
    assert!(walked.is_err(), "the walk found nothing");
}
