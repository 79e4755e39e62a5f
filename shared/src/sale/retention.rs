//! How long rows of ended orders are kept, and what follows from their deletion. Pure.
//!
//! A void row prevents its order from being stored, so it must outlive each record of the order. A
//! record may be appended again, by a replay of a parked one, and then waits in the topic. So
//! order-create parks a record that was appended too long after the time in its order's number
//! ([`is_storable`]): [`LOG_DAYS`] before rows of that age are deleted ([`deletable_before_ms`]),
//! which is longer than the topic keeps a record.

use std::time::Duration;

use crate::message::OrderNumber;

/// The topic of orders must keep records for at most so many days.
pub const LOG_DAYS: u16 = 30;

/// How long rows are kept. In days, as an operator sets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowRetention {
    /// Ended orders without a payment; twice [`LOG_DAYS`] at least.
    pub ended_days: u16,
    /// Ended orders with payments, all of them refunded; and refunded payments that met no order.
    pub refunded_days: u16,
    /// Parked records that were replayed or discarded, and closed gaps.
    pub parked_days: u16,
}

/// Whether a record that was appended at `appended_ms` (ms since 1970) may store its order.
pub fn is_storable(order: OrderNumber, appended_ms: i64, ended_days: u16) -> bool {
    let appended_ms = u64::try_from(appended_ms).unwrap_or(0);
    let end_ms = order.made_at_ms() + in_ms(ended_days.saturating_sub(LOG_DAYS));
    appended_ms <= end_ms
}

/// Rows that were created before this time, ms since 1970, may be deleted.
pub fn deletable_before_ms(now_ms: u64, days: u16) -> u64 {
    now_ms.saturating_sub(in_ms(days))
}

fn in_ms(days: u16) -> u64 {
    u64::from(days) * Duration::from_secs(24 * 3_600).as_millis() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::message::Shard;

    const DAY_MS: u64 = 24 * 3_600_000;

    fn order(made_at_ms: u64) -> OrderNumber {
        OrderNumber::compose(made_at_ms, Shard::new(3).expect("valid"), 7).expect("in bounds")
    }

    proptest! {
        #[test]
        fn a_storable_record_finds_its_fence(
            made_at_ms in 1_800_000_000_000..1_900_000_000_000_u64,
            appended_after_ms in 0..200 * DAY_MS,
            waits_ms in 0..u64::from(LOG_DAYS) * DAY_MS,
            days in 2 * LOG_DAYS..120,
        ) {
            let order = order(made_at_ms);
            let appended_ms = made_at_ms + appended_after_ms;
            if is_storable(order, appended_ms as i64, days) {
                let read_at_ms = appended_ms + waits_ms;
                prop_assert!(order.made_at_ms() >= deletable_before_ms(read_at_ms, days));
            }
        }
    }

    #[test]
    fn a_record_is_storable_until_its_last_day() {
        let made_at_ms = 1_800_000_000_000;
        let end_ms = (made_at_ms + 60 * DAY_MS) as i64;
        assert!(is_storable(order(made_at_ms), end_ms, 90));
        assert!(!is_storable(order(made_at_ms), end_ms + 1, 90));
    }

    #[test]
    fn a_clock_behind_the_gates_stores_its_orders() {
        assert!(is_storable(order(1_800_000_000_000), 0, 90));
    }
}
