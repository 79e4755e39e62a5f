//! Which keys a Redis server removes when it reaches `maxmemory`.

use std::time::Duration;

use redis::cmd;
use tokio::time::Instant;

use super::link::Servers;
use super::node::pipeline;
use super::{Link, LinkError, Reply};

/// Pause after a failed check of the policy.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Which keys a server may remove when it has reached `maxmemory`, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Eviction {
    /// None: it refuses to grow (`noeviction`).
    Nothing,
    /// Keys with a time to live (`volatile-*`).
    Expiring,
    /// Any key (`allkeys-*`, and every unknown policy).
    Anything,
}

impl Eviction {
    fn of(policy: &str) -> Self {
        match policy {
            "noeviction" => Self::Nothing,
            policy if policy.starts_with("volatile-") => Self::Expiring,
            _ => Self::Anything,
        }
    }

    /// The `maxmemory-policy` that removes no more than this.
    fn policy(self) -> &'static str {
        match self {
            Self::Nothing => "noeviction",
            Self::Expiring => "volatile-lru",
            Self::Anything => "allkeys-lru",
        }
    }
}

impl Link {
    /// Reads the server's `maxmemory-policy`: what it may remove, and its name. In a cluster that of
    /// the primary that may remove most.
    pub async fn eviction(&self) -> Result<(Eviction, String), LinkError> {
        let deadline = Instant::now() + self.response_timeout;
        let nodes = match &self.servers {
            Servers::One(node) => vec![node.clone()],
            Servers::Cluster(cluster) => cluster.primaries(deadline).await?,
        };
        let info = pipeline([cmd("INFO").arg("memory").to_owned()]);
        let mut found = None;
        for node in nodes {
            let value = node.exchange(&info, deadline).await?.pop();
            let value = value.ok_or_else(|| LinkError::no_answer("INFO"))?;
            let text = Reply::new("INFO", value)?.word()?;
            let policy = text
                .lines()
                .find_map(|line| line.strip_prefix("maxmemory_policy:"))
                .ok_or_else(|| LinkError::Protocol("INFO contains no maxmemory_policy".into()))?;
            found = found.max(Some((Eviction::of(policy), policy.to_owned())));
        }
        found.ok_or_else(|| LinkError::Unavailable("the cluster has no primary".into()))
    }

    /// Raises the alarm `redis_may_evict` when the server may remove more than `allowed`. Checks at
    /// the start and after each reconnect, which may lead to another server. Runs for ever: spawn it.
    pub async fn watch_eviction(self, allowed: Eviction) {
        let mut changes = self.changes();
        let mut alarmed = None;
        loop {
            changes.mark_unchanged();
            match self.eviction().await {
                Ok((found, _)) if found <= allowed => alarmed = None,
                Ok((_, policy)) if alarmed.as_ref() == Some(&policy) => {}
                Ok((_, policy)) => {
                    tracing::error!(
                        alarm = "redis_may_evict",
                        policy,
                        "Redis may remove keys that must stay: set its maxmemory-policy to {}",
                        allowed.policy()
                    );
                    alarmed = Some(policy);
                }
                Err(error) => {
                    tracing::debug!(%error, "maxmemory-policy cannot be read; it is read again");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_allows_its_class_and_less() {
        for (policy, class) in [
            ("noeviction", Eviction::Nothing),
            ("volatile-ttl", Eviction::Expiring),
            ("volatile-lru", Eviction::Expiring),
            ("allkeys-lru", Eviction::Anything),
            ("a future policy", Eviction::Anything),
        ] {
            assert_eq!(Eviction::of(policy), class, "{policy}");
            assert_eq!(Eviction::of(class.policy()), class, "{policy}");
        }
        assert!(Eviction::Nothing < Eviction::Expiring && Eviction::Expiring < Eviction::Anything);
    }
}
