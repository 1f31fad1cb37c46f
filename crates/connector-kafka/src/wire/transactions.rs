//! What we ask about transactions.

use super::cluster::{Cluster, check, persist};
use crate::properties::Properties;
use kafka_protocol::messages::{
    DescribeTransactionsRequest, EndTxnRequest, InitProducerIdRequest, ListTransactionsRequest,
    TransactionalId,
};
use kafka_protocol::protocol::{Request, StrBytes};
use millpond_core::{Error, Result};

/// The coordinator's answers are asked for in versions that every broker since 3.0 knows and that keep a producer's epoch as it is
/// when its transaction ends, as librdkafka's do.
const END_TXN_VERSION: i16 = 3;
const INIT_PRODUCER_ID_VERSION: i16 = 4;
/// The transaction is open. What else there is ends by itself.
const ONGOING: &str = "Ongoing";
/// `TRANSACTIONAL_ID_NOT_FOUND`.
const NOT_FOUND: i16 = 105;

/// Looks at transactions and ends them.
pub(crate) struct Transactions {
    cluster: Cluster,
    timeout_ms: i32,
}

/// An open transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OpenTransaction {
    pub transactional_id: String,
    pub producer_id: i64,
    pub epoch: i16,
}

/// Where a transactional id stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransactionState {
    /// Its transaction is open and has records.
    Open(OpenTransaction),
    /// The coordinator doesn't know the id, or nothing is open; with what it calls that.
    Other(String),
}

impl Transactions {
    pub(crate) fn new(properties: &Properties) -> Result<Self> {
        Ok(Transactions {
            cluster: Cluster::new(properties)?,
            timeout_ms: properties.transaction_timeout_ms()?,
        })
    }

    /// Where a transaction stands.
    ///
    /// # Errors
    /// Io when its coordinator is away for longer than we wait; IllegalState when the broker refuses.
    pub(crate) fn describe(&mut self, transactional_id: &str) -> Result<TransactionState> {
        let id = named(transactional_id);
        let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![id]);
        persist(|| {
            let mut answer = self.coordinated(transactional_id, &request, 0)?;
            let Some(state) = answer.transaction_states.pop() else {
                return Err(Error::corrupt("describe transaction", "the answer is empty"));
            };
            if state.error_code == NOT_FOUND {
                return Ok(TransactionState::Other("unknown".to_string()));
            }
            check("describe transaction", state.error_code)?;
            Ok(if &*state.transaction_state == ONGOING {
                TransactionState::Open(OpenTransaction {
                    transactional_id: transactional_id.to_string(),
                    producer_id: state.producer_id.0,
                    epoch: state.producer_epoch,
                })
            } else {
                TransactionState::Other(state.transaction_state.to_string())
            })
        })
        .map_err(|e| e.with("transactional_id", transactional_id))
    }

    /// Commits. Harmless when it was committed before.
    ///
    /// # Errors
    /// Io when it may succeed later; IllegalState, with Kafka's reason, when it never will: the transaction was aborted, or
    /// somebody else has its id.
    pub(crate) fn commit(&mut self, transaction: &OpenTransaction) -> Result<()> {
        let request = EndTxnRequest::default()
            .with_transactional_id(named(&transaction.transactional_id))
            .with_producer_id(transaction.producer_id.into())
            .with_producer_epoch(transaction.epoch)
            .with_committed(true);
        persist(|| {
            let answer = self.coordinated(&transaction.transactional_id, &request, END_TXN_VERSION)?;
            check("commit transaction", answer.error_code)
        })
        .map_err(|e| e.with("transactional_id", &transaction.transactional_id))
    }

    /// Aborts what is open under an id, and fences whoever writes under it.
    ///
    /// # Errors
    /// As [`Transactions::describe`].
    pub(crate) fn abort(&mut self, transactional_id: &str) -> Result<()> {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(named(transactional_id)))
            .with_transaction_timeout_ms(self.timeout_ms)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        persist(|| {
            let answer = self.coordinated(transactional_id, &request, INIT_PRODUCER_ID_VERSION)?;
            check("abort transaction", answer.error_code)
        })
        .map_err(|e| e.with("transactional_id", transactional_id))
    }

    /// The ids of the open transactions that begin with `prefix`, of all coordinators.
    ///
    /// # Errors
    /// As [`Transactions::describe`].
    pub(crate) fn open_with_prefix(&mut self, prefix: &str) -> Result<Vec<String>> {
        let request =
            ListTransactionsRequest::default().with_state_filters(vec![StrBytes::from_static_str(ONGOING)]);
        persist(|| {
            let mut found = Vec::new();
            for broker in self.cluster.brokers()? {
                let answer = self.cluster.call(&broker, &request, 0)?;
                check("list transactions", answer.error_code)?;
                let ids = answer
                    .transaction_states
                    .iter()
                    .map(|s| s.transactional_id.to_string());
                found.extend(ids.filter(|id| id.starts_with(prefix)));
            }
            found.sort();
            found.dedup();
            Ok(found)
        })
        .map_err(|e| e.with("transactional_id_prefix", prefix))
    }

    fn coordinated<R: Request>(
        &mut self,
        transactional_id: &str,
        request: &R,
        version: i16,
    ) -> Result<R::Response> {
        let coordinator = self.cluster.coordinator(transactional_id)?;
        self.cluster.call(&coordinator, request, version)
    }
}

fn named(transactional_id: &str) -> TransactionalId {
    TransactionalId(StrBytes::from_string(transactional_id.to_string()))
}
