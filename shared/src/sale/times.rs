//! How long each party waits, and by whose clock. All times in milliseconds.

/// The waiting times of an installation. `delivery < publish <= pay` and `min_pay <= pay`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// How long a buyer has to pay, unless the program says otherwise.
    pub pay_ms: u64,
    /// The least time to pay that a stored order is given, however late it was stored.
    pub min_pay_ms: u64,
    /// How long a reservation outlives its storefront before it is abandoned.
    pub publish_ms: u64,
    /// How long storefront waits for the broker.
    pub delivery_ms: u64,
}

/// For so long a client's key leads to its order, ms from when the order was made: a day longer than it can be paid.
pub const fn key_ttl_ms(pay_window_ms: i64) -> u64 {
    const AFTERLIFE_MS: u64 = 24 * 3600 * 1000;
    pay_window_ms.unsigned_abs().saturating_add(AFTERLIFE_MS)
}

/// Two waiting times that contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WindowsError {
    /// A reservation could be abandoned while its storefront still waits for the broker.
    #[error(
        "the delivery timeout ({delivery_ms} ms) must be shorter than the publish window ({publish_ms} ms)"
    )]
    Delivery {
        /// As given.
        delivery_ms: u64,
        /// As given.
        publish_ms: u64,
    },
    /// A reservation would be held for longer than its buyer may pay.
    #[error(
        "the publish window ({publish_ms} ms) must not be longer than the pay window ({pay_ms} ms)"
    )]
    Publish {
        /// As given.
        publish_ms: u64,
        /// As given.
        pay_ms: u64,
    },
    /// Every order would be given more time than was promised.
    #[error(
        "the minimum pay window ({min_pay_ms} ms) must not be longer than the pay window ({pay_ms} ms)"
    )]
    MinPay {
        /// As given.
        min_pay_ms: u64,
        /// As given.
        pay_ms: u64,
    },
}

impl Windows {
    /// The same times, if they agree with each other.
    pub const fn checked(self) -> Result<Self, WindowsError> {
        let Self {
            pay_ms,
            min_pay_ms,
            publish_ms,
            delivery_ms,
        } = self;
        if delivery_ms >= publish_ms {
            return Err(WindowsError::Delivery {
                delivery_ms,
                publish_ms,
            });
        }
        if publish_ms > pay_ms {
            return Err(WindowsError::Publish { publish_ms, pay_ms });
        }
        if min_pay_ms > pay_ms {
            return Err(WindowsError::MinPay { min_pay_ms, pay_ms });
        }
        Ok(self)
    }
}

/// The pay-by time that is stored: what was promised, but never less than the minimum window from now.
///
/// A backlog in Kafka so costs no buyer the order.
pub const fn stored_pay_by(promised_ms: i64, now_ms: i64, min_pay_ms: u64) -> i64 {
    let least = now_ms.saturating_add_unsigned(min_pay_ms);
    if promised_ms > least {
        promised_ms
    } else {
        least
    }
}

/// The gate's clock, as seen from this process: order numbers are made by Redis' time, so that they agree across storefronts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateClock {
    offset_ms: i64,
}

impl GateClock {
    /// From one exchange: local time before asking, the gate's answer, local time after. Off by at most half the exchange.
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
