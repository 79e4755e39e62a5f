//! A delay queue under a prefix of its own.

use std::time::Duration;

use delay_queue::{Claim, DelayQueue, Due, Link, Shard};
use redis::FromRedisValue;
use testkit::redis::remove_keys;
use testkit::servers::redis_url;

pub(crate) const PAST: Due = Due::At(1);

pub(crate) struct TestEnvironment {
    pub(crate) prefix: String,
    pub(crate) url: String,
}

impl TestEnvironment {
    /// On the shared server.
    pub(crate) fn open() -> Self {
        Self::at(redis_url())
    }

    pub(crate) fn at(url: String) -> Self {
        Self {
            prefix: testkit::prefix(),
            url,
        }
    }

    /// A new link to the server.
    pub(crate) fn link(&self) -> Link {
        Link::open(&self.url, Duration::from_secs(5)).expect("a usable address")
    }

    /// The queue over a new link.
    pub(crate) fn queue(&self) -> DelayQueue {
        DelayQueue::new(self.link(), &self.prefix, "jobs").expect("a valid name")
    }

    /// The same with the entry `a` of shard 1, which is due.
    pub(crate) async fn queue_with_entry(&self) -> DelayQueue {
        let queue = self.queue();
        let scheduled = queue.schedule(shard(1), "a", "body", PAST).await;
        scheduled.expect("answers");
        queue
    }

    pub(crate) fn key(&self, shard: Shard, part: &str) -> String {
        format!("{}:{{{shard}}}:delay:jobs:{part}", self.prefix)
    }

    #[allow(clippy::unused_async, reason = "the tests need no other form")]
    pub(crate) async fn query<T: FromRedisValue>(&self, words: &[&str]) -> T {
        testkit::redis::query(&self.url, words).unwrap_or_else(|e| {
            panic!(
                "{words:?} at {}: {e}; run `scripts/servers start redis`",
                self.url
            )
        })
    }

    pub(crate) async fn redis_ms(&self) -> u64 {
        let (seconds, micros): (u64, u64) = self.query(&["TIME"]).await;
        seconds * 1000 + micros / 1000
    }
}

impl Drop for TestEnvironment {
    fn drop(&mut self) {
        // A private server may have ended; its data end with it.
        if self.url == redis_url()
            && let Err(error) = remove_keys(&self.url, &self.prefix)
        {
            eprintln!("keys of {} are not removed: {error}", self.prefix);
        }
    }
}

pub(crate) fn shard(n: u8) -> Shard {
    Shard::new(n).expect("valid")
}

/// Claims one entry of shard 1 as soon as it is due.
pub(crate) async fn claim(queue: &DelayQueue, lease_ms: u64) -> Claim {
    loop {
        let claimed = queue
            .claim(&[shard(1)], 1, lease_ms)
            .await
            .expect("answers");
        if let Some(claim) = claimed.claims.into_iter().next() {
            return claim;
        }
    }
}
