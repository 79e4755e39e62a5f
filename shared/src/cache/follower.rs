//! Hears of every change, so that what this process keeps is served no longer than it is right.

use std::sync::Arc;
use std::time::Duration;

use super::local::Local;
use super::moment::Moment;
use crate::message::ProgramChanged;
use crate::naming::Names;
use redis_link::{Link, LinkError};
use redis_streams::{BroadcastReader, Entry, Received};

/// After a failed read.
const PAUSE: Duration = Duration::from_millis(200);

/// Reads the stream of evicted programs for as long as the process lives. Never returns; drop it to end it.
///
/// `block`: how long one read waits for something to come; well below the time for which a read counts as recent.
///
/// A read that succeeds vouches for the time at which it *began*: its answer may have lain in a buffer while the process was stopped.
pub async fn follow(local: Arc<Local>, link: Link, names: Names, stream: String, block: Duration) {
    let mut outage = Outage::default();
    loop {
        let began = Moment::now();
        let mut reader = match BroadcastReader::open(link.clone(), &names.stream(&stream)).await {
            Ok(reader) => reader,
            Err(error) => {
                outage.note(&error);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        // Only now is the position fixed: what was loaded before may have changed unheard.
        local.begin(began);
        outage.end();
        loop {
            let began = Moment::now();
            // One who may have slept looks at once, and waits only when that was answered.
            let wait = if local.is_fresh() {
                block
            } else {
                Duration::ZERO
            };
            match reader.next(wait).await {
                Ok(Received::Entries(entries)) => {
                    outage.end();
                    hear(&local, &entries, began);
                }
                Ok(Received::Gap(gap)) => {
                    tracing::warn!(
                        stream,
                        ?gap,
                        "changes may have been missed: everything kept in memory is forgotten"
                    );
                    outage.end();
                    local.begin(began);
                }
                Err(error) => {
                    local.fail();
                    outage.note(&error);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn hear(local: &Local, entries: &[Entry], began: Moment) {
    let changes: Result<Vec<_>, _> = entries
        .iter()
        .map(|entry| ProgramChanged::read(|name| entry.text(name)))
        .collect();
    match changes {
        // All that was published before `began` is known only when no more is left.
        Ok(changes) if entries.len() < BroadcastReader::MAX_ENTRIES => local.hear(changes, began),
        Ok(changes) => local.hear_in_part(changes),
        // It may be about any program.
        Err(error) => {
            tracing::error!(%error, "an entry cannot be read: everything kept in memory is forgotten");
            local.begin(began);
        }
    }
}

/// Told once an outage, not once a read.
#[derive(Default)]
struct Outage(bool);

impl Outage {
    fn note(&mut self, error: &LinkError) {
        if !std::mem::replace(&mut self.0, true) {
            tracing::warn!(%error, "changes of programs cannot be heard; nothing is served from memory");
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.0) {
            tracing::info!("changes of programs are heard again");
        }
    }
}
