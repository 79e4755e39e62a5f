//! `POST /programs/{id}/orders`

use std::time::Duration;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use shared::message::{BodyHash, CategoryNo, ProgramVersion, SeatIndex};
use shared::sale::{Program, Quote, Refusal, SeatSelection, Status, quote};
use shared::telemetry::traces::Tracer;
use shared::telemetry::{MetricLine, SpanPosition};

use super::reserve::{self, Reservation, ReserveRequest};
use super::state::{self, OrderState};
use super::{publish, view, waiting};
use crate::app::App;
use crate::http::{Call, Problem, Reply, RequestClass};
use crate::settle::settle;
use crate::{programs, waiting_room};

/// Maximum number of rounds: a repeated request may find its earlier order void, and then reserves
/// a new one.
const MAX_ROUNDS: u32 = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderBody {
    category: CategoryNo,
    seats: Option<Vec<SeatIndex>>,
    count: Option<u32>,
    /// The version that the buyer has seen. No other price is charged.
    program_version: Option<ProgramVersion>,
}

impl OrderBody {
    fn selection(self) -> Result<SeatSelection, Problem> {
        match (self.seats, self.count) {
            (Some(seats), None) => Ok(SeatSelection::seats(self.category, seats)?),
            (None, Some(count)) => Ok(SeatSelection::best(self.category, count)?),
            _ => Err(Problem::invalid_order(
                "name either the seats, or their number (count)",
            )),
        }
    }
}

/// Takes an order. After an answer of 202 or 201 the order reaches a final state even if this
/// process dies.
pub async fn create(app: &App, program: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    let key = call.idempotency_key()?;
    let wait = call.wait()?;
    let body: OrderBody = call.json()?;
    let seen = body.program_version;
    let selection = body.selection()?;
    // Whatever refuses a new order, a repeated request finds the order of its key.
    let limited = app
        .limits
        .take(RequestClass::Orders, call, Some(&user))
        .await;
    if let (Err(problem), None) = (&limited, &key) {
        return Err(problem.clone());
    }
    let program = programs::find_at_least(app, program, seen).await?;
    let mut offer = limited.and_then(|()| offer(&program, &selection, seen));
    if offer.is_ok()
        && let Err(problem) = waiting_room::require_admission(app, &program, &user).await
    {
        offer = Err(problem);
    }
    if let (Err(problem), None) = (&offer, &key) {
        return Err(problem.clone());
    }
    app.publisher.ready().await.map_err(|why| {
        tracing::warn!(%why, "cannot publish; orders are refused");
        Problem::unavailable("orders cannot be taken at the moment; try again")
    })?;
    admit(app, &program).await?;
    let idempotency = key.map(|key| (key, body_hash(&selection)));
    let place = call.span.map(|request| SpanPosition {
        context: Tracer::child(request),
        parent: Some(request),
    });
    let trace = place
        .map(|place| place.context.to_string())
        .or_else(|| call.trace());
    let request = ReserveRequest {
        program,
        user,
        want: selection,
        offer,
        idempotency,
        trace,
    };
    // What few orders need is on the heap, so that the future of all others is small.
    for _ in 0..MAX_ROUNDS {
        // Only an earlier request's void order leads to another round: one publish per request
        // bounds the time that its buyer waits.
        let reservation = reserve::reserve(app, &request).await?;
        let repeated = matches!(&reservation, Reservation::Held(held) if held.repeated);
        let (earlier, state) = match reservation {
            Reservation::Held(held) => (false, publish::publish(app, &held, place).await?),
            Reservation::Abandoning(held) => (true, Box::pin(publish::fence(app, &held)).await?),
            Reservation::Accepted(held) => (true, OrderState::Accepted(held.request)),
            Reservation::Stored { order, nonce } => {
                (true, Box::pin(state::stored(app, order, nonce)).await?)
            }
        };
        let state = match state {
            // The earlier order may be a void row that the gate has lost; publishing it again does
            // not revive it.
            OrderState::Accepted(request) if earlier || repeated || !wait.is_zero() => {
                Box::pin(waiting::wait(app, request, wait, earlier || repeated)).await
            }
            state => state,
        };
        let row = match state {
            OrderState::Accepted(request) => return Ok(view::accepted(&request)),
            OrderState::Row(row) if row.status == Status::Void => row,
            OrderState::Row(row) => return view::placed(&row),
        };
        Box::pin(settle(app, &row)).await;
        if !earlier {
            return Err(Problem::publish_failed());
        }
        // The earlier order of this key is void, and its key was dropped with it.
    }
    Err(Problem::unavailable(
        "the order could not be taken; try again",
    ))
}

/// Refuses the order if order-create has stored none for half of the time to pay, and for longer
/// than a start of its processes takes.
async fn admit(app: &App, program: &Program) -> Result<(), Problem> {
    let window = Duration::from_millis(program.pay_window_ms.max(0) as u64);
    let tolerated = (window / 2).max(app.settings.waiting.stall);
    let topic = &app.settings.topic;
    app.admission
        .admit(&app.store, topic, tolerated)
        .await
        .map_err(|why| {
            tracing::warn!(%why, "orders are refused");
            MetricLine::new(&app.settings.names)
                .count("OrdersNotAdmitted", 1)
                .emit();
            let detail = "orders are not being stored at the moment; try again";
            Problem::unavailable(detail).retry_after(10)
        })
}

/// Prices the selection. Fails if a new order is impossible, or if the buyer has seen another
/// version.
fn offer(
    program: &Program,
    want: &SeatSelection,
    seen: Option<ProgramVersion>,
) -> Result<Quote, Problem> {
    if seen.is_some_and(|seen| seen != program.version) {
        let detail = format!(
            "the program has changed; get version {} and order by it",
            program.version
        );
        let problem = Problem::conflict("program_changed", "The program has changed", detail);
        return Err(problem.with("version", program.version.get()));
    }
    quote(program, want).map_err(|why| refused(&why))
}

/// Two requests with one key are the same if they select the same seats, whatever the spelling of
/// the body and the version seen.
fn body_hash(want: &SeatSelection) -> BodyHash {
    let mut hash = Sha256::new();
    match want {
        SeatSelection::Seats { category, seats } => {
            hash.update(format!("seats {category}"));
            for seat in seats {
                hash.update(format!(" {seat}"));
            }
        }
        SeatSelection::Best { category, count } => hash.update(format!("best {category} {count}")),
    }
    BodyHash::new(hash.finalize().into())
}

fn refused(why: &Refusal) -> Problem {
    match why {
        Refusal::SaleStopped => Problem::conflict("sale_stopped", "The sale has stopped", why),
        Refusal::OverLimit(limit) => {
            Problem::conflict("limit_reached", "Too many tickets for one buyer", why)
                .with("have", 0)
                .with("limit", *limit)
        }
        Refusal::NoSuchCategory(_)
        | Refusal::NoSuchSeat(..)
        | Refusal::RowTooShort(_)
        | Refusal::Amount(_) => Problem::invalid_order(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(json: &str) -> Result<SeatSelection, Problem> {
        serde_json::from_str::<OrderBody>(json)
            .map_err(Problem::malformed)?
            .selection()
    }

    #[test]
    fn an_order_names_either_seats_or_their_number() {
        assert!(selection(r#"{"category":0,"seats":[2,1]}"#).is_ok());
        assert!(selection(r#"{"category":0,"count":2}"#).is_ok());
        for (bad, status) in [
            (r#"{"category":0}"#, 422),
            (r#"{"category":0,"seats":[1],"count":1}"#, 422),
            (r#"{"category":0,"seats":[1,1]}"#, 422),
            (r#"{"category":0,"count":0}"#, 422),
            (r#"{"category":0,"count":21}"#, 422),
            (r#"{"category":100,"count":1}"#, 400),
            (r#"{"category":0,"count":-1}"#, 400),
            (r#"{"category":0,"count":1,"program_version":0}"#, 400),
            (r#"{"category":0,"count":1,"user":"mallory"}"#, 400),
        ] {
            assert_eq!(selection(bad).map_err(|p| p.status), Err(status), "{bad}");
        }
    }

    #[test]
    fn a_hash_ignores_the_order_of_seats() {
        let hash = |json| selection(json).map(|selection| body_hash(&selection));
        assert_eq!(
            hash(r#"{"category":0,"seats":[2,1]}"#),
            hash(r#"{ "seats": [1, 2], "category": 0 }"#)
        );
        assert_ne!(
            hash(r#"{"category":0,"seats":[1,2]}"#),
            hash(r#"{"category":1,"seats":[1,2]}"#)
        );
        assert_ne!(
            hash(r#"{"category":0,"seats":[2]}"#),
            hash(r#"{"category":0,"count":2}"#)
        );
        assert_eq!(
            hash(r#"{"category":0,"count":2}"#),
            hash(r#"{"category":0,"count":2,"program_version":3}"#)
        );
    }
}
