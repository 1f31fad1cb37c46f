//! The unaligned machine over two channels and two checkpoints, in each order of sending, reading, timing out and notices.
//!
//! Here a channel is a queue: what the sender put into it, and what was read. The walk takes each next step that could
//! happen: the sender puts its next item in (a barrier is announced then), the task reads one, the timeout comes, the
//! coordinator gives a checkpoint up. The model carries the commands out as the task does and keeps what they make channel state.

use millpond_checkpoint::align::{AlignAbort, AlignCommand, AlignEvent, BarrierAligner};
use millpond_checkpoint::barrier::{AlignmentType, CheckpointBarrier, CheckpointKind};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Record,
    Barrier(u64),
    Cancel(u64),
    End,
}
use Item::{Barrier, Cancel, End, Record};

/// A defect of whoever carries the commands out, which the checks have to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    /// What is in the second channel when the snapshot is taken is forgotten.
    ForgetChannel,
    /// Records that come after the snapshot and before the barrier are forgotten.
    ForgetLater,
}

#[derive(Clone)]
struct World<'a> {
    alignment: AlignmentType,
    defect: Defect,
    scripts: [&'a [Item]; 2],
    /// How many items of each script are in the channel or were.
    sent: [usize; 2],
    read: [usize; 2],
    /// Places in each script whose barriers have overtaken.
    taken_out: [BTreeSet<usize>; 2],
    /// The checkpoint whose channel state is being gathered, and where reading stood at its snapshot.
    gathering: Option<(u64, [usize; 2])>,
    /// Whether what is read from a channel is channel state.
    persisting: [bool; 2],
    /// Up to which place a channel's items are channel state already.
    persisted_to: [usize; 2],
    /// Places of records that are channel state.
    channel_state: [BTreeSet<usize>; 2],
    notices: Vec<u64>,
    aligner: BarrierAligner,
    blocked: [bool; 2],
    /// Checkpoints that are done (`true`) or given up.
    resolved: BTreeMap<u64, bool>,
    unaligned: u64,
    steps: u64,
}

#[derive(Default)]
struct Runs {
    all: u64,
    /// Snapshots that had channel state.
    unaligned: u64,
}

impl World<'_> {
    fn walk(&self, runs: &mut Runs) {
        let mut is_end = true;
        let mut go = |next: World<'_>| {
            is_end = false;
            next.walk(runs);
        };
        for channel in 0..2 {
            if self.sent[channel] < self.scripts[channel].len() {
                let mut next = self.clone();
                next.send(channel);
                go(next);
            }
            if self.read[channel] < self.sent[channel] && !self.blocked[channel] {
                let mut next = self.clone();
                next.read(channel);
                go(next);
            }
        }
        if let Some((checkpoint, _)) = self.aligner.timeout() {
            let mut next = self.clone();
            next.tell(AlignEvent::TimedOut { checkpoint });
            go(next);
        }
        for index in 0..self.notices.len() {
            let mut next = self.clone();
            let checkpoint = next.notices.remove(index);
            next.tell(AlignEvent::Aborted { checkpoint });
            go(next);
        }
        if is_end {
            runs.all += 1;
            runs.unaligned += self.unaligned;
            self.check_end();
        }
    }

    fn barrier(&self, checkpoint: u64) -> CheckpointBarrier {
        CheckpointBarrier {
            alignment: self.alignment,
            ..CheckpointBarrier::new(checkpoint, 0, CheckpointKind::Checkpoint)
        }
    }

    fn send(&mut self, channel: usize) {
        let item = self.scripts[channel][self.sent[channel]];
        self.sent[channel] += 1;
        if let Barrier(id) = item {
            let barrier = self.barrier(id);
            self.tell(AlignEvent::Announced { channel, barrier });
        }
    }

    fn read(&mut self, channel: usize) {
        let at = self.read[channel];
        self.read[channel] += 1;
        if self.taken_out[channel].contains(&at) {
            return;
        }
        match self.scripts[channel][at] {
            Record => {
                if self.persisting[channel] && at >= self.persisted_to[channel] {
                    self.keep(channel, at, at + 1);
                }
            }
            Barrier(id) => {
                if self.gathering.is_some_and(|(current, _)| current == id) {
                    self.persisting[channel] = false;
                }
                let barrier = self.barrier(id);
                self.tell(AlignEvent::Barrier { channel, barrier });
            }
            Cancel(checkpoint) => self.tell(AlignEvent::CancelBarrier { channel, checkpoint }),
            End => self.tell(AlignEvent::EndOfPartition { channel }),
        }
    }

    fn keep(&mut self, channel: usize, from: usize, to: usize) {
        let from = from.max(self.persisted_to[channel]);
        let taken_at = self.gathering.map_or(0, |(_, read)| read[channel]);
        for at in from..to {
            let forgotten = match self.defect {
                Defect::None => false,
                Defect::ForgetChannel => channel == 1 && self.read[channel] <= taken_at,
                Defect::ForgetLater => self.read[channel] > taken_at,
            };
            if self.scripts[channel][at] == Record && !forgotten {
                self.channel_state[channel].insert(at);
            }
        }
        self.persisted_to[channel] = self.persisted_to[channel].max(to);
    }

    fn tell(&mut self, event: AlignEvent) {
        self.steps += 1;
        for command in self.aligner.handle(event, self.steps) {
            match command {
                AlignCommand::Block { channel } => self.blocked[channel] = true,
                AlignCommand::UnblockAll => self.blocked = [false; 2],
                AlignCommand::Snapshot {
                    barrier,
                    unaligned: true,
                    ..
                } => {
                    assert!(!self.resolved.contains_key(&barrier.checkpoint));
                    assert_eq!(self.gathering, None, "one at a time");
                    self.gathering = Some((barrier.checkpoint, self.read));
                    self.channel_state = Default::default();
                    self.persisted_to = [0; 2];
                }
                AlignCommand::Snapshot { barrier, .. } => {
                    self.check_cut(barrier.checkpoint, self.read, &Default::default());
                    self.resolve(barrier.checkpoint, true);
                }
                AlignCommand::Persist { channel } => {
                    self.persisting[channel] = true;
                    self.keep(channel, self.read[channel], self.sent[channel]);
                }
                AlignCommand::Overtake { channel } => {
                    let (id, _) = self.gathering.expect("only while channel state is gathered");
                    let at = self.scripts[channel]
                        .iter()
                        .position(|item| *item == Barrier(id))
                        .expect("only a barrier that is there");
                    assert!((self.read[channel]..self.sent[channel]).contains(&at));
                    self.keep(channel, self.read[channel], at);
                    self.taken_out[channel].insert(at);
                    self.persisting[channel] = false;
                }
                AlignCommand::Persisted { checkpoint, .. } => {
                    let (id, read) = self.gathering.take().expect("a snapshot was taken");
                    assert_eq!(id, checkpoint);
                    self.persisting = [false; 2];
                    let state = std::mem::take(&mut self.channel_state);
                    self.check_cut(checkpoint, read, &state);
                    self.unaligned += u64::from(state.iter().any(|s| !s.is_empty()));
                    self.resolve(checkpoint, true);
                }
                AlignCommand::StopPersisting { checkpoint } => {
                    assert_eq!(self.gathering.take().map(|(id, _)| id), Some(checkpoint));
                    self.persisting = [false; 2];
                }
                AlignCommand::Abort { checkpoint, cause } => {
                    assert!(cause != AlignAbort::EndOfInput || self.scripts.iter().all(|s| s.contains(&End)));
                    self.resolve(checkpoint, false);
                }
            }
        }
        for channel in 0..2 {
            assert_eq!(self.aligner.is_blocked(channel), self.blocked[channel]);
        }
    }

    fn resolve(&mut self, checkpoint: u64, complete: bool) {
        let before = self.resolved.insert(checkpoint, complete);
        assert_eq!(before, None, "checkpoint {checkpoint} is resolved twice");
    }

    /// What was read when the snapshot was taken and the channel state are together exactly what is before the barrier.
    fn check_cut(&self, checkpoint: u64, read: [usize; 2], state: &[BTreeSet<usize>; 2]) {
        for channel in 0..2 {
            let script = self.scripts[channel];
            let Some(at) = script.iter().position(|item| *item == Barrier(checkpoint)) else {
                assert!(
                    script[..self.read[channel]].contains(&End),
                    "channel {channel} has no barrier"
                );
                continue;
            };
            let before = (0..at).filter(|place| script[*place] == Record);
            let cut: BTreeSet<usize> = (0..read[channel])
                .filter(|place| script[*place] == Record)
                .chain(state[channel].iter().copied())
                .collect();
            assert_eq!(
                before.collect::<BTreeSet<_>>(),
                cut,
                "the cut of {checkpoint} in channel {channel}"
            );
            assert!(
                state[channel].iter().all(|place| *place >= read[channel]),
                "both processed and stored"
            );
        }
    }

    fn check_end(&self) {
        assert_eq!(self.blocked, [false; 2], "a channel stays blocked");
        for channel in 0..2 {
            assert_eq!(self.read[channel], self.scripts[channel].len());
        }
        for id in [1, 2] {
            let is_in = |script: &[Item]| script.contains(&Barrier(id));
            let is_stale = self
                .scripts
                .iter()
                .any(|s| !is_in(s) && s.contains(&Barrier(id + 1)));
            if self.scripts.iter().any(|s| is_in(s)) && !is_stale {
                assert!(
                    self.resolved.contains_key(&id),
                    "checkpoint {id} is neither taken nor given up"
                );
            }
        }
    }
}

fn explore(alignment: AlignmentType, defect: Defect, scripts: [&[Item]; 2], notices: &[u64]) -> Runs {
    let world = World {
        alignment,
        defect,
        scripts,
        sent: [0; 2],
        read: [0; 2],
        taken_out: Default::default(),
        gathering: None,
        persisting: [false; 2],
        persisted_to: [0; 2],
        channel_state: Default::default(),
        notices: notices.to_vec(),
        aligner: BarrierAligner::unaligned(2),
        blocked: [false; 2],
        resolved: BTreeMap::new(),
        unaligned: 0,
        steps: 0,
    };
    let mut runs = Runs::default();
    world.walk(&mut runs);
    runs
}

const ONE: [Item; 3] = [Record, Barrier(1), Record];
const BETWEEN: [Item; 3] = [Barrier(1), Record, Barrier(2)];
const BEFORE: [Item; 3] = [Record, Barrier(1), Barrier(2)];
const CANCELLED: [Item; 3] = [Record, Cancel(1), Barrier(2)];
const ENDS_AFTER: [Item; 3] = [Record, Barrier(1), End];
const ENDS_BEFORE: [Item; 2] = [Record, End];
const SKIPS_FIRST: [Item; 2] = [Record, Barrier(2)];
const UNALIGNED: AlignmentType = AlignmentType::Unaligned;
const TIMEOUT: AlignmentType = AlignmentType::AlignedWithTimeout { timeout_ms: 5 };

/// Goal: in each order a cut is exact, each checkpoint is resolved once, no channel stays blocked. Method: walk all orders of
/// two channels (whole, cancelled, ended, with a barrier missing), at once and with a timeout that comes at any moment.
#[test]
fn two_channels_and_two_checkpoints_in_every_order() {
    let mut sum = Runs::default();
    let pairs: [[&[Item]; 2]; 8] = [
        [&ONE, &ONE],
        [&BETWEEN, &BEFORE],
        [&BEFORE, &BEFORE],
        [&BETWEEN, &SKIPS_FIRST],
        [&BETWEEN, &CANCELLED],
        [&ONE, &ENDS_BEFORE],
        [&ENDS_AFTER, &ENDS_AFTER],
        [&ENDS_AFTER, &ENDS_BEFORE],
    ];
    for alignment in [UNALIGNED, TIMEOUT, AlignmentType::Aligned] {
        for scripts in pairs {
            // A timeout that may come at any moment multiplies the orders; notices are walked without it.
            let all_notices: &[&[u64]] = if alignment == TIMEOUT {
                &[&[]]
            } else {
                &[&[], &[1]]
            };
            for notices in all_notices.iter().copied() {
                let runs = explore(alignment, Defect::None, scripts, notices);
                let overtakes = runs.unaligned > 0;
                assert_eq!(
                    overtakes,
                    alignment != AlignmentType::Aligned,
                    "{alignment:?} {scripts:?}"
                );
                sum.all += runs.all;
            }
        }
    }
    assert!(sum.all > 50_000, "only {} runs", sum.all);
}

/// Goal: the walk sees channel state that is forgotten, of the snapshot's moment and of later.
#[test]
fn forgotten_records_fail_the_walk() {
    for defect in [Defect::ForgetChannel, Defect::ForgetLater] {
        let walked = std::panic::catch_unwind(|| explore(UNALIGNED, defect, [&ONE, &ONE], &[]));
        assert!(walked.is_err(), "{defect:?} went unnoticed");
    }
}
