//! The second phase: ends the transactions of completed checkpoints. Flink's `KafkaCommitter`.

use crate::wire::{OpenTransaction, Transactions};
use millpond_api::sink::{CommitRequest, Committer};
use millpond_core::{Error, ErrorKind, Result};
use millpond_derive::StateType;

/// A transaction that is flushed and waits for its checkpoint. It is stored in checkpoints. Flink's `KafkaCommittable`.
#[derive(Clone, Debug, PartialEq, Eq, StateType)]
#[state_type(name = "millpond.connectors.KafkaCommittable")]
pub struct KafkaCommittable {
    /// The id that it was written under.
    pub transactional_id: String,
    /// The producer that the coordinator knows under that id.
    pub producer_id: i64,
    /// The producer's epoch.
    pub epoch: i32,
}

pub(super) struct KafkaCommitter {
    pub(super) transactions: Transactions,
    pub(super) ignore_failures: bool,
}

impl Committer<KafkaCommittable> for KafkaCommitter {
    fn commit(&mut self, requests: &mut [CommitRequest<KafkaCommittable>]) -> Result<()> {
        for request in requests {
            let transaction = request.committable().open_transaction()?;
            match self.transactions.commit(&transaction) {
                Ok(()) => {}
                Err(e) if e.is_temporary() => {
                    tracing::warn!(error = %e.report(), "a transaction can't be committed for the moment");
                    request.retry_later();
                }
                Err(e) if e.kind() != ErrorKind::IllegalState => return Err(e),
                Err(e) if self.ignore_failures => request.signal_failed_with_known_reason(lost(e)),
                Err(e) => request.signal_failed_with_unknown_reason(lost(e)),
            }
        }
        Ok(())
    }
}

impl KafkaCommittable {
    fn open_transaction(&self) -> Result<OpenTransaction> {
        let epoch = i16::try_from(self.epoch).map_err(|_| {
            Error::corrupt("commit transaction", "the stored epoch is impossible").with("epoch", self.epoch)
        })?;
        Ok(OpenTransaction {
            transactional_id: self.transactional_id.clone(),
            producer_id: self.producer_id,
            epoch,
        })
    }
}

impl From<OpenTransaction> for KafkaCommittable {
    fn from(transaction: OpenTransaction) -> Self {
        KafkaCommittable {
            transactional_id: transaction.transactional_id,
            producer_id: transaction.producer_id,
            epoch: i32::from(transaction.epoch),
        }
    }
}

fn lost(e: Error) -> Error {
    e.hint(
        "the transaction was open for longer than transaction.timeout.ms, or another job uses the prefix: its records are not in \
         Kafka; start from an older savepoint, or go on without them by ignore_failures_after_transaction_timeout",
    )
}
