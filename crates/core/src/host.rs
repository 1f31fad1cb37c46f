//! The one place that touches the wall clock, OS randomness, thread spawn and sleep.
//!
//! Everything else takes a [`Clock`] or calls [`spawn`], so that a test can drive time by hand and a seeded
//! scheduler can replay a run. `clippy.toml` bans the raw calls everywhere else.
#![expect(
    clippy::disallowed_methods,
    reason = "this module is the replacement that the lint names"
)]

use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the time comes from.
///
/// # Contract
/// `monotonic_nanos` never goes back. `now_ms` may (a person sets the clock); callers that schedule by it must
/// tolerate that. Implementations call every subscribed [`Wake`] when time moves otherwise than by itself.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Milliseconds since the epoch: processing time.
    fn now_ms(&self) -> i64;
    /// Nanoseconds since some fixed moment, for measuring durations.
    fn monotonic_nanos(&self) -> u64;
    /// Registers someone to be woken when a driven clock is moved. A clock that runs by itself ignores it.
    fn subscribe(&self, _wake: Weak<dyn Wake>) {}
    /// How long a thread may block while waiting for `deadline_ms`. A driven clock answers `None`:
    /// it will wake its subscribers instead.
    fn block_for(&self, deadline_ms: i64) -> Option<Duration>;
    /// As [`Clock::block_for`], for a deadline on the monotonic clock: whoever sets the wall clock doesn't move it.
    fn block_until(&self, monotonic_nanos: u64) -> Option<Duration>;
}

/// Something that waits and wants to look at the clock again.
pub trait Wake: Send + Sync {
    /// Called after a driven clock has moved.
    fn wake(&self);
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// The machine's clock, ready to be shared.
    pub fn shared() -> Arc<dyn Clock> {
        Arc::new(SystemClock {
            start: Instant::now(),
        })
    }
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
    }
    fn monotonic_nanos(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
    fn block_for(&self, deadline_ms: i64) -> Option<Duration> {
        let left = deadline_ms.saturating_sub(self.now_ms()).max(0);
        Some(Duration::from_millis(left.unsigned_abs()))
    }
    fn block_until(&self, monotonic_nanos: u64) -> Option<Duration> {
        Some(Duration::from_nanos(
            monotonic_nanos.saturating_sub(self.monotonic_nanos()),
        ))
    }
}

/// A clock that stands still until a test moves it.
#[derive(Default)]
pub struct ManualClock {
    now_ms: AtomicI64,
    monotonic_ms: AtomicU64,
    subscribers: Mutex<Vec<Weak<dyn Wake>>>,
}

impl ManualClock {
    /// A clock that shows `now_ms`.
    pub fn new(now_ms: i64) -> Arc<Self> {
        Arc::new(ManualClock {
            now_ms: AtomicI64::new(now_ms),
            ..Default::default()
        })
    }

    /// Moves both the wall clock and the monotonic clock forward and wakes whoever waits.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.monotonic_ms.fetch_add(ms, Ordering::SeqCst);
        self.now_ms
            .fetch_add(i64::try_from(ms).unwrap_or(i64::MAX), Ordering::SeqCst);
        self.wake_all();
    }

    /// Sets the wall clock, forward or back, as a person or NTP would. The monotonic clock doesn't move.
    pub fn set(&self, now_ms: i64) {
        self.now_ms.store(now_ms, Ordering::SeqCst);
        self.wake_all();
    }

    fn wake_all(&self) {
        let mut list = self.subscribers.lock().unwrap_or_else(PoisonError::into_inner);
        let live: Vec<_> = list.iter().filter_map(Weak::upgrade).collect();
        list.retain(|w| w.strong_count() > 0);
        drop(list);
        live.iter().for_each(|w| w.wake());
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ManualClock({} ms)", self.now_ms.load(Ordering::SeqCst))
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }
    fn monotonic_nanos(&self) -> u64 {
        self.monotonic_ms.load(Ordering::SeqCst).saturating_mul(1_000_000)
    }
    fn subscribe(&self, wake: Weak<dyn Wake>) {
        self.subscribers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(wake);
    }
    fn block_for(&self, _deadline_ms: i64) -> Option<Duration> {
        None
    }
    fn block_until(&self, _monotonic_nanos: u64) -> Option<Duration> {
        None
    }
}

/// Runs work beside its caller: threads in production, a seeded scheduler in a simulation.
pub trait Background: Send + Sync {
    /// Runs `work` soon, not before this returns.
    fn run(&self, work: Box<dyn FnOnce() + Send>);
    /// Lets other work go on for a moment. Called by work that waits for other work.
    fn pause(&self);
}

/// A thread that was started with [`spawn`].
pub type JoinHandle<T> = std::thread::JoinHandle<T>;

/// Starts a named thread.
///
/// # Errors
/// [`ErrorKind::Io`] when the operating system has no thread to give.
pub fn spawn<T: Send + 'static>(
    name: impl Into<String>,
    f: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    let name = name.into();
    std::thread::Builder::new()
        .name(name.clone())
        .spawn(f)
        .map_err(|e| {
            Error::new(ErrorKind::Io, "start thread", "no thread to be had")
                .with("thread", name)
                .source(e)
        })
}

/// How much nicer than others a thread is that gives way: what Linux hands out is then a sixth of what it gives a normal thread that
/// wants the same processor.
const BACKGROUND_NICENESS: i32 = 8;

/// As [`spawn`], for work that nobody waits for record by record, such as writing a snapshot: see [`give_way`].
///
/// # Errors
/// As [`spawn`].
pub fn spawn_background<T: Send + 'static>(
    name: impl Into<String>,
    f: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    spawn(name, move || {
        give_way();
        f()
    })
}

/// Makes the calling thread give way, from now on, to those that process records where both want a processor. With processors to spare it
/// is as fast as they are. Without, it gets a small part, never nothing. Does nothing but on Linux, where alone threads have a
/// niceness of their own.
pub fn give_way() {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{getpriority_process, setpriority_process};
        // Without an id it is about the calling thread. A refusal would leave it as it was.
        let _ =
            getpriority_process(None).and_then(|nice| setpriority_process(None, nice + BACKGROUND_NICENESS));
    }
}

/// Runs `f` on every item, on up to `threads` threads that end before this returns, and gives the results in the order of the
/// items. After an error, items that nobody has begun are left out.
///
/// # Errors
/// The first error of `f` by the order of the items.
pub fn parallel<T: Send, R: Send>(
    threads: usize,
    items: Vec<T>,
    f: impl Fn(T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let count = items.len();
    let threads = threads.clamp(1, count.max(1));
    if threads == 1 {
        return items.into_iter().map(f).collect();
    }
    let queue = Mutex::new(items.into_iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(count));
    let lock_next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some((number, item)) = lock_next() {
            let result = f(item);
            let failed = result.is_err();
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((number, result));
            if failed {
                drop(done);
                // The others find nothing more to do.
                while lock_next().is_some() {}
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Blocks the thread. For tools and tests that poll something outside; tasks wait on their gate instead.
pub fn sleep(duration: Duration) {
    std::thread::sleep(duration);
}

/// A fresh seed from the operating system and the clock, for jitter, unique names and randomized tests.
pub fn entropy() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    #[expect(clippy::disallowed_types, reason = "this module hands randomness out")]
    let mut h = std::collections::hash_map::RandomState::new().build_hasher();
    h.write_u64(COUNTER.fetch_add(1, Ordering::Relaxed));
    h.write_u32(std::process::id());
    h.write_u128(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_nanos()),
    );
    h.finish()
}

/// A small seeded generator (SplitMix64): the same seed gives the same sequence on every machine.
#[derive(Clone, Debug)]
pub struct SeededRandom(u64);

impl SeededRandom {
    /// A generator that starts from `seed`.
    pub fn new(seed: u64) -> Self {
        SeededRandom(seed)
    }
    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
    /// Whether an event of probability `numerator / denominator` happens.
    pub fn chance(&mut self, numerator: u64, denominator: u64) -> bool {
        self.below(denominator) < numerator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driven_clock_wakes_its_subscribers_and_forgets_the_dead() {
        struct Count(AtomicU64);
        impl Wake for Count {
            fn wake(&self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let clock = ManualClock::new(5);
        let count = Arc::new(Count(AtomicU64::new(0)));
        let as_dyn: Arc<dyn Wake> = count.clone();
        clock.subscribe(Arc::downgrade(&as_dyn));
        clock.advance(Duration::from_millis(10));
        assert_eq!((clock.now_ms(), clock.monotonic_nanos()), (15, 10_000_000));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        drop((count, as_dyn));
        clock.set(3);
        assert_eq!((clock.now_ms(), clock.monotonic_nanos()), (3, 10_000_000));
        assert!(clock.subscribers.lock().unwrap().is_empty());
    }

    /// Asks two threads, and the one that starts them, how nice they are.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_background_thread_is_nicer_than_the_one_that_starts_it() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let ours = nice();
        let normal = spawn("normal", nice).unwrap().join().unwrap();
        let background = spawn_background("background", nice).unwrap().join().unwrap();
        assert_eq!((normal, nice()), (ours, ours));
        // 19 is the most.
        assert_eq!(background, (ours + BACKGROUND_NICENESS).min(19));
    }

    #[test]
    fn below_stays_below() {
        let mut r = SeededRandom::new(1);
        assert!((0..10_000).all(|_| r.below(7) < 7));
        assert_eq!(r.below(0), 0);
    }
}
