//! `POST /programs/{id}/orders`

use serde::Deserialize;
use sha2::{Digest, Sha256};
use shared::message::{BodyHash, CategoryNo, ProgramVersion, SeatIndex};
use shared::sale::{Program, Quote, Refusal, SeatSelection, Status, quote};
use shared::telemetry::traces::Tracer;

use super::publish::{self, Standing};
use super::reserve::{self, Reservation, Wish};
use super::{lookup, view, waiting};
use crate::http::{Call, Problem, Reply};
use crate::programs;
use crate::storefront::Storefront;
use crate::traces::Sending;

/// Rounds at most: a repeated request may find its former order void, which makes room for a new one.
const ROUNDS: u32 = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    category: CategoryNo,
    seats: Option<Vec<SeatIndex>>,
    count: Option<u32>,
    /// The version that the buyer was shown: no other price is taken.
    program_version: Option<ProgramVersion>,
}

impl Wanted {
    fn want(self) -> Result<SeatSelection, Problem> {
        match (self.seats, self.count) {
            (Some(seats), None) => Ok(SeatSelection::seats(self.category, seats)?),
            (None, Some(count)) => Ok(SeatSelection::best(self.category, count)?),
            _ => Err(Problem::invalid_order(
                "say either which seats, or how many (count)",
            )),
        }
    }
}

/// Takes an order, or says why not. An answer of 202 or 201 means that the order will reach a final state whatever happens here.
pub async fn create(shop: &Storefront, program: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    let key = call.idempotency_key()?;
    let wait = call.wait()?;
    let wanted: Wanted = call.json()?;
    let shown = wanted.program_version;
    let want = wanted.want()?;
    let program = programs::find_at_least(shop, program, shown).await?;
    let offer = offer(&program, &want, shown);
    if let (Err(problem), None) = (&offer, &key) {
        return Err(problem.clone());
    }
    shop.publisher.ready().await.map_err(|why| {
        tracing::warn!(why, "no orders are taken");
        Problem::unavailable("orders cannot be taken at the moment; try again")
    })?;
    let idempotency = key.map(|key| (key, body_hash(&want)));
    let sending = call.span.map(|request| Sending {
        request,
        own: Tracer::child(request),
    });
    let trace = sending
        .map(|sending| sending.own.to_string())
        .or_else(|| call.trace());
    let wish = Wish {
        program,
        user,
        want,
        offer,
        idempotency,
        trace,
    };
    for _ in 0..ROUNDS {
        // Only an end that an earlier request came to makes room for a new order here: one publish a request, or a buyer would wait
        // for several.
        let reservation = reserve::reserve(shop, &wish).await?;
        let repeated = matches!(&reservation, Reservation::Held(held) if held.attempt > 1);
        let (earlier, standing) = match reservation {
            Reservation::Held(held) => (false, publish::publish(shop, &held, sending).await?),
            Reservation::Abandoning(held) => (true, publish::fence(shop, &held).await?),
            Reservation::Accepted(held) => (true, Standing::Accepted(held.request)),
            Reservation::Stored { order, nonce } => {
                (true, lookup::stored(shop, order, nonce).await?)
            }
        };
        let standing = match standing {
            // An earlier request may have ended as a void row that the gate did not keep: publishing again does not revive it.
            Standing::Accepted(request) => {
                waiting::wait(shop, request, wait, earlier || repeated).await
            }
            stored @ Standing::Row(_) => stored,
        };
        match standing {
            Standing::Accepted(request) => return Ok(view::accepted(&request)),
            // The former order of this key came to nothing, and its key was forgotten with it.
            Standing::Row(row) if row.status == Status::Void && earlier => {
                super::settle(shop, &row).await;
            }
            Standing::Row(row) if row.status == Status::Void => {
                super::settle(shop, &row).await;
                return Err(Problem::publish_failed());
            }
            Standing::Row(row) => return view::placed(&row),
        }
    }
    Err(Problem::unavailable(
        "the order could not be taken; try again",
    ))
}

/// What the wish costs, by the version that the buyer was shown where one is named; or why a new order cannot be.
fn offer(
    program: &Program,
    want: &SeatSelection,
    shown: Option<ProgramVersion>,
) -> Result<Quote, Problem> {
    if shown.is_some_and(|shown| shown != program.version) {
        let detail = format!(
            "the program has changed: look at version {} and order by that",
            program.version
        );
        let problem = Problem::new(
            409,
            "program_changed",
            "The program is not what you were shown",
            detail,
        );
        return Err(problem.with("version", program.version.get()));
    }
    quote(program, want).map_err(|why| refused(&why))
}

/// What makes two requests of one key the same: the wish, not its spelling, nor the version it was shown under.
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
        Refusal::SaleStopped => Problem::new(409, "sale_stopped", "The sale has stopped", why),
        Refusal::OverLimit(limit) => {
            Problem::new(409, "limit_reached", "Too many tickets for one buyer", why)
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

    fn wanted(json: &str) -> Result<SeatSelection, Problem> {
        serde_json::from_str::<Wanted>(json)
            .map_err(Problem::malformed)?
            .want()
    }

    #[test]
    fn an_order_names_its_seats_or_their_number_but_not_both() {
        assert!(wanted(r#"{"category":0,"seats":[2,1]}"#).is_ok());
        assert!(wanted(r#"{"category":0,"count":2}"#).is_ok());
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
            assert_eq!(wanted(bad).map_err(|p| p.status), Err(status), "{bad}");
        }
    }

    #[test]
    fn one_wish_has_one_hash_however_its_seats_are_listed() {
        let hash = |json| wanted(json).map(|want| body_hash(&want));
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
