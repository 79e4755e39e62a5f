//! The tasks that run as long as the host does.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

/// A drain that lasts longer says what it waits for, and again after each such time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Parts of the host that end only when it drains.
#[derive(Debug, Default)]
pub(super) struct Parts {
    tasks: JoinSet<Result<(), String>>,
    names: HashMap<Id, String>,
}

impl Parts {
    /// Starts one; `name` is for messages.
    pub(super) fn start(&mut self, name: impl Into<String>, part: impl Future<Output = Result<(), String>> + Send + 'static) {
        self.names.insert(self.tasks.spawn(part).id(), name.into());
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Waits for the first that ends, and says why it did. `None`: there is none left.
    pub(super) async fn ended(&mut self) -> Option<String> {
        let ended = self.tasks.join_next_with_id().await?;
        let (name, why) = self.parted(ended);
        Some(why.unwrap_or_else(|| format!("{name} ended")))
    }

    /// Waits for all that is left; tells of one that ended badly, and what it waits for if that takes long.
    pub(super) async fn drained(&mut self) {
        let started = Instant::now();
        let mut tell = started + PATIENCE;
        while !self.tasks.is_empty() {
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => {
                    if let (_, Some(why)) = self.parted(ended) {
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

    /// The name of a part that ended, and what went wrong.
    fn parted(&mut self, ended: Result<(Id, Result<(), String>), JoinError>) -> (String, Option<String>) {
        match ended {
            Ok((id, result)) => (self.names.remove(&id).unwrap_or_default(), result.err()),
            Err(error) => {
                let name = self.names.remove(&error.id()).unwrap_or_default();
                let why = format!("{name}: {error}");
                (name, Some(why))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_is_named_with_its_reason() {
        let mut parts = Parts::default();
        parts.start("quiet", async { Ok(()) });
        assert_eq!(parts.ended().await.unwrap(), "quiet ended");
        parts.start("mapping A", async { Err("mapping A reads no more: gone".into()) });
        assert_eq!(parts.ended().await.unwrap(), "mapping A reads no more: gone");
        parts.start("hasty", async { panic!("on purpose") });
        let why = parts.ended().await.unwrap();
        assert!(why.starts_with("hasty: ") && why.contains("panic"), "{why}");
        assert_eq!((parts.ended().await, parts.len()), (None, 0));
    }
}
