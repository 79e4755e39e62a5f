//! Money: what buyers paid is what orders took plus what is to be given back.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, World};
use crate::truth::Payment;

fn to_give_back(payment: &Payment) -> bool {
    matches!(
        payment.status.as_str(),
        "to_refund" | "refunded" | "amount_differs" | "unmatched"
    )
}

/// A paid order has one applied payment of its amount; any other has none. Amounts are price times
/// seats.
pub(super) fn orders_paid_exactly(world: &World) -> Check {
    let mut check = Check::new(
        "money",
        "a paid order has one payment of its amount, any other none",
    );
    let mut applied: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for payment in world
        .truth
        .payments
        .iter()
        .filter(|p| p.status == "applied")
    {
        applied
            .entry(&payment.order)
            .or_default()
            .push(payment.amount_cents);
        let known = world.truth.orders.contains_key(&payment.order);
        check.look((!known).then(|| {
            format!(
                "payment {} is applied to order {}, which does not exist",
                payment.reference, payment.order
            )
        }));
    }
    for order in world.truth.orders.values() {
        let payments = applied.remove(order.number.as_str()).unwrap_or_default();
        let expected: &[i64] = if order.was_paid() {
            &[order.amount_cents]
        } else {
            &[]
        };
        let amount_right = !order.came_to_be()
            || order.amount_cents == order.unit_price_cents * order.seats.len() as i64;
        check.look((payments != expected).then(|| {
            format!(
                "order {} is {}, costs {}, applied payments {payments:?}",
                order.number, order.status, order.amount_cents
            )
        }));
        check.look((!amount_right).then(|| {
            format!(
                "order {} costs {}, but {} seats at {}",
                order.number,
                order.amount_cents,
                order.seats.len(),
                order.unit_price_cents
            )
        }));
    }
    check
}

/// Every payment that was answered is a row with the same order and amount; no row comes from
/// nowhere.
pub(super) fn payments_kept(world: &World) -> Check {
    let mut check = Check::new("money", "every payment made is on record, and no other");
    let mut made = BTreeSet::new();
    for payment in world.log.payments() {
        made.insert((
            payment.reference.as_str(),
            payment.order.as_str(),
            payment.amount_cents,
        ));
        if !payment.recorded() {
            continue;
        }
        let reference = &payment.reference;
        let order = &payment.order;
        let amount = payment.amount_cents;
        let kept = world.truth.payment(reference, order, amount);
        let another = world
            .truth
            .payments
            .iter()
            .find(|row| row.reference == *reference);
        check.look(kept.is_none().then(|| match another {
            None => format!("payment {reference} of {amount} for order {order} is lost"),
            Some(row) => {
                let its_amount = row.amount_cents;
                let its_order = &row.order;
                format!(
                    "payment {reference} of {amount} for order {order} is on record as \
                    {its_amount} for {its_order}"
                )
            }
        }));
        let pays = payment.reused() && kept.is_some_and(|row| !to_give_back(row));
        check.look(pays.then(|| {
            format!(
                "payment {reference} of {amount} for order {order} was refused \
                and is not to be refunded"
            )
        }));
    }
    let numbers = world.truth.order_keys();
    let programs = world.log.programs();
    for row in &world.truth.payments {
        let order = world.truth.orders.get(&row.order);
        let ours = order.is_none_or(|o| o.program.as_deref().is_none_or(|p| programs.contains(p)));
        let known = made.contains(&(row.reference.as_str(), row.order.as_str(), row.amount_cents))
            || (numbers.contains(row.order.as_str()) && !ours);
        check.look((!known).then(|| {
            format!(
                "payment {} for order {} was made by nobody",
                row.reference, row.order
            )
        }));
    }
    check
}

pub(super) fn paid_stays_paid(world: &World) -> Check {
    let mut check = Check::new("money", "no paid order was closed");
    for number in world.log.told_paid() {
        let status = world
            .truth
            .orders
            .get(number)
            .map_or("lost", |o| o.status.as_str());
        let paid = matches!(status, "paid" | "refunding" | "refunded");
        check.look((!paid).then(|| format!("order {number} was paid and is {status}")));
    }
    check
}

/// The sums: taken by orders + to be given back = everything on record; and what buyers were told
/// was taken, was.
pub(super) fn adds_up(world: &World) -> Check {
    let mut check = Check::new("money", "money adds up");
    let orders: i64 = world
        .truth
        .orders
        .values()
        .filter(|o| o.was_paid())
        .map(|o| o.amount_cents)
        .sum();
    let rows = || world.truth.payments.iter();
    let applied: i64 = rows()
        .filter(|p| p.status == "applied")
        .map(|p| p.amount_cents)
        .sum();
    let back: i64 = rows()
        .filter(|p| to_give_back(p))
        .map(|p| p.amount_cents)
        .sum();
    let all: i64 = rows().map(|p| p.amount_cents).sum();
    check.look(
        (orders != applied)
            .then(|| format!("paid orders cost {orders} cents, applied payments are {applied}")),
    );
    check.look(
        (applied + back != all)
            .then(|| format!("{all} cents on record, {applied} applied, {back} to give back")),
    );
    for payment in world
        .log
        .payments()
        .filter(|p| p.http == 200 && p.result.as_deref() == Some("applied"))
    {
        let row = world
            .truth
            .payment(&payment.reference, &payment.order, payment.amount_cents);
        let row = row.map_or("lost", |p| p.status.as_str());
        check.look((row != "applied").then(|| {
            format!(
                "payment {} was told applied and is {row}",
                payment.reference
            )
        }));
    }
    check
}

/// Once the run is over a payment waits only for an order that never came.
pub(super) fn none_unmatched(world: &World) -> Check {
    let mut check = Check::new("money", "no payment still waits for an order that exists");
    for payment in &world.truth.payments {
        let waits =
            payment.status == "unmatched" && world.truth.orders.contains_key(&payment.order);
        check.look(waits.then(|| {
            format!(
                "payment {} for order {} is unmatched",
                payment.reference, payment.order
            )
        }));
    }
    check
}
