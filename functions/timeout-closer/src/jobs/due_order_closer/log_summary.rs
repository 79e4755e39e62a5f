//! The log lines of a batch: one per kind of event, with a count, however many orders it concerns.

use std::collections::BTreeMap;

/// Orders named in a line. The others are only counted.
const NAMED: usize = 5;

/// The orders of one kind of event.
#[derive(Debug, Default)]
struct OrderSample {
    count: u64,
    first: Vec<String>,
    /// The first error, if any.
    error: Option<String>,
}

impl OrderSample {
    fn add(&mut self, order: &str) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(order.to_owned());
        }
    }
}

/// The events of one batch.
#[derive(Debug, Default)]
pub(super) struct LogSummary {
    postponed: BTreeMap<&'static str, OrderSample>,
    fenced: BTreeMap<&'static str, OrderSample>,
    failed: OrderSample,
}

impl LogSummary {
    /// An order waits for another process.
    pub(super) fn postponed(&mut self, order: &str, reason: &'static str) {
        self.postponed.entry(reason).or_default().add(order);
    }

    /// An order was fenced although it had been accepted, or although no process holds it.
    pub(super) fn fenced(&mut self, order: &str, reason: &'static str) {
        self.fenced.entry(reason).or_default().add(order);
    }

    /// An entry is left to its lease.
    pub(super) fn failed(&mut self, order: &str, error: &dyn std::fmt::Display) {
        self.failed.add(order);
        self.failed.error.get_or_insert_with(|| error.to_string());
    }

    /// Writes the lines.
    pub(super) fn log(&self) {
        for (why, orders) in &self.postponed {
            tracing::warn!(
                orders = orders.count,
                first = orders.first.join(","),
                why,
                "entries postponed; the pause grows with each attempt"
            );
        }
        for (reason, orders) in &self.fenced {
            tracing::error!(
                alarm = "order_fenced",
                orders = orders.count,
                first = orders.first.join(","),
                reason,
                "orders that were never stored are fenced"
            );
        }
        if self.failed.count > 0 {
            tracing::warn!(
                orders = self.failed.count,
                first = self.failed.first.join(","),
                error = self.failed.error.as_deref().unwrap_or_default(),
                "entries failed; they are claimed again when their leases end"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_orders_make_one_line_per_kind() {
        let mut summary = LogSummary::default();
        for order in 0..4_900 {
            summary.postponed(&order.to_string(), "order-create is behind");
            summary.failed(&order.to_string(), &format_args!("error {order}"));
        }
        let kinds: Vec<_> = summary
            .postponed
            .iter()
            .map(|(why, orders)| (*why, orders.count, orders.first.len()))
            .collect();
        assert_eq!(kinds, [("order-create is behind", 4_900, NAMED)]);
        assert_eq!(
            (summary.failed.count, summary.failed.error.as_deref()),
            (4_900, Some("error 0"))
        );
    }
}
