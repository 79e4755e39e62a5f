//! After the commit: payments that waited meet their orders, then the gate is told of every order of the batch.
//!
//! Nothing here can fail the batch. What the gate was not told of stays named to the sweep: as a whole batch if nothing could be told, else
//! order by order.

use std::collections::{BTreeSet, HashMap};

use futures::StreamExt;
use futures::stream;
use shared::gate::{Gate, OrderAt, ProgramRef, Settle, SettleTo, Settled};
use shared::message::OrderNumber;
use shared::reconcile::settle_of;
use shared::store::{Decision, OrderRow, Store, StoreError, StoredBatch, StoredOrder};

/// Rounds for orders that change while they are settled.
const MAX_ROUNDS: u32 = 8;
/// Settled at one time over one connection, which pipelines them.
const AT_ONCE: usize = 512;

/// What settling came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Settling {
    /// Orders the gate could not be told of.
    pub(crate) unsettled: usize,
    /// Orders that a waiting payment has made paid.
    pub(crate) paid: usize,
}

/// Settles a stored batch.
pub(crate) async fn settle(gate: &Gate, store: &Store, stored: &StoredBatch<'_>) -> Settling {
    match try_settle(gate, store, stored).await {
        Ok(settling) => settling,
        Err(error) => {
            tracing::warn!(%error, "the batch is stored; what the gate has not heard is left to the sweep");
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

    let wanted: Vec<Settle> = stored
        .orders
        .iter()
        .filter_map(|order| wanted(order, &newer))
        .collect();
    let told = tell(gate, wanted).await;
    if told.failed.len() == numbers.len() {
        // The gate is away. The batch keeps its one row for the sweep, rather than a change of every order.
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
    let others: BTreeSet<OrderNumber> = holders.flatten().chain(told.displaced).collect();
    let mut failed = told.failed;
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

/// Settles orders again that have changed since the versions that were settled. One that was paid in between, and settled by that, would
/// otherwise have a timeout again. Answers those that could not be settled.
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
        let told = tell(gate, rows.iter().filter_map(settle_of).collect()).await;
        known = rows.iter().map(|row| (row.number, row.version)).collect();
        let clean: Vec<_> = known
            .iter()
            .filter(|(number, _)| !told.failed.contains(number))
            .copied()
            .collect();
        clear(store, &clean).await?;
        failed.extend(told.failed);
    }
    Ok(failed)
}

/// What the gate is to hear of an order.
fn wanted(order: &StoredOrder<'_>, newer: &HashMap<OrderNumber, OrderRow>) -> Option<Settle> {
    let StoredOrder {
        request,
        decision,
        row,
    } = order;
    // Other content under the row's own nonce: the live order itself must not be told gone.
    if *decision != Decision::Conflict || row.nonce == request.nonce {
        return settle_of(newer.get(&row.number).unwrap_or(row));
    }
    // The number is another order's: this request's own reservation is to go, the row's is not its business.
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
struct Told {
    failed: BTreeSet<OrderNumber>,
    displaced: BTreeSet<OrderNumber>,
}

/// All at the same time: they share a connection, and so a few round trips.
async fn tell(gate: &Gate, orders: Vec<Settle>) -> Told {
    let mut told = Told::default();
    let mut first_error = None;
    let mut answers = stream::iter(orders)
        .map(|settle| async move {
            let answer = gate.settle(&settle).await;
            (settle.at.order, answer)
        })
        .buffer_unordered(AT_ONCE);
    while let Some((number, answer)) = answers.next().await {
        match answer {
            Ok(Settled::Done { displaced, .. }) => told
                .displaced
                .extend(displaced.into_iter().map(|(number, _)| number)),
            Ok(Settled::Tombstoned) => {}
            Ok(Settled::NotInstalled | Settled::SeatsUnknown | Settled::NoSuchSeat) => {
                told.failed.insert(number);
            }
            Err(error) => {
                told.failed.insert(number);
                first_error.get_or_insert(error);
            }
        }
    }
    if let Some(error) = first_error {
        let orders = told.failed.len();
        tracing::warn!(%error, orders, "the gate did not hear of some orders; the sweep will tell it");
    }
    told
}

/// Orders that hold what others of the batch wanted, or that lost their seats to them in the gate: told again what Postgres says of them.
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
    let told = tell(gate, rows.iter().filter_map(settle_of).collect()).await;
    let clean: Vec<_> = rows
        .iter()
        .filter(|row| !told.failed.contains(&row.number))
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
