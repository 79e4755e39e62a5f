//! One part of a batch, in one READ COMMITTED transaction of separate statements: each sees what the one before it wrote, and what others
//! committed meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use sqlx::Row;

use super::columns::{Orders, Seats};
use super::plan::{CreatePlan, Match, Request, compare};
use super::{Decision, Holder, StoredBatch, StoredOrder, UnsettledBatch};
use crate::message::{OrderNumber, OrderRequested};
use crate::sale::{Status, stored_pay_by};
use crate::store::park::park;
use crate::store::pool::BoundedConnection;
use crate::store::progress::{ProgressMark, advance};
use crate::store::row::{bounded, nonce};
use crate::store::{OrderRow, Store, StoreError};
use crate::store::{barriers, gaps};
use lambda_batch::{ErrorClass, Reason};

/// What became of one number.
#[derive(Debug)]
enum Fate {
    /// Inserted by this transaction.
    Stored,
    /// Inserted by this transaction, then rejected: the seats' holders, or the order it duplicates.
    Rejected {
        reason: &'static str,
        duplicate_of: Option<OrderNumber>,
        holders: Vec<Holder>,
    },
    /// Had a row before.
    Found(Box<OrderRow>),
}

type Fates = HashMap<OrderNumber, Fate>;

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

        let mut fates = Fates::with_capacity(plan.firsts.len());
        let mut open = round(&mut tx, &plan.firsts, &mut fates, pay_by).await?;
        if !open.is_empty() {
            // Their keys are other orders' that may have been rejected just now, or given up while this transaction waited for them.
            open = round(&mut tx, &open, &mut fates, pay_by).await?;
        }
        if !open.is_empty() {
            duplicates(&mut tx, &open, &mut fates, pay_by).await?;
        }

        let mut committed = StoredBatch {
            parked: plan.unreadable.clone(),
            ..StoredBatch::default()
        };
        let new = collect(plan, fates, now_ms, pay_by, &mut committed);
        park(&mut tx, plan.arrivals, &committed.parked).await?;
        if !new.is_empty() {
            let id = sqlx::query_scalar(include_str!("../sql/create_unsettled.sql"))
                .bind(new)
                .fetch_one(&mut *tx)
                .await?;
            committed.unsettled.push(UnsettledBatch(id));
        }
        move_on(&mut tx, plan, &mut committed).await?;
        barriers::pass(&mut *tx, &plan.barriers).await?;
        tx.commit().await?;
        Ok(committed)
    }
}

/// Statements 1 to 3: inserts what is new, and reads what was there before. Returns the requests that are neither: their key is taken.
async fn round<'a>(
    tx: &mut BoundedConnection,
    requests: &[Request<'a>],
    fates: &mut Fates,
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
        fates.insert(request.order.order, Fate::Stored);
    }
    if given < seats.len() as u64 {
        reject(tx, &seats, fates).await?;
    }
    let rest: Vec<Request> = requests
        .iter()
        .filter(|request| !is_new(request))
        .copied()
        .collect();
    find(tx, &rest, fates).await
}

/// Statement 3: orders that did not get all their seats get none.
async fn reject(
    tx: &mut BoundedConnection,
    seats: &Seats,
    fates: &mut Fates,
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
        fates.insert(
            number,
            Fate::Rejected {
                reason: "seats_taken",
                duplicate_of: None,
                holders,
            },
        );
    }
    Ok(())
}

/// Reads the rows of numbers that were not inserted. Returns the requests that have none.
async fn find<'a>(
    tx: &mut BoundedConnection,
    requests: &[Request<'a>],
    fates: &mut Fates,
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
        fates.insert(row.number, Fate::Found(Box::new(row)));
    }
    Ok(requests
        .iter()
        .filter(|request| !fates.contains_key(&request.order.order))
        .copied()
        .collect())
}

/// Statement 4: requests whose key is another order's for good.
async fn duplicates(
    tx: &mut BoundedConnection,
    requests: &[Request<'_>],
    fates: &mut Fates,
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
        let fate = Fate::Rejected {
            reason: "duplicate",
            duplicate_of: holder.map(|h| h.number),
            holders: holder.into_iter().collect(),
        };
        fates.insert(bounded(OrderNumber::new(number))?, fate);
    }
    let rest: Vec<Request> = requests
        .iter()
        .filter(|request| !fates.contains_key(&request.order.order))
        .copied()
        .collect();
    if find(tx, &rest, fates).await?.is_empty() {
        return Ok(());
    }
    // Neither there nor insertable: somebody else is storing it at this moment. Begin again and meet what they stored.
    let message = "an order could neither be stored nor found".to_owned();
    Err(StoreError {
        class: ErrorClass::Conflict,
        sqlstate: None,
        message,
        hint: "",
    })
}

/// Decides for every request, parks those whose number is another order's. Returns the numbers inserted.
fn collect<'a>(
    plan: &CreatePlan<'a>,
    mut fates: Fates,
    now_ms: i64,
    pay_by: impl Fn(i64) -> i64,
    out: &mut StoredBatch<'a>,
) -> Vec<i64> {
    let mut new = Vec::with_capacity(plan.firsts.len());
    let repeated: BTreeSet<OrderNumber> = plan
        .repeats
        .iter()
        .map(|request| request.order.order)
        .collect();
    let mut rows: HashMap<OrderNumber, OrderRow> = HashMap::new();
    for request in &plan.firsts {
        let number = request.order.order;
        let Some(fate) = fates.remove(&number) else {
            continue;
        };
        let (decision, row) = match fate {
            Fate::Stored => (
                Decision::Created,
                new_row(request.order, now_ms, pay_by(request.order.pay_by_ms)),
            ),
            Fate::Rejected {
                reason,
                duplicate_of,
                holders,
            } => {
                let mut row = new_row(request.order, now_ms, pay_by(request.order.pay_by_ms));
                (row.status, row.reason, row.duplicate_of) =
                    (Status::Rejected, Some(reason.to_owned()), duplicate_of);
                (Decision::Rejected { holders }, row)
            }
            Fate::Found(row) => (found(&row, *request, out), *row),
        };
        if matches!(decision, Decision::Created | Decision::Rejected { .. }) {
            new.push(number.get());
        }
        if repeated.contains(&number) {
            rows.insert(number, row.clone());
        }
        out.orders.push(StoredOrder {
            request: request.order,
            decision,
            row,
        });
    }
    for request in &plan.repeats {
        if let Some(row) = rows.get(&request.order.order) {
            let decision = found(row, *request, out);
            // The same order again needs no second settling.
            if decision == Decision::Conflict {
                out.orders.push(StoredOrder {
                    request: request.order,
                    decision,
                    row: row.clone(),
                });
            }
        }
    }
    new
}

/// The decision on a request whose number has a row already.
fn found(row: &OrderRow, request: Request<'_>, out: &mut StoredBatch<'_>) -> Decision {
    match compare(row, request.order) {
        Match::Same => Decision::AlreadyThere,
        Match::Void => Decision::Void,
        Match::Other => {
            let what = if row.nonce == request.order.nonce {
                "with other content"
            } else {
                "under another nonce"
            };
            out.parked.push((
                request.at,
                Reason::new(format_args!(
                    "order {} is stored already, {what}",
                    row.number
                )),
            ));
            Decision::Conflict
        }
    }
}

/// The row as this transaction inserted it.
fn new_row(request: &OrderRequested, now_ms: i64, pay_by_ms: i64) -> OrderRow {
    OrderRow {
        number: request.order,
        nonce: request.nonce,
        user: Some(request.user.clone()),
        program: Some(request.program),
        category: Some(request.category),
        seats: request.seats.clone(),
        unit_price: Some(request.unit_price_cents),
        amount: Some(request.amount_cents),
        idempotency_key: request.idempotency_key.clone(),
        status: Status::Unpaid,
        reason: None,
        duplicate_of: None,
        pay_by_ms: Some(pay_by_ms),
        remaining_ms: Some(pay_by_ms.saturating_sub(now_ms)),
        version: 1,
        created_at_ms: now_ms,
        trace: request.trace.clone(),
    }
}

/// Statement 5: the progress of each partition over the whole part, which is the contiguous prefix: everything left of it is committed.
async fn move_on(
    tx: &mut BoundedConnection,
    plan: &CreatePlan<'_>,
    committed: &mut StoredBatch<'_>,
) -> Result<(), StoreError> {
    let topics: Vec<&str> = plan.seen.iter().map(|seen| seen.topic).collect();
    let partitions: Vec<i32> = plan.seen.iter().map(|seen| seen.partition).collect();
    let query = sqlx::query(include_str!("../sql/progress_lock.sql"))
        .bind(&topics)
        .bind(&partitions);
    let mut marks = HashMap::new();
    for row in query.fetch_all(&mut *tx).await? {
        let mark = ProgressMark {
            incarnation: row.try_get("incarnation")?,
            next_offset: row.try_get("next_offset")?,
            appended_ms: row.try_get("appended_ms")?,
        };
        marks.insert(
            (
                row.try_get::<String, _>("topic")?,
                row.try_get::<i32, _>("partition")?,
            ),
            mark,
        );
    }
    let mut advanced = Vec::with_capacity(plan.seen.len());
    let mut redelivered = Vec::new();
    for seen in &plan.seen {
        let of = (seen.topic.to_owned(), seen.partition);
        let advance = advance(marks.get(&of).copied(), seen);
        advanced.push(advance.mark);
        committed.gaps.extend(advance.gap);
        redelivered.extend(advance.redelivered);
        if advance.recreated {
            committed.recreated.push(of);
        }
    }
    sqlx::query(include_str!("../sql/progress_advance.sql"))
        .bind(&topics)
        .bind(&partitions)
        .bind(
            advanced
                .iter()
                .map(|mark| mark.incarnation)
                .collect::<Vec<_>>(),
        )
        .bind(
            advanced
                .iter()
                .map(|mark| mark.next_offset)
                .collect::<Vec<_>>(),
        )
        .bind(
            advanced
                .iter()
                .map(|mark| mark.appended_ms)
                .collect::<Vec<_>>(),
        )
        .execute(&mut *tx)
        .await?;
    gaps::add(tx, &committed.gaps).await?;
    gaps::replayed(tx, &redelivered).await
}
