//! What a batch has to say: one line for each kind of event, with a count, however many orders it concerns.

use std::collections::BTreeMap;

/// Orders named in a line; the rest is only counted.
const NAMED: usize = 5;

/// Orders that share an event.
#[derive(Debug, Default)]
struct Orders {
    count: u64,
    first: Vec<String>,
    /// Of the first one, where there was one.
    error: Option<String>,
}

impl Orders {
    fn add(&mut self, order: &str) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(order.to_owned());
        }
    }
}

/// The events of one batch.
#[derive(Debug, Default)]
pub(super) struct Notes {
    put_off: BTreeMap<&'static str, Orders>,
    fenced: BTreeMap<&'static str, Orders>,
    failed: Orders,
}

impl Notes {
    /// An order waits for another process.
    pub(super) fn put_off(&mut self, order: &str, why: &'static str) {
        self.put_off.entry(why).or_default().add(order);
    }

    /// An order was fenced although its buyer was promised it, or although no process knows of it.
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
        for (why, orders) in &self.put_off {
            let (orders, first) = (orders.count, orders.first.join(","));
            tracing::warn!(
                orders,
                first,
                why,
                "put off: looked at again after a pause that grows with each attempt"
            );
        }
        for (reason, orders) in &self.fenced {
            let (orders, first) = (orders.count, orders.first.join(","));
            tracing::error!(
                alarm = "order_fenced",
                orders,
                first,
                reason,
                "orders that were never stored are fenced"
            );
        }
        if self.failed.count > 0 {
            let orders = self.failed.count;
            let first = self.failed.first.join(",");
            let error = self.failed.error.as_deref().unwrap_or_default();
            tracing::warn!(
                orders,
                first,
                error,
                "left to their leases: claimed again when these end"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_orders_make_one_line_a_kind() {
        let mut notes = Notes::default();
        for order in 0..4_900 {
            notes.put_off(&order.to_string(), "order-create is behind");
            notes.failed(&order.to_string(), &format_args!("error {order}"));
        }
        let kinds: Vec<_> = notes
            .put_off
            .iter()
            .map(|(why, orders)| (*why, orders.count, orders.first.len()))
            .collect();
        assert_eq!(kinds, [("order-create is behind", 4_900, NAMED)]);
        assert_eq!(
            (notes.failed.count, notes.failed.error.as_deref()),
            (4_900, Some("error 0"))
        );
    }
}
