//! After the commit: waiting payments are matched with their orders, then every order of the batch
//! is settled in the gate.
//!
//! No error here fails the batch. Orders that are not settled stay listed for the sweep: the whole
//! batch if the gate settled none, else each order.

use std::collections::{BTreeSet, HashMap};

use futures::StreamExt;
use futures::stream;
use shared::gate::{Gate, OrderAt, ProgramRef, Settle, SettleTo, Settled};
use shared::message::OrderNumber;
use shared::reconcile::settle_of;
use shared::store::{Decision, OrderRow, Store, StoreError, StoredBatch, StoredOrder};

/// Maximum rounds for orders that change while they are settled.
const MAX_ROUNDS: u32 = 8;
/// Orders settled at the same time over one connection, which pipelines them.
const CONCURRENCY: usize = 512;

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
    if stored.orders.is_empty() {
        return Ok(Settling::default());
    }
    let numbers: Vec<OrderNumber> = stored.orders.iter().map(|order| order.row.number).collect();
    let paid = store.match_payments(&numbers).await?;
    let newer: HashMap<OrderNumber, OrderRow> =
        paid.into_iter().map(|row| (row.number, row)).collect();

    let requests: Vec<Settle> = stored
        .orders
        .iter()
        .filter_map(|order| settle_request(order, &newer))
        .collect();
    let settled = settle_all(gate, requests).await;
    if settled.failed.len() == numbers.len() {
        // The gate is unavailable. One row for the whole batch is cheaper than a change of each
        // order.
        return Ok(Settling {
            unsettled: numbers.len(),
            paid: newer.len(),
        });
    }
    let holders = stored
        .orders
        .iter()
        .filter_map(|order| match &order.decision {
            Decision::Rejected { holders } => Some(holders.iter().map(|holder| holder.number)),
            _ => None,
        });
    let others: BTreeSet<OrderNumber> = holders.flatten().chain(settled.displaced).collect();
    let mut failed = settled.failed;
    let known = stored
        .orders
        .iter()
        .map(|order| &order.row)
        .map(|row| newer.get(&row.number).unwrap_or(row));
    failed.extend(
        settle_newer(
            gate,
            store,
            known.map(|row| (row.number, row.version)).collect(),
        )
        .await?,
    );
    let failed: Vec<OrderNumber> = failed.into_iter().collect();
    for (at, batch) in stored.unsettled.iter().enumerate() {
        store
            .clear_batch(*batch, if at == 0 { &failed } else { &[] })
            .await?;
    }
    let clean: Vec<_> = newer
        .values()
        .filter(|row| !failed.contains(&row.number))
        .map(|row| (row.number, row.version))
        .collect();
    clear(store, &clean).await?;
    reconcile_others(gate, store, &others).await?;
    Ok(Settling {
        unsettled: failed.len(),
        paid: newer.len(),
    })
}

/// Settles orders again that have changed since the versions that were settled. Without this, an
/// order that was paid and settled in between would have a timeout again. Returns those that
/// failed.
async fn settle_newer(
    gate: &Gate,
    store: &Store,
    mut known: Vec<(OrderNumber, i64)>,
) -> Result<BTreeSet<OrderNumber>, StoreError> {
    let mut failed = BTreeSet::new();
    for _ in 0..MAX_ROUNDS {
        let rows = store.newer_orders(&known).await?;
        if rows.is_empty() {
            break;
        }
        let settled = settle_all(gate, rows.iter().filter_map(settle_of).collect()).await;
        known = rows.iter().map(|row| (row.number, row.version)).collect();
        let clean: Vec<_> = known
            .iter()
            .filter(|(number, _)| !settled.failed.contains(number))
            .copied()
            .collect();
        clear(store, &clean).await?;
        failed.extend(settled.failed);
    }
    Ok(failed)
}

/// The request that settles an order.
fn settle_request(
    order: &StoredOrder<'_>,
    newer: &HashMap<OrderNumber, OrderRow>,
) -> Option<Settle> {
    let StoredOrder {
        request,
        decision,
        row,
    } = order;
    // Other content under the row's own nonce: the live order itself must not be removed.
    if *decision != Decision::Conflict || row.nonce == request.nonce {
        return settle_of(newer.get(&row.number).unwrap_or(row));
    }
    // The number belongs to another order: only the reservation of this request is removed.
    let program = ProgramRef {
        id: request.program,
        shard: request.order.shard(),
    };
    Some(Settle {
        at: OrderAt {
            order: request.order,
            nonce: request.nonce,
            program,
        },
        user: Some(request.user.clone()),
        key: request.idempotency_key.clone(),
        seats: Some((request.category, request.seats.clone())),
        to: SettleTo::Gone { forget_key: true },
    })
}

#[derive(Debug, Default)]
struct SettledOrders {
    failed: BTreeSet<OrderNumber>,
    displaced: BTreeSet<OrderNumber>,
}

/// Settles orders concurrently: they share a connection, and so a few round trips.
async fn settle_all(gate: &Gate, orders: Vec<Settle>) -> SettledOrders {
    let mut settled = SettledOrders::default();
    let mut first_error = None;
    let mut results = stream::iter(orders)
        .map(|settle| async move {
            let result = gate.settle(&settle).await;
            (settle.at.order, result)
        })
        .buffer_unordered(CONCURRENCY);
    while let Some((number, result)) = results.next().await {
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
    if let Some(error) = first_error {
        let orders = settled.failed.len();
        tracing::warn!(%error, orders, "the gate did not settle some orders; the sweep will settle them");
    }
    settled
}

/// Settles other orders by their rows: those that hold seats which orders of the batch requested,
/// and those that lost their seats to them in the gate.
async fn reconcile_others(
    gate: &Gate,
    store: &Store,
    numbers: &BTreeSet<OrderNumber>,
) -> Result<(), StoreError> {
    if numbers.is_empty() {
        return Ok(());
    }
    let numbers: Vec<OrderNumber> = numbers.iter().copied().collect();
    let rows = store.orders(&numbers).await?;
    let settled = settle_all(gate, rows.iter().filter_map(settle_of).collect()).await;
    let clean: Vec<_> = rows
        .iter()
        .filter(|row| !settled.failed.contains(&row.number))
        .map(|row| (row.number, row.version))
        .collect();
    clear(store, &clean).await?;
    settle_newer(gate, store, clean).await.map(drop)
}

async fn clear(store: &Store, clean: &[(OrderNumber, i64)]) -> Result<(), StoreError> {
    if clean.is_empty() {
        return Ok(());
    }
    store.clear_dirty(clean).await.map(drop)
}
