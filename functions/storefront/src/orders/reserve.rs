//! Step 1: the gate reserves the seats, or refuses.

use std::sync::Arc;

use serde_json::json;
use shared::gate::{HoldRequest, OrderAt, ProgramRef, ReservationState, Reserved, SeatsInstalled};
use shared::message::{BodyHash, IdempotencyKey, Nonce, OrderNumber, OrderRequested, UserId};
use shared::sale::{Program, Quote, SeatSelection, key_ttl_ms};

use crate::app::App;
use crate::http::Problem;
use crate::rebuild;

/// Maximum number of further order numbers tried after a collision of the 16 random bits within a
/// millisecond.
const MAX_NUMBERS: u32 = 3;

/// A checked and priced request for seats.
#[derive(Debug, Clone)]
pub struct ReserveRequest {
    /// The program.
    pub program: Arc<Program>,
    /// The buyer.
    pub user: UserId,
    /// The selected seats.
    pub want: SeatSelection,
    /// Their price, or why a new order is impossible. An earlier order of the same key is found in
    /// either case.
    pub offer: Result<Quote, Problem>,
    /// The client's key, and the hash of its selection.
    pub idempotency: Option<(IdempotencyKey, BodyHash)>,
    /// W3C traceparent.
    pub trace: Option<String>,
}

/// A reservation in the gate, with its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldOrder {
    /// The order.
    pub at: OrderAt,
    /// An earlier request of the same key made it.
    pub repeated: bool,
    /// The message as it is published.
    pub message: String,
    /// The same message, parsed.
    pub request: OrderRequested,
}

/// What the gate holds for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reservation {
    /// This request must publish it.
    Held(HeldOrder),
    /// An earlier request or the timeout-closer abandoned it: this request must fence it.
    Abandoning(HeldOrder),
    /// The broker has acknowledged it.
    Accepted(HeldOrder),
    /// It has, or had, a row.
    Stored {
        /// The order.
        order: OrderNumber,
        /// Its nonce.
        nonce: Nonce,
    },
}

/// Reserves the seats. If the gate is not open, fills it first, as far as one request may.
pub async fn reserve(app: &App, request: &ReserveRequest) -> Result<Reservation, Problem> {
    let program = ProgramRef::from(&*request.program);
    let (mut filled, mut grown) = (false, false);
    let mut numbers = 0;
    loop {
        let (answer, own) = match &request.offer {
            Ok(quote) => {
                let (message, hold) = reservation(app, request, quote, program).await?;
                (app.gate.reserve(&hold).await?, Some(message))
            }
            Err(problem) => {
                let recalled = recall(app, request, program).await?;
                (recalled.ok_or_else(|| problem.clone())?, None)
            }
        };
        let repeated = matches!(answer, Reserved::Again { .. });
        let (order, nonce, seats, message, state) = match answer {
            Reserved::Held {
                order,
                nonce,
                seats,
                message,
            } => (order, nonce, seats, message, ReservationState::Held),
            Reserved::Again {
                order,
                nonce,
                state,
                seats,
                message,
            } => (order, nonce, seats, message, state),
            Reserved::Ended { order, nonce } => return Ok(Reservation::Stored { order, nonce }),
            Reserved::Loading | Reserved::Rebuild if filled => return Err(Problem::loading()),
            Reserved::Loading | Reserved::Rebuild => {
                filled = true;
                Box::pin(rebuild::open(app, &request.program)).await?;
                continue;
            }
            // The caller has checked the seats with the program: the gate is behind it.
            Reserved::NoSuchSeat if !grown => {
                grown = true;
                let added = Box::pin(app.gate.add_seats(&request.program)).await?;
                if added == SeatsInstalled::Absent {
                    return Err(Problem::loading());
                }
                continue;
            }
            Reserved::NumberInUse if numbers < MAX_NUMBERS => {
                numbers += 1;
                continue;
            }
            no => return Err(refused(&no, request.program.user_limit)),
        };
        if state == ReservationState::Stored {
            return Ok(Reservation::Stored { order, nonce });
        }
        let parsed = match own.filter(|own| own.order == order && own.nonce == nonce) {
            // The message of this request: only its seats are the gate's.
            Some(own) => OrderRequested { seats, ..own },
            None => strict_json::from_str(&message).map_err(|e| {
                tracing::error!(%order, error = %e, "cannot parse the message that the gate holds");
                Problem::unknown(order)
            })?,
        };
        let held = HeldOrder {
            at: OrderAt {
                order,
                nonce,
                program,
            },
            repeated,
            message,
            request: parsed,
        };
        return Ok(match state {
            ReservationState::Held => Reservation::Held(held),
            ReservationState::Abandoning => Reservation::Abandoning(held),
            ReservationState::Accepted { .. } | ReservationState::Stored => {
                Reservation::Accepted(held)
            }
        });
    }
}

/// Finds the order of an earlier request with the same key.
async fn recall(
    app: &App,
    request: &ReserveRequest,
    program: ProgramRef,
) -> Result<Option<Reserved>, Problem> {
    let Some((key, hash)) = &request.idempotency else {
        return Ok(None);
    };
    let window_ms = publish_window_ms(app, request);
    Ok(app
        .gate
        .recall(program, &request.user, (key, *hash), window_ms)
        .await?)
}

/// The program's pay window limits the publish window, which must still hold one delivery.
fn publish_window_ms(app: &App, request: &ReserveRequest) -> u64 {
    let windows = &app.settings.windows;
    windows
        .publish_ms
        .min(pay_ms(request))
        .max(windows.delivery_ms + 1_000)
}

fn pay_ms(request: &ReserveRequest) -> u64 {
    request.program.pay_window_ms.max(0) as u64
}

/// A reservation with a new number and nonce, and its message without seats. The gate replaces
/// number and nonce by those of an earlier request with the same key.
async fn reservation(
    app: &App,
    request: &ReserveRequest,
    quote: &Quote,
    program: ProgramRef,
) -> Result<(OrderRequested, HoldRequest), Problem> {
    let now_ms = app.gate.now_ms().await?;
    let pay_ms = pay_ms(request);
    let order = OrderNumber::compose(now_ms, program.shard, rand::random()).map_err(|e| {
        tracing::error!(error = %e, "the gate's clock is out of range");
        Problem::unavailable("the gate's clock is wrong; no orders can be taken")
    })?;
    let idempotency = request.idempotency.as_ref();
    let message = OrderRequested {
        v: 1,
        order,
        nonce: Nonce::new(rand::random()),
        user: request.user.clone(),
        program: program.id,
        category: request.want.category(),
        seats: Vec::new(),
        unit_price_cents: quote.unit_price,
        amount_cents: quote.amount,
        idempotency_key: idempotency.map(|(key, _)| key.clone()),
        idempotency_hash: idempotency.map(|(_, hash)| *hash),
        pay_by_ms: now_ms.saturating_add(pay_ms) as i64,
        trace: request.trace.clone(),
    };
    let hold = HoldRequest {
        program,
        order,
        nonce: message.nonce,
        user: request.user.clone(),
        want: request.want.clone(),
        unit_price: quote.unit_price,
        user_limit: request.program.user_limit,
        idempotency: request.idempotency.clone(),
        publish_window_ms: publish_window_ms(app, request),
        idem_ttl_ms: key_ttl_ms(request.program.pay_window_ms),
        pay_by_ms: message.pay_by_ms,
        trace: message.trace.clone(),
    };
    Ok((message, hold))
}

fn refused(no: &Reserved, limit: u32) -> Problem {
    let taken =
        |code, detail: String| Problem::conflict(code, "The seats are not to be had", detail);
    match no {
        Reserved::SoldOut => taken("sold_out", "no seat of this category is free".into()),
        Reserved::NotAdjacent { free } => {
            let detail = format!("{free} seats are free, but not so many side by side");
            taken("not_adjacent", detail).with("free", *free)
        }
        Reserved::SeatsBlocked(seats) => {
            let detail = "some of these seats are not for sale".into();
            taken("seats_blocked", detail).with("seats", json!(seats))
        }
        Reserved::SeatsTaken(seats) => {
            taken("seats_taken", "some of these seats are taken".into()).with("seats", json!(seats))
        }
        Reserved::LimitReached { have } => {
            let detail =
                format!("a buyer may hold {limit} tickets of this program; you hold {have}");
            Problem::conflict("limit_reached", "Too many tickets for one buyer", detail)
                .with("have", *have)
                .with("limit", limit)
        }
        Reserved::KeyReused => {
            let detail =
                "this Idempotency-Key was used for another order; use a new key for a new order";
            let title = "The key was used before";
            Problem::new(422, "idempotency_key_reused", title, detail)
        }
        Reserved::NoSuchSeat => Problem::invalid_order("the program has no such seat"),
        _ => Problem::unavailable("the order could not be numbered; try again"),
    }
}
