//! Tests of the metadata format.
