//! A refund as JSON.

use serde_json::{Value, json};
use shared::sale::Status;
use shared::store::RefundRow;

use crate::http::time;

pub(super) fn view(refund: &RefundRow) -> Value {
    json!({
        "id": refund.id.to_string(),
        "state": refund.state.as_str(),
        "amount_cents": refund.amount,
        "payment": refund.payment.to_string(),
        "reference": refund.reference,
        "order": refund.order,
        "order_status": refund.order_status.map(Status::as_str),
        "of_order": refund.of_order,
        "attempts": refund.attempts,
        "requested_at": time(refund.created_ms),
        "requested_by": refund.requested_by,
        "note": refund.note,
        "ended_at": refund.ended_ms.map(time),
        "ended_by": refund.ended_by,
        "answer": refund.answer,
    })
}
