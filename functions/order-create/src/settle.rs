//! After the commit: every order of the batch is settled in the gate, as a rule by confirming what
//! the gate has accepted. Then one statement ends the batch, unless an order has changed meanwhile
//! or a payment waits for one; those are settled once more.
//!
//! No error here fails the batch. Orders that are not settled stay listed for the sweep: the whole
//! batch if the gate settled none, else each order.

use std::collections::BTreeSet;

use shared::gate::{Gate, GateError, Settle, Settled, Unconfirmed};
use shared::message::OrderNumber;
use shared::reconcile::{Reconciled, reconcile};
use shared::steps::{confirmable, settle_of_stored};
use shared::store::{Decision, OrderRow, Store, StoreError, StoredBatch, StoredOrder};

/// Counts of a settled batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Settling {
    /// Orders that the gate did not settle.
    pub(crate) unsettled: usize,
    /// Orders that a waiting payment has paid.
    pub(crate) paid: usize,
}

/// Settles a stored batch.
pub(crate) async fn settle(gate: &Gate, store: &Store, stored: &StoredBatch<'_>) -> Settling {
    match try_settle(gate, store, stored).await {
        Ok(settling) => settling,
        Err(error) => {
            tracing::warn!(%error, "the batch is stored but not settled; the sweep will settle it");
            Settling {
                unsettled: stored.orders.len(),
                paid: 0,
            }
        }
    }
}

async fn try_settle(
    gate: &Gate,
    store: &Store,
    stored: &StoredBatch<'_>,
) -> Result<Settling, StoreError> {
    let orders = &stored.orders;
    if orders.is_empty() {
        return Ok(Settling::default());
    }
    let SettledOrders {
        mut failed,
        displaced,
    } = settle_all(gate, orders).await;
    let numbers: Vec<_> = orders.iter().map(|order| order.request.order).collect();
    if failed.len() == orders.len() {
        // The gate is unavailable. One row for the whole batch is cheaper than a change of each
        // order.
        return Ok(Settling {
            unsettled: failed.len(),
            paid: store.match_payments(&numbers).await?.len(),
        });
    }
    let version = |order: &StoredOrder<'_>| (order.request.order, order.version());
    let known: Vec<_> = orders.iter().map(version).collect();
    let open = if failed.is_empty() {
        store.end_batches(&stored.unsettled, &known).await?
    } else {
        numbers
    };
    let mut paid = 0;
    if !open.is_empty() {
        paid = store.match_payments(&open).await?.len();
        // Orders that have changed since. Without this, an order that was paid and settled before
        // it was settled here would have a timeout again.
        let changed = store.newer_orders(&known).await?;
        failed.extend(settle_rows(gate, store, &changed).await?);
        let failed: Vec<OrderNumber> = failed.iter().copied().collect();
        for (at, batch) in stored.unsettled.iter().enumerate() {
            let unsettled = if at == 0 { &failed[..] } else { &[] };
            store.clear_batch(*batch, unsettled).await?;
        }
    }
    let holders = orders.iter().filter_map(|order| match &order.decision {
        Decision::Rejected { holders } => Some(holders.iter().map(|holder| holder.number)),
        _ => None,
    });
    // Orders that hold seats which orders of the batch requested, and those that lost their seats to
    // them in the gate.
    let others: BTreeSet<OrderNumber> = holders.flatten().chain(displaced).collect();
    if !others.is_empty() {
        let others: Vec<OrderNumber> = others.into_iter().collect();
        settle_rows(gate, store, &store.orders(&others).await?).await?;
    }
    Ok(Settling {
        unsettled: failed.len(),
        paid,
    })
}

/// Settles orders by their rows. Returns those that failed.
async fn settle_rows(
    gate: &Gate,
    store: &Store,
    rows: &[OrderRow],
) -> Result<Vec<OrderNumber>, StoreError> {
    let Reconciled {
        failed, waiting, ..
    } = reconcile(gate, store, rows).await?;
    let orders = failed.len() + waiting.len();
    if let Some((_, error)) = failed.first() {
        tracing::warn!(%error, orders, "some orders are not settled; the sweep will settle them");
    }
    let failed = failed.into_iter().map(|(number, _)| number);
    Ok(failed.chain(waiting).collect())
}

#[derive(Debug, Default)]
struct SettledOrders {
    failed: BTreeSet<OrderNumber>,
    displaced: BTreeSet<OrderNumber>,
}

/// Confirms the new orders, then settles the others. If the gate answers no confirming call, the
/// others count as failed without a call: an outage costs one response timeout.
async fn settle_all(gate: &Gate, orders: &[StoredOrder<'_>]) -> SettledOrders {
    let mut new = Vec::with_capacity(orders.len());
    let mut of_new = Vec::with_capacity(orders.len());
    let mut others = Vec::new();
    for order in orders {
        match confirmable(order) {
            Some(it) => {
                new.push(it);
                of_new.push(order);
            }
            None => others.push(order),
        }
    }
    let Unconfirmed {
        differing,
        failed,
        error,
    } = gate.confirm_all(&new).await;
    let mut settled = SettledOrders::default();
    settled
        .failed
        .extend(failed.iter().map(|at| of_new[*at].request.order));
    others.extend(differing.into_iter().map(|at| of_new[at]));
    if error.is_some() && failed.len() == new.len() {
        settled
            .failed
            .extend(others.iter().map(|order| order.request.order));
        others.clear();
    }
    let error = settle_others(gate, &others, &mut settled).await.or(error);
    if let Some(error) = error {
        let orders = settled.failed.len();
        tracing::warn!(%error, orders, "some orders are not settled; the sweep will settle them");
    }
    settled
}

/// Returns an error of the gate, if there is one.
async fn settle_others(
    gate: &Gate,
    orders: &[&StoredOrder<'_>],
    settled: &mut SettledOrders,
) -> Option<GateError> {
    let requests: Vec<Settle> = orders
        .iter()
        .filter_map(|order| settle_of_stored(order))
        .collect();
    let results = gate.settle_all(&requests).await;
    let mut first_error = None;
    for (number, result) in requests.iter().map(|settle| settle.at.order).zip(results) {
        match result {
            Ok(Settled::Done { displaced, .. }) => settled
                .displaced
                .extend(displaced.into_iter().map(|(number, _)| number)),
            Ok(Settled::Tombstoned) => {}
            Ok(Settled::NotInstalled | Settled::SeatsUnknown | Settled::NoSuchSeat) => {
                settled.failed.insert(number);
            }
            Err(error) => {
                settled.failed.insert(number);
                first_error.get_or_insert(error);
            }
        }
    }
    first_error
}
