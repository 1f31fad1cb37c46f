//! Behaviour of the coordinator, one rule a test.
