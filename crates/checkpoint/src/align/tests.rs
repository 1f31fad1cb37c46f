//! Behaviour of the machines, one rule a test. Every order of a small world is walked in `tests/exhaustive`.

use super::AlignAbort::{self, CancelBarrier, Coordinator, EndOfInput, Subsumed};
use super::*;
use crate::barrier::{AlignmentType, CheckpointKind};
use CheckpointingMode::{AtLeastOnce, ExactlyOnce};

fn barrier(checkpoint: u64) -> CheckpointBarrier {
    CheckpointBarrier::new(checkpoint, 7, CheckpointKind::Checkpoint)
}

fn arrives(channel: usize, checkpoint: u64) -> AlignEvent {
    AlignEvent::Barrier {
        channel,
        barrier: barrier(checkpoint),
    }
}

fn snapshot(checkpoint: u64, started_nanos: u64, alignment_nanos: u64) -> AlignCommand {
    AlignCommand::Snapshot {
        barrier: barrier(checkpoint),
        alignment_nanos,
        started_nanos,
        unaligned: false,
    }
}

fn abort(checkpoint: u64, cause: AlignAbort) -> AlignCommand {
    AlignCommand::Abort { checkpoint, cause }
}

const fn block(channel: usize) -> AlignCommand {
    AlignCommand::Block { channel }
}

/// Feeds `events` one nanosecond apart, from 1, and answers all commands.
fn run(aligner: &mut BarrierAligner, events: &[AlignEvent]) -> Vec<AlignCommand> {
    events
        .iter()
        .zip(1..)
        .flat_map(|(event, nanos)| aligner.handle(*event, nanos))
        .collect()
}

/// Goal: each channel that delivered waits for the last one, and the duration is first to last. Method: three channels.
#[test]
fn exactly_once_blocks_until_the_last_barrier() {
    let mut aligner = BarrierAligner::new(ExactlyOnce, 3);
    assert_eq!(
        run(&mut aligner, &[arrives(2, 1), arrives(0, 1)]),
        [block(2), block(0)]
    );
    assert!(aligner.is_blocked(0) && !aligner.is_blocked(1) && aligner.is_blocked(2));
    assert_eq!(
        aligner.handle(arrives(1, 1), 10),
        [snapshot(1, 1, 9), AlignCommand::UnblockAll]
    );
    assert!(!aligner.is_aligning() && (0..3).all(|channel| !aligner.is_blocked(channel)));
}

/// Goal: nobody waits for nobody. Method: one channel, both modes; no block, no unblock, no duration.
#[test]
fn one_channel_snapshots_at_once() {
    for mode in [ExactlyOnce, AtLeastOnce] {
        let mut aligner = BarrierAligner::new(mode, 1);
        let commands = run(&mut aligner, &[arrives(0, 1), arrives(0, 2)]);
        assert_eq!(commands, [snapshot(1, 1, 0), snapshot(2, 2, 0)]);
    }
}

/// Goal: a checkpoint whose barriers overtake elsewhere is aligned by a task whose channels can't be overtaken. Method: barriers that
/// don't wait, and ones that wait for a while, read by such a task.
#[test]
fn channels_that_cannot_be_overtaken_are_aligned() {
    for alignment in [
        AlignmentType::Unaligned,
        AlignmentType::AlignedWithTimeout { timeout_ms: 1 },
    ] {
        let mut aligner = BarrierAligner::new(ExactlyOnce, 2);
        let barrier = CheckpointBarrier {
            alignment,
            ..barrier(1)
        };
        let read = |channel| AlignEvent::Barrier { channel, barrier };
        assert_eq!(aligner.handle(read(0), 1), [block(0)]);
        assert_eq!(aligner.timeout(), None);
        let snapshot = AlignCommand::Snapshot {
            barrier,
            alignment_nanos: 1,
            started_nanos: 1,
            unaligned: false,
        };
        assert_eq!(aligner.handle(read(1), 2), [snapshot, AlignCommand::UnblockAll]);
    }
}

/// Goal: at least once never blocks, and a newer checkpoint that completes first ends the older. Method: two channels,
/// one of which lost the older barrier.
#[test]
fn at_least_once_tracks_several_and_completes_the_newest() {
    let mut aligner = BarrierAligner::new(AtLeastOnce, 2);
    let commands = run(
        &mut aligner,
        &[arrives(0, 1), arrives(0, 2), arrives(1, 2), arrives(1, 1)],
    );
    assert_eq!(commands, [abort(1, Subsumed), snapshot(2, 2, 1)]);
    assert!(!aligner.is_aligning());
}

/// Goal: a newer barrier ends an alignment that can't complete any more. Method: channel 1 never delivers barrier 1.
#[test]
fn a_newer_barrier_ends_the_older_alignment() {
    let mut aligner = BarrierAligner::new(ExactlyOnce, 2);
    let commands = run(&mut aligner, &[arrives(0, 1), arrives(1, 2), arrives(0, 2)]);
    assert_eq!(
        commands,
        [
            block(0),
            abort(1, Subsumed),
            AlignCommand::UnblockAll,
            block(1),
            snapshot(2, 2, 1),
            AlignCommand::UnblockAll
        ]
    );
}

/// Goal: barriers of what is done, given up or never began stay without effect. Method: repeat them in both modes.
#[test]
fn stale_barriers_are_ignored() {
    for mode in [ExactlyOnce, AtLeastOnce] {
        let mut aligner = BarrierAligner::new(mode, 2);
        run(&mut aligner, &[arrives(0, 5), arrives(1, 5)]);
        let stale = [
            arrives(0, 5),
            arrives(1, 4),
            AlignEvent::CancelBarrier {
                channel: 0,
                checkpoint: 5,
            },
        ];
        assert_eq!(run(&mut aligner, &stale), []);
        assert_eq!(
            run(
                &mut aligner,
                &[AlignEvent::Aborted { checkpoint: 5 }, arrives(7, 6)]
            ),
            []
        );
        assert!(!aligner.is_aligning());
    }
}

/// Goal: an upstream task's cancellation ends the alignment, is passed on once, and what comes later is stale.
/// Method: cancel after and before the first barrier.
#[test]
fn a_cancel_barrier_ends_or_forestalls_the_alignment() {
    let cancel = |channel, checkpoint| AlignEvent::CancelBarrier { channel, checkpoint };
    let mut aligner = BarrierAligner::new(ExactlyOnce, 2);
    let commands = run(
        &mut aligner,
        &[
            arrives(0, 1),
            cancel(1, 1),
            cancel(1, 2),
            arrives(0, 2),
            cancel(0, 2),
        ],
    );
    assert_eq!(
        commands,
        [
            block(0),
            abort(1, CancelBarrier),
            AlignCommand::UnblockAll,
            abort(2, CancelBarrier)
        ]
    );
    let mut aligner = BarrierAligner::new(AtLeastOnce, 2);
    let commands = run(
        &mut aligner,
        &[
            arrives(0, 1),
            cancel(1, 1),
            cancel(1, 2),
            arrives(0, 2),
            cancel(0, 2),
        ],
    );
    assert_eq!(commands, [abort(1, CancelBarrier), abort(2, CancelBarrier)]);
}

/// Goal: the coordinator's notice releases the channels, also when it outruns the barriers. Method: both orders.
#[test]
fn an_abort_notice_ends_or_forestalls_the_alignment() {
    for mode in [ExactlyOnce, AtLeastOnce] {
        let mut aligner = BarrierAligner::new(mode, 2);
        aligner.handle(arrives(0, 1), 1);
        let commands = aligner.handle(AlignEvent::Aborted { checkpoint: 1 }, 2);
        assert_eq!(commands.first(), Some(&abort(1, Coordinator)));
        assert!(!aligner.is_blocked(0) && !aligner.is_aligning());

        assert_eq!(aligner.handle(AlignEvent::Aborted { checkpoint: 2 }, 3), []);
        assert_eq!(
            run(&mut aligner, &[arrives(1, 2), arrives(0, 2)]),
            [abort(2, Coordinator)]
        );
        assert!(!aligner.is_aligning(), "the next checkpoint is free");
        assert!(!run(&mut aligner, &[arrives(0, 3), arrives(1, 3)]).is_empty());
    }
}

/// Goal: nobody waits for a channel that ended. Method: it ends before and during an alignment, and as the last one.
#[test]
fn an_ended_channel_counts_as_delivered() {
    let end = |channel| AlignEvent::EndOfPartition { channel };
    for mode in [ExactlyOnce, AtLeastOnce] {
        let mut aligner = BarrierAligner::new(mode, 3);
        aligner.handle(arrives(0, 1), 1);
        aligner.handle(end(1), 2);
        assert!(aligner.handle(arrives(2, 1), 3).contains(&snapshot(1, 1, 2)));
        assert!(!aligner.is_blocked(0));

        aligner.handle(arrives(0, 2), 4);
        let commands = aligner.handle(end(2), 6);
        assert!(commands.contains(&snapshot(2, 4, 2)));
        assert_eq!(commands.contains(&AlignCommand::UnblockAll), mode == ExactlyOnce);
        assert!(!aligner.is_blocked(0));
        assert_eq!(run(&mut aligner, &[end(0), end(0), arrives(0, 3)]), []);
    }
    let mut aligner = BarrierAligner::new(AtLeastOnce, 2);
    let commands = run(&mut aligner, &[arrives(0, 1), end(0), end(1)]);
    assert_eq!(commands, [abort(1, EndOfInput)]);
}

/// Goal: a channel that is known to have ended while it is blocked is no longer counted. Method: end it, then deliver the
/// other two.
#[test]
fn a_blocked_channel_may_end() {
    for mode in [ExactlyOnce, AtLeastOnce] {
        let mut aligner = BarrierAligner::new(mode, 3);
        let end = AlignEvent::EndOfPartition { channel: 0 };
        let commands = run(&mut aligner, &[arrives(0, 1), end, arrives(1, 1)]);
        assert!(
            !commands
                .iter()
                .any(|command| matches!(command, AlignCommand::Snapshot { .. }))
        );
        assert!(aligner.handle(arrives(2, 1), 9).contains(&snapshot(1, 1, 8)));
    }
}

/// Goal: memory is bounded whatever arrives. Method: thousands of checkpoints of which no second barrier comes.
#[test]
fn unfinished_checkpoints_are_given_up_beyond_a_bound() {
    let mut aligner = BarrierAligner::new(AtLeastOnce, 2);
    let events: Vec<_> = (1..=5_000).map(|id| arrives(0, id)).collect();
    let commands = run(&mut aligner, &events);
    assert_eq!(commands.len(), 4_950);
    assert_eq!(commands.first(), Some(&abort(1, Subsumed)));
    let Mode::Tracking(tracker) = &aligner.mode else {
        panic!("at least once tracks")
    };
    assert!(tracker.tracked() <= 50 + 128);
}
