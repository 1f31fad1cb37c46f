//! A transactional system outside of the job: what is staged there survives the process, and shows when it is committed.

use super::coroutine::pause;
use super::scheduler::{Process, Wait};
use millpond_api::sink::{
    CommitRequest, Committer, CommitterInitContext, Sink, SinkContext, SinkWriter, WriterInitContext,
};
use millpond_core::{Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A result: key and number.
pub(super) type Row = (i64, i64);

/// See the module. Clones are the same system.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Transactions>>);

#[derive(Default)]
pub(super) struct Transactions {
    next: i64,
    staged: BTreeMap<i64, Vec<Row>>,
    committed: BTreeMap<i64, Vec<Row>>,
    /// Who staged each transaction, for people.
    origins: BTreeMap<i64, String>,
    /// Commits of something that was committed before.
    pub(super) repeated: u64,
}

impl Ledger {
    pub(super) fn lock(&self) -> MutexGuard<'_, Transactions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every committed transaction with its rows, for comparing two runs.
    pub(super) fn transactions(&self) -> Vec<(i64, Vec<Row>)> {
        self.lock().committed.clone().into_iter().collect()
    }

    /// The transactions that show a row, for people.
    pub(super) fn showing(&self, row: Row) -> Vec<String> {
        let transactions = self.lock();
        let shows = transactions
            .committed
            .iter()
            .filter(|(_, rows)| rows.contains(&row));
        shows
            .map(|(id, rows)| format!("{id} {} {rows:?}", transactions.origins[id]))
            .collect()
    }

    /// How often each row shows.
    pub(super) fn shown(&self) -> BTreeMap<Row, usize> {
        let mut shown = BTreeMap::new();
        for row in self.lock().committed.values().flatten() {
            *shown.entry(*row).or_insert(0) += 1;
        }
        shown
    }
}

/// A sink into the ledger, as one process has it.
pub(super) struct LedgerSink {
    pub(super) ledger: Ledger,
    pub(super) process: Arc<Process>,
}

impl LedgerSink {
    fn connection(&self) -> Connection {
        Connection {
            ledger: self.ledger.clone(),
            process: Arc::clone(&self.process),
        }
    }
}

/// Interrupted around every request, and cut when the process is killed.
struct Connection {
    ledger: Ledger,
    process: Arc<Process>,
}

impl Connection {
    fn request<R>(&self, effect: impl FnOnce(&mut Transactions) -> R) -> Result<R> {
        let alive = || {
            pause(Wait::Turn);
            match self.process.is_dead() {
                true => Err(Error::new(ErrorKind::Io, "ask ledger", "the process was killed")),
                false => Ok(()),
            }
        };
        alive()?;
        let answer = effect(&mut self.ledger.lock());
        alive()?;
        Ok(answer)
    }
}

/// Gathers rows; a checkpoint stages them as one transaction.
pub(super) struct LedgerWriter {
    connection: Connection,
    origin: String,
    rows: Vec<Row>,
}

impl Sink for LedgerSink {
    type In = Row;
    type Writer = LedgerWriter;

    fn create_writer(&self, ctx: &mut WriterInitContext<'_>) -> Result<LedgerWriter> {
        Ok(LedgerWriter {
            connection: self.connection(),
            origin: format!(
                "restored={:?} subtask={}",
                ctx.restored_checkpoint_id, ctx.subtask_index
            ),
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

    fn prepare_commit(&mut self, checkpoint_id: u64) -> Result<Vec<i64>> {
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        let rows = std::mem::take(&mut self.rows);
        let origin = format!("{} checkpoint={checkpoint_id}", self.origin);
        let transaction = self.connection.request(|t| {
            t.next += 1;
            t.origins.insert(t.next, origin);
            t.staged.insert(t.next, rows);
            t.next
        })?;
        Ok(vec![transaction])
    }
}

struct LedgerCommitter(Connection);

impl Committer<i64> for LedgerCommitter {
    fn commit(&mut self, requests: &mut [CommitRequest<i64>]) -> Result<()> {
        for request in requests {
            let transaction = *request.committable();
            let known = self.0.request(|t| match t.staged.remove(&transaction) {
                Some(rows) => {
                    t.committed.insert(transaction, rows);
                    true
                }
                None => {
                    t.repeated += 1;
                    t.committed.contains_key(&transaction)
                }
            })?;
            if !known {
                return Err(
                    Error::user("the ledger does not know this transaction").with("transaction", transaction)
                );
            }
        }
        Ok(())
    }
}
