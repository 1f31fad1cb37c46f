//! A small client of our own for what librdkafka has no call for: looking at transactions, and ending those of producers that are
//! gone. Blocking, one request at a time; never on the record path.
//!
//! | part | what it does |
//! |---|---|
//! | `connection` | one socket: frames, correlation |
//! | `security` | what protects it: `tls`, and `sasl` for the login |
//! | `cluster` | which broker to ask, and asking again while one is away |
//! | `transactions` | the four requests about transactions, and what their errors mean |

mod cluster;
mod connection;
mod sasl;
mod security;
#[cfg(test)]
mod tests;
mod tls;
mod transactions;

pub(crate) use security::Security;
pub(crate) use transactions::{OpenTransaction, TransactionState, Transactions};
