//! The gate made to agree with rows of Postgres: the one step that create, pay, cancel, close and sweep end with.
//!
//! [`settle_of`] says, purely, what a row means to the gate. [`reconcile`] carries it out for many rows and then marks as clean those
//! whose version is unchanged. Every change of a row has made it dirty, so whatever fails here costs nothing but time: the sweep comes
//! back to it. That is why a gate that is away is part of the answer and not an error, and never a reason to repeat the change.

use std::collections::HashSet;

use tokio::task::JoinSet;

use crate::gate::{Gate, GateError, OrderAt, ProgramRef, Settle, SettleTo, Settled};
use crate::message::OrderNumber;
use crate::sale::Status;
use crate::store::{OrderRow, Store, StoreError};

/// Orders settled at one time, over one connection.
const CONCURRENCY: usize = 64;

/// What a row means to the gate. Nothing if the row does not know its program: then the gate never heard of the order.
///
/// The shard is the one inside the number: reserve takes no order into another.
pub fn settle_of(row: &OrderRow) -> Option<Settle> {
    let program = ProgramRef {
        id: row.program?,
        shard: row.number.shard(),
    };
    let to = match row.status {
        Status::Unpaid => SettleTo::Live {
            due_in_ms: Some(row.remaining_ms.unwrap_or(0).max(0) as u64),
        },
        Status::Paid | Status::Refunding => SettleTo::Live { due_in_ms: None },
        // The buyer got nothing: the same key may ask again.
        Status::Rejected | Status::Void => SettleTo::Gone { forget_key: true },
        // The buyer had an order: the same key still leads to it.
        Status::Cancelled | Status::Closed | Status::Refunded => {
            SettleTo::Gone { forget_key: false }
        }
    };
    Some(Settle {
        at: OrderAt {
            order: row.number,
            nonce: row.nonce,
            program,
        },
        user: row.user.clone(),
        key: row.idempotency_key.clone(),
        seats: row
            .category
            .filter(|_| !row.seats.is_empty())
            .map(|category| (category, row.seats.clone())),
        to,
    })
}

/// What reconciling came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Orders that the gate now agrees about.
    pub settled: usize,
    /// Orders whose program is not in the gate, or differs from it: dirty still, until the program is filled again.
    pub waiting: Vec<OrderNumber>,
    /// Orders that the gate could not be asked about: dirty still.
    pub failed: Vec<(OrderNumber, GateError)>,
    /// Orders that held a seat which Postgres says is another's. Those that have a row have been reconciled too.
    pub displaced: Vec<OrderNumber>,
}

/// Rounds for orders that change while they are settled.
const MAX_ROUNDS: u32 = 8;

/// Settles every row, then marks as clean what was settled. A displaced order that has a row is reconciled in turn.
///
/// An order may change, and be settled by its new version, between the reading of a row and its settling here: then the old version has
/// undone the new one (a paid order has a timeout again). So the settling process looks afterwards whether the row has changed, and settles by
/// the newer one: the last to look finds the last version.
///
/// # Errors
/// Only Postgres': all that was settled stays settled, and dirty.
pub async fn reconcile(
    gate: &Gate,
    store: &Store,
    rows: &[OrderRow],
) -> Result<Reconciled, StoreError> {
    let mut report = Reconciled::default();
    let mut seen: HashSet<OrderNumber> = HashSet::new();
    let mut rows = rows.to_vec();
    let mut settled = HashSet::new();
    let mut rounds = 0;
    while !rows.is_empty() {
        let mut clean = Vec::with_capacity(rows.len());
        let mut displaced = Vec::new();
        for batch in rows.chunks(CONCURRENCY) {
            for (row, answer) in settle_all(gate, batch).await {
                match answer {
                    Ok(Some(Settled::Done {
                        displaced: others, ..
                    })) => {
                        clean.push((row.number, row.version));
                        displaced.extend(others.into_iter().map(|(order, _)| order));
                    }
                    // Nothing of it is in the gate, and nothing may come back.
                    Ok(None | Some(Settled::Tombstoned)) => clean.push((row.number, row.version)),
                    Ok(Some(
                        Settled::NotInstalled | Settled::NoSuchSeat | Settled::SeatsUnknown,
                    )) => {
                        report.waiting.push(row.number);
                    }
                    Err(e) => report.failed.push((row.number, e)),
                }
            }
        }
        settled.extend(clean.iter().map(|(number, _)| *number));
        // Where every row was dirty in the version that was settled, none has changed.
        let mut newer = Vec::new();
        if !clean.is_empty()
            && store.clear_dirty(&clean).await? < clean.len() as u64
            && rounds < MAX_ROUNDS
        {
            rounds += 1;
            newer = store.newer_orders(&clean).await?;
        }
        seen.extend(rows.iter().map(|row| row.number));
        // Once each: two rows that claim one seat would displace each other for ever.
        displaced.retain(|order| seen.insert(*order));
        rows = if displaced.is_empty() {
            Vec::new()
        } else {
            store.orders(&displaced).await?
        };
        rows.extend(newer);
        report.displaced.extend(displaced);
    }
    report.settled = settled.len();
    Ok(report)
}

/// All at the same time: they share a connection, and so a round trip or two.
async fn settle_all(
    gate: &Gate,
    rows: &[OrderRow],
) -> Vec<(OrderRow, Result<Option<Settled>, GateError>)> {
    let mut tasks = JoinSet::new();
    for row in rows {
        let gate = gate.clone();
        let row = row.clone();
        tasks.spawn(async move {
            let answer = match settle_of(&row) {
                Some(settle) => gate.settle(&settle).await.map(Some),
                None => Ok(None),
            };
            (row, answer)
        });
    }
    tasks.join_all().await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{
        CategoryNo, Cents, IdempotencyKey, Nonce, ProgramId, SeatIndex, Shard, UserId,
    };

    fn row(status: Status) -> OrderRow {
        OrderRow {
            number: OrderNumber::compose(1_800_000_000_000, Shard::new(9).expect("valid"), 7)
                .expect("valid"),
            nonce: Nonce::new([7; 16]),
            user: Some(UserId::new("alice").expect("valid")),
            program: Some(ProgramId::new(3).expect("valid")),
            category: Some(CategoryNo::new(0).expect("valid")),
            seats: vec![SeatIndex::new(4).expect("valid")],
            unit_price: Some(Cents::new(100).expect("valid")),
            amount: Some(Cents::new(100).expect("valid")),
            idempotency_key: Some(IdempotencyKey::new("k").expect("valid")),
            status,
            reason: None,
            duplicate_of: None,
            pay_by_ms: Some(1_800_000_900_000),
            remaining_ms: Some(900_000),
            version: 1,
            created_at_ms: 1_800_000_000_000,
            trace: None,
        }
    }

    #[test]
    fn the_gate_holds_seats_exactly_for_live_rows() {
        for status in Status::ALL {
            let settle = settle_of(&row(status)).expect("a program is known");
            assert_eq!(
                matches!(settle.to, SettleTo::Live { .. }),
                status.is_live(),
                "{status}"
            );
        }
    }

    #[test]
    fn only_an_unpaid_row_has_a_timeout_and_an_overdue_one_is_due_at_once() {
        assert_eq!(
            settle_of(&row(Status::Unpaid)).map(|s| s.to),
            Some(SettleTo::Live {
                due_in_ms: Some(900_000)
            })
        );
        let overdue = OrderRow {
            remaining_ms: Some(-5),
            ..row(Status::Unpaid)
        };
        assert_eq!(
            settle_of(&overdue).map(|s| s.to),
            Some(SettleTo::Live { due_in_ms: Some(0) })
        );
        assert_eq!(
            settle_of(&row(Status::Paid)).map(|s| s.to),
            Some(SettleTo::Live { due_in_ms: None })
        );
    }

    #[test]
    fn a_key_is_free_again_only_if_its_buyer_got_no_order() {
        for status in [Status::Rejected, Status::Void] {
            assert_eq!(
                settle_of(&row(status)).map(|s| s.to),
                Some(SettleTo::Gone { forget_key: true }),
                "{status}"
            );
        }
        for status in [Status::Cancelled, Status::Closed, Status::Refunded] {
            assert_eq!(
                settle_of(&row(status)).map(|s| s.to),
                Some(SettleTo::Gone { forget_key: false }),
                "{status}"
            );
        }
    }

    #[test]
    fn a_fence_that_knows_little_says_only_what_it_knows() {
        let fence = OrderRow {
            category: None,
            seats: vec![],
            ..row(Status::Void)
        };
        assert_eq!(settle_of(&fence).map(|s| s.seats), Some(None));
        assert_eq!(
            settle_of(&OrderRow {
                program: None,
                ..fence
            }),
            None
        );
    }
}
