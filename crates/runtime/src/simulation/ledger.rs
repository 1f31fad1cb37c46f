//! A transactional system outside of the job: what is staged there survives the process, and shows when it is committed.

use super::coroutine::pause;
use super::faults::Faults;
use super::log::say;
use super::scheduler::{Process, Wait};
use millpond_api::sink::{
    CommitRequest, Committer, CommitterInitContext, Sink, SinkContext, SinkWriter, WriterInitContext,
};
use millpond_core::{CheckpointId, Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A result: key and number.
pub(super) type Row = (i64, i64);

/// See the module. Clones are the same system.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Transactions>>);

/// All that was ever staged.
#[derive(Clone, Default)]
struct Transactions {
    by_number: BTreeMap<i64, Transaction>,
    /// The processes that ever had a writer, in the order of their first ones: that in which they owned the job, if they did.
    writers: Vec<usize>,
}

/// Rows that show at once.
#[derive(Clone, Debug)]
struct Transaction {
    rows: Vec<Row>,
    origin: Origin,
    committed: bool,
}

/// Who staged a transaction.
#[derive(Clone, Copy, Debug)]
struct Origin {
    /// The number of the process among those of the run.
    process: usize,
    /// What its attempt was restored from.
    #[expect(dead_code, reason = "read by people, in what a violation says")]
    restored: Option<CheckpointId>,
    /// With which checkpoint it was staged.
    checkpoint: CheckpointId,
}

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, Transactions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every committed transaction with its rows, for comparing two runs.
    pub(super) fn transactions(&self) -> Vec<(i64, Vec<Row>)> {
        let transactions = self.lock();
        let committed = transactions.by_number.iter().filter(|(_, t)| t.committed);
        committed.map(|(id, t)| (*id, t.rows.clone())).collect()
    }

    /// The transactions that hold a row, for people.
    pub(super) fn holding(&self, row: Row) -> Vec<String> {
        let transactions = self.lock();
        let holding = transactions
            .by_number
            .iter()
            .filter(|(_, t)| t.rows.contains(&row));
        holding.map(|(id, t)| format!("{id} {t:?}")).collect()
    }

    /// How often each row shows.
    pub(super) fn shown(&self) -> BTreeMap<Row, usize> {
        let mut shown = BTreeMap::new();
        for row in self
            .lock()
            .by_number
            .values()
            .filter(|t| t.committed)
            .flat_map(|t| &t.rows)
        {
            *shown.entry(*row).or_insert(0) += 1;
        }
        shown
    }

    /// The ledger as if all that came after savepoint `savepoint` of process `process` had not been: what counts are commits of
    /// checkpoints before it. (Numbers of savepoints can come again in a later process.) What was staged with it, or before it
    /// and not committed, is for whoever starts from it.
    pub(super) fn as_of(&self, savepoint: CheckpointId, process: usize) -> Ledger {
        let mut transactions = self.lock().clone();
        let writers = transactions.writers.clone();
        let turn = |process: usize| writers.iter().position(|w| *w == process);
        for transaction in transactions.by_number.values_mut() {
            let Origin {
                checkpoint,
                process: by,
                ..
            } = transaction.origin;
            transaction.committed &= checkpoint < savepoint && turn(by) <= turn(process);
        }
        Ledger(Arc::new(Mutex::new(transactions)))
    }
}

/// A sink into the ledger, as one process has it.
#[derive(Clone)]
pub(super) struct LedgerSink {
    pub(super) ledger: Ledger,
    pub(super) process: Arc<Process>,
    /// The number of the process among those of the run.
    pub(super) number: usize,
    pub(super) faults: Arc<Faults>,
}

impl LedgerSink {
    fn connection(&self) -> Connection {
        Connection {
            ledger: self.ledger.clone(),
            process: Arc::clone(&self.process),
            faults: Arc::clone(&self.faults),
        }
    }
}

/// Interrupted around every request, each of which can fail or lose its answer, and cut when the process is killed.
struct Connection {
    ledger: Ledger,
    process: Arc<Process>,
    faults: Arc<Faults>,
}

impl Connection {
    fn request<R>(&self, effect: impl FnOnce(&mut Transactions) -> R) -> Result<R> {
        let pass = |is_lost: bool| {
            pause(Wait::Turn);
            match self.process.is_dead() {
                true => Err(Error::new(ErrorKind::Io, "ask ledger", "the process was killed")),
                false if is_lost => Err(Error::new(ErrorKind::Io, "ask ledger", "it does not answer")),
                false => Ok(()),
            }
        };
        pass(self.faults.request_fails())?;
        let answer = effect(&mut self.ledger.lock());
        pass(self.faults.answer_is_lost())?;
        Ok(answer)
    }
}

/// Gathers rows; a checkpoint stages them as one transaction.
pub(super) struct LedgerWriter {
    connection: Connection,
    process: usize,
    restored: Option<CheckpointId>,
    rows: Vec<Row>,
}

impl Sink for LedgerSink {
    type In = Row;
    type Writer = LedgerWriter;

    fn create_writer(&self, ctx: &mut WriterInitContext<'_>) -> Result<LedgerWriter> {
        let mut transactions = self.ledger.lock();
        if !transactions.writers.contains(&self.number) {
            transactions.writers.push(self.number);
        }
        Ok(LedgerWriter {
            connection: self.connection(),
            process: self.number,
            restored: ctx.restored_checkpoint_id,
            rows: Vec::new(),
        })
    }

    fn create_committer(&self, _ctx: &CommitterInitContext<'_>) -> Result<Option<Box<dyn Committer<i64>>>> {
        Ok(Some(Box::new(LedgerCommitter(self.connection()))))
    }
}

impl SinkWriter for LedgerWriter {
    type In = Row;
    type Committable = i64;

    fn write(&mut self, row: Row, _ctx: &SinkContext) -> Result<()> {
        self.rows.push(row);
        Ok(())
    }

    fn prepare_commit(&mut self, checkpoint: CheckpointId) -> Result<Vec<i64>> {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        let transaction = Transaction {
            rows: std::mem::take(&mut self.rows),
            origin: Origin {
                process: self.process,
                restored: self.restored,
                checkpoint,
            },
            committed: false,
        };
        let number = self.connection.request(|t| {
            let number = t.by_number.last_key_value().map_or(1, |(last, _)| last + 1);
            t.by_number.insert(number, transaction);
            number
        })?;
        Ok(vec![number])
    }
}

struct LedgerCommitter(Connection);

impl Committer<i64> for LedgerCommitter {
    fn commit(&mut self, requests: &mut [CommitRequest<i64>]) -> Result<()> {
        for request in requests {
            let number = *request.committable();
            let known = self.0.request(|t| {
                let transaction = t.by_number.get_mut(&number);
                say(|| format!("transaction {number} is committed: {transaction:?}"));
                transaction.map(|t| t.committed = true).is_some()
            })?;
            if !known {
                return Err(
                    Error::user("the ledger does not know this transaction").with("transaction", number)
                );
            }
        }
        Ok(())
    }
}
