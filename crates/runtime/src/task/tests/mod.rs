//! Tasks, driven by hand, by threads, and by the seeded scheduler.

mod failover;
mod faults;
mod protocol;
mod seeded;
mod support;
mod threads;
mod unaligned;
