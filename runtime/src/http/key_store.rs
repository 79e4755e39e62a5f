//! The keys that tokens are checked with, and how they are refreshed.
//!
//! A file is read again when it changes, a URL every ten minutes. Both are also read when a token
//! names a key that the set does not have, at most once in five seconds for all clients together. A
//! failed read keeps the keys in force, with a warning and a count.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use serde::Serialize;

use super::keys::{KeySet, KeySetError};
use crate::client::{FetchError, fetch_document};
use crate::lock::lock;
use sam_template::model::KeySource;

/// Why a key set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The file cannot be read.
    #[error("cannot read the key set {location}: {error}. --jwks names a JWKS file or its URL.")]
    File {
        /// The file.
        location: KeySource,
        /// The reason.
        #[source]
        error: io::Error,
    },
    /// The URL cannot be read.
    #[error("cannot read the key set {location}: {error}. --jwks names a JWKS file or its URL.")]
    Url {
        /// The URL.
        location: KeySource,
        /// The reason.
        #[source]
        error: FetchError,
    },
    /// The document has no usable keys.
    #[error("the key set {location} {error}")]
    Keys {
        /// File or URL.
        location: KeySource,
        /// The reason.
        #[source]
        error: KeySetError,
    },
}

/// How often a source is read.
#[derive(Debug, Clone, Copy)]
pub struct RefreshIntervals {
    /// Time between two reads of a URL.
    pub url: Duration,
    /// Time between two checks of a file for changes.
    pub file: Duration,
    /// Minimum time between two reads because of unknown keys.
    pub unknown_key: Duration,
}

impl Default for RefreshIntervals {
    fn default() -> Self {
        Self {
            url: Duration::from_mins(10),
            file: Duration::from_millis(500),
            unknown_key: Duration::from_secs(5),
        }
    }
}

/// The keys in force, with their source.
#[derive(Debug)]
pub struct KeyStore {
    source: KeySource,
    intervals: RefreshIntervals,
    state: Mutex<KeysInForce>,
    /// When the source was last read because of an unknown key. Locked during a read, so that one
    /// read serves all waiting requests.
    read: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct KeysInForce {
    keys: Arc<KeySet>,
    /// Why the last read failed.
    problem: Option<String>,
    failures: u64,
}

/// The keys, for the status.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeyStatus {
    /// File or URL.
    pub source: String,
    /// Keys in force.
    pub keys: usize,
    /// Reads that failed since the start.
    pub refresh_failures: u64,
    /// Why the last read failed; the keys before it are in force.
    pub problem: Option<String>,
}

impl KeyStore {
    /// Reads the source for the first time.
    ///
    /// # Errors
    /// The message for the user: the source cannot be read, or has no usable key.
    pub async fn load(source: KeySource, refresh: RefreshIntervals) -> Result<Self, KeyStoreError> {
        let keys = KeysInForce {
            keys: Arc::new(read(&source).await?),
            problem: None,
            failures: 0,
        };
        Ok(Self {
            source,
            intervals: refresh,
            state: Mutex::new(keys),
            read: tokio::sync::Mutex::default(),
        })
    }

    fn state(&self) -> MutexGuard<'_, KeysInForce> {
        lock(&self.state)
    }

    /// The keys in force.
    pub(super) fn current(&self) -> Arc<KeySet> {
        self.state().keys.clone()
    }

    /// Reads the source for a token with an unknown key, unless that happened a moment ago.
    pub(super) async fn refresh_for_unknown_key(&self) {
        let mut last = self.read.lock().await;
        if last.is_none_or(|at| at.elapsed() >= self.intervals.unknown_key) {
            self.refresh().await;
            *last = Some(Instant::now());
        }
    }

    /// Follows the source for ever.
    pub async fn follow(&self) {
        // the file may have changed since it was loaded
        let mut stamp = None;
        loop {
            let is_url = matches!(self.source, KeySource::Url(_));
            let pause = if is_url {
                self.intervals.url
            } else {
                self.intervals.file
            };
            tokio::time::sleep(pause).await;
            let now = stamp_of(&self.source).await;
            // a URL has no stamp; without its file the keys stay in force
            if now != stamp || is_url {
                let _guard = self.read.lock().await;
                stamp = now;
                self.refresh().await;
            }
        }
    }

    /// Logs without the lock: every request to a guarded route takes it.
    async fn refresh(&self) {
        let source = &self.source;
        match read(source).await {
            Ok(set) => {
                let new = set.names();
                let mut state = self.state();
                let before = std::mem::replace(&mut state.keys, Arc::new(set));
                let problem = state.problem.take();
                drop(state);
                let old = before.names();
                if old != new {
                    tracing::info!(
                        %source,
                        "keys for tokens changed: {} -> {}",
                        old.join(", "),
                        new.join(", ")
                    );
                }
                if problem.is_some() {
                    tracing::info!(%source, "keys for tokens can be read again");
                }
            }
            Err(error) => {
                let why = error.to_string();
                let mut state = self.state();
                state.failures += 1;
                let before = state.problem.replace(why.clone());
                drop(state);
                if before.as_ref() != Some(&why) {
                    tracing::warn!(%source, "keys for tokens stay as they were: {why}");
                }
            }
        }
    }

    /// For the status.
    pub fn status(&self) -> KeyStatus {
        let state = self.state();
        KeyStatus {
            source: self.source.to_string(),
            keys: state.keys.names().len(),
            refresh_failures: state.failures,
            problem: state.problem.clone(),
        }
    }
}

async fn read(source: &KeySource) -> Result<KeySet, KeyStoreError> {
    let location = || source.clone();
    let text = match source {
        KeySource::File(file) => {
            tokio::fs::read_to_string(file)
                .await
                .map_err(|error| KeyStoreError::File {
                    location: location(),
                    error,
                })
        }
        KeySource::Url(url) => fetch_document(url)
            .await
            .map_err(|error| KeyStoreError::Url {
                location: location(),
                error,
            }),
    };
    KeySet::parse(&text?).map_err(|error| KeyStoreError::Keys {
        location: location(),
        error,
    })
}

/// Changes with an edit of the file; `None` for a URL, and for a missing file.
async fn stamp_of(source: &KeySource) -> Option<(SystemTime, u64)> {
    let KeySource::File(file) = source else {
        return None;
    };
    let metadata = tokio::fs::metadata(file).await.ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
