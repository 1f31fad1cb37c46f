//! The first phase of exactly once: one transaction after the other, each with a producer of its own.

use super::committer::KafkaCommittable;
use super::names::TransactionNames;
use super::producer::Producer;
use crate::client::failed;
use crate::properties::Properties;
use crate::wire::{TransactionState, Transactions};
use millpond_api::WriterInitContext;
use millpond_core::host::{JoinHandle, spawn};
use millpond_core::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// How long the coordinator is waited for at a time, and how often: so long, and no longer, does a cancelled task wait.
const INIT_WAIT: Duration = Duration::from_secs(2);
const INIT_TRIES: u32 = 30;

/// Writes into one transaction at a time.
pub(super) struct TransactionalProducers {
    names: TransactionNames,
    subtask: u32,
    /// The number in the next transactional id that nobody has.
    next: u64,
    /// The producer of the open transaction, and its id; it exists from the first record on.
    open: Option<(String, Producer)>,
    maker: Maker,
    transactions: Transactions,
}

impl TransactionalProducers {
    /// Aborts what an earlier life of this instance left open, and makes the first producer ready.
    ///
    /// Everything that a completed checkpoint holds is committed by now, so whatever is open is in none.
    pub(super) fn open(
        properties: &Arc<Properties>,
        prefix: &str,
        ctx: &WriterInitContext<'_>,
    ) -> Result<Self> {
        let names = TransactionNames::new(prefix);
        let mut transactions = Transactions::new(properties)?;
        for id in transactions.open_with_prefix(names.prefix())? {
            let is_own = names
                .subtask(&id)
                .is_some_and(|subtask| subtask % ctx.parallelism.max(1) == ctx.subtask_index);
            if is_own {
                tracing::info!(transactional_id = %id, "aborting a transaction that a crash left open; its records come again");
                transactions.abort(&id)?;
            }
        }
        let mut producers = TransactionalProducers {
            names,
            subtask: ctx.subtask_index,
            next: ctx.first_checkpoint_id,
            open: None,
            maker: Maker::start(properties, ctx.subtask_index)?,
            transactions,
        };
        producers.order();
        Ok(producers)
    }

    /// Has the next producer made.
    fn order(&mut self) {
        self.maker.order(self.names.id(self.subtask, self.next));
        self.next = self.next.saturating_add(1);
    }

    /// The producer of the open transaction, which is begun if there is none.
    pub(super) fn current(&mut self) -> Result<&mut Producer> {
        if self.open.is_none() {
            let (id, producer) = self.maker.take()?;
            producer
                .begin_transaction()
                .map_err(|e| e.with("transactional_id", &id))?;
            self.open = Some((id, producer));
            self.order();
        }
        match &mut self.open {
            Some((_, producer)) => Ok(producer),
            None => Err(Error::illegal_state("begin transaction", "it was not begun")),
        }
    }

    /// Waits until Kafka has every record of the open transaction.
    pub(super) fn flush(&mut self) -> Result<()> {
        match &mut self.open {
            Some((id, producer)) => producer.flush().map_err(|e| e.with("transactional_id", id)),
            None => Ok(()),
        }
    }

    /// Hands the open transaction over to whoever commits it. `None` if nothing was written.
    pub(super) fn prepare_commit(&mut self) -> Result<Option<KafkaCommittable>> {
        let Some((id, mut producer)) = self.open.take() else {
            return Ok(None);
        };
        producer.flush().map_err(|e| e.with("transactional_id", &id))?;
        let state = self.transactions.describe(&id)?;
        // Destroying a producer joins its threads: not here.
        self.maker.retire(producer);
        match state {
            TransactionState::Open(transaction) => Ok(Some(transaction.into())),
            TransactionState::Other(state) => Err(Error::new(
                ErrorKind::Io,
                "prepare commit",
                "the transaction is no longer open, though records were written into it",
            )
            .with("transactional_id", id)
            .with("state", state)
            .hint(
                "it was open for longer than transaction.timeout.ms, or another job uses the prefix; the job goes on from its last \
                 checkpoint",
            )),
        }
    }
}

/// Makes producers ready, and destroys used ones, on a thread of its own: both take round trips or wait for threads.
struct Maker {
    orders: Option<Sender<Order>>,
    made: Receiver<Result<(String, Producer)>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    Make(String),
    Retire(Producer),
}

impl Maker {
    fn start(properties: &Arc<Properties>, subtask: u32) -> Result<Self> {
        let (orders, ordered) = channel();
        let (finished, made) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let (properties, stop) = (Arc::clone(properties), Arc::clone(&stop));
            spawn(format!("kafka-producers-{subtask}"), move || {
                while let Ok(order) = ordered.recv() {
                    match order {
                        Order::Retire(producer) => drop(producer),
                        // Nobody waits any more if this fails.
                        Order::Make(id) => drop(finished.send(make(&properties, id, &stop))),
                    }
                }
            })?
        };
        Ok(Maker {
            orders: Some(orders),
            made,
            stop,
            thread: Some(thread),
        })
    }

    fn order(&self, id: String) {
        self.send(Order::Make(id));
    }

    fn retire(&self, producer: Producer) {
        self.send(Order::Retire(producer));
    }

    fn send(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // The thread ends with the maker: `take` says so if it did before.
            drop(orders.send(order));
        }
    }

    /// The producer that was ordered first.
    fn take(&self) -> Result<(String, Producer)> {
        self.made.recv().map_err(|_| {
            Error::illegal_state("make Kafka producer", "the thread that makes them has ended")
        })?
    }
}

/// An old attempt must have done with its ids before a new one uses them: so this waits for the thread.
impl Drop for Maker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.orders = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the thread that makes Kafka producers panicked");
        }
    }
}

fn make(properties: &Properties, id: String, stop: &AtomicBool) -> Result<(String, Producer)> {
    let producer = Producer::new(properties, Some(&id))?;
    let mut tries = 0;
    loop {
        match producer.init_transactions(INIT_WAIT) {
            Ok(()) => return Ok((id, producer)),
            Err(e) => {
                tries += 1;
                if stop.load(Ordering::Relaxed) {
                    return Err(Error::new(
                        ErrorKind::Cancelled,
                        "make Kafka producer",
                        "cancelled",
                    ));
                }
                let may_pass = matches!(&e, rdkafka::error::KafkaError::Transaction(e) if e.is_retriable());
                if !may_pass || tries == INIT_TRIES {
                    return Err(failed("make Kafka producer", e).with("transactional_id", id));
                }
            }
        }
    }
}
