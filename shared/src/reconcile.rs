//! Settles the gate by rows of Postgres: the last step of create, pay, cancel, close and sweep.
//!
//! [`settle_of`] derives the settle call from a row; pure. [`reconcile`] runs it for many rows,
//! then clears the dirty flag of those whose version is unchanged. Every change of a row sets the
//! flag or lists the row in a batch, so a failure here costs only time: the sweep repeats it. So a gate that is away is part of
//! the result, not an error, and never a reason to repeat the change.

use std::collections::HashSet;

use crate::gate::{Gate, GateError, OrderAt, ProgramRef, SETTLE_GROUP, Settle, SettleTo, Settled};
use crate::message::OrderNumber;
use crate::sale::Status;
use crate::store::{OrderRow, Store, StoreError, UnsettledBatch};

/// Rows whose settle calls are in flight at once.
const CONCURRENCY: usize = 4 * SETTLE_GROUP;

/// The settle call for a row; `None` if the row has no program, since the gate then never held the
/// order.
///
/// The shard is part of the number: reserve accepts no other.
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
        // The buyer has no order: the key is free again.
        Status::Rejected | Status::Void => SettleTo::Gone { forget_key: true },
        // The buyer had an order: the key still leads to it.
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

/// Result of reconciling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Number of settled orders.
    pub settled: usize,
    /// Orders whose program is not in the gate, or differs there. They stay dirty until the program
    /// is filled again.
    pub waiting: Vec<OrderNumber>,
    /// Orders whose settle call failed, or was not sent because the gate was unavailable. They stay
    /// dirty.
    pub failed: Vec<(OrderNumber, GateError)>,
    /// Orders that held a seat of another order's row. Those that have a row were reconciled too.
    pub displaced: Vec<OrderNumber>,
}

/// Maximum repetitions for orders that change while they are settled.
const MAX_ROUNDS: u32 = 8;

/// Settles every row, then clears the dirty flags. A displaced order that has a row is reconciled
/// in turn.
///
/// An order may change, and be settled by its new version, between the read of a row and its settle
/// here. Then the old version has undone the new one, e.g. a paid order has a timeout again. So the
/// function checks afterwards whether the row has changed, and settles by the newer version. The
/// last process to check finds the last version.
///
/// If the gate answers none of the calls in flight, the remaining rows count as failed without a
/// call: an outage costs the caller one response timeout, however many rows there are.
///
/// # Errors
/// Only those of Postgres. Settled orders stay settled, and dirty.
pub async fn reconcile(
    gate: &Gate,
    store: &Store,
    rows: &[OrderRow],
) -> Result<Reconciled, StoreError> {
    reconcile_batches(gate, store, rows, &[]).await
}

/// As [`reconcile`], for rows of which some are listed by batches instead of their dirty flags.
/// Ends the batches; orders that are not settled become dirty. If none is settled, or one changes
/// too often, the batches stay for the sweep: a row each is cheaper than a change of each order.
///
/// # Errors
/// As [`reconcile`]. The batches stay.
pub async fn reconcile_batches(
    gate: &Gate,
    store: &Store,
    rows: &[OrderRow],
    batches: &[UnsettledBatch],
) -> Result<Reconciled, StoreError> {
    let mut report = Reconciled::default();
    let mut seen: HashSet<OrderNumber> = HashSet::new();
    let mut rows = rows.to_vec();
    let mut settled = HashSet::new();
    let mut rounds = 0;
    let mut overtaken = false;
    while !rows.is_empty() {
        let mut clean = Vec::with_capacity(rows.len());
        let mut displaced = Vec::new();
        let mut groups = rows.chunks(CONCURRENCY);
        while let Some(group) = groups.next() {
            let mut unanswered = Vec::new();
            for (row, answer) in settle_all(gate, group).await {
                match answer {
                    Ok(Some(Settled::Done {
                        displaced: others, ..
                    })) => {
                        clean.push((row.number, row.version));
                        displaced.extend(others.into_iter().map(|(order, _)| order));
                    }
                    // The gate holds nothing of the order, and accepts nothing of it later.
                    Ok(None | Some(Settled::Tombstoned)) => clean.push((row.number, row.version)),
                    Ok(Some(
                        Settled::NotInstalled | Settled::NoSuchSeat | Settled::SeatsUnknown,
                    )) => {
                        report.waiting.push(row.number);
                    }
                    Err(e @ GateError::Unavailable(_)) => unanswered.push((row.number, e)),
                    Err(e) => report.failed.push((row.number, e)),
                }
            }
            if unanswered.len() == group.len()
                && let Some((_, error)) = unanswered.first().cloned()
            {
                let skipped = groups.by_ref().flatten();
                unanswered.extend(skipped.map(|row| (row.number, error.clone())));
            }
            report.failed.extend(unanswered);
        }
        settled.extend(clean.iter().map(|(number, _)| *number));
        let complete = report.failed.is_empty() && report.waiting.is_empty();
        let ended = if complete { batches } else { &[] };
        let mut newer = Vec::new();
        if !clean.is_empty() {
            newer = store.settled(&clean, ended).await?;
        }
        if rounds == MAX_ROUNDS && !newer.is_empty() {
            overtaken = true;
            newer.clear();
        }
        rounds += u32::from(!newer.is_empty());
        seen.extend(rows.iter().map(|row| row.number));
        // Once each: two rows that claim the same seat would displace each other forever.
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
    if !overtaken && report.settled > 0 {
        end_batches(store, batches, &report).await?;
    }
    Ok(report)
}

/// Ends batches of which some orders are not settled: these become dirty.
async fn end_batches(
    store: &Store,
    batches: &[UnsettledBatch],
    report: &Reconciled,
) -> Result<(), StoreError> {
    let failed = report.failed.iter().map(|(number, _)| *number);
    let unsettled: Vec<OrderNumber> = failed.chain(report.waiting.iter().copied()).collect();
    if unsettled.is_empty() {
        return Ok(());
    }
    for batch in batches {
        store.clear_batch(*batch, &unsettled).await?;
    }
    Ok(())
}

async fn settle_all<'a>(
    gate: &Gate,
    rows: &'a [OrderRow],
) -> Vec<(&'a OrderRow, Result<Option<Settled>, GateError>)> {
    let (known, settles): (Vec<&OrderRow>, Vec<Settle>) = rows
        .iter()
        .filter_map(|row| Some((row, settle_of(row)?)))
        .unzip();
    let settled = gate.settle_all(&settles).await.into_iter();
    let mut results: Vec<_> = known
        .into_iter()
        .zip(settled.map(|result| result.map(Some)))
        .collect();
    let unknown = rows.iter().filter(|row| row.program.is_none());
    results.extend(unknown.map(|row| (row, Ok(None))));
    results
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

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

    #[tokio::test]
    async fn a_silent_gate_costs_one_timeout_for_all_rows() {
        // Connections are accepted by the backlog, and nothing answers.
        let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("redis://{}", silent.local_addr().expect("an address"));
        let names = crate::naming::Names::new("silent").expect("valid");
        let timeout = Duration::from_millis(300);
        let gate = Gate::connect(&url, names.clone(), timeout).expect("a usable address");
        let store = Store::connect("postgres://nowhere", &names, 1).expect("lazy");
        let shard = Shard::new(9).expect("valid");
        let rows: Vec<_> = (0..20 * CONCURRENCY as u16)
            .map(|n| OrderRow {
                number: OrderNumber::compose(1_800_000_000_000, shard, n).expect("valid"),
                ..row(Status::Unpaid)
            })
            .collect();
        let began = Instant::now();
        let report = reconcile(&gate, &store, &rows).await.expect("no statement");
        assert!(began.elapsed() < 10 * timeout, "{:?}", began.elapsed());
        let failed: HashSet<_> = report.failed.iter().map(|(number, _)| *number).collect();
        assert_eq!(failed, rows.iter().map(|row| row.number).collect());
        assert_eq!(report.failed.len(), rows.len());
    }

    #[test]
    fn the_gate_holds_seats_exactly_for_live_rows() {
        for status in Status::ALL {
            let settle = settle_of(&row(status)).expect("the row has a program");
            assert_eq!(
                matches!(settle.to, SettleTo::Live { .. }),
                status.is_live(),
                "{status}"
            );
        }
    }

    #[test]
    fn only_an_unpaid_row_has_a_timeout() {
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
    fn a_key_is_freed_only_without_an_order() {
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
    fn a_fence_settles_only_its_known_fields() {
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
