//! Time limits, and the clock of the gate. All times in ms.

/// The time limits of an installation. `delivery < publish <= pay` and `min_pay <= pay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Default time to pay; a program may set its own.
    pub pay_ms: u64,
    /// Minimum time to pay of a stored order, however late it is stored.
    pub min_pay_ms: u64,
    /// After this time an unpublished reservation is abandoned.
    pub publish_ms: u64,
    /// Maximum wait of a storefront for the broker.
    pub delivery_ms: u64,
}

/// Lifetime of a client's key from the creation of its order, ms: a day longer than the order can
/// be paid.
pub const fn key_ttl_ms(pay_window_ms: i64) -> u64 {
    const EXTRA_MS: u64 = 24 * 3600 * 1000;
    pay_window_ms.unsigned_abs().saturating_add(EXTRA_MS)
}

/// Two time limits contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowsError {
    /// A reservation could be abandoned while its storefront still waits for the broker.
    #[error(
        "the delivery timeout ({} ms) must be shorter than the publish window ({} ms)",
        .0.delivery_ms, .0.publish_ms
    )]
    Delivery(Windows),
    /// A reservation could outlast the time to pay.
    #[error(
        "the publish window ({} ms) must not be longer than the pay window ({} ms)",
        .0.publish_ms, .0.pay_ms
    )]
    Publish(Windows),
    /// Every order would get more time than promised.
    #[error(
        "the minimum pay window ({} ms) must not be longer than the pay window ({} ms)",
        .0.min_pay_ms, .0.pay_ms
    )]
    MinPay(Windows),
}

impl Windows {
    /// Returns the same limits if they do not contradict each other.
    pub const fn checked(self) -> Result<Self, WindowsError> {
        if self.delivery_ms >= self.publish_ms {
            return Err(WindowsError::Delivery(self));
        }
        if self.publish_ms > self.pay_ms {
            return Err(WindowsError::Publish(self));
        }
        if self.min_pay_ms > self.pay_ms {
            return Err(WindowsError::MinPay(self));
        }
        Ok(self)
    }
}

/// The stored pay-by time: as promised, but at least the minimum window from now, so that a backlog
/// in Kafka does not cost a buyer the order.
///
///
pub const fn stored_pay_by(promised_ms: i64, now_ms: i64, min_pay_ms: u64) -> i64 {
    let min_ms = now_ms.saturating_add_unsigned(min_pay_ms);
    if promised_ms > min_ms {
        promised_ms
    } else {
        min_ms
    }
}

/// The gate's clock, estimated in this process. Order numbers contain the time of Redis, so that
/// they agree across storefronts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateClock {
    offset_ms: i64,
}

impl GateClock {
    /// From one request: local time before it, the gate's answer, local time after it. The error is
    /// at most half the round trip.
    pub const fn observed(before_ms: u64, gate_ms: u64, after_ms: u64) -> Self {
        let middle = before_ms.midpoint(after_ms);
        Self {
            offset_ms: (gate_ms as i64).wrapping_sub(middle as i64),
        }
    }

    /// The gate's time when the local clock says `local_ms`.
    pub const fn now_ms(self, local_ms: u64) -> u64 {
        local_ms.saturating_add_signed(self.offset_ms)
    }
}
