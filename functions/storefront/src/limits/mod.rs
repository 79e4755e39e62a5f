//! Rate limits of buyers and addresses, in front of the gate.
//!
//! While the Redis of caches, which counts, does not answer, requests are not limited: the limits
//! spare the servers, and no rule of the sale depends on them.

mod address;
mod settings;

use shared::limits::{RateDecision, RateLimit, RateLimiter};
use shared::message::UserId;
use shared::naming::Names;

pub use address::{UnreadableAddress, client_address, network};
pub use settings::{LimitSettings, SubjectLimits};

use crate::counts::ThrottledCount;
use crate::http::{Call, Problem, RequestClass};

/// The rate limits of one process.
#[derive(Debug)]
pub struct Limits {
    limiter: RateLimiter,
    settings: LimitSettings,
    refused: ThrottledCount,
    not_applied: ThrottledCount,
}

impl Limits {
    /// Limits that `limiter` counts.
    pub fn new(limiter: RateLimiter, settings: LimitSettings, names: &Names) -> Self {
        Self {
            limiter,
            settings,
            refused: ThrottledCount::new("RequestsLimited", names),
            not_applied: ThrottledCount::new("LimitsNotApplied", names),
        }
    }

    /// Counts a request of a class, by its buyer and its address.
    ///
    /// # Errors
    /// 429 if one of them has sent too many: then the request was not counted. 400 if the address
    /// that trusted proxies have appended cannot be read.
    pub async fn take(
        &self,
        class: RequestClass,
        call: &Call,
        user: Option<&UserId>,
    ) -> Result<(), Problem> {
        let limits = self.settings.of(class);
        let mut taken: Vec<(String, RateLimit)> = Vec::new();
        if let (Some(limit), Some(user)) = (limits.buyer, user) {
            taken.push((format!("{class}:buyer:{}", user.as_str()), limit));
        }
        if let Some(limit) = limits.address
            && let Some(address) = self.address(call)?
        {
            taken.push((format!("{class}:address:{}", network(address)), limit));
        }
        if taken.is_empty() {
            return Ok(());
        }
        // On the heap: most installations and look-ups have no limit.
        match Box::pin(self.limiter.take(&taken)).await {
            Ok(RateDecision::Allowed) => Ok(()),
            Ok(RateDecision::Refused(wait)) => {
                self.refused.add();
                // Up to the next whole second: a repetition at that time is within the limit.
                let seconds =
                    u32::try_from(wait.as_micros().div_ceil(1_000_000)).unwrap_or(u32::MAX);
                Err(Problem::too_many_requests(seconds.max(1)))
            }
            // The limiter logs each outage.
            Err(_) => {
                self.not_applied.add();
                Ok(())
            }
        }
    }

    fn address(&self, call: &Call) -> Result<Option<std::net::IpAddr>, Problem> {
        let proxies = self.settings.trusted_proxies;
        let forwarded = if proxies > 0 {
            call.header("x-forwarded-for")?
        } else {
            None
        };
        client_address(call.source_ip, forwarded, proxies).map_err(Problem::malformed)
    }
}
