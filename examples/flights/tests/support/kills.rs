//! A job that is killed again and again at random moments, each time started with the same command.
//!
//! `MILLPOND_KILL_SEED` replays the moments of a run; the seed is printed when a run fails.

use super::{Place, finish, kill, text};
use millpond::core::host::{SeededRandom, entropy, sleep};
use std::ops::Range;
use std::time::Duration;

const KILLS: u32 = 25;

/// How a job runs until it is killed.
pub struct Lives {
    /// How many milliseconds each life has.
    pub millis: Range<u64>,
    /// Flights a second of each source task: so few that the lives together don't see the end of them.
    pub throttle: u32,
}

/// What a job was that came to its end after all.
pub struct Survived {
    /// Names the run in a failure.
    pub run: String,
    /// What the last life logged: among others, what it went on from.
    pub log: String,
}

/// Kills the job in `place` 25 times, then lets it run to its end.
pub fn kill_until_the_end(place: &Place, parallelism: u32, lives: &Lives, options: &[&str]) -> Survived {
    let seed = std::env::var("MILLPOND_KILL_SEED").map_or_else(|_| entropy(), |s| s.parse().unwrap());
    println!("MILLPOND_KILL_SEED={seed}");
    let mut random = SeededRandom::new(seed);
    let mut kills_before_end = 0;
    for _ in 0..KILLS {
        let mut job = place.job(parallelism);
        job.args(["--throttle", &lives.throttle.to_string()])
            .args(options);
        let mut child = job.spawn().unwrap();
        let spread = lives.millis.end - lives.millis.start;
        sleep(Duration::from_millis(lives.millis.start + random.below(spread)));
        kills_before_end += u32::from(child.try_wait().unwrap().is_none());
        kill(child);
    }
    // A run that ended by itself before its kill is a weaker test; most must not.
    assert!(
        kills_before_end > KILLS / 2,
        "only {kills_before_end} of {KILLS} kills met a running job"
    );
    let mut job = place.job(parallelism);
    job.args(options);
    let last = finish(job);
    Survived {
        run: format!("MILLPOND_KILL_SEED={seed} parallelism={parallelism}"),
        log: text(&last.stderr),
    }
}
