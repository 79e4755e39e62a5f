//! Checks the Redis servers of this machine that variables of functions name: whether they accept
//! writes, and which keys they evict.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, RedisResult, cmd};

use super::Finding;
use sam_template::model::Application;
use sam_template::project::local_servers;

/// Longest wait for a response.
const REDIS_TIMEOUT: Duration = Duration::from_secs(2);

/// One finding for each server that responds. The preflight checks report the others.
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
        }
    }
    found
}

/// Role and eviction policy of a server.
struct RedisState {
    is_replica: bool,
    policy: String,
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
        })
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
