//! Behaviour of both machines, one rule a test.
