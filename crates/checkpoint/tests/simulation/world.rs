//! The simulated world and its scheduler: what there is, and what may happen next.

use crate::mutant::Mutant;
use crate::setup::{SOURCES, Setup};
use crate::task::{Task, TaskState};
use millpond_checkpoint::align::AlignEvent;
use millpond_checkpoint::barrier::{CheckpointKind, SavepointFormat};
use millpond_checkpoint::coordinator::{
    CheckpointCoordinator, CoordinatorCommand, CoordinatorEvent, FinishReason, Now, TaskId,
};
use millpond_core::CheckpointId;
use millpond_core::hash::{fixed_hash, fmix64};
use millpond_core::host::SeededRandom;
use std::collections::{BTreeMap, BTreeSet};

/// A run that takes longer will never end.
const STEPS_MAX: u64 = 30_000;

/// On its way to the coordinator, or being done beside it. Delivered in any order.
pub enum Message {
    Event(CoordinatorEvent<u64>),
    Store {
        checkpoint: CheckpointId,
        stored: Stored,
    },
}

/// Metadata: whose checkpoint it is, and each task's state by handle.
#[derive(Clone)]
pub struct Stored {
    pub kind: CheckpointKind,
    pub states: BTreeMap<TaskId, u64>,
}

/// State that a task wrote.
pub struct Object {
    pub checkpoint: CheckpointId,
    pub task: TaskId,
    pub state: TaskState,
}

pub struct World {
    pub setup: Setup,
    pub mutant: Mutant,
    pub rng: SeededRandom,
    pub steps: u64,
    pub now: Now,
    pub coordinator: CheckpointCoordinator<u64>,
    pub tasks: Vec<Task>,
    pub attempt: u32,
    pub may_start: bool,
    /// The savepoint that this run of the job continues.
    pub began_from: Option<CheckpointId>,
    pub bag: Vec<Message>,
    pub objects: BTreeMap<u64, Object>,
    pub next_object: u64,
    /// Objects that nobody can know of any more.
    pub orphans: BTreeSet<u64>,
    pub store: BTreeMap<CheckpointId, Stored>,
    pub committed: BTreeMap<(CheckpointId, usize), Vec<crate::setup::Record>>,
    pub delivered: BTreeSet<(CheckpointId, TaskId)>,
    pub last_triggered: CheckpointId,
    pub tokens: BTreeSet<u64>,
    pub finished: Option<FinishReason>,
    pub outcome: Outcome,
}

/// What a run came across.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    pub trace: u64,
    pub completed: u64,
    pub aborted: u64,
    pub late: u64,
    pub lost: u64,
    pub duplicated: u64,
    pub savepoints: u64,
    pub stopped: u64,
    pub crashes: u64,
    pub failed_jobs: u64,
    pub restored: u64,
    /// Parts of checkpoints with records in flight.
    pub in_flight: u64,
}

impl Outcome {
    pub fn add(&mut self, other: &Outcome) {
        self.completed += other.completed;
        self.aborted += other.aborted;
        self.late += other.late;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.savepoints += other.savepoints;
        self.stopped += other.stopped;
        self.crashes += other.crashes;
        self.failed_jobs += other.failed_jobs;
        self.restored += other.restored;
        self.in_flight += other.in_flight;
    }
    pub fn counts(&self) -> [(&'static str, u64); 11] {
        [
            ("completed checkpoints", self.completed),
            ("aborted checkpoints", self.aborted),
            ("late acknowledgements", self.late),
            ("lost acknowledgements", self.lost),
            ("duplicate acknowledgements", self.duplicated),
            ("savepoints", self.savepoints),
            ("stops with a savepoint", self.stopped),
            ("crashes", self.crashes),
            ("failed jobs", self.failed_jobs),
            ("restores", self.restored),
            ("parts with records in flight", self.in_flight),
        ]
    }
}

enum Action {
    Emit(usize),
    Mail(usize),
    Announcement(usize),
    TimeOut(usize, CheckpointId),
    Consume(usize, usize),
    Deliver,
    Start,
}

impl World {
    pub fn new(setup: Setup, seed: u64, mutant: Mutant) -> World {
        World {
            coordinator: CheckpointCoordinator::new(setup.config.clone(), setup.plan(), 1),
            setup,
            mutant,
            rng: SeededRandom::new(fmix64(seed)),
            steps: 0,
            now: 1_000_000.into(),
            tasks: Vec::new(),
            attempt: 0,
            may_start: true,
            began_from: None,
            bag: Vec::new(),
            objects: BTreeMap::new(),
            next_object: 0,
            orphans: BTreeSet::new(),
            store: BTreeMap::new(),
            committed: BTreeMap::new(),
            delivered: BTreeSet::new(),
            last_triggered: 0,
            tokens: BTreeSet::new(),
            finished: None,
            outcome: Outcome::default(),
        }
    }

    pub fn run(mut self) -> Result<Outcome, String> {
        loop {
            while self.finished.is_none() {
                self.steps += 1;
                if self.steps > STEPS_MAX {
                    return Err("the run doesn't end".into());
                }
                self.step()?;
            }
            while !self.bag.is_empty() {
                self.deliver()?;
            }
            self.check_leftovers()?;
            self.outcome.completed += self.coordinator.statistics().counts.completed;
            // A job that was stopped without draining goes on from its savepoint.
            let savepoint = self.store.last_key_value().map(|(id, stored)| (*id, stored.kind));
            match (self.finished.take(), savepoint) {
                (Some(FinishReason::Stopped { .. }), Some((id, CheckpointKind::Stop { drain, .. }))) => {
                    self.outcome.stopped += 1;
                    if drain {
                        return Ok(self.outcome);
                    }
                    self.began_from = Some(id);
                    self.crash_tasks();
                    self.new_coordinator(id + 1);
                    self.may_start = true;
                }
                (Some(FinishReason::EndOfData), _) => return Ok(self.outcome),
                _ => return Err("the job stopped without a savepoint".into()),
            }
        }
    }

    /// Whether a fault happens here, with a chance of one in `odds` as long as any are left.
    pub fn fault(&mut self, odds: u64) -> bool {
        let happens = self.setup.faults > 0 && self.rng.chance(1, odds);
        if happens {
            self.setup.faults -= 1;
        }
        happens
    }

    /// Remembers what the coordinator said, so that runs can be compared.
    pub fn note(&mut self, command: &CoordinatorCommand<u64>) {
        let said = fixed_hash(&format!("{} {command:?}", self.steps));
        self.outcome.trace = fmix64(self.outcome.trace ^ said);
    }

    fn step(&mut self) -> Result<(), String> {
        if self.setup.faults > 0 && self.disturb()? {
            return Ok(());
        }
        let actions = self.actions();
        if actions.is_empty() {
            return self.wait();
        }
        if self.setup.faults > 0 && self.rng.chance(1, 8) {
            return self.pass_time();
        }
        match actions[self.rng.below(actions.len() as u64) as usize] {
            Action::Emit(task) => {
                self.emit(task);
                Ok(())
            }
            Action::Mail(task) => self.read_mail(task),
            Action::Announcement(task) => self.hear_announcement(task),
            Action::TimeOut(task, checkpoint) => self.align(task, AlignEvent::TimedOut { checkpoint }),
            Action::Consume(task, channel) => self.consume(task, channel),
            Action::Deliver => self.deliver(),
            Action::Start => self.start(),
        }
    }

    fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.may_start {
            actions.push(Action::Start);
        }
        if !self.bag.is_empty() {
            actions.push(Action::Deliver);
        }
        for (index, task) in self.tasks.iter().enumerate() {
            if !task.mailbox.is_empty() {
                actions.push(Action::Mail(index));
            }
            if !task.announcements.is_empty() {
                actions.push(Action::Announcement(index));
            }
            if let Some((checkpoint, from_ms)) = task.timeout()
                && self.now.wall_ms >= from_ms
            {
                actions.push(Action::TimeOut(index, checkpoint));
            }
            if !self.has_room(index) {
                continue;
            }
            if task.id.vertex == SOURCES && !task.is_silent && !task.has_ended {
                actions.push(Action::Emit(index));
            }
            for (channel, queue) in task.inputs.iter().enumerate() {
                let is_blocked = task.is_blocked(channel) && self.mutant != Mutant::NeverBlock;
                if !queue.is_empty() && !is_blocked {
                    actions.push(Action::Consume(index, channel));
                }
            }
        }
        actions
    }

    /// Trouble from outside, now and then.
    fn disturb(&mut self) -> Result<bool, String> {
        if self.rng.chance(1, 60) && self.ask_for_savepoint()? {
            return Ok(true);
        }
        if self.fault(300) {
            self.outcome.crashes += 1;
            self.crash_process();
            return Ok(true);
        }
        if !self.tasks.is_empty() && self.fault(150) {
            self.outcome.crashes += 1;
            self.crash_tasks();
            self.tell(CoordinatorEvent::JobRestarting {
                reason: "a function failed".into(),
            })?;
            return Ok(true);
        }
        Ok(false)
    }

    fn ask_for_savepoint(&mut self) -> Result<bool, String> {
        let kind = if self.setup.savepoints > 0 {
            self.setup.savepoints -= 1;
            CheckpointKind::Savepoint(SavepointFormat::Canonical)
        } else if self.setup.stops > 0 {
            self.setup.stops -= 1;
            CheckpointKind::Stop {
                format: SavepointFormat::Canonical,
                drain: self.rng.chance(1, 3),
            }
        } else {
            return Ok(false);
        };
        let token = self.steps;
        self.tokens.insert(token);
        self.tell(CoordinatorEvent::TriggerSavepoint {
            token,
            kind,
            target: None,
        })?;
        Ok(true)
    }

    fn deliver(&mut self) -> Result<(), String> {
        let index = self.rng.below(self.bag.len() as u64) as usize;
        match self.bag.swap_remove(index) {
            Message::Event(event) => self.tell(event),
            Message::Store { checkpoint, stored } => self.store_answers(checkpoint, stored),
        }
    }

    /// Time passes; now and then somebody sets the wall clock, by up to a day.
    fn pass_time(&mut self) -> Result<(), String> {
        let forward = self.rng.below(8) as i64;
        self.now.steady_ms += forward;
        self.now.wall_ms += forward;
        if self.rng.chance(1, 40) {
            self.now.wall_ms += self.rng.below(2 * 86_400_000) as i64 - 86_400_000;
        }
        self.tell(CoordinatorEvent::Tick)
    }

    /// Nothing but time can go on.
    fn wait(&mut self) -> Result<(), String> {
        self.check_quiet()?;
        let timeouts = self.tasks.iter().filter_map(|task| task.timeout());
        let by_wall = timeouts.map(|(_, from_ms)| from_ms - self.now.wall_ms);
        let deadline = self.coordinator.next_deadline_ms();
        let by_steady = deadline.map(|deadline| deadline - self.now.steady_ms);
        match by_wall.chain(by_steady).min() {
            Some(wait) => {
                self.now.steady_ms += wait.max(0);
                self.now.wall_ms += wait.max(0);
                self.tell(CoordinatorEvent::Tick)
            }
            None => Err("nothing can happen any more".into()),
        }
    }
}
