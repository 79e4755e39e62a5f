//! Which keys a Redis server removes when it reaches `maxmemory`.

use super::{Link, LinkError};

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

    /// Of the servers whose section `memory` of `INFO` is given: the most that one may remove, and
    /// the name of its policy.
    fn of_all(infos: &[String]) -> Result<(Self, String), LinkError> {
        let mut found = None;
        for text in infos {
            let policy = text
                .lines()
                .find_map(|line| line.strip_prefix("maxmemory_policy:"))
                .ok_or_else(|| LinkError::Protocol("INFO contains no maxmemory_policy".into()))?;
            found = found.max(Some((Self::of(policy), policy.to_owned())));
        }
        found.ok_or_else(|| LinkError::no_answer("INFO"))
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
        Eviction::of_all(&self.infos("memory").await?)
    }

    /// Raises the alarm `redis_may_evict` when the server may remove more than `allowed`. Checks at
    /// the start and after each reconnect, which may lead to another server. Runs for ever: spawn it.
    pub async fn watch_eviction(self, allowed: Eviction) {
        let find = |infos: &[String]| {
            let (found, policy) = Eviction::of_all(infos)?;
            Ok((found > allowed).then_some(policy))
        };
        let alarm = |policy: &String| {
            tracing::error!(
                alarm = "redis_may_evict",
                policy,
                "Redis may remove keys that must stay: set its maxmemory-policy to {}",
                allowed.policy()
            );
        };
        self.watch("memory", find, alarm).await;
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
