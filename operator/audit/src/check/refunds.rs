//! Checks of refunds: what the provider returned is what the tables say, and nothing is returned twice.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Evidence};
use crate::finding::{Subject, order as of_order, payment as about};
use crate::invariant;
use crate::tables::Known;

/// The sums in a payment are those of its refunds, and never more than its amount. Its order is
/// `refunding` if they claim all that paid it, and `refunded` if all of it is refunded.
pub(super) fn sums_agree(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::REFUNDS_SUM);
    let mut sums: BTreeMap<Known, (i64, i64)> = BTreeMap::new();
    for refund in &evidence.tables.refunds {
        let sum = sums.entry(refund.known()).or_default();
        sum.0 += refund.amount_cents;
        if refund.state == "refunded" {
            sum.1 += refund.amount_cents;
        }
    }
    for row in &evidence.tables.payments {
        let reference = &row.reference;
        let sum = sums.remove(&row.known());
        let (claimed, refunded) = sum.unwrap_or_default();
        let found = (row.claimed_cents, row.refunded_cents);
        // A payment that an operator returned by hand needs no refund.
        let by_hand = row.by_operator && sum.is_none();
        check.look((found != (claimed, refunded) && !by_hand).then(|| {
            about(reference, &row.order).found(format!(
                "payment {reference} says {found:?} claimed and refunded, its refunds are \
                 {claimed} and {refunded}"
            ))
        }));
        check.look((claimed > row.amount_cents).then(|| {
            let amount = row.amount_cents;
            let text = format!("payment {reference} of {amount} has refunds of {claimed}");
            about(reference, &row.order).found(text)
        }));
        let whole = row.amount_cents > 0 && refunded == row.amount_cents;
        check.look((whole && row.status != "refunded").then(|| {
            let status = &row.status;
            let text = format!("payment {reference} is returned and is {status}");
            about(reference, &row.order).found(text)
        }));
        let order = evidence.tables.orders.get(&row.order);
        let Some(order) = order.filter(|_| row.pays && row.amount_cents > 0) else {
            continue;
        };
        let expected = match (claimed == row.amount_cents, whole) {
            (_, true) => "refunded",
            (true, false) => "refunding",
            (false, false) => "paid",
        };
        check.look((order.status != expected).then(|| {
            let (number, status) = (&order.number, &order.status);
            let text = format!("order {number} is {status}, its refunds make it {expected}");
            of_order(number).found(text)
        }));
    }
    check
}

/// The provider and the tables say the same: it returned each refund once, and nothing else. Before
/// the run is over it may have returned more than is recorded.
pub(super) fn returned_once(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::RETURNED_ONCE);
    let mut keys = BTreeSet::new();
    let mut by_provider: BTreeMap<Known, Vec<i64>> = BTreeMap::new();
    // Of a reused reference, the payment that has a refund of this amount.
    let mut refunded: BTreeMap<(&str, &str, i64), Known> = BTreeMap::new();
    for refund in &evidence.tables.refunds {
        let known = refund.known();
        refunded.insert((known.0, known.1, refund.amount_cents), known);
    }
    // The request may name the order to which an operator assigned the payment.
    let rows = evidence.tables.known_payments();
    for refund in &evidence.tables.refunds {
        let known = refund.known();
        let order = rows.get(&known).map_or(known.1, |row| &row.order);
        let assigned = refunded.entry((known.0, order, refund.amount_cents));
        assigned.or_insert(known);
    }
    for returned in evidence.log.returned() {
        let (key, reference) = (&returned.key, &returned.reference);
        check.look((!keys.insert(key)).then(|| {
            let text = format!("key {key} returned money twice");
            about(reference, &returned.order).found(text)
        }));
        let amount = returned.amount_cents;
        let Some(known) = refunded.get(&(reference.as_str(), &returned.order, amount)) else {
            let text = format!(
                "the provider returned {amount} of payment {reference}, which no refund claims"
            );
            check.look(Some(about(reference, &returned.order).found(text)));
            continue;
        };
        by_provider.entry(*known).or_default().push(amount);
    }
    let mut recorded: BTreeMap<Known, Vec<i64>> = BTreeMap::new();
    for refund in &evidence.tables.refunds {
        let all = recorded.entry(refund.known()).or_default();
        if refund.state == "refunded" && !refund.by_operator {
            all.push(refund.amount_cents);
        }
    }
    for (known, mut recorded) in recorded {
        let mut returned = by_provider.remove(&known).unwrap_or_default();
        recorded.sort_unstable();
        returned.sort_unstable();
        let agree = if evidence.bounds.over {
            recorded == returned
        } else {
            recorded.iter().sum::<i64>() <= returned.iter().sum()
        };
        check.look((!agree).then(|| {
            let reference = known.0;
            let text = format!(
                "of payment {reference} {returned:?} were returned, {recorded:?} are recorded"
            );
            about(reference, known.1).found(text)
        }));
    }
    check
}

/// After the run a provider has decided every refund, and every payment that pays no order has one.
pub(super) fn all_ended(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::REFUNDS_ENDED);
    if !evidence.log.has_provider() {
        return check;
    }
    for refund in &evidence.tables.refunds {
        let (id, state) = (&refund.id, &refund.state);
        let ended = matches!(state.as_str(), "refunded" | "refused");
        check.look((!ended).then(|| {
            let (reference, order, _) = &refund.payment;
            let subject = Subject {
                refund: Some(id.clone()),
                ..about(reference, order)
            };
            subject.found(format!("refund {id} is {state}"))
        }));
    }
    for row in &evidence.tables.payments {
        let waits = matches!(row.status.as_str(), "to_refund" | "amount_differs");
        let unclaimed = waits && row.claimed_cents == 0 && row.amount_cents > 0;
        let (reference, status) = (&row.reference, &row.status);
        check.look(unclaimed.then(|| {
            let text = format!("payment {reference} is {status}, without a refund");
            about(reference, &row.order).found(text)
        }));
    }
    check
}
