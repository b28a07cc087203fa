//! Durable key-value stores in one file, with group commit.
//!
//! Making a write durable costs a wait for the disk (`fsync`), 1 to 10 ms, whatever is written. So one thread owns all writes: it
//! takes everything that waits in its queue, applies it in the order of arrival in one transaction, commits that durably, and only
//! then answers everybody. While it waits for the disk the next group gathers, so throughput grows with the number of writers and
//! latency stays at about two waits. The order of the queue is the order of the writes: each sees all before it, so
//! compare-and-swap and increments are exact.
//!
//! Readers see the last committed state (MVCC) and wait for nobody. Whoever was answered reads its own write.

use std::fmt;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use bytes::Bytes;
use miette::Diagnostic;
use redb::{Database as Redb, ReadableDatabase, ReadableTable, StorageError, TableDefinition, TableError};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::metrics::Metrics;

/// The longest key, in bytes: that of Fermyon Cloud, the narrowest of the hosts that components meet.
pub const MAX_KEY: usize = 255;
/// The longest value, in bytes.
pub const MAX_VALUE: usize = 16 << 20;
/// The most keys in one batch.
pub const MAX_BATCH_KEYS: usize = 16_384;
/// The most bytes of keys and values in one batch.
pub const MAX_BATCH_BYTES: usize = 64 << 20;
/// The most keys in one page of a listing.
pub const MAX_LISTED_KEYS: usize = 10_000;

/// The most bytes that one transaction takes on before it commits: what waits longer waits for the next.
const MAX_GROUP_BYTES: usize = 128 << 20;
/// The most writes in one transaction.
const MAX_GROUP_WRITES: usize = 4_096;
/// How many writes may wait; further ones wait to be queued, each holding its own bytes.
const QUEUE: usize = 4_096;

/// Why an operation failed. The texts are what components get to see.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DatabaseError {
    /// The key is too long.
    #[error("the key has {0} bytes; the limit is {MAX_KEY}")]
    Key(usize),
    /// The value is too long.
    #[error("the value has {0} bytes; the limit is {MAX_VALUE}")]
    Value(usize),
    /// The batch has too many keys.
    #[error("the batch has {0} keys; the limit is {MAX_BATCH_KEYS}")]
    BatchKeys(usize),
    /// The batch has too many bytes.
    #[error("the batch has {0} bytes; the limit is {MAX_BATCH_BYTES}")]
    BatchBytes(usize),
    /// An increment met a value that is no number.
    #[error("the value of {0} bytes is no number that can be incremented: those have 8 bytes")]
    NoNumber(usize),
    /// An increment would overflow.
    #[error("incrementing {0} by {1} leaves the range of 64-bit numbers")]
    Overflow(i64, i64),
    /// The file cannot be read or written. What was not answered may or may not be there.
    #[error("the state cannot be read or written: {0}")]
    Storage(String),
    /// The database is closing.
    #[error("the host is shutting down")]
    Closed,
}

impl DatabaseError {
    fn storage(error: impl Into<redb::Error>) -> Self {
        Self::Storage(error.into().to_string())
    }
}

/// Why a database cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum OpenError {
    /// It is open already.
    #[error("it is open already")]
    #[diagnostic(help("only one process can have it open; end the other one, or choose another folder"))]
    Taken,
    /// The file is damaged, or no database.
    #[error("it is damaged, or no database: {0}")]
    #[diagnostic(help("restore it from a backup, or move it away: then a new one is made"))]
    Damaged(String),
    /// The file cannot be read or written.
    #[error("{0}")]
    #[diagnostic(help("look whether the path is right, and whether this user may read and write there"))]
    Unusable(String),
}

impl From<redb::DatabaseError> for OpenError {
    fn from(error: redb::DatabaseError) -> Self {
        let text = error.to_string();
        match error {
            redb::DatabaseError::DatabaseAlreadyOpen | redb::DatabaseError::LockProtocolMismatch => Self::Taken,
            redb::DatabaseError::Storage(StorageError::Corrupted(_))
            | redb::DatabaseError::RepairAborted
            | redb::DatabaseError::UpgradeRequired(_) => Self::Damaged(text),
            redb::DatabaseError::Storage(StorageError::Io(error))
                if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                Self::Damaged(text)
            }
            _ => Self::Unusable(text),
        }
    }
}

/// How a compare-and-swap ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// The value was as expected, and is replaced durably.
    Swapped,
    /// The value was another one, which is given; nothing was written.
    Differs(Option<Bytes>),
}

/// One page of the keys of a store, in ascending order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The keys.
    pub keys: Vec<String>,
    /// Where the next page begins; `None` after the last.
    pub cursor: Option<String>,
}

/// A handle to an open database. Clones share it; it closes, after all queued writes, when the last one is dropped.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    redb: Arc<Redb>,
    /// `None` only while it closes.
    queue: Option<mpsc::Sender<Write>>,
    writer: Option<JoinHandle<()>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Database")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            // The writer ends when the queue is closed and empty. A panic of it has been printed already.
            let _ = writer.join();
        }
    }
}

/// A store's table: keys are text, values are bytes.
type Table<'a> = TableDefinition<'a, &'static str, &'static [u8]>;

/// A change that waits to be written, and who waits for it.
struct Write {
    store: Arc<str>,
    change: Change,
    answer: oneshot::Sender<Result<Outcome, DatabaseError>>,
}

enum Change {
    Set(Vec<(String, Bytes)>),
    Delete(Vec<String>),
    Increment {
        key: String,
        delta: i64,
    },
    Swap {
        key: String,
        expected: Option<Bytes>,
        value: Bytes,
    },
}

#[derive(Clone)]
enum Outcome {
    Done,
    Number(i64),
    Swap(Swap),
}

impl Change {
    /// About how much it adds to a transaction, in bytes.
    fn size(&self) -> usize {
        match self {
            Self::Set(pairs) => pairs.iter().map(|(key, value)| key.len() + value.len()).sum(),
            Self::Delete(keys) => keys.iter().map(String::len).sum(),
            Self::Increment { key, .. } => key.len() + 8,
            Self::Swap { key, value, .. } => key.len() + value.len(),
        }
    }
}

impl Database {
    /// Opens the file, or makes it. Only one process can have it open.
    pub fn open(file: &Path, metrics: Metrics) -> Result<Self, OpenError> {
        let redb = Arc::new(Redb::create(file)?);
        let (queue, waiting) = mpsc::channel(QUEUE);
        let writer = std::thread::Builder::new().name("eqmesh-writer".into()).spawn({
            let redb = Arc::clone(&redb);
            move || write_groups(&redb, waiting, &metrics)
        });
        let writer = writer.map_err(|error| OpenError::Unusable(error.to_string()))?;
        let inner = Inner {
            redb,
            queue: Some(queue),
            writer: Some(writer),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The value of a key, if it has one.
    pub fn get(&self, store: &str, key: &str) -> Result<Option<Bytes>, DatabaseError> {
        check_key(key)?;
        let Some(table) = self.table(store)? else {
            return Ok(None);
        };
        let value = table.get(key).map_err(DatabaseError::storage)?;
        Ok(value.map(|value| Bytes::copy_from_slice(value.value())))
    }

    /// Whether a key has a value.
    pub fn exists(&self, store: &str, key: &str) -> Result<bool, DatabaseError> {
        check_key(key)?;
        let Some(table) = self.table(store)? else {
            return Ok(false);
        };
        Ok(table.get(key).map_err(DatabaseError::storage)?.is_some())
    }

    /// The values of several keys, in their order, all of one moment.
    pub fn get_many(&self, store: &str, keys: Vec<String>) -> Result<Vec<(String, Option<Bytes>)>, DatabaseError> {
        check_batch(keys.iter().map(|key| (key.as_str(), 0)))?;
        let Some(table) = self.table(store)? else {
            return Ok(keys.into_iter().map(|key| (key, None)).collect());
        };
        let mut read = 0;
        let pair = |key: String| {
            let value = table.get(key.as_str()).map_err(DatabaseError::storage)?;
            let value = value.map(|value| Bytes::copy_from_slice(value.value()));
            read += value.as_ref().map_or(0, Bytes::len);
            if read > MAX_BATCH_BYTES {
                Err(DatabaseError::BatchBytes(read))
            } else {
                Ok((key, value))
            }
        };
        keys.into_iter().map(pair).collect()
    }

    /// The keys after a cursor: at most [`MAX_LISTED_KEYS`] of them.
    pub fn keys(&self, store: &str, after: Option<&str>) -> Result<Keys, DatabaseError> {
        let Some(table) = self.table(store)? else {
            return Ok(Keys {
                keys: Vec::new(),
                cursor: None,
            });
        };
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = table
            .range::<&str>((after, Bound::Unbounded))
            .map_err(DatabaseError::storage)?;
        let mut keys: Vec<String> = Vec::new();
        for pair in range {
            let (key, _) = pair.map_err(DatabaseError::storage)?;
            if keys.len() == MAX_LISTED_KEYS {
                let cursor = keys.last().cloned();
                return Ok(Keys { keys, cursor });
            }
            keys.push(key.value().to_owned());
        }
        Ok(Keys { keys, cursor: None })
    }

    /// Sets values, all or none. Answers when they are durable.
    pub async fn set(&self, store: &Arc<str>, pairs: Vec<(String, Bytes)>) -> Result<(), DatabaseError> {
        for (_, value) in &pairs {
            check_value(value)?;
        }
        check_batch(pairs.iter().map(|(key, value)| (key.as_str(), value.len())))?;
        self.write(store, Change::Set(pairs)).await.map(|_| ())
    }

    /// Deletes keys, all or none; what is not there is skipped. Answers when that is durable.
    pub async fn delete(&self, store: &Arc<str>, keys: Vec<String>) -> Result<(), DatabaseError> {
        check_batch(keys.iter().map(|key| (key.as_str(), 0)))?;
        self.write(store, Change::Delete(keys)).await.map(|_| ())
    }

    /// Adds to a number of 8 bytes, little-endian; a key without a value counts as 0. Answers the sum when it is durable.
    pub async fn increment(&self, store: &Arc<str>, key: String, delta: i64) -> Result<i64, DatabaseError> {
        check_key(&key)?;
        match self.write(store, Change::Increment { key, delta }).await? {
            Outcome::Number(number) => Ok(number),
            Outcome::Done | Outcome::Swap(_) => unreachable!("an increment comes to a number"),
        }
    }

    /// Replaces a value if it is, byte for byte, the expected one; `None` expects that the key has no value. Answers when it is durable.
    pub async fn swap(
        &self,
        store: &Arc<str>,
        key: String,
        expected: Option<Bytes>,
        value: Bytes,
    ) -> Result<Swap, DatabaseError> {
        check_key(&key)?;
        check_value(&value)?;
        match self.write(store, Change::Swap { key, expected, value }).await? {
            Outcome::Swap(swap) => Ok(swap),
            Outcome::Done | Outcome::Number(_) => unreachable!("a swap comes to a swap"),
        }
    }

    async fn write(&self, store: &Arc<str>, change: Change) -> Result<Outcome, DatabaseError> {
        let (answer, answered) = oneshot::channel();
        let write = Write {
            store: Arc::clone(store),
            change,
            answer,
        };
        let queue = self.inner.queue.as_ref().ok_or(DatabaseError::Closed)?;
        queue.send(write).await.map_err(|_| DatabaseError::Closed)?;
        answered.await.map_err(|_| DatabaseError::Closed)?
    }

    /// The table of a store as it was last committed; `None` before the first write.
    fn table(&self, store: &str) -> Result<Option<redb::ReadOnlyTable<&'static str, &'static [u8]>>, DatabaseError> {
        let transaction = self.inner.redb.begin_read().map_err(DatabaseError::storage)?;
        match transaction.open_table(Table::new(store)) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(DatabaseError::storage(error)),
        }
    }
}

fn check_key(key: &str) -> Result<(), DatabaseError> {
    if key.len() > MAX_KEY {
        Err(DatabaseError::Key(key.len()))
    } else {
        Ok(())
    }
}

fn check_value(value: &Bytes) -> Result<(), DatabaseError> {
    if value.len() > MAX_VALUE {
        Err(DatabaseError::Value(value.len()))
    } else {
        Ok(())
    }
}

fn check_batch<'a>(pairs: impl ExactSizeIterator<Item = (&'a str, usize)>) -> Result<(), DatabaseError> {
    if pairs.len() > MAX_BATCH_KEYS {
        return Err(DatabaseError::BatchKeys(pairs.len()));
    }
    let mut bytes = 0;
    for (key, value) in pairs {
        check_key(key)?;
        bytes += key.len() + value;
    }
    if bytes > MAX_BATCH_BYTES {
        Err(DatabaseError::BatchBytes(bytes))
    } else {
        Ok(())
    }
}

/// The writer: a group a turn, until the queue is closed.
fn write_groups(redb: &Redb, mut waiting: mpsc::Receiver<Write>, metrics: &Metrics) {
    while let Some(first) = waiting.blocking_recv() {
        let mut bytes = first.change.size();
        let mut group = vec![first];
        while group.len() < MAX_GROUP_WRITES && bytes < MAX_GROUP_BYTES {
            let Ok(next) = waiting.try_recv() else { break };
            bytes += next.change.size();
            group.push(next);
        }
        let started = Instant::now();
        let outcomes = commit(redb, &group);
        metrics.committed(group.len(), started.elapsed());
        match outcomes {
            Ok(outcomes) => {
                for (write, outcome) in group.into_iter().zip(outcomes) {
                    // Whoever asked may have gone; the write stands.
                    let _ = write.answer.send(outcome);
                }
            }
            Err(error) => {
                tracing::error!(%error, writes = group.len(), "a group of writes failed");
                for write in group {
                    let _ = write.answer.send(Err(error.clone()));
                }
            }
        }
    }
}

/// One transaction. An error of one change (a number that is none) is that change's alone; an error of the file is everybody's.
fn commit(redb: &Redb, group: &[Write]) -> Result<Vec<Result<Outcome, DatabaseError>>, DatabaseError> {
    let transaction = redb.begin_write().map_err(DatabaseError::storage)?;
    let mut outcomes = Vec::with_capacity(group.len());
    let mut rest = group;
    // A table stays open for a run of writes to one store.
    while let Some(first) = rest.first() {
        let run = rest.iter().take_while(|write| write.store == first.store).count();
        let (writes, others) = rest.split_at(run);
        let mut table = transaction
            .open_table(Table::new(&first.store))
            .map_err(DatabaseError::storage)?;
        for write in writes {
            outcomes.push(match apply(&mut table, &write.change) {
                Err(error @ DatabaseError::Storage(_)) => return Err(error),
                outcome => outcome,
            });
        }
        rest = others;
    }
    let unchanged =
        |outcome: &Result<Outcome, DatabaseError>| matches!(outcome, Err(_) | Ok(Outcome::Swap(Swap::Differs(_))));
    if outcomes.iter().all(unchanged) {
        // Nothing was written, so nobody has to wait for the disk.
        transaction.abort().map_err(DatabaseError::storage)?;
    } else {
        transaction.commit().map_err(DatabaseError::storage)?;
    }
    Ok(outcomes)
}

fn apply(table: &mut redb::Table<'_, &'static str, &'static [u8]>, change: &Change) -> Result<Outcome, DatabaseError> {
    match change {
        Change::Set(pairs) => {
            for (key, value) in pairs {
                table
                    .insert(key.as_str(), value.as_ref())
                    .map_err(DatabaseError::storage)?;
            }
            Ok(Outcome::Done)
        }
        Change::Delete(keys) => {
            for key in keys {
                table.remove(key.as_str()).map_err(DatabaseError::storage)?;
            }
            Ok(Outcome::Done)
        }
        Change::Increment { key, delta } => {
            let number = match table.get(key.as_str()).map_err(DatabaseError::storage)? {
                Some(value) => {
                    let value = value.value();
                    i64::from_le_bytes(value.try_into().map_err(|_| DatabaseError::NoNumber(value.len()))?)
                }
                None => 0,
            };
            let sum = number
                .checked_add(*delta)
                .ok_or(DatabaseError::Overflow(number, *delta))?;
            table
                .insert(key.as_str(), sum.to_le_bytes().as_slice())
                .map_err(DatabaseError::storage)?;
            Ok(Outcome::Number(sum))
        }
        Change::Swap { key, expected, value } => {
            let current = table.get(key.as_str()).map_err(DatabaseError::storage)?;
            let current = current.map(|value| Bytes::copy_from_slice(value.value()));
            if current != *expected {
                return Ok(Outcome::Swap(Swap::Differs(current)));
            }
            table
                .insert(key.as_str(), value.as_ref())
                .map_err(DatabaseError::storage)?;
            Ok(Outcome::Swap(Swap::Swapped))
        }
    }
}
