//! Checks of seats: sold once, held by a live order, counted right.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Evidence};
use crate::finding::{order as of_order, program as about};
use crate::gate::Hall;
use crate::invariant;
use crate::tables::{Category, Order, Program};

const FREE: u8 = b'0';
/// The second one is blocked as soon as its order frees it.
const TAKEN: [u8; 2] = [b'1', b'4'];
/// The letter of a chunk without a free seat; each seat of its longest run adds one.
const LONGEST_NONE: u8 = b'A';
/// Seats of one order at most: longer runs have its letter.
const MAX_LONGEST: i64 = 20;

fn seats_of(order: &Order) -> impl Iterator<Item = (&str, i64)> {
    let program = order.program.as_deref().unwrap_or("?");
    order.seats.iter().map(move |seat| (program, *seat))
}

/// Compares the orders themselves, so that it works without the primary key of `order_seats`.
pub(super) fn sold_once(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::SOLD_ONCE);
    let mut holder = BTreeMap::new();
    for order in evidence.tables.live() {
        for seat in seats_of(order) {
            let before = holder.insert(seat, &order.number);
            check.look(before.map(|b| {
                about(seat.0)
                    .seat(seat.1)
                    .order(&order.number)
                    .found(format!(
                        "program {} seat {}: orders {b} and {}",
                        seat.0, seat.1, order.number
                    ))
            }));
        }
    }
    check
}

/// Compares the client logs, so that it works if rows were lost.
pub(super) fn promised_once(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::PROMISED);
    let refunded = |order: &str| {
        evidence
            .tables
            .orders
            .get(order)
            .is_some_and(|o| matches!(o.status.as_str(), "refunding" | "refunded"))
    };
    let paid: BTreeSet<&str> = evidence
        .log
        .answered_paid()
        .into_iter()
        .filter(|o| !refunded(o))
        .collect();
    let mut holder: BTreeMap<(&str, i64), &str> = BTreeMap::new();
    for event in evidence.log.orders() {
        let Some(order) = event.accepted().filter(|o| paid.contains(o)) else {
            continue;
        };
        for seat in &event.seats {
            let before = holder
                .insert((&event.program, *seat), order)
                .filter(|b| *b != order);
            check.look(before.map(|b| {
                about(&event.program)
                    .seat(*seat)
                    .order(order)
                    .found(format!(
                        "program {} seat {seat}: orders {b} and {order}",
                        event.program
                    ))
            }));
        }
    }
    check
}

pub(super) fn rows_match(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::ROWS);
    let mut rows: BTreeSet<(&str, i64, &str)> = BTreeSet::new();
    for row in &evidence.tables.seats {
        let fresh = rows.insert((&row.program, row.seat, &row.order));
        let owned = evidence.tables.orders.get(&row.order).is_some_and(|o| {
            o.live() && o.program.as_deref() == Some(&row.program) && o.seats.contains(&row.seat)
        });
        let place = format!("program {} seat {}", row.program, row.seat);
        let text = match (fresh, owned) {
            (true, true) => None,
            (false, _) => Some(format!("{place}: two rows for order {}", row.order)),
            (_, false) => Some(format!(
                "{place}: row for order {}, which does not hold it",
                row.order
            )),
        };
        let subject = || about(&row.program).seat(row.seat).order(&row.order);
        check.look(text.map(|text| subject().found(text)));
    }
    for order in evidence.tables.live() {
        for (program, seat) in seats_of(order) {
            let there = rows.contains(&(program, seat, order.number.as_str()));
            check.look((!there).then(|| {
                about(program)
                    .seat(seat)
                    .order(&order.number)
                    .found(format!(
                        "order {} is {}, but has no row for seat {seat}",
                        order.number, order.status
                    ))
            }));
        }
    }
    check
}

/// Redis against itself: a byte is taken if and only if the seat has an owner, and the counters
/// equal the recounted map.
pub(super) fn maps_agree(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::MAPS);
    for program in &evidence.tables.programs {
        let Some(hall) = evidence
            .gate
            .halls
            .get(&program.id)
            .filter(|h| !h.head.is_empty())
        else {
            continue;
        };
        let mut owned: BTreeSet<i64> = hall.owners.keys().copied().collect();
        for category in &program.categories {
            category_agrees(&mut check, program, category, hall, &mut owned);
        }
        for seat in owned {
            let text = format!(
                "program {} seat {seat} has an owner, but is not taken on any map",
                program.id
            );
            check.look(Some(
                about(&program.id)
                    .seat(seat)
                    .found(text)
                    .for_person(invariant::OUTSIDE),
            ));
        }
    }
    check
}

fn category_agrees(
    check: &mut Check,
    program: &Program,
    category: &Category,
    hall: &Hall,
    owned: &mut BTreeSet<i64>,
) {
    let place = format!("program {} category {}", program.id, category.no);
    let subject = || about(&program.id).category(category.no);
    let mut free_in_all = 0;
    let mut first = category.first_seat;
    for (chunk, bytes) in hall
        .seats
        .get(&category.no)
        .into_iter()
        .flatten()
        .enumerate()
    {
        let in_chunk = category
            .chunk_seats()
            .min(category.first_seat + category.seats() - first);
        let right = bytes.len() as i64 == in_chunk;
        check.look((!right).then(|| {
            subject().chunk(chunk).found(format!(
                "{place} chunk {chunk}: {} bytes for {in_chunk} seats",
                bytes.len()
            ))
        }));
        for (seat, byte) in (first..).zip(bytes) {
            let has_owner = owned.remove(&seat);
            let text = match (TAKEN.contains(byte), has_owner) {
                (true, false) => Some(format!("{place} seat {seat} is taken, but has no owner")),
                (false, true) => Some(format!(
                    "{place} seat {seat} has an owner, but reads {:?}",
                    char::from(*byte)
                )),
                _ => None,
            };
            check.look(text.map(|text| subject().chunk(chunk).seat(seat).found(text)));
        }
        let rows = bytes.chunks(category.row_len as usize);
        let runs: Vec<i64> = rows
            .flat_map(|row| row.split(|b| *b != FREE))
            .map(|run| run.len() as i64)
            .collect();
        let free: i64 = runs.iter().sum();
        let longest = runs.iter().max().copied().unwrap_or(0);
        free_in_all += free;
        let kept = hall
            .longest
            .get(&category.no)
            .and_then(|letters| letters.get(chunk))
            .copied();
        let counted = LONGEST_NONE + longest.min(MAX_LONGEST) as u8;
        check.look((kept != Some(counted)).then(|| {
            let kept = kept.map_or_else(
                || "missing".to_owned(),
                |letter: u8| char::from(letter).to_string(),
            );
            let counted = char::from(counted);
            let text =
                format!("{place}: the longest run of chunk {chunk} is {kept}, counted {counted}");
            subject().chunk(chunk).found(text)
        }));
        first += in_chunk;
    }
    let kept = hall
        .head
        .get(&format!("free:{}", category.no))
        .and_then(|n| n.parse::<i64>().ok());
    if hall.changing.contains(&category.no) {
        return;
    }
    check.look((kept != Some(free_in_all)).then(|| {
        let text = format!("{place}: free is {kept:?}, counted {free_in_all}");
        subject().found(text)
    }));
}

pub(super) fn held_by_live_orders(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::HELD);
    for (program, hall) in &evidence.gate.halls {
        for (seat, owner) in &hall.owners {
            let order = evidence.tables.orders.get(&owner.order);
            let rightly = order.is_some_and(|o| {
                o.live()
                    && o.nonce == owner.nonce
                    && o.program.as_deref() == Some(program)
                    && o.seats.contains(seat)
            });
            let excused = match order {
                Some(row) => evidence.is_settling(row),
                None => evidence.is_in_flight(&owner.order, &owner.nonce),
            };
            let excused = excused || evidence.is_filling(program);
            let status = order.map_or("not in Postgres", |o| o.status.as_str());
            check.look((!rightly && !excused).then(|| {
                let subject = about(program).seat(*seat).order(&owner.order);
                let found = subject.nonce(&owner.nonce).found(format!(
                    "program {program} seat {seat}: held by order {} ({status})",
                    owner.order
                ));
                let reservation = evidence.gate.reservations.get(&owner.order);
                // Only a database that went back in time lacks the row of a stored order.
                match (order, reservation) {
                    (None, Some(r)) if r.state == "stored" => {
                        found.for_person(invariant::WENT_BACK)
                    }
                    _ => found,
                }
            }));
        }
    }
    check
}

pub(super) fn live_orders_hold(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::HOLDS);
    let mut claims: BTreeMap<(&str, i64), usize> = BTreeMap::new();
    for seat in evidence.tables.live().flat_map(seats_of) {
        *claims.entry(seat).or_default() += 1;
    }
    for order in evidence.tables.live() {
        for (program, seat) in seats_of(order) {
            let owner = evidence
                .gate
                .halls
                .get(program)
                .and_then(|h| h.owners.get(&seat));
            let own = owner.is_some_and(|o| o.order == order.number && o.nonce == order.nonce);
            let owner =
                owner.map_or_else(|| "no owner".to_owned(), |o| format!("owner {}", o.order));
            let excused = evidence.is_settling(order) || evidence.is_filling(program);
            check.look((!own && !excused).then(|| {
                let subject = about(program).seat(seat).order(&order.number);
                let found = subject.nonce(&order.nonce).found(format!(
                    "program {program} seat {seat} of order {} has {owner}",
                    order.number
                ));
                // Two live orders claim it.
                if claims.get(&(program, seat)).is_some_and(|n| *n > 1) {
                    return found.for_person(invariant::TWO_ORDERS);
                }
                found
            }));
        }
    }
    check
}

pub(super) fn tickets_match(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::TICKETS);
    for ((program, user, number), tickets) in &evidence.gate.tickets {
        let row = evidence.tables.orders.get(number);
        let order = row.filter(|o| o.live());
        let right = order
            .is_some_and(|o| o.user.as_ref() == Some(user) && o.seats.len() as i64 == *tickets);
        let reservation = evidence.gate.reservations.get(number);
        let excused = match row {
            Some(row) => evidence.is_settling(row),
            None => reservation.is_some_and(|r| evidence.is_in_flight(number, &r.nonce)),
        };
        let excused = excused || evidence.is_filling(program);
        check.look((!right && !excused).then(|| {
            about(program).user(user).order(number).found(format!(
                "program {program}: {user} has {tickets} tickets for order \
                {number}, which is not so"
            ))
        }));
    }
    for order in evidence.tables.live() {
        let key = (
            order.program.clone().unwrap_or_default(),
            order.user.clone().unwrap_or_default(),
            order.number.clone(),
        );
        let counted = evidence.gate.tickets.contains_key(&key);
        let excused = evidence.is_settling(order) || evidence.is_filling(&key.0);
        check.look((!counted && !excused).then(|| {
            let subject = of_order(&order.number).user(&key.1);
            let text = format!(
                "order {} does not count towards {}'s limit",
                order.number, key.1
            );
            crate::finding::Subject {
                program: order.program.clone(),
                ..subject
            }
            .found(text)
        }));
    }
    check
}
