//! Confirming new orders: as a rule the gate has accepted an order with all that Postgres stores of
//! it, and only the state of its reservation changes.

use std::fmt::Write;

use futures::future::join_all;

use crate::message::OrderRequested;
use redis_link::{Call, LinkError};

use super::connection::Gate;
use super::orders::{SETTLE_GROUP, STORED_EXTRA_MS, by_program};
use super::scripts;
use super::types::ProgramRef;

/// An unpaid order that was just stored with the content of its message, the time to pay included.
#[derive(Debug, Clone, Copy)]
pub struct NewOrder<'a> {
    /// The message.
    pub request: &'a OrderRequested,
    /// Time until payment is due, ms.
    pub due_in_ms: u64,
}

/// The orders that confirming did not change, by their positions in the call's list. None is in
/// both lists.
#[derive(Debug, Default)]
pub struct Unconfirmed {
    /// Orders of which the gate has something else, or nothing: settle each.
    pub differing: Vec<usize>,
    /// Orders whose call failed.
    pub failed: Vec<usize>,
    /// The error of one of these calls.
    pub error: Option<LinkError>,
}

impl Gate {
    /// Marks new orders as stored where the gate has accepted them with the same content, and they
    /// own their seats here: one call for every [`SETTLE_GROUP`] orders of a program, all at the
    /// same time. Such an order is settled. The others are not changed. May be repeated.
    pub async fn confirm_all(&self, orders: &[NewOrder<'_>]) -> Unconfirmed {
        let programs = by_program(orders.iter().map(|order| ProgramRef::from(order.request)));
        let groups = programs.iter().flat_map(|(program, all)| {
            let groups = all.chunks(SETTLE_GROUP);
            groups.map(|group| (*program, group))
        });
        let calls = groups.map(|(program, group)| async move {
            let result = self.confirm_group(program, orders, group).await;
            (group, result)
        });
        let mut unconfirmed = Unconfirmed::default();
        for (group, result) in join_all(calls).await {
            match result {
                Ok(differing) => unconfirmed.differing.extend(differing),
                Err(error) => {
                    unconfirmed.failed.extend(group);
                    unconfirmed.error = Some(error);
                }
            }
        }
        unconfirmed
    }

    /// One call for the orders at some positions, which are of one program: at most
    /// [`SETTLE_GROUP`]. Returns the positions of those that were not changed.
    async fn confirm_group(
        &self,
        program: ProgramRef,
        orders: &[NewOrder<'_>],
        group: &[usize],
    ) -> Result<Vec<usize>, LinkError> {
        let mut call = Call::new(&scripts::CONFIRM, &self.head_key(program)).arg(group.len());
        let mut words = String::with_capacity(128);
        for at in group {
            let NewOrder { request, due_in_ms } = orders[*at];
            words.clear();
            write_words(&mut words, request);
            call.push(request.order.get());
            call.push(words.as_str());
            call.push(request.seats.len());
            call.push(due_in_ms.saturating_add(STORED_EXTRA_MS));
        }
        for at in group {
            for seat in &orders[*at].request.seats {
                call.push(seat.get());
            }
        }
        let mut others = self.link.run(call).await?;
        others.rest(|others| {
            let nth: usize = others.parse()?;
            let at = nth.checked_sub(1).and_then(|nth| group.get(nth));
            at.copied()
                .ok_or_else(|| others.unexpected(&format!("order {nth} of {}", group.len())))
        })
    }
}

/// The end of the reservation's line: ` nonce program category price seats user key` and a line feed.
fn write_words(words: &mut String, request: &OrderRequested) {
    let OrderRequested {
        nonce,
        program,
        category,
        unit_price_cents: price,
        user,
        ..
    } = request;
    let key = request.idempotency_key.as_ref();
    let key = key.map_or("", |key| key.as_str());
    // A `String` takes every text.
    let _ = write!(words, " {nonce} {program} {category} {price} ");
    for (nth, seat) in request.seats.iter().enumerate() {
        let comma = if nth == 0 { "" } else { "," };
        let _ = write!(words, "{comma}{seat}");
    }
    let _ = writeln!(words, " {user} {key}");
}
