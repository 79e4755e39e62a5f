//! Orders as JSON.

use serde_json::{Value, json};
use shared::message::OrderRequested;
use shared::sale::Status;
use shared::store::OrderRow;

use crate::http::{Problem, Reply, time};

/// Retry-After of an accepted order, seconds.
const LOOK_AFTER: u32 = 1;

/// 202 with the location of the order.
pub(super) fn accepted(request: &OrderRequested) -> Reply {
    let location = format!("/orders/{}", request.order);
    Reply::at(202, location, self::request(request, "accepted")).retry_after(LOOK_AFTER)
}

/// Answers a request whose order has a row.
pub(super) fn placed(row: &OrderRow) -> Result<Reply, Problem> {
    let location = format!("/orders/{}", row.number);
    match row.status {
        Status::Rejected => {
            let why = row.reason.as_deref().unwrap_or("rejected");
            let detail = format!("the order could not be stored: {why}");
            let problem = Problem::conflict("rejected", "The order was rejected", detail)
                .with("order", row.number.to_string())
                .with("reason", why);
            Err(match row.duplicate_of {
                Some(first) => problem.with("duplicate_of", first.to_string()),
                None => problem,
            })
        }
        Status::Unpaid => Ok(Reply::at(201, location, self::row(row))),
        _ => Ok(Reply::at(200, location, self::row(row))),
    }
}

/// An order without a row.
pub(super) fn request(request: &OrderRequested, status: &str) -> Value {
    json!({
        "order": request.order,
        "program": request.program,
        "category": request.category,
        "seats": request.seats,
        "amount_cents": request.amount_cents,
        "status": status,
        "pay_by": time(request.pay_by_ms),
        "created_at": time(request.order.made_at_ms() as i64),
    })
}

/// A stored order.
pub(super) fn row(row: &OrderRow) -> Value {
    let mut view = json!({
        "order": row.number,
        "program": row.program,
        "category": row.category,
        "seats": row.seats,
        "amount_cents": row.amount,
        "status": row.status.as_str(),
        "pay_by": row.pay_by_ms.map(time),
        "created_at": time(row.created_at_ms),
    });
    if let Some(reason) = &row.reason {
        view["reason"] = reason.as_str().into();
    }
    if let Some(first) = row.duplicate_of {
        view["duplicate_of"] = first.to_string().into();
    }
    view
}
