//! Follows the stream of changes, so that memory never serves an outdated program.

use std::sync::Arc;
use std::time::Duration;

use super::freshness::DualInstant;
use super::local_state::LocalState;
use crate::message::ProgramChanged;
use crate::naming::Names;
use redis_link::{Link, LinkError};
use redis_streams::{BroadcastReader, Entry, Received};

/// Pause after a failed read.
const PAUSE: Duration = Duration::from_millis(200);

/// Reads the stream of evicted programs until it is dropped.
///
/// `block` is how long one read waits for an entry; well below the time for which a read is recent.
///
/// A successful read covers the time until it *began*: its reply may have waited in a buffer while
/// the process was stopped.
pub async fn follow(
    local: Arc<LocalState>,
    link: Link,
    names: Names,
    stream: String,
    block: Duration,
) {
    let mut outage = Outage::default();
    loop {
        let began = DualInstant::now();
        let mut reader = match BroadcastReader::open(link.clone(), &names.stream(&stream)).await {
            Ok(reader) => reader,
            Err(error) => {
                outage.note(&error);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // The position is fixed from here: a program loaded before may have changed unnoticed.
        local.rules().begin(began);
        outage.end();
        loop {
            let began = DualInstant::now();
            // After a long pause of the process, read without waiting first.
            let wait = if local.is_fresh() {
                block
            } else {
                Duration::ZERO
            };
            match reader.next(wait).await {
                Ok(Received::Entries(entries)) => {
                    outage.end();
                    apply(&local, &entries, began);
                }
                Ok(Received::Gap(gap)) => {
                    tracing::warn!(
                        stream,
                        ?gap,
                        "changes may have been missed; programs in memory are discarded"
                    );
                    outage.end();
                    local.rules().begin(began);
                }
                Err(error) => {
                    local.rules().fail();
                    outage.note(&error);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn apply(local: &LocalState, entries: &[Entry], began: DualInstant) {
    let changes: Result<Vec<_>, _> = entries
        .iter()
        .map(|entry| ProgramChanged::read(|name| entry.text(name)))
        .collect();
    match changes {
        // A full read may leave entries that were published before `began`.
        Ok(changes) if entries.len() < BroadcastReader::MAX_ENTRIES => {
            local.rules().apply(changes, began);
        }
        Ok(changes) => local.rules().apply_partial(changes),
        // The entry may concern any program.
        Err(error) => {
            tracing::error!(%error, "an entry cannot be parsed; programs in memory are discarded");
            local.rules().begin(began);
        }
    }
}

/// Logs once for each outage, not for each read.
#[derive(Default)]
struct Outage(bool);

impl Outage {
    fn note(&mut self, error: &LinkError) {
        if !std::mem::replace(&mut self.0, true) {
            tracing::warn!(
                %error,
                "changes of programs cannot be read; programs are not served from memory"
            );
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.0) {
            tracing::info!("changes of programs are read again");
        }
    }
}
