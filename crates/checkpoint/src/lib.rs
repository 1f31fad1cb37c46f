//! Checkpoints: the protocol that takes them and the storage that keeps them.
//!
//! The protocol is pure (no I/O, clock or threads): [`coordinator`] decides when a checkpoint is taken and whether it is
//! complete, [`align`] decides in each task where in its inputs the cut runs, [`barrier`] is what they speak of.

pub mod align;
pub mod barrier;
pub mod completed;
pub mod coordinator;
pub mod inspect;
pub mod metadata;
pub mod recovery;
pub mod registry;
pub mod result_store;
pub mod savepoint;
pub mod storage;
