//! Tests of the completed checkpoint store.
