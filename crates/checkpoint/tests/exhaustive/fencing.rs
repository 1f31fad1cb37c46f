//! Goal: however processes that run one job are paused, and whatever becomes of the write that makes a checkpoint exist, they make
//! one history: what was confirmed is never lost, what somebody went on without never comes back, what somebody stands on is
//! never deleted. Method: every interleaving of the single store operations of a few processes that decide by
//! `storage::fence::rules`, as `Fence` does; a write may also fail with an unknown outcome and be carried out at any later time.

use millpond_checkpoint::storage::fence::rules::{
    Epoch, EpochFile, Takeover, Takeovers, holds, latest_start, next_epoch,
};
use millpond_core::hash::HashSet;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

type Number = u64;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum At {
    ListEpochs,
    CreateEpoch(Epoch),
    Verify,
    ReadTakeovers,
    ListCheckpoints(Vec<(Epoch, Number)>),
    Record,
    CheckBegun,
    Claim,
    CheckClaim,
    Publish,
    Confirm,
    DeleteOld(Number),
    Settle,
    SettleTake,
    SettleRecord,
    SettleCheck,
    DeleteFailed,
    Stopped,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Process {
    at: At,
    epoch: Epoch,
    begun: bool,
    /// The takeovers that it went by, and its own.
    takeovers: Vec<(Epoch, Number)>,
    /// The checkpoint that it stands on: restored or confirmed.
    base: Number,
    /// The checkpoint under way.
    number: Number,
    left: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct World {
    files: Vec<EpochFile>,
    starts: BTreeMap<Epoch, Vec<(Epoch, Number)>>,
    claims: BTreeMap<Number, Epoch>,
    complete: Vec<Number>,
    /// Writes of unknown outcome that are still to be carried out.
    in_flight: Vec<Number>,
    processes: Vec<Process>,
    /// What nobody in the world sees: the takeovers that were carried through, and the newest confirmed checkpoint.
    begun: Vec<(Epoch, Number)>,
    confirmed: Number,
}

fn takeovers(pairs: &[(Epoch, Number)]) -> Takeovers {
    let takeovers = pairs
        .iter()
        .map(|&(epoch, checkpoint)| Takeover { epoch, checkpoint });
    Takeovers {
        takeovers: takeovers.collect(),
        result: None,
    }
}

fn pairs(takeovers: &Takeovers) -> Vec<(Epoch, Number)> {
    takeovers
        .takeovers
        .iter()
        .map(|t| (t.epoch, t.checkpoint))
        .collect()
}

impl World {
    fn new(processes: usize, checkpoints: u32) -> World {
        let process = Process {
            at: At::ListEpochs,
            epoch: 0,
            begun: false,
            takeovers: Vec::new(),
            base: 0,
            number: 0,
            left: checkpoints,
        };
        World {
            processes: vec![process; processes],
            ..World::default()
        }
    }

    fn read_takeovers(&self) -> Vec<(Epoch, Number)> {
        latest_start(&self.files).map_or(Vec::new(), |s| self.starts[&s.epoch()].clone())
    }

    fn add(&mut self, file: EpochFile) {
        self.files.push(file);
        self.files
            .sort_by_key(|f| (f.epoch(), matches!(f, EpochFile::Start(_))));
        self.files.dedup();
    }

    fn record(&mut self, p: &mut Process) {
        let epoch = p.epoch;
        let new = Takeover {
            epoch,
            checkpoint: p.base,
        };
        p.takeovers = pairs(&takeovers(&p.takeovers).and(new));
        self.starts.insert(epoch, p.takeovers.clone());
        self.add(EpochFile::Start(epoch));
        // One listing earlier in the program, but nobody else deletes what it keeps.
        self.files.retain(|f| f.epoch() >= epoch);
        let files = &self.files;
        self.starts.retain(|e, _| files.contains(&EpochFile::Start(*e)));
    }

    /// A write of metadata, unless something is there.
    fn publish(&mut self, number: Number) {
        if !self.complete.contains(&number) {
            self.complete.push(number);
            self.complete.sort_unstable();
        }
    }

    fn delete(&mut self, by: usize, number: Number) {
        if number == 0 {
            return;
        }
        let owner = self
            .processes
            .iter()
            .enumerate()
            .filter(|(_, p)| p.begun)
            .max_by_key(|(_, p)| p.epoch);
        if let Some((who, owner)) = owner {
            assert!(
                owner.base != number,
                "{by} deletes what {who} stands on: {self:?}"
            );
        }
        self.complete.retain(|c| *c != number);
    }

    /// One store operation of process `i`; what can follow from it.
    fn step(&self, i: usize) -> Vec<World> {
        let mut world = self.clone();
        let mut p = world.processes[i].clone();
        let mut more = Vec::new();
        match p.at.clone() {
            At::Stopped => return Vec::new(),
            At::ListEpochs => p.at = At::CreateEpoch(next_epoch(&world.files, 1)),
            At::CreateEpoch(epoch) => {
                if world.files.contains(&EpochFile::Owner(epoch)) {
                    p.at = At::ListEpochs;
                } else {
                    world.add(EpochFile::Owner(epoch));
                    p.epoch = epoch;
                    p.at = At::Verify;
                }
            }
            At::Verify => {
                p.at = if holds(&world.files, p.epoch) {
                    At::ReadTakeovers
                } else {
                    At::Stopped
                }
            }
            At::ReadTakeovers => p.at = At::ListCheckpoints(world.read_takeovers()),
            At::ListCheckpoints(read) => {
                let valid = |n: &&Number| !takeovers(&read).is_void(world.claims[n], **n);
                p.base = world.complete.iter().rfind(valid).copied().unwrap_or(0);
                p.number = world.claims.keys().last().copied().unwrap_or(0);
                p.takeovers = read;
                p.at = At::Record;
            }
            At::Record => {
                world.record(&mut p);
                p.at = At::CheckBegun;
            }
            At::CheckBegun if holds(&world.files, p.epoch) => {
                p.begun = true;
                p.at = At::Claim;
                assert!(
                    p.base >= world.confirmed,
                    "a confirmed checkpoint is lost: {world:?}"
                );
                if let Some(maker) = world.claims.get(&p.base) {
                    let missed = world
                        .begun
                        .iter()
                        .find(|(e, found)| e > maker && p.base > *found && *e < p.epoch);
                    assert!(
                        missed.is_none(),
                        "{i} goes on from what {missed:?} went on without: {world:?}"
                    );
                }
                world.begun.push((p.epoch, p.base));
                // Its output is committed now.
                world.confirmed = world.confirmed.max(p.base);
            }
            At::Claim if p.left == 0 => p.at = At::Stopped,
            At::Claim => {
                p.number += 1;
                match world.claims.entry(p.number) {
                    Entry::Vacant(free) => {
                        free.insert(p.epoch);
                        p.at = At::CheckClaim;
                    }
                    Entry::Occupied(_) if !holds(&world.files, p.epoch) => p.at = At::Stopped,
                    Entry::Occupied(_) => {}
                }
            }
            At::CheckClaim if holds(&world.files, p.epoch) => p.at = At::Publish,
            At::Publish => {
                // It fails, and is carried out later or never.
                let mut failed = world.clone();
                failed.in_flight.push(p.number);
                failed.processes[i].at = At::Settle;
                more.push(failed);
                world.publish(p.number);
                // It is carried out, and the answer is lost.
                let mut lost = world.clone();
                lost.processes[i].at = At::Settle;
                more.push(lost);
                p.at = At::Confirm;
            }
            At::Confirm if holds(&world.files, p.epoch) => {
                let newer = world.begun.iter().find(|(e, _)| *e > p.epoch);
                assert!(newer.is_none(), "{i} confirms under another owner: {world:?}");
                p.at = At::DeleteOld(p.base);
                p.base = p.number;
                world.confirmed = world.confirmed.max(p.number);
                p.left -= 1;
            }
            At::DeleteOld(number) => {
                world.processes[i] = p.clone();
                world.delete(i, number);
                p.at = At::Claim;
            }
            At::Settle if holds(&world.files, p.epoch) => p.at = At::SettleTake,
            At::SettleTake => {
                let next = p.epoch + 1;
                if world.files.contains(&EpochFile::Owner(next)) {
                    p.at = At::Stopped;
                } else {
                    world.add(EpochFile::Owner(next));
                    p.epoch = next;
                    p.at = At::SettleRecord;
                }
            }
            At::SettleRecord => {
                world.record(&mut p);
                p.at = At::SettleCheck;
            }
            At::SettleCheck if holds(&world.files, p.epoch) => {
                world.begun.push((p.epoch, p.base));
                p.at = At::DeleteFailed;
            }
            At::DeleteFailed => {
                world.delete(i, p.number);
                p.left -= 1;
                p.at = At::Claim;
            }
            // What holds no more.
            At::CheckBegun | At::CheckClaim | At::Confirm | At::Settle | At::SettleCheck => {
                p.at = At::Stopped
            }
        }
        world.processes[i] = p;
        more.push(world);
        more
    }

    fn next(&self) -> Vec<World> {
        let mut worlds: Vec<World> = (0..self.processes.len()).flat_map(|i| self.step(i)).collect();
        for (i, number) in self.in_flight.iter().enumerate() {
            let mut world = self.clone();
            world.in_flight.remove(i);
            world.publish(*number);
            worlds.push(world);
        }
        worlds
    }
}

fn explore(first: World) -> usize {
    let mut seen = HashSet::default();
    let mut open = vec![first];
    while let Some(world) = open.pop() {
        for next in world.next() {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    seen.len()
}

#[test]
fn two_processes_make_one_history() {
    let states = explore(World::new(2, 2));
    assert!(states > 1_000, "the world is not explored: {states}");
}

#[test]
fn three_processes_make_one_history() {
    let states = explore(World::new(3, 1));
    assert!(states > 10_000, "the world is not explored: {states}");
}
