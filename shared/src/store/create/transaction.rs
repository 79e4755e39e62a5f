//! Stores one part of a batch in one READ COMMITTED transaction of separate statements. Each sees
//! what the previous ones wrote and what other transactions committed meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};

use lambda_batch::ErrorClass;
use sqlx::Row;

use super::advance::advance_progress;
use super::columns::{Orders, Seats};
use super::decisions::{RowOutcome, RowOutcomes, decide_all};
use super::plan::{CreatePlan, Request};
use super::{Holder, StoredBatch, UnsettledBatch};
use crate::message::OrderNumber;
use crate::sale::stored_pay_by;
use crate::store::park::park;
use crate::store::pool::BoundedConnection;
use crate::store::row::{bounded, nonce};
use crate::store::{OrderRow, Store, StoreError, barriers};

impl Store {
    pub(super) async fn transact<'a>(
        &self,
        plan: &CreatePlan<'a>,
        min_pay_ms: u64,
    ) -> Result<StoredBatch<'a>, StoreError> {
        let mut tx = self.pool.begin().await?;
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
            store_duplicates(&mut tx, &open, &mut outcomes, pay_by).await?;
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
        advance_progress(&mut tx, plan, &mut committed).await?;
        barriers::pass(&mut *tx, &plan.barriers).await?;
        tx.commit().await?;
        Ok(committed)
    }
}

/// Statements 1 to 3: inserts new orders and reads existing ones. Returns the requests that are
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
    let inserted = Orders::new(requests, pay_by)
        .insert(include_str!("../sql/create_orders.sql"), tx)
        .await?;
    let inserted: HashSet<i64> = inserted.into_iter().collect();
    let is_new = |request: &Request| inserted.contains(&request.order.order.get());
    let seats = Seats::new(requests.iter().filter(|request| is_new(request)).copied());
    let given = seats
        .query(include_str!("../sql/create_seats.sql"))
        .execute(&mut *tx)
        .await?
        .rows_affected();
    for request in requests.iter().filter(|request| is_new(request)) {
        outcomes.insert(request.order.order, RowOutcome::Stored);
    }
    if given < seats.len() as u64 {
        reject(tx, &seats, outcomes).await?;
    }
    let rest: Vec<Request> = requests
        .iter()
        .filter(|request| !is_new(request))
        .copied()
        .collect();
    find(tx, &rest, outcomes).await
}

/// Statement 3: rejects orders that did not get all their seats.
async fn reject(
    tx: &mut BoundedConnection,
    seats: &Seats,
    outcomes: &mut RowOutcomes,
) -> Result<(), StoreError> {
    let mut refused: BTreeMap<OrderNumber, Vec<Holder>> = BTreeMap::new();
    for row in seats
        .query(include_str!("../sql/create_refused.sql"))
        .fetch_all(&mut *tx)
        .await?
    {
        let holders = refused
            .entry(bounded(OrderNumber::new(row.try_get("order_number")?))?)
            .or_default();
        if let (Some(number), Some(bytes)) = (row.try_get("holder")?, row.try_get("holder_nonce")?)
        {
            let holder = Holder {
                number: bounded(OrderNumber::new(number))?,
                nonce: nonce(bytes)?,
            };
            if !holders.contains(&holder) {
                holders.push(holder);
            }
        }
    }
    let numbers: Vec<i64> = refused.keys().map(|number| number.get()).collect();
    sqlx::query(include_str!("../sql/create_reject.sql"))
        .bind(numbers)
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
    requests: &[Request<'a>],
    outcomes: &mut RowOutcomes,
) -> Result<Vec<Request<'a>>, StoreError> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<i64> = requests
        .iter()
        .map(|request| request.order.order.get())
        .collect();
    let rows = sqlx::query(include_str!("../sql/orders_by_number.sql"))
        .bind(numbers)
        .fetch_all(tx)
        .await?;
    for row in OrderRow::read_all(&rows)? {
        outcomes.insert(row.number, RowOutcome::Found(Box::new(row)));
    }
    Ok(requests
        .iter()
        .filter(|request| !outcomes.contains_key(&request.order.order))
        .copied()
        .collect())
}

/// Statement 4: rejects requests whose key belongs to another order.
async fn store_duplicates(
    tx: &mut BoundedConnection,
    requests: &[Request<'_>],
    outcomes: &mut RowOutcomes,
    pay_by: impl Fn(i64) -> i64,
) -> Result<(), StoreError> {
    let inserted = Orders::new(requests, pay_by)
        .insert(include_str!("../sql/create_duplicates.sql"), tx)
        .await?;
    let of = sqlx::query(include_str!("../sql/create_duplicate_of.sql"))
        .bind(&inserted)
        .fetch_all(&mut *tx)
        .await?;
    let mut of_number = HashMap::with_capacity(of.len());
    for row in of {
        let holder = Holder {
            number: bounded(OrderNumber::new(row.try_get("holder")?))?,
            nonce: nonce(row.try_get("holder_nonce")?)?,
        };
        of_number.insert(row.try_get::<i64, _>("order_number")?, holder);
    }
    for number in inserted {
        let holder = of_number.get(&number).copied();
        let outcome = RowOutcome::Rejected {
            reason: "duplicate",
            duplicate_of: holder.map(|h| h.number),
            holders: holder.into_iter().collect(),
        };
        outcomes.insert(bounded(OrderNumber::new(number))?, outcome);
    }
    let rest: Vec<Request> = requests
        .iter()
        .filter(|request| !outcomes.contains_key(&request.order.order))
        .copied()
        .collect();
    if find(tx, &rest, outcomes).await?.is_empty() {
        return Ok(());
    }
    // Neither found nor insertable: another transaction is storing it at this moment. The retry
    // finds its row.
    let message = "an order could neither be stored nor found".to_owned();
    Err(StoreError {
        class: ErrorClass::Conflict,
        sqlstate: None,
        message,
        hint: "",
    })
}
