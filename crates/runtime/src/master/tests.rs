//! Tests of the job master.
