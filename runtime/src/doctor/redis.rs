//! Redis servers of this machine that variables of functions name: whether they take writes, and what they remove when they are full.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, RedisResult, cmd};

use super::{Finding, Level};
use crate::model::Application;
use crate::project::local_servers;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// One finding a server that answers; of others the preflight checks tell.
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
        if let Ok(state) = State::read(&client).await {
            found.push(state.finding(&server));
        }
    }
    found
}

/// What a server says of itself.
struct State {
    is_replica: bool,
    policy: String,
}

impl State {
    async fn read(client: &Client) -> RedisResult<Self> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let memory: String = cmd("INFO")
            .arg("memory")
            .query_async(&mut connection)
            .await?;
        let replication: String = cmd("INFO")
            .arg("replication")
            .query_async(&mut connection)
            .await?;
        let policy = memory
            .lines()
            .find_map(|line| line.strip_prefix("maxmemory_policy:"))
            .unwrap_or("unknown");
        Ok(Self {
            is_replica: replication.lines().any(|line| line == "role:slave"),
            policy: policy.to_owned(),
        })
    }

    fn finding(&self, server: &str) -> Finding {
        let policy = &self.policy;
        if self.is_replica {
            return Finding::new(
                Level::Warn,
                format!("{server} is a replica and takes no writes. Name its primary"),
            );
        }
        match policy.as_str() {
            "noeviction" => Finding::new(
                Level::Ok,
                format!("{server} removes no key by itself ({policy})"),
            ),
            volatile if volatile.starts_with("volatile-") => {
                let text = format!(
                    "{server} removes only keys with a time to live when it is full ({policy}): fit for a cache"
                );
                Finding::new(Level::Ok, text)
            }
            _ => {
                let text = format!(
                    "{server} may remove any key when it is full (maxmemory-policy {policy}). Set noeviction where every key \
                     counts, such as in a queue or a lock; volatile-lru for a cache beside streams"
                );
                Finding::new(Level::Warn, text)
            }
        }
    }
}
