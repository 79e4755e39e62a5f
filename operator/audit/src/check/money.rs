//! Checks of money: buyers paid what orders cost, plus what is to be refunded.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Evidence};
use crate::finding::{everything, order, payment as about};
use crate::invariant;
use crate::tables::Payment;

fn to_give_back(payment: &Payment) -> bool {
    !payment.pays
        && matches!(
            payment.status.as_str(),
            "to_refund" | "refunded" | "amount_differs" | "unmatched"
        )
}

/// A paid order has one applied payment of its amount, any other order none. Amounts are price
/// times seats.
pub(super) fn orders_paid_exactly(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::PAID_EXACTLY);
    let mut applied: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for payment in evidence.tables.payments.iter().filter(|p| p.pays) {
        applied
            .entry(&payment.order)
            .or_default()
            .push(payment.amount_cents);
        let known = evidence.tables.orders.contains_key(&payment.order);
        check.look((!known).then(|| {
            about(&payment.reference, &payment.order).found(format!(
                "payment {} is applied to order {}, which does not exist",
                payment.reference, payment.order
            ))
        }));
    }
    check.looked_at += 2 * evidence.tables.ended;
    for row in evidence.tables.orders.values() {
        let payments = applied.remove(row.number.as_str()).unwrap_or_default();
        let expected: &[i64] = if row.was_paid() {
            &[row.amount_cents]
        } else {
            &[]
        };
        check.look((payments != expected).then(|| {
            order(&row.number).found(format!(
                "order {} is {}, costs {}, applied payments {payments:?}",
                row.number, row.status, row.amount_cents
            ))
        }));
        check.look((!row.costs_its_seats()).then(|| {
            order(&row.number).found(format!(
                "order {} costs {}, but {} seats at {}",
                row.number,
                row.amount_cents,
                row.seats.len(),
                row.unit_price_cents
            ))
        }));
    }
    check
}

/// Every answered payment is a row with the same order and amount, and every row was answered.
pub(super) fn payments_kept(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::PAYMENTS_KEPT);
    let mut made = BTreeSet::new();
    let rows = evidence.tables.known_payments();
    for payment in evidence.log.payments() {
        made.insert(payment.known());
        if !payment.recorded() {
            continue;
        }
        let reference = &payment.reference;
        let order = &payment.order;
        let amount = payment.amount_cents;
        let kept = rows.get(&payment.known());
        let mut from_its_reference = rows.range((reference.as_str(), "", i64::MIN)..);
        let another = from_its_reference
            .next()
            .map(|(_, row)| row)
            .filter(|row| row.reference == *reference);
        check.look(kept.is_none().then(|| {
            let text = match another {
                None => format!("payment {reference} of {amount} for order {order} is lost"),
                Some(row) => {
                    let its_amount = row.amount_cents;
                    let its_order = &row.order;
                    format!(
                        "payment {reference} of {amount} for order {order} is on record as \
                        {its_amount} for {its_order}"
                    )
                }
            };
            about(reference, order).found(text)
        }));
        let pays = payment.reused() && kept.is_some_and(|row| !to_give_back(row));
        check.look(pays.then(|| {
            about(reference, order).found(format!(
                "payment {reference} of {amount} for order {order} was refused \
                and is not to be refunded"
            ))
        }));
    }
    let numbers = evidence.tables.order_keys();
    let programs = evidence.log.programs();
    for row in &evidence.tables.payments {
        let order = evidence.tables.orders.get(&row.order);
        let ours = order.is_none_or(|o| o.program.as_deref().is_none_or(|p| programs.contains(p)));
        let known = made.contains(&row.known()) || (numbers.contains(row.order.as_str()) && !ours);
        check.look((!known).then(|| {
            about(&row.reference, &row.order).found(format!(
                "payment {} for order {} is in no client log",
                row.reference, row.order
            ))
        }));
    }
    check
}

pub(super) fn paid_stays_paid(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::PAID_STAYS);
    for number in evidence.log.answered_paid() {
        let status = evidence
            .tables
            .orders
            .get(number)
            .map_or("lost", |o| o.status.as_str());
        let paid = matches!(status, "paid" | "refunding" | "refunded");
        check.look(
            (!paid)
                .then(|| order(number).found(format!("order {number} was paid and is {status}"))),
        );
    }
    check
}

/// Sums: paid orders + to be refunded = all payments. Payments answered as applied are applied.
pub(super) fn adds_up(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::ADDS_UP);
    let orders: i64 = evidence
        .tables
        .orders
        .values()
        .filter(|o| o.was_paid())
        .map(|o| o.amount_cents)
        .sum();
    let rows = || evidence.tables.payments.iter();
    let applied: i64 = rows().filter(|p| p.pays).map(|p| p.amount_cents).sum();
    let back: i64 = rows()
        .filter(|p| to_give_back(p))
        .map(|p| p.amount_cents)
        .sum();
    let all: i64 = rows().map(|p| p.amount_cents).sum();
    check.look((orders != applied).then(|| {
        let text = format!("paid orders cost {orders} cents, applied payments are {applied}");
        everything().found(text)
    }));
    check.look((applied + back != all).then(|| {
        let text = format!("{all} cents on record, {applied} applied, {back} to give back");
        everything().found(text)
    }));
    let known = evidence.tables.known_payments();
    for payment in evidence
        .log
        .payments()
        .filter(|p| p.http == 200 && p.result.as_deref() == Some("applied"))
    {
        let row = known.get(&payment.known());
        let status = row.map_or("lost", |p| p.status.as_str());
        check.look((!row.is_some_and(|p| p.pays)).then(|| {
            about(&payment.reference, &payment.order).found(format!(
                "payment {} was answered as applied and is {status}",
                payment.reference
            ))
        }));
    }
    check
}

/// A payment waits only for an order that was never stored.
pub(super) fn none_unmatched(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::UNMATCHED);
    for payment in &evidence.tables.payments {
        let waits =
            payment.status == "unmatched" && evidence.tables.orders.contains_key(&payment.order);
        check.look(waits.then(|| {
            about(&payment.reference, &payment.order).found(format!(
                "payment {} for order {} is unmatched",
                payment.reference, payment.order
            ))
        }));
    }
    check
}
