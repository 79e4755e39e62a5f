//! Settings of the rate limits.

use shared::config::Reader;
use shared::limits::RateLimit;

use crate::http::{RequestClass, ServedClasses};

/// Maximum number of proxies in front of the gateway.
const MAX_PROXIES: usize = 10;

/// The rate limits of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// Of orders, and of joining a waiting room.
    pub orders: SubjectLimits,
    /// Of look-ups.
    pub lookups: SubjectLimits,
    /// Number of proxies in front of the gateway that append to X-Forwarded-For.
    pub trusted_proxies: usize,
}

/// The limits of one class of requests; `None`: there is no such limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SubjectLimits {
    /// Of each buyer.
    pub buyer: Option<RateLimit>,
    /// Of each address.
    pub address: Option<RateLimit>,
}

impl LimitSettings {
    /// Reads the limits of the classes that this process serves.
    pub fn read(reader: &Reader, classes: ServedClasses) -> Self {
        let limit = |rate, burst, (per_minute, at_once)| {
            RateLimit::new(
                reader.integer_or(rate, 0..=RateLimit::MAX_PER_MINUTE, per_minute),
                reader.integer_or(burst, 1..=RateLimit::MAX_BURST, at_once),
            )
        };
        let orders = classes.includes(RequestClass::Orders);
        let lookups = classes.includes(RequestClass::Lookups);
        let orders = orders.then(|| SubjectLimits {
            buyer: limit("ORDER_BUYER_RATE", "ORDER_BUYER_BURST", (120, 60)),
            address: limit("ORDER_ADDRESS_RATE", "ORDER_ADDRESS_BURST", (0, 300)),
        });
        let lookups = lookups.then(|| SubjectLimits {
            buyer: limit("LOOKUP_BUYER_RATE", "LOOKUP_BUYER_BURST", (0, 120)),
            address: limit("LOOKUP_ADDRESS_RATE", "LOOKUP_ADDRESS_BURST", (0, 600)),
        });
        let trusted_proxies = if orders.or(lookups).is_some() {
            reader.integer_or("TRUSTED_PROXIES", 0..=MAX_PROXIES, 0)
        } else {
            0
        };
        Self {
            orders: orders.unwrap_or_default(),
            lookups: lookups.unwrap_or_default(),
            trusted_proxies,
        }
    }

    /// The limits of a class. Payments and operators have none.
    pub(super) fn of(&self, class: RequestClass) -> SubjectLimits {
        match class {
            RequestClass::Orders => self.orders,
            RequestClass::Lookups => self.lookups,
            RequestClass::Payments | RequestClass::Operators => SubjectLimits::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payments_and_operators_have_no_limits() {
        let variables = ["ORDER_BUYER_RATE", "LOOKUP_ADDRESS_RATE"].map(|name| (name, "1"));
        let settings = LimitSettings::read(&Reader::new(variables), ServedClasses::All);
        for class in [RequestClass::Payments, RequestClass::Operators] {
            assert_eq!(settings.of(class), SubjectLimits::default());
        }
        assert!(settings.of(RequestClass::Orders).buyer.is_some());
        assert!(settings.of(RequestClass::Lookups).address.is_some());
    }
}
