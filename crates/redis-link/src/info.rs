//! What primaries report of themselves, read again whenever a link may lead to another server.

use std::time::Duration;

use redis::cmd;
use tokio::time::Instant;

use super::link::Servers;
use super::node::pipeline;
use super::{Link, LinkError, Reply};

/// Pause after a failed read.
const RETRY_AFTER: Duration = Duration::from_secs(5);

impl Link {
    /// A section of `INFO` of the server; in a cluster that of every primary.
    pub(super) async fn infos(&self, section: &str) -> Result<Vec<String>, LinkError> {
        let deadline = Instant::now() + self.response_timeout;
        let nodes = match &self.servers {
            Servers::One(node) => vec![node.clone()],
            Servers::Cluster(cluster) => cluster.primaries(deadline).await?,
        };
        let info = pipeline([cmd("INFO").arg(section).to_owned()]);
        let mut found = Vec::with_capacity(nodes.len());
        for node in nodes {
            let value = node.exchange(&info, deadline).await?.pop();
            let value = value.ok_or_else(|| LinkError::no_answer("INFO"))?;
            found.push(Reply::new("INFO", value)?.word()?);
        }
        if found.is_empty() {
            return Err(LinkError::Unavailable("the cluster has no primary".into()));
        }
        Ok(found)
    }

    /// Calls `alarm` when `find` finds something in a section of `INFO` that it did not find before.
    /// Reads at the start and after each reconnect, which may lead to another server. Runs for ever:
    /// spawn it.
    pub(super) async fn watch<T: PartialEq>(
        self,
        section: &'static str,
        find: impl Fn(&[String]) -> Result<Option<T>, LinkError>,
        alarm: impl Fn(&T),
    ) {
        let mut changes = self.changes();
        let mut alarmed = None;
        loop {
            changes.mark_unchanged();
            match self.infos(section).await.and_then(|infos| find(&infos)) {
                Ok(found) => {
                    if let Some(found) = found.as_ref().filter(|_| found != alarmed) {
                        alarm(found);
                    }
                    alarmed = found;
                }
                Err(error) => {
                    tracing::debug!(%error, "INFO of Redis cannot be read; it is read again");
                    tokio::time::sleep(RETRY_AFTER).await;
                    continue;
                }
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}
