//! Who goes on next: one seed decides for every thread of every process, and for the clock.

use super::coroutine::{Body, Coroutine};
use crate::channel::TaskSignal;
use millpond_core::hash::fmix64;
use millpond_core::host::{Clock, ManualClock, SeededRandom};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// More would be threads that never end.
const BURIAL_ROUNDS_MAX: usize = 100_000;

/// What an interrupted thread waits for.
pub(super) enum Wait {
    /// Nothing: it only lets others go first.
    Turn,
    /// A time of the steady clock.
    Until(i64),
    /// What a task waits for: something in its mailbox or its channels, or a time of the wall clock.
    Task(Arc<TaskSignal>, Option<i64>),
    /// Anything that happens in its process, or a time of the steady clock. What the job master waits for.
    News(Option<i64>),
}

/// A process: threads that live and die together.
#[derive(Default)]
pub(super) struct Process {
    dead: AtomicBool,
    frozen: AtomicBool,
    new: Mutex<Vec<(u64, Body)>>,
}

impl Process {
    /// Starts a thread. `number` stands for it in the trace.
    pub(super) fn spawn(&self, number: u64, body: Body) {
        self.new
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((number, body));
    }
    /// Whether it was killed: nothing that it does has an effect any more.
    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }
    /// `SIGKILL`.
    pub(super) fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }
    pub(super) fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Relaxed)
    }
    /// `SIGSTOP`: none of its threads goes on until [`Process::thaw`].
    pub(super) fn freeze(&self) {
        self.frozen.store(true, Ordering::Relaxed);
    }
    /// `SIGCONT`.
    pub(super) fn thaw(&self) {
        self.frozen.store(false, Ordering::Relaxed);
    }
}

struct Thread {
    process: usize,
    number: u64,
    code: Coroutine<Wait>,
    wait: Wait,
}

/// See the module.
pub(super) struct Scheduler {
    pub(super) random: SeededRandom,
    clock: Arc<ManualClock>,
    processes: Vec<Arc<Process>>,
    /// Whether something has happened in each process since its master last looked.
    news: Vec<bool>,
    threads: Vec<Thread>,
    ready: Vec<usize>,
    trace: u64,
}

impl Scheduler {
    pub(super) fn new(seed: u64, clock: Arc<ManualClock>) -> Self {
        Scheduler {
            random: SeededRandom::new(seed),
            clock,
            processes: Vec::new(),
            news: Vec::new(),
            threads: Vec::new(),
            ready: Vec::new(),
            trace: seed,
        }
    }

    /// A process without threads.
    pub(super) fn start_process(&mut self) -> Arc<Process> {
        let process = Arc::<Process>::default();
        self.processes.push(Arc::clone(&process));
        self.news.push(true);
        process
    }

    /// Lets the master of `process` look what there is for it: something came from outside.
    pub(super) fn tell(&mut self, process: &Arc<Process>) {
        if let Some(index) = self.processes.iter().position(|p| Arc::ptr_eq(p, process)) {
            self.news[index] = true;
        }
    }

    /// Whether `process` has any thread.
    pub(super) fn has_threads(&mut self, process: &Arc<Process>) -> bool {
        self.take_in();
        let of_it = |t: &Thread| Arc::ptr_eq(&self.processes[t.process], process);
        self.threads.iter().any(of_it)
    }

    /// Every thread and what it waits for, for people.
    pub(super) fn threads(&self) -> Vec<String> {
        let wait = |thread: &Thread| match &thread.wait {
            Wait::Turn => "a turn".to_string(),
            Wait::Until(at) => format!("{at} ms"),
            Wait::Task(_, until) => format!("input or {until:?} ms"),
            Wait::News(until) => format!("news or {until:?} ms"),
        };
        self.threads
            .iter()
            .map(|t| format!("{:x} in process {} waits for {}", t.number, t.process, wait(t)))
            .collect()
    }

    /// A hash of every decision so far.
    pub(super) fn trace(&self) -> u64 {
        self.trace
    }

    /// Lets one thread go on, or moves the clock to the next time that one waits for. `false`: nothing will ever happen again.
    pub(super) fn step(&mut self) -> bool {
        self.take_in();
        let now = (self.clock.now_ms(), steady_ms(&self.clock));
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        ready.extend((0..self.threads.len()).filter(|i| self.is_ready(&self.threads[*i], now)));
        let choice = self.random.below(ready.len() as u64) as usize;
        let chosen = ready.get(choice).copied();
        self.ready = ready;
        match chosen {
            Some(index) => {
                self.run(index);
                true
            }
            None => self.jump(now),
        }
    }

    /// Runs every thread of a dead process to its end. Whatever they try fails.
    pub(super) fn bury(&mut self, process: &Arc<Process>) {
        assert!(process.is_dead());
        for _ in 0..BURIAL_ROUNDS_MAX {
            self.take_in();
            let of_it = |t: &Thread| Arc::ptr_eq(&self.processes[t.process], process);
            // The last first, since one that ends leaves its place to the last. In turns, since they may wait for each other.
            let its: Vec<usize> = (0..self.threads.len())
                .filter(|i| of_it(&self.threads[*i]))
                .rev()
                .collect();
            if its.is_empty() {
                return;
            }
            for index in its {
                self.resume(index);
            }
        }
        panic!("threads of a dead process go on for ever");
    }

    /// Kills and buries every process.
    pub(super) fn bury_all(&mut self) {
        for process in self.processes.clone() {
            process.kill();
            self.bury(&process);
        }
    }

    fn take_in(&mut self) {
        for (index, process) in self.processes.iter().enumerate() {
            let new = std::mem::take(&mut *process.new.lock().unwrap_or_else(PoisonError::into_inner));
            self.threads.extend(new.into_iter().map(|(number, body)| Thread {
                process: index,
                number,
                code: Coroutine::new(body),
                wait: Wait::Turn,
            }));
        }
    }

    fn is_ready(&self, thread: &Thread, (wall_ms, steady_ms): (i64, i64)) -> bool {
        if self.processes[thread.process].is_frozen() {
            return false;
        }
        match &thread.wait {
            Wait::Turn => true,
            Wait::Until(at) => *at <= steady_ms,
            Wait::Task(signal, until) => signal.is_woken() || until.is_some_and(|at| at <= wall_ms),
            Wait::News(until) => self.news[thread.process] || until.is_some_and(|at| at <= steady_ms),
        }
    }

    fn run(&mut self, index: usize) {
        let thread = &self.threads[index];
        self.news[thread.process] = !matches!(thread.wait, Wait::News(_));
        self.trace = fmix64(self.trace ^ thread.number);
        self.resume(index);
    }

    fn resume(&mut self, index: usize) {
        match self.threads[index].code.resume() {
            Some(wait) => self.threads[index].wait = wait,
            None => self.threads.swap_remove(index).code.recycle(),
        }
    }

    /// Moves the clock to the next time that somebody waits for.
    fn jump(&mut self, (wall_ms, steady_ms): (i64, i64)) -> bool {
        let left_ms = |thread: &Thread| match &thread.wait {
            Wait::Until(at) => Some(at - steady_ms),
            Wait::Task(_, until) => until.map(|at| at - wall_ms),
            Wait::News(until) => until.map(|at| at - steady_ms),
            Wait::Turn => None,
        };
        let awake = |t: &&Thread| !self.processes[t.process].is_frozen();
        let Some(by_ms) = self.threads.iter().filter(awake).filter_map(left_ms).min() else {
            return false;
        };
        let by_ms = by_ms.max(0).unsigned_abs();
        self.clock.advance(Duration::from_millis(by_ms));
        self.trace = fmix64(self.trace ^ by_ms);
        true
    }
}

/// Milliseconds of the clock that nobody sets.
pub(super) fn steady_ms(clock: &ManualClock) -> i64 {
    i64::try_from(clock.monotonic_nanos() / 1_000_000).unwrap_or(i64::MAX)
}
