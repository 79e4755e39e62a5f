//! Counters that are raised through a link, and what a client knows of them.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use redis_link::{Call, Link, LinkError, Script};

use crate::{RECOVERY, TIMEOUT};

/// Work of the runtime and of a busy machine, beyond the bound of a call.
const SLACK: Duration = Duration::from_millis(500);

static ADD: LazyLock<Script> = LazyLock::new(|| {
    let text = "#!lua\n--@function\nreturn redis.call('INCR', KEYS[1])";
    Script::new("test/add", text, &[])
});

/// A counter.
pub(crate) struct Counter {
    link: Link,
    key: String,
    /// The greatest value that was returned.
    pub(crate) seen: u64,
}

impl Counter {
    pub(crate) fn new(link: &Link, key: impl Into<String>) -> Self {
        Self {
            link: link.clone(),
            key: key.into(),
            seen: 0,
        }
    }

    /// Raises it once. No call may exceed its bound, and no acknowledged step may be lost.
    pub(crate) async fn add(&mut self) -> Result<u64, LinkError> {
        let began = Instant::now();
        let added = self.link.run(Call::new(&ADD, &self.key)).await;
        let took = began.elapsed();
        assert!(took < TIMEOUT + SLACK, "a call took {took:?}: {added:?}");
        let value = added?.parse()?;
        assert!(
            value > self.seen,
            "{value} after {}: a step is lost",
            self.seen
        );
        self.seen = value;
        Ok(value)
    }

    /// Raises it until that succeeds, which must be soon. Returns the errors before.
    pub(crate) async fn add_soon(&mut self) -> Vec<LinkError> {
        let began = Instant::now();
        let mut errors = Vec::new();
        loop {
            match self.add().await {
                Ok(_) => return errors,
                Err(error) => {
                    assert!(
                        matches!(error, LinkError::Unavailable(_)),
                        "not an outage: {error}"
                    );
                    errors.push(error);
                }
            }
            let waited = began.elapsed();
            assert!(waited < RECOVERY, "no success for {waited:?}: {errors:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
