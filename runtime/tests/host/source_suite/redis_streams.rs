//! Streams of Redis, each with the group of its source.

use std::sync::Mutex;

use redis::FromRedisValue;
use serde_json::Value;
use testkit::redis::{PrivateRedis, remove_keys};
use testkit::servers::redis_url;

use super::{Declaration, Outage, Place, Promise, Setup, SourceUnderTest};
use crate::kafka_fixture::random;
use crate::sources_fixture::Host;

const GROUP: &str = "workers";

/// The command that reads a stream. Without permission to run it, no entry arrives.
const READ: &str = "xreadgroup";

pub(crate) struct RedisStream {
    setup: Setup,
    name: String,
    url: String,
    /// Its own server, if the test has an outage.
    server: Option<Mutex<PrivateRedis>>,
    /// Number of planned items.
    planned: Mutex<usize>,
}

impl RedisStream {
    /// Name of the source, of which the stream is part of the key.
    fn id(&self) -> String {
        format!("{}Items", self.setup.function)
    }

    fn stream(&self) -> String {
        format!("{}:{{items}}", self.name)
    }

    fn redis<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let client = redis::Client::open(self.url.as_str()).unwrap();
        let mut redis = client.get_connection().unwrap();
        let answer = redis::cmd(words[0]).arg(&words[1..]).query(&mut redis);
        answer.unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    fn server(&self) -> std::sync::MutexGuard<'_, PrivateRedis> {
        self.server.as_ref().unwrap().lock().unwrap()
    }
}

impl SourceUnderTest for RedisStream {
    const KIND: &'static str = "redis-stream";
    const NAME: &'static str = "Redis stream";

    const GIVES_UP: bool = true;

    fn exempt(promise: Promise) -> Option<&'static str> {
        match promise {
            Promise::Order => {
                Some("a consumer group keeps no order: a failed entry comes again after later ones")
            }
            Promise::Absent | Promise::Deleted => Some(
                "a stream that does not exist is created, as a producer would; a loss is an alarm",
            ),
            _ => None,
        }
    }

    async fn new(setup: Setup) -> Self {
        let server = setup.outage.map(|_| Mutex::new(PrivateRedis::start(&[])));
        let private = server.as_ref().map(|server| server.lock().unwrap().url());
        Self {
            setup,
            name: format!("s{}", random()),
            url: private.unwrap_or_else(redis_url),
            server,
            planned: Mutex::new(0),
        }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn declare(&self) -> Declaration {
        let source = format!("sources.{}", self.id());
        let key = |key: &str, value: &str| format!("{source}.{key} = {value}");
        let text = |name: &str, value: &str| key(name, &format!("'{value}'"));
        let mut settings = vec![
            format!("endpoints.redis = '{}'", self.url),
            text("type", "RedisStream"),
            text("function", self.setup.function),
            text("stream", &self.stream()),
            text("group", GROUP),
            key("batch-size", &self.setup.batch.to_string()),
            key("report-batch-item-failures", "true"),
        ];
        let retries = self.setup.attempts.map(|attempts| attempts - 1);
        settings.extend(retries.map(|retries| key("maximum-retry-attempts", &retries.to_string())));
        Declaration {
            settings,
            ..Declaration::default()
        }
    }

    fn place(&self) -> Place {
        let id = self.id();
        let sample = |name: &str| format!("usher_redis_stream_{name}{{mapping=\"{id}\"");
        Place {
            list: "streams",
            field: "mapping",
            kind: "redis-stream",
            lag: vec![sample("lag"), sample("pending")],
            up: None,
            id,
        }
    }

    fn plan(&self, count: usize) -> Vec<String> {
        let mut planned = self.planned.lock().unwrap();
        let first = *planned + 1;
        *planned += count;
        let item = |number| format!("{}-0.{number}", self.name);
        (first..=*planned).map(item).collect()
    }

    async fn send(&self, _host: &Host, items: &[String]) {
        for item in items {
            let _: String = self.redis(&["XADD", &self.stream(), "*", "item", item]);
        }
    }

    fn lag(entry: &Value) -> Option<u64> {
        Some(entry["lag"].as_u64()? + entry["pending"].as_u64()?)
    }

    /// A read that was open at the pause may still bring entries, which are kept.
    fn is_still(entry: &Value) -> bool {
        entry["in_flight"] == 0
    }

    async fn is_empty(&self) -> bool {
        let groups: Vec<std::collections::HashMap<String, redis::Value>> =
            self.redis(&["XINFO", "GROUPS", &self.stream()]);
        let zero = |name: &str| groups[0][name] == redis::Value::Int(0);
        zero("pending") && zero("lag")
    }

    async fn dead_letters(&self) -> u64 {
        self.redis(&["XLEN", &format!("{}-dead", self.stream())])
    }

    fn state_in(&self, outage: Outage) -> (&'static str, [String; 2]) {
        let state = match outage {
            Outage::Unreadable => ("stuck", "extend its ACL".to_owned()),
            _ => ("away", "cannot be read".to_owned()),
        };
        (state.0, [self.stream(), state.1])
    }

    async fn begin(&self, outage: Outage) {
        let mut server = self.server();
        if outage == Outage::Unreadable {
            server.run(&["ACL", "SETUSER", "default", &format!("-{READ}")]);
        } else {
            server.run(&["SAVE"]);
            server.kill();
        }
    }

    async fn end(&self, _host: &Host, outage: Outage) {
        let mut server = self.server();
        if outage == Outage::Unreadable {
            server.run(&["ACL", "SETUSER", "default", &format!("+{READ}")]);
        } else {
            server.start_again();
        }
    }
}

impl Drop for RedisStream {
    fn drop(&mut self) {
        // the data of a private server end with it
        if self.server.is_none()
            && let Err(error) = remove_keys(&self.url, &self.name)
        {
            eprintln!("keys of {} are not removed: {error}", self.name);
        }
    }
}
