//! The file of messages: one thread writes it, with one commit for all pending changes. After a
//! failed commit every call is refused, since memory is ahead of the file; a restart continues with
//! what the file holds.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use embedded_sqs::{Change, Deduplication, QueueId, QueueRecord, Stored};
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, StorageError, TableDefinition,
    WriteTransaction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::error::QueueFileError;
use crate::sources::asynchronous::{FileError, catch_panic, create_tables, open_file};
use crate::state;

/// File name in the state folder.
const FILE: &str = "queues.redb";

/// Maximum of calls in one commit.
const MAX_BATCH: usize = 1_024;

/// [`QueueRecord`] as JSON.
const QUEUES: TableDefinition<'_, QueueId, &[u8]> = TableDefinition::new("queues");
/// By queue and number of the message, as JSON.
type OfMessage = TableDefinition<'static, (QueueId, u64), &'static [u8]>;
const CONTENTS: OfMessage = TableDefinition::new("contents");
const DELIVERIES: OfMessage = TableDefinition::new("deliveries");
/// [`Deduplication`] as JSON, by queue and key.
const DEDUPLICATIONS: TableDefinition<'_, (QueueId, &str), &[u8]> =
    TableDefinition::new("deduplications");

type Outcome = Result<(), QueueFileError>;

/// Changes of a call, and who waits for them.
type Pending = (Vec<Change>, oneshot::Sender<Outcome>);

/// Where changes are written.
#[derive(Debug, Clone)]
pub(super) enum Store {
    /// Nowhere.
    Memory,
    /// To the file, by its thread, which ends once all copies are dropped.
    Disk(Sender<Pending>),
}

/// Resolves once changes are written.
#[derive(Debug)]
pub(super) struct Written(Option<oneshot::Receiver<Outcome>>);

impl Written {
    pub(super) async fn wait(self) -> Outcome {
        match self.0 {
            None => Ok(()),
            Some(written) => written.await.unwrap_or(Err(QueueFileError::Ended)),
        }
    }
}

/// The file in this state folder.
pub(super) fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

impl Store {
    /// Opens the file in this folder, and returns what it holds. Creates both if absent, readable
    /// for this user only.
    pub(super) fn open(folder: &Path) -> Result<(Self, Stored), QueueFileError> {
        let file = file(folder);
        let open = || {
            state::create(folder)?;
            let open_database = open_file();
            let database = catch_panic(|| Ok(open_database(&file, true)?))?;
            let stored = catch_panic(|| {
                prepare(&database)?;
                read(&database)
            })?;
            // makes the directory entry of a new file durable
            File::open(folder)?.sync_all()?;
            Ok((database, stored))
        };
        let (database, stored) =
            open().map_err(|why| QueueFileError::opening(file.clone(), why))?;
        let (sender, receiver) = channel();
        std::thread::Builder::new()
            .name("queues".into())
            .spawn(move || serve(&file, &database, &receiver))
            .map_err(|error| QueueFileError::Thread(Arc::new(error)))?;
        Ok((Self::Disk(sender), stored))
    }

    /// Writes changes after those of earlier calls.
    pub(super) fn write(&self, changes: Vec<Change>) -> Written {
        let Self::Disk(thread) = self else {
            return Written(None);
        };
        // an empty list waits as well: it may show what an earlier call has not written yet
        let (reply, written) = oneshot::channel();
        // after the end of the thread the reply is dropped, which is an error
        drop(thread.send((changes, reply)));
        Written(Some(written))
    }
}

fn serve(file: &Path, database: &Database, calls: &Receiver<Pending>) {
    let mut state = Ok(());
    while let Ok(first) = calls.recv() {
        let batch: Vec<Pending> = std::iter::once(first)
            .chain(calls.try_iter())
            .take(MAX_BATCH)
            .collect();
        let mut changes = batch.iter().flat_map(|(changes, _)| changes).peekable();
        if state.is_ok() && changes.peek().is_some() {
            state = catch_panic(|| Ok(commit(database, changes)?)).map_err(|why| {
                let file = file.to_owned();
                let error = QueueFileError::NotWritten { file, why };
                tracing::error!(alarm = "queue_file_write_failed", "{error}");
                error
            });
        }
        for (_, reply) in batch {
            // the caller may be gone
            drop(reply.send(state.clone()));
        }
    }
}

fn prepare(database: &Database) -> Result<(), FileError> {
    create_tables(database, |transaction| {
        transaction.open_table(QUEUES)?;
        transaction.open_table(CONTENTS)?;
        transaction.open_table(DELIVERIES)?;
        transaction.open_table(DEDUPLICATIONS)?;
        Ok(())
    })
}

fn read(database: &Database) -> Result<Stored, FileError> {
    let transaction = database.begin_read().map_err(redb::Error::from)?;
    let mut stored = Stored::default();
    let mut deliveries = Vec::new();
    let mut rows = || -> Result<Vec<(Row, Vec<u8>)>, redb::Error> {
        let mut rows = Vec::new();
        for row in transaction.open_table(QUEUES)?.iter()? {
            let (key, value) = row?;
            rows.push((Row::Queue(key.value()), value.value().to_vec()));
        }
        for row in transaction.open_table(CONTENTS)?.iter()? {
            let (key, value) = row?;
            rows.push((Row::Content(key.value()), value.value().to_vec()));
        }
        for row in transaction.open_table(DELIVERIES)?.iter()? {
            let (key, value) = row?;
            deliveries.push((key.value(), value.value().to_vec()));
        }
        for row in transaction.open_table(DEDUPLICATIONS)?.iter()? {
            let (key, value) = row?;
            let (queue, id) = key.value();
            let row = Row::Deduplication(queue, id.to_owned());
            rows.push((row, value.value().to_vec()));
        }
        Ok(rows)
    };
    let rows = rows()?;
    // both tables are in the order of their keys
    let mut deliveries = deliveries.into_iter();
    for (row, value) in rows {
        match row {
            Row::Queue(id) => stored.queues.push((id, parse::<QueueRecord>(&value)?)),
            Row::Content(key) => {
                let delivery = deliveries.next().filter(|(of, _)| *of == key);
                let (_, delivery) = delivery
                    .ok_or_else(|| FileError::Damaged(format!("message {} has no state", key.1)))?;
                let (content, delivery) = (parse(&value)?, parse(&delivery)?);
                stored.messages.push((key.0, key.1, content, delivery));
            }
            Row::Deduplication(queue, id) => {
                let by = parse::<Deduplication>(&value)?;
                stored.deduplications.push((queue, id, by));
            }
        }
    }
    Ok(stored)
}

/// Key of a row.
enum Row {
    Queue(QueueId),
    Content((QueueId, u64)),
    Deduplication(QueueId, String),
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FileError> {
    strict_json::from_slice(bytes).map_err(|error| FileError::Damaged(error.to_string()))
}

fn json(value: &impl Serialize) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(value)
        .map_err(|error| redb::Error::from(StorageError::Corrupted(error.to_string())))
}

fn commit<'a>(
    database: &Database,
    changes: impl Iterator<Item = &'a Change>,
) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    for change in changes {
        apply(&transaction, change)?;
    }
    transaction.commit()?;
    Ok(())
}

fn apply(transaction: &WriteTransaction, change: &Change) -> Result<(), redb::Error> {
    match change {
        Change::PutQueue(queue, record) => {
            let value = json(record)?;
            transaction.open_table(QUEUES)?.insert(queue, &value[..])?;
        }
        Change::RemoveQueue(queue) => {
            transaction.open_table(QUEUES)?.remove(queue)?;
            clear(transaction, *queue)?;
            let mut table = transaction.open_table(DEDUPLICATIONS)?;
            table.retain_in((*queue, "")..(*queue + 1, ""), |_, _| false)?;
        }
        Change::ClearQueue(queue) => clear(transaction, *queue)?,
        Change::AddMessage(queue, number, content, delivery) => {
            let key = (*queue, *number);
            let (content, delivery) = (json(&**content)?, json(delivery)?);
            transaction
                .open_table(CONTENTS)?
                .insert(key, &content[..])?;
            transaction
                .open_table(DELIVERIES)?
                .insert(key, &delivery[..])?;
        }
        Change::PutDelivery(queue, number, delivery) => {
            let value = json(delivery)?;
            let mut table = transaction.open_table(DELIVERIES)?;
            table.insert((*queue, *number), &value[..])?;
        }
        Change::RemoveMessage(queue, number) => {
            let key = (*queue, *number);
            transaction.open_table(CONTENTS)?.remove(key)?;
            transaction.open_table(DELIVERIES)?.remove(key)?;
        }
        Change::PutDeduplication(queue, key, by) => {
            let value = json(by)?;
            let mut table = transaction.open_table(DEDUPLICATIONS)?;
            table.insert((*queue, key.as_str()), &value[..])?;
        }
        Change::RemoveDeduplication(queue, key) => {
            let mut table = transaction.open_table(DEDUPLICATIONS)?;
            table.remove((*queue, key.as_str()))?;
        }
    }
    Ok(())
}

fn clear(transaction: &WriteTransaction, queue: QueueId) -> Result<(), redb::Error> {
    for table in [CONTENTS, DELIVERIES] {
        let mut table = transaction.open_table(table)?;
        table.retain_in((queue, 0)..(queue + 1, 0), |_, _| false)?;
    }
    Ok(())
}
