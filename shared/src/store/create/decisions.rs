//! The decision on every request of a part, from what the statements found. Pure.

use std::collections::{BTreeSet, HashMap};

use lambda_batch::Reason;

use super::plan::{CreatePlan, Request};
use super::{Decision, FIRST_VERSION, Holder, StoredBatch, StoredOrder, StoredRow};
use crate::message::{OrderNumber, OrderRequested};
use crate::sale::Status;
use crate::store::OrderRow;

/// What the statements found or did for one number.
#[derive(Debug)]
pub(super) enum RowOutcome {
    /// Inserted by this transaction.
    Stored,
    /// Inserted by this transaction, then rejected: with the holders of its seats, or the order
    /// that it duplicates.
    Rejected {
        reason: &'static str,
        duplicate_of: Option<OrderNumber>,
        holders: Vec<Holder>,
    },
    /// The number had a row before.
    Found(Box<OrderRow>),
}

pub(super) type RowOutcomes = HashMap<OrderNumber, RowOutcome>;

/// Decides on every request and parks those whose number belongs to another order. Returns the
/// inserted numbers.
pub(super) fn decide_all<'a>(
    plan: &CreatePlan<'a>,
    mut outcomes: RowOutcomes,
    now_ms: i64,
    pay_by: impl Fn(i64) -> i64,
    stored: &mut StoredBatch<'a>,
) -> Vec<OrderNumber> {
    let mut new = Vec::with_capacity(plan.firsts.len());
    let repeated: BTreeSet<OrderNumber> = plan
        .repeats
        .iter()
        .map(|request| request.order.order)
        .collect();
    let mut rows: HashMap<OrderNumber, OrderRow> = HashMap::new();
    for request in &plan.firsts {
        let number = request.order.order;
        let Some(outcome) = outcomes.remove(&number) else {
            continue;
        };
        let (decision, row) = match outcome {
            RowOutcome::Stored => {
                let pay_by_ms = pay_by(request.order.pay_by_ms);
                (
                    Decision::Created,
                    StoredRow::Requested { now_ms, pay_by_ms },
                )
            }
            RowOutcome::Rejected {
                reason,
                duplicate_of,
                holders,
            } => {
                let mut row = new_row(request.order, now_ms, pay_by(request.order.pay_by_ms));
                (row.status, row.reason, row.duplicate_of) =
                    (Status::Rejected, Some(reason.to_owned()), duplicate_of);
                (
                    Decision::Rejected { holders },
                    StoredRow::Other(Box::new(row)),
                )
            }
            RowOutcome::Found(row) => (found(&row, *request, stored), StoredRow::Other(row)),
        };
        if matches!(decision, Decision::Created | Decision::Rejected { .. }) {
            new.push(number);
        }
        let order = StoredOrder {
            request: request.order,
            decision,
            row,
        };
        if repeated.contains(&number) {
            rows.insert(number, order.row().into_owned());
        }
        stored.orders.push(order);
    }
    for request in &plan.repeats {
        if let Some(row) = rows.get(&request.order.order) {
            let decision = found(row, *request, stored);
            // A repeated request of the same order needs no second settle.
            if decision == Decision::Conflict {
                stored.orders.push(StoredOrder {
                    request: request.order,
                    decision,
                    row: StoredRow::Other(Box::new(row.clone())),
                });
            }
        }
    }
    new
}

/// Decides on a request whose number already has a row. Parks it if the row is another order's.
fn found(row: &OrderRow, request: Request<'_>, stored: &mut StoredBatch<'_>) -> Decision {
    let decision = Decision::of_repeat(row, request.order);
    if decision == Decision::Conflict {
        let what = if row.nonce == request.order.nonce {
            "with other content"
        } else {
            "under another nonce"
        };
        stored.parked.push((
            request.at,
            Reason::new(format_args!(
                "order {} is stored already, {what}",
                row.number
            )),
        ));
    }
    decision
}

impl Decision {
    /// The decision on a request whose number already has a row. Under the same nonce, content can
    /// differ only by a bug. Pure.
    pub fn of_repeat(row: &OrderRow, order: &OrderRequested) -> Self {
        let is_same = row.user.as_ref() == Some(&order.user)
            && row.program == Some(order.program)
            && row.category == Some(order.category)
            && row.seats == order.seats
            && row.unit_price == Some(order.unit_price_cents);
        if row.nonce != order.nonce {
            Self::Conflict
        } else if row.status == Status::Void {
            Self::Void
        } else if is_same {
            Self::AlreadyThere
        } else {
            Self::Conflict
        }
    }
}

/// The row that was inserted.
pub(super) fn new_row(request: &OrderRequested, now_ms: i64, pay_by_ms: i64) -> OrderRow {
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
        version: FIRST_VERSION,
        created_at_ms: now_ms,
        trace: request.trace.clone(),
    }
}
