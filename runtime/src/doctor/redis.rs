//! Checks the Redis servers of this machine that variables of functions name: whether they accept
//! writes, which keys they evict, and whether they take writes without their replicas.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, RedisResult, cmd};
use redis_link::WriteGuard;

use super::Finding;
use sam_template::model::Application;
use sam_template::project::local_servers;

/// Longest wait for a response.
const REDIS_TIMEOUT: Duration = Duration::from_secs(2);

/// Findings for each server that responds. The preflight checks report the others.
pub(super) async fn servers(app: &Application) -> Vec<Finding> {
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (variable, value) in app
        .functions
        .values()
        .flat_map(|function| &function.environment)
    {
        if value.starts_with("redis://") && !local_servers(value).is_empty() {
            named.entry(value).or_default().insert(variable);
        }
    }
    let mut found = Vec::new();
    for (url, variables) in named {
        let Ok(info) = url.into_connection_info() else {
            continue;
        };
        let variables: Vec<&str> = variables.into_iter().collect();
        let server = format!("Redis at {} ({})", info.addr(), variables.join(", "));
        let Ok(client) = Client::open(info) else {
            continue;
        };
        if let Ok(state) = RedisState::read(&client).await {
            found.push(state.finding(&server));
            found.extend(state.of_replicas(&server));
        }
    }
    found
}

/// Role and eviction policy of a server, and how it treats writes without its replicas.
struct RedisState {
    is_replica: bool,
    policy: String,
    guard: Option<WriteGuard>,
}

impl RedisState {
    async fn read(client: &Client) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(REDIS_TIMEOUT))
            .set_response_timeout(Some(REDIS_TIMEOUT));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let info: String = cmd("INFO").query_async(&mut connection).await?;
        let policy = info
            .lines()
            .find_map(|line| line.strip_prefix("maxmemory_policy:"));
        Ok(Self {
            is_replica: info.lines().any(|line| line == "role:slave"),
            policy: policy.unwrap_or("unknown").to_owned(),
            guard: WriteGuard::read(&info).ok(),
        })
    }

    /// Nothing of a server without replicas.
    fn of_replicas(&self, server: &str) -> Option<Finding> {
        match self.guard? {
            WriteGuard::Guarded if self.is_replica => None,
            WriteGuard::Guarded => Some(Finding::ok(format!(
                "{server} takes writes only while replicas follow it (min-replicas-to-write)"
            ))),
            WriteGuard::NoReplicas => None,
            WriteGuard::Unguarded { replicas } => Some(Finding::warn(format!(
                "{server} has replicas ({replicas}), and takes writes without them: what a primary \
                 takes that has been replaced is lost. Set min-replicas-to-write to 1 or more and \
                 min-replicas-max-lag to 10"
            ))),
        }
    }

    fn finding(&self, server: &str) -> Finding {
        match self.policy.as_str() {
            _ if self.is_replica => Finding::warn(format!(
                "{server} is a replica and accepts no writes. Name its primary"
            )),
            "noeviction" => Finding::ok(format!("{server} evicts no keys (noeviction)")),
            volatile if volatile.starts_with("volatile-") => Finding::ok(format!(
                "{server} evicts only keys with a time to live when it is full ({volatile}): \
                 suitable for a cache"
            )),
            policy => Finding::warn(format!(
                "{server} may evict any key when it is full (maxmemory-policy {policy}). Set \
                 noeviction where every key counts, such as in a queue or a lock; volatile-lru for \
                 a cache beside streams"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Severity;
    use super::*;

    fn of_replicas(is_replica: bool, guard: WriteGuard) -> Option<Severity> {
        let state = RedisState {
            is_replica,
            policy: "noeviction".to_owned(),
            guard: Some(guard),
        };
        state.of_replicas("Redis").map(|finding| finding.severity)
    }

    #[test]
    fn only_a_primary_with_replicas_needs_the_settings() {
        let unguarded = WriteGuard::Unguarded { replicas: 1 };
        assert_eq!(of_replicas(false, unguarded), Some(Severity::Warn));
        assert_eq!(of_replicas(false, WriteGuard::Guarded), Some(Severity::Ok));
        assert_eq!(of_replicas(false, WriteGuard::NoReplicas), None);
        assert_eq!(of_replicas(true, WriteGuard::Guarded), None);
    }
}
