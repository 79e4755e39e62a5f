//! What a Redis removes by itself when it is full.

use std::time::Duration;

use redis::cmd;

use super::{Link, LinkError};

/// After a server did not answer, or did not let itself be examined.
const AGAIN: Duration = Duration::from_secs(5);

/// What a server may remove when it has reached `maxmemory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Eviction {
    /// Nothing: it refuses to grow (`noeviction`).
    Nothing,
    /// Keys with a time to live (`volatile-*`).
    Expiring,
    /// Any key (`allkeys-*`, and any policy that is not known).
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
}

/// What the keys on a server are there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// The gate: every key is part of a whole.
    Gate,
    /// Caches and streams: only what has a time to live may go.
    Cache,
}

impl Keeps {
    /// What a server may remove without breaking a promise.
    fn bears(self) -> Eviction {
        match self {
            Self::Gate => Eviction::Nothing,
            Self::Cache => Eviction::Expiring,
        }
    }

    /// The setting to make.
    fn wanted(self) -> &'static str {
        match self {
            Self::Gate => "noeviction",
            Self::Cache => "volatile-lru",
        }
    }
}

impl Link {
    /// What the server may remove, and the name of its policy.
    pub async fn eviction(&self) -> Result<(Eviction, String), LinkError> {
        let mut replies = self
            .read("INFO", vec![cmd("INFO").arg("memory").to_owned()])
            .await?;
        let mut reply = replies
            .pop()
            .ok_or_else(|| LinkError::Protocol("no answer to INFO".into()))?;
        let text = reply.word()?;
        let policy = text
            .lines()
            .find_map(|line| line.strip_prefix("maxmemory_policy:"));
        let policy = policy
            .ok_or_else(|| LinkError::Protocol("INFO does not say maxmemory_policy".into()))?;
        Ok((Eviction::of(policy), policy.to_owned()))
    }

    /// Raises the alarm `redis_may_evict` where the server may remove keys that must stay: at the start, and again after each change of
    /// the connection, which may lead to another server. Ends only with the link; spawn it, and drop it with the process.
    pub async fn watch_eviction(self, keeps: Keeps) {
        let mut numbers = self.numbers();
        let mut alarmed = None;
        loop {
            numbers.mark_unchanged();
            match self.eviction().await {
                Ok((found, _)) if found <= keeps.bears() => alarmed = None,
                Ok((_, policy)) if alarmed.as_ref() == Some(&policy) => {}
                Ok((_, policy)) => {
                    tracing::error!(
                        alarm = "redis_may_evict",
                        policy,
                        "Redis may remove keys that must stay: set maxmemory-policy {} on it ({keeps:?})",
                        keeps.wanted()
                    );
                    alarmed = Some(policy);
                }
                Err(error) => {
                    tracing::debug!(%error, "maxmemory-policy is not known yet");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            }
            if numbers.changed().await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_bears_no_eviction_and_a_cache_only_of_what_expires() {
        let fits = |keeps: Keeps, policy| Eviction::of(policy) <= keeps.bears();
        for keeps in [Keeps::Gate, Keeps::Cache] {
            assert!(
                fits(keeps, "noeviction")
                    && fits(keeps, keeps.wanted())
                    && !fits(keeps, "allkeys-lru")
            );
            assert!(!fits(keeps, "a policy of tomorrow"));
        }
        assert!(fits(Keeps::Cache, "volatile-ttl") && !fits(Keeps::Gate, "volatile-ttl"));
    }
}
