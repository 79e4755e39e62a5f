//! Stores one part of a batch. A part that is not a usual one ([`super::usual`]) takes one READ
//! COMMITTED transaction of separate statements. Each sees what the previous ones wrote and what
//! other transactions committed meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};

use lambda_batch::ErrorClass;
use sqlx::Row;

use super::advance::{advance_progress, lock_progress};
use super::columns::{self, Seat};
use super::decisions::{RowOutcome, RowOutcomes, decide_all};
use super::plan::{CreatePlan, Request};
use super::{Holder, StoredBatch, UnsettledBatch};
use crate::message::OrderNumber;
use crate::sale::stored_pay_by;
use crate::store::columns::column;
use crate::store::park::park;
use crate::store::pool::BoundedConnection;
use crate::store::{OrderRow, Store, StoreError, barriers};

impl Store {
    pub(super) async fn transact<'a>(
        &self,
        plan: &CreatePlan<'a>,
        min_pay_ms: u64,
    ) -> Result<StoredBatch<'a>, StoreError> {
        if let Some(stored) = self.store_usual(plan, min_pay_ms).await? {
            return Ok(stored);
        }
        let mut tx = self.pool.begin().await?;
        let marks = lock_progress(&mut tx, plan).await?;
        let now_ms: i64 = sqlx::query_scalar(include_str!("../sql/clock.sql"))
            .fetch_one(&mut *tx)
            .await?;
        let pay_by = |promised_ms| stored_pay_by(promised_ms, now_ms, min_pay_ms);

        let mut outcomes = RowOutcomes::with_capacity(plan.firsts.len());
        let mut open = insert_or_find(&mut tx, &plan.firsts, &mut outcomes, pay_by).await?;
        if !open.is_empty() {
            // Their keys belong to other orders, which may have been rejected just now, or fenced
            // while this transaction waited for them.
            open = insert_or_find(&mut tx, &open, &mut outcomes, pay_by).await?;
        }
        if !open.is_empty() {
            store_duplicates(&mut tx, open, &mut outcomes, pay_by).await?;
        }

        let mut committed = StoredBatch {
            parked: plan.unreadable.clone(),
            ..StoredBatch::default()
        };
        let new = decide_all(plan, outcomes, now_ms, pay_by, &mut committed);
        park(&mut tx, plan.arrivals, &committed.parked).await?;
        if !new.is_empty() {
            let id = sqlx::query_scalar(include_str!("../sql/create_unsettled.sql"))
                .bind(new)
                .fetch_one(&mut *tx)
                .await?;
            committed.unsettled.push(UnsettledBatch(id));
        }
        advance_progress(&mut tx, plan, &marks, &mut committed).await?;
        barriers::pass(&mut *tx, &plan.barriers).await?;
        tx.commit().await?;
        Ok(committed)
    }
}

/// Statements 2 to 4: inserts new orders and reads existing ones. Returns the requests that are
/// neither: their keys are taken.
async fn insert_or_find<'a>(
    tx: &mut BoundedConnection,
    requests: &[Request<'a>],
    outcomes: &mut RowOutcomes,
    pay_by: impl Fn(i64) -> i64,
) -> Result<Vec<Request<'a>>, StoreError> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let sql = include_str!("../sql/create_orders.sql");
    let inserted = columns::insert(sql, tx, requests, pay_by).await?;
    let inserted: HashSet<OrderNumber> = inserted.into_iter().collect();
    let is_new = |request: &Request<'_>| inserted.contains(&request.order.order);
    let (new, rest): (Vec<Request>, Vec<Request>) = requests.iter().partition(|r| is_new(r));
    let seats = columns::seats_of(&new);
    let given = columns::query(include_str!("../sql/create_seats.sql"), &seats)
        .execute(&mut *tx)
        .await?
        .rows_affected();
    for request in new {
        outcomes.insert(request.order.order, RowOutcome::Stored);
    }
    if given < seats.len() as u64 {
        reject(tx, &seats, outcomes).await?;
    }
    find(tx, rest, outcomes).await
}

/// Statement 4: rejects orders that did not get all their seats.
async fn reject(
    tx: &mut BoundedConnection,
    seats: &[Seat],
    outcomes: &mut RowOutcomes,
) -> Result<(), StoreError> {
    let mut refused: BTreeMap<OrderNumber, Vec<Holder>> = BTreeMap::new();
    let query = columns::query(include_str!("../sql/create_refused.sql"), seats);
    for row in query.fetch_all(&mut *tx).await? {
        let holders = refused.entry(row.try_get("order_number")?).or_default();
        if let (Some(number), Some(nonce)) = (row.try_get("holder")?, row.try_get("holder_nonce")?)
        {
            let holder = Holder { number, nonce };
            if !holders.contains(&holder) {
                holders.push(holder);
            }
        }
    }
    sqlx::query(include_str!("../sql/create_reject.sql"))
        .bind(column(refused.keys(), |number| *number))
        .execute(&mut *tx)
        .await?;
    for (number, holders) in refused {
        outcomes.insert(
            number,
            RowOutcome::Rejected {
                reason: "seats_taken",
                duplicate_of: None,
                holders,
            },
        );
    }
    Ok(())
}

/// Reads the rows of numbers that were not inserted. Returns the requests without a row.
async fn find<'a>(
    tx: &mut BoundedConnection,
    mut requests: Vec<Request<'a>>,
    outcomes: &mut RowOutcomes,
) -> Result<Vec<Request<'a>>, StoreError> {
    if requests.is_empty() {
        return Ok(requests);
    }
    let rows: Vec<OrderRow> = sqlx::query_as(include_str!("../sql/orders_by_number.sql"))
        .bind(column(&requests, |request| request.order.order))
        .fetch_all(tx)
        .await?;
    for row in rows {
        outcomes.insert(row.number, RowOutcome::Found(Box::new(row)));
    }
    requests.retain(|request| !outcomes.contains_key(&request.order.order));
    Ok(requests)
}

/// Statement 5: rejects requests whose key belongs to another order.
async fn store_duplicates(
    tx: &mut BoundedConnection,
    mut requests: Vec<Request<'_>>,
    outcomes: &mut RowOutcomes,
    pay_by: impl Fn(i64) -> i64,
) -> Result<(), StoreError> {
    let sql = include_str!("../sql/create_duplicates.sql");
    let inserted = columns::insert(sql, tx, &requests, pay_by).await?;
    let rows = sqlx::query(include_str!("../sql/create_duplicate_of.sql"))
        .bind(&inserted)
        .fetch_all(&mut *tx)
        .await?;
    let mut holders: HashMap<OrderNumber, Holder> = HashMap::with_capacity(rows.len());
    for row in rows {
        let holder = Holder {
            number: row.try_get("holder")?,
            nonce: row.try_get("holder_nonce")?,
        };
        holders.insert(row.try_get("order_number")?, holder);
    }
    for number in inserted {
        let holder = holders.get(&number).copied();
        let outcome = RowOutcome::Rejected {
            reason: "duplicate",
            duplicate_of: holder.map(|h| h.number),
            holders: holder.into_iter().collect(),
        };
        outcomes.insert(number, outcome);
    }
    requests.retain(|request| !outcomes.contains_key(&request.order.order));
    if find(tx, requests, outcomes).await?.is_empty() {
        return Ok(());
    }
    // Neither found nor insertable: another transaction is storing it at this moment. The retry
    // finds its row.
    Err(StoreError {
        class: ErrorClass::Conflict,
        ..StoreError::unknown("an order could neither be stored nor found")
    })
}
