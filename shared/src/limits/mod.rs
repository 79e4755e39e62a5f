//! Rate limits of buyers and addresses, in front of the gate.
//!
//! They are on the Redis of caches: it evicts what it has no memory for, so a flood from many
//! addresses costs the limits of some of them, while the gate's Redis evicts nothing and would be
//! full. Each key ends when its bucket is full again.

mod scripts;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use crate::cache::outage::OutageGuard;
use crate::naming::Names;
use redis_link::{Call, Link, LinkError};

const MINUTE_US: u64 = 60_000_000;

/// A bucket of `burst` requests that is filled at a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    per_minute: u32,
    burst: u32,
}

impl RateLimit {
    /// Maximum rate, requests a minute.
    pub const MAX_PER_MINUTE: u32 = 60_000;
    /// Maximum burst, requests.
    pub const MAX_BURST: u32 = 10_000;

    /// `per_minute` requests a minute, and `burst` of them at once; both are bounded by the constants
    /// above. `None` for a rate of 0: there is no limit.
    pub fn new(per_minute: u32, burst: u32) -> Option<Self> {
        (per_minute > 0).then(|| Self {
            per_minute: per_minute.min(Self::MAX_PER_MINUTE),
            burst: burst.clamp(1, Self::MAX_BURST),
        })
    }

    const fn interval_us(self) -> u64 {
        MINUTE_US / self.per_minute as u64
    }
}

/// Whether a request is within its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateDecision {
    /// It is, and was counted.
    Allowed,
    /// It is not, and was not counted. It would be after this time.
    Refused(Duration),
}

/// The limits of one environment. Cheap to clone.
#[derive(Debug, Clone)]
pub struct RateLimiter {
    link: Link,
    names: Names,
    outage: Arc<OutageGuard>,
}

impl RateLimiter {
    /// Limits on this Redis.
    pub fn new(link: Link, names: Names) -> Self {
        Self {
            link,
            names,
            outage: Arc::new(OutageGuard::new("rate limits are not applied")),
        }
    }

    /// Takes a request from every limit, or from none. Each limit has a name, unique in the
    /// environment, such as `order:user:alice`.
    ///
    /// # Errors
    /// Redis does not answer, or has not answered for half a second; an outage is logged once.
    pub async fn take<N: Display>(
        &self,
        limits: &[(N, RateLimit)],
    ) -> Result<RateDecision, LinkError> {
        let keys: Vec<String> = limits
            .iter()
            .map(|(name, _)| self.names.rate_key(name))
            .collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        if keys.is_empty() {
            return Ok(RateDecision::Allowed);
        }
        self.outage.check()?;
        let mut call = Call::with_keys(&scripts::TAKE, &keys);
        for (_, limit) in limits {
            call.push(limit.interval_us());
            call.push(limit.burst);
        }
        let mut reply = self.outage.note(self.link.run(call).await)?;
        match reply.word()?.as_str() {
            "TAKEN" => Ok(RateDecision::Allowed),
            "REFUSED" => Ok(RateDecision::Refused(Duration::from_micros(reply.parse()?))),
            other => Err(reply.unexpected(other)),
        }
    }
}
