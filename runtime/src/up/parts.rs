//! The tasks that run as long as the host does: supervised parts, which end only when it drains.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use crate::supervision::{Part, supervise};

/// A drain that lasts longer says what it waits for, and again after each such time.
const PATIENCE: Duration = Duration::from_secs(5);

/// A group of parts that drain together.
#[derive(Debug, Default)]
pub(super) struct Parts {
    tasks: JoinSet<Result<(), String>>,
    names: HashMap<Id, String>,
}

impl Parts {
    /// Starts one; `name` is for messages.
    pub(super) fn start(
        &mut self,
        name: impl Into<String>,
        part: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        self.names.insert(self.tasks.spawn(part).id(), name.into());
    }

    /// Starts one that is started again whenever it ends before `stopping` turns true.
    pub(super) fn supervise<S, F>(&mut self, part: Part, stopping: &watch::Receiver<bool>, run: S)
    where
        S: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.start(
            part.name().to_owned(),
            supervise(part, stopping.clone(), run),
        );
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Waits for all that is left; tells of one that ended badly, and what it waits for if that takes long.
    pub(super) async fn drained(&mut self) {
        let started = Instant::now();
        let mut tell = started + PATIENCE;
        while !self.tasks.is_empty() {
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => {
                    if let Some(why) = self.parted(ended) {
                        tracing::error!("{why}");
                    }
                }
                () = tokio::time::sleep_until(tell) => {
                    tell += PATIENCE;
                    let mut names: Vec<&str> = self.names.values().map(String::as_str).collect();
                    names.sort_unstable();
                    tracing::warn!("still draining after {} s: {}", started.elapsed().as_secs(), names.join(", "));
                }
            }
        }
    }

    /// What went wrong with a part that ended.
    fn parted(&mut self, ended: Result<(Id, Result<(), String>), JoinError>) -> Option<String> {
        match ended {
            Ok((id, result)) => {
                self.names.remove(&id);
                result.err()
            }
            Err(error) => {
                let name = self.names.remove(&error.id()).unwrap_or_default();
                Some(format!("{name}: {error}"))
            }
        }
    }
}
