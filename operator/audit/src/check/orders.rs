//! Checks of orders: the stored order is the answered one.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Evidence};
use crate::finding::{Subject, order, program};
use crate::invariant;
use crate::log::Ordered;

/// (user, program, key): the scope of an Idempotency-Key.
type Scope<'a> = (&'a str, &'a str, &'a str);

pub(super) fn stored_as_accepted(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::STORED);
    // A record that was deleted unread leaves the reservation as the order's only trace.
    let untraced = if evidence.bounds.allow_rejected {
        evidence.log.deleted()
    } else {
        BTreeSet::new()
    };
    for event in evidence.log.orders() {
        let Some(number) = event.accepted() else {
            continue;
        };
        let Some(row) = evidence.tables.orders.get(number) else {
            // While the run continues, the order may still be in Kafka.
            let is_lost = evidence.bounds.over && !untraced.contains(number);
            check.look(is_lost.then(|| {
                let text = format!("order {number} of {} was accepted and is lost", event.user);
                order(number).found(text)
            }));
            continue;
        };
        // A void fence has number and nonce. The rest may be missing.
        let same_buyer = row.user.as_ref().is_none_or(|u| *u == event.user);
        let same_program = row.program.as_ref().is_none_or(|p| *p == event.program);
        let same_seats = !row.was_stored() || event.seats.is_empty() || row.seats == event.seats;
        let same_money =
            !row.was_stored() || event.amount_cents.is_none_or(|a| a == row.amount_cents);
        let same = same_buyer && same_program && same_seats && same_money;
        check.look((!same).then(|| {
            order(number).found(format!(
                "order {number}: answered {} program {} seats {:?} for {:?}; stored {:?} {:?} {:?} \
                    for {}",
                event.user,
                event.program,
                event.seats,
                event.amount_cents,
                row.user,
                row.program,
                row.seats,
                row.amount_cents
            ))
        }));
    }
    check
}

/// An accepted order is stored: neither fenced, unless its buyer cancelled it before or its record was
/// deleted, nor rejected.
pub(super) fn not_dropped(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::DROPPED);
    let cancelled = evidence.log.cancelled();
    let deleted = evidence.log.deleted();
    let accepted: BTreeSet<&str> = evidence
        .log
        .orders()
        .filter_map(Ordered::accepted)
        .collect();
    for number in accepted {
        let Some(row) = evidence.tables.orders.get(number) else {
            continue;
        };
        let fine = match row.status.as_str() {
            "void" => cancelled.contains(number) || deleted.contains(number),
            "rejected" => evidence.bounds.allow_rejected,
            _ => true,
        };
        check.look((!fine).then(|| {
            order(number).found(format!("order {number} was accepted, then {}", row.status))
        }));
    }
    check
}

/// A request that was answered as failed left no order. Answers with an unknown result are exempt.
pub(super) fn failed_means_failed(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::FAILED);
    let accepted: BTreeSet<&str> = evidence
        .log
        .orders()
        .filter_map(Ordered::accepted)
        .collect();
    let unknown = evidence.log.orders().filter(|e| e.unknown());
    let open: BTreeSet<(&str, &str, Option<&str>)> = unknown
        .map(|e| (e.user.as_str(), e.program.as_str(), e.key.as_deref()))
        .collect();
    let programs = evidence.log.programs();
    for row in evidence.tables.orders.values().filter(|o| o.was_stored()) {
        let (Some(user), Some(program)) = (row.user.as_deref(), row.program.as_deref()) else {
            continue;
        };
        if !programs.contains(program) {
            continue; // The clients did not order from this program.
        }
        let known = accepted.contains(row.number.as_str())
            || open.contains(&(user, program, row.key.as_deref()));
        check.look((!known).then(|| {
            order(&row.number).found(format!(
                "order {} of {user} is {}, but no answer to {user} names it",
                row.number, row.status
            ))
        }));
    }
    check
}

pub(super) fn one_key_one_order(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::KEYS);
    let mut orders: BTreeMap<Scope<'_>, BTreeSet<&str>> = BTreeMap::new();
    let told = evidence.log.orders().filter_map(|e| {
        Some((
            (e.user.as_str(), e.program.as_str(), e.key.as_deref()?),
            e.accepted()?,
        ))
    });
    let stored = evidence.tables.orders.values().filter_map(|o| {
        Some((
            (o.user.as_deref()?, o.program.as_deref()?, o.key.as_deref()?),
            o.number.as_str(),
        ))
    });
    for (scope, number) in told.chain(stored) {
        let was_stored = evidence
            .tables
            .orders
            .get(number)
            .is_none_or(crate::tables::Order::was_stored);
        let set = orders.entry(scope).or_default();
        if was_stored {
            set.insert(number);
        }
    }
    for ((user, at, key), numbers) in orders {
        check.look((numbers.len() > 1).then(|| {
            let text = format!("{user} key {key}: orders {numbers:?}");
            let subject = Subject {
                order: numbers.last().map(|number| (*number).to_owned()),
                ..program(at).user(user)
            };
            subject.found(text)
        }));
    }
    check
}

pub(super) fn limits_kept(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::LIMITS);
    let mut tickets: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for order in evidence.tables.live() {
        if let (Some(program), Some(user)) = (order.program.as_deref(), order.user.as_deref()) {
            *tickets.entry((program, user)).or_default() += order.seats.len();
        }
    }
    let limits = evidence.tables.programs.iter();
    let limits: BTreeMap<&str, i64> = limits.map(|p| (p.id.as_str(), p.user_limit)).collect();
    for ((id, user), n) in tickets {
        let limit = limits.get(id).copied().unwrap_or(0);
        check.look((n as i64 > limit).then(|| {
            let text = format!("program {id}: {user} has {n} tickets, limit {limit}");
            program(id).user(user).found(text)
        }));
    }
    check
}

pub(super) fn all_final(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::FINAL);
    check.looked_at = evidence.tables.ended;
    for row in evidence.tables.orders.values() {
        check.look((!row.is_final()).then(|| {
            order(&row.number).found(format!("order {} is still {}", row.number, row.status))
        }));
    }
    check
}
