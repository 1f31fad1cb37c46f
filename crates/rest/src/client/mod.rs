//! The client's side: finds running jobs and asks them.
