//! Step 1: the gate holds the seats, or says why not.

use std::sync::Arc;

use shared::gate::{OrderAt, ProgramRef, Reserve, Reserved, ResvState};
use shared::message::{BodyHash, IdempotencyKey, Nonce, OrderNumber, OrderRequested, UserId};
use shared::sale::{Program, Quote, SeatSelection, key_ttl_ms};

use crate::http::Problem;
use crate::rebuild::{self, Progress};
use crate::storefront::Storefront;

/// Order numbers tried: 16 random bits collide rarely within a millisecond, and hardly ever twice.
const NUMBERS: u32 = 3;

/// What a buyer wants, checked and priced.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The program.
    pub program: Arc<Program>,
    /// The buyer.
    pub user: UserId,
    /// The seats.
    pub want: SeatSelection,
    /// What they cost; or why a new order cannot be. An earlier one of the same key stands all the same.
    pub offer: Result<Quote, Problem>,
    /// The client's key, and what it stands for.
    pub idempotency: Option<(IdempotencyKey, BodyHash)>,
    /// W3C traceparent.
    pub trace: Option<String>,
}

/// A reservation in the gate whose message is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The order.
    pub at: OrderAt,
    /// Which attempt to publish is this request's.
    pub attempt: u32,
    /// The message, as it is published.
    pub message: String,
    /// The same, read.
    pub request: OrderRequested,
}

/// What the gate has for this wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reservation {
    /// To be published by this request.
    Held(Held),
    /// Given up by a request that died, or by the closer: to be fenced.
    Abandoning(Held),
    /// The broker has it.
    Accepted(Held),
    /// It is, or was, a row.
    Stored {
        /// The order.
        order: OrderNumber,
        /// Its nonce.
        nonce: Nonce,
    },
}

/// Reserves. Fills the gate on the way if it must, as far as one request may.
pub async fn reserve(shop: &Storefront, wish: &Wish) -> Result<Reservation, Problem> {
    let program = ProgramRef::from(&*wish.program);
    let mut filled = false;
    let mut numbers = 0;
    loop {
        let answer = match &wish.offer {
            Ok(quote) => {
                shop.gate
                    .reserve(&ask(shop, wish, quote, program).await?)
                    .await?
            }
            Err(problem) => recall(shop, wish, program)
                .await?
                .ok_or_else(|| problem.clone())?,
        };
        let (order, nonce, message, attempt, state) = match answer {
            Reserved::Held {
                order,
                nonce,
                message,
                attempt,
                ..
            } => (order, nonce, message, attempt, ResvState::Held),
            Reserved::Again {
                order,
                nonce,
                state,
                message,
                attempt,
                ..
            } => (order, nonce, message, attempt, state),
            Reserved::Ended { order, nonce } => return Ok(Reservation::Stored { order, nonce }),
            Reserved::Loading | Reserved::Rebuild if filled => return Err(Problem::loading()),
            Reserved::Loading | Reserved::Rebuild => {
                filled = true;
                match rebuild::carry_on(shop, &wish.program).await? {
                    Progress::Open => continue,
                    Progress::Loading => return Err(Problem::loading()),
                }
            }
            Reserved::NumberInUse if numbers < NUMBERS => {
                numbers += 1;
                continue;
            }
            no => return Err(refused(&no, wish.program.user_limit)),
        };
        if state == ResvState::Stored {
            return Ok(Reservation::Stored { order, nonce });
        }
        let request = strict_json::from_str(&message).map_err(|e| {
            tracing::error!(%order, error = %e, "the gate holds a message that cannot be read");
            Problem::unknown(order)
        })?;
        let held = Held {
            at: OrderAt {
                order,
                nonce,
                program,
            },
            attempt,
            message,
            request,
        };
        return Ok(match state {
            ResvState::Held => Reservation::Held(held),
            ResvState::Abandoning => Reservation::Abandoning(held),
            ResvState::Accepted { .. } | ResvState::Stored => Reservation::Accepted(held),
        });
    }
}

/// What a repeated request led to before.
async fn recall(
    shop: &Storefront,
    wish: &Wish,
    program: ProgramRef,
) -> Result<Option<Reserved>, Problem> {
    let Some((key, hash)) = &wish.idempotency else {
        return Ok(None);
    };
    Ok(shop
        .gate
        .recall(
            program,
            &wish.user,
            (key, &hash.to_string()),
            publish_window_ms(shop, wish),
        )
        .await?)
}

/// A program may have a shorter pay window than the installation: nobody is held for longer than that unpublished, but the delivery must
/// fit into it.
fn publish_window_ms(shop: &Storefront, wish: &Wish) -> u64 {
    let windows = &shop.settings.windows;
    windows
        .publish_ms
        .min(pay_ms(wish))
        .max(windows.delivery_ms + 1_000)
}

fn pay_ms(wish: &Wish) -> u64 {
    wish.program.pay_window_ms.max(0) as u64
}

/// A new number and nonce each time; the client's key leads back to the former ones where there are any.
async fn ask(
    shop: &Storefront,
    wish: &Wish,
    quote: &Quote,
    program: ProgramRef,
) -> Result<Reserve, Problem> {
    let now_ms = shop.gate.now_ms().await?;
    let pay_ms = pay_ms(wish);
    let order = OrderNumber::compose(now_ms, program.shard, shop.clock.random()).map_err(|e| {
        tracing::error!(error = %e, "the gate's clock");
        Problem::unavailable("the gate's clock is wrong; no orders can be taken")
    })?;
    let request = OrderRequested {
        v: 1,
        order,
        nonce: shop.clock.nonce(),
        user: wish.user.clone(),
        program: program.id,
        category: wish.want.category(),
        seats: Vec::new(),
        unit_price_cents: quote.unit_price,
        amount_cents: quote.amount,
        idempotency_key: wish.idempotency.as_ref().map(|(key, _)| key.clone()),
        idempotency_hash: wish.idempotency.as_ref().map(|(_, hash)| *hash),
        pay_by_ms: now_ms.saturating_add(pay_ms) as i64,
        trace: wish.trace.clone(),
    };
    let (message_head, message_tail) = around_seats(&request);
    Ok(Reserve {
        program,
        order,
        nonce: request.nonce,
        user: wish.user.clone(),
        want: wish.want.clone(),
        unit_price: quote.unit_price,
        user_limit: wish.program.user_limit,
        idempotency: wish
            .idempotency
            .as_ref()
            .map(|(key, hash)| (key.clone(), hash.to_string())),
        publish_window_ms: publish_window_ms(shop, wish),
        idem_ttl_ms: key_ttl_ms(wish.program.pay_window_ms),
        message_head,
        message_tail,
    })
}

/// The encoded message before and after its seats, which only the gate knows.
fn around_seats(request: &OrderRequested) -> (String, String) {
    const SEATS: &str = r#""seats":["#;
    let text = serde_json::to_string(request).unwrap_or_else(|_| unreachable!("a message is JSON"));
    // Inside a text its quotes would be escaped, so the first occurrence is the member.
    let at = text
        .find(SEATS)
        .unwrap_or_else(|| unreachable!("a message has seats"))
        + SEATS.len();
    (text[..at].to_owned(), text[at..].to_owned())
}

fn refused(no: &Reserved, limit: u32) -> Problem {
    let taken =
        |code, detail: String| Problem::new(409, code, "The seats are not to be had", detail);
    match no {
        Reserved::SoldOut => taken("sold_out", "no seat of this category is free".into()),
        Reserved::NotAdjacent { free } => taken(
            "not_adjacent",
            format!("{free} seats are free, but not so many side by side"),
        )
        .with("free", *free),
        Reserved::SeatsTaken(seats) => {
            let seats: Vec<u32> = seats.iter().map(|s| s.get()).collect();
            taken("seats_taken", "some of these seats are taken".into()).with("seats", seats)
        }
        Reserved::LimitReached { have } => {
            let detail =
                format!("a buyer may hold {limit} tickets of this program; you hold {have}");
            Problem::new(
                409,
                "limit_reached",
                "Too many tickets for one buyer",
                detail,
            )
            .with("have", *have)
            .with("limit", limit)
        }
        Reserved::KeyReused => {
            let detail =
                "this Idempotency-Key was used for another order; take a new key for a new order";
            Problem::new(
                422,
                "idempotency_key_reused",
                "The key was used before",
                detail,
            )
        }
        Reserved::NoSuchSeat => Problem::invalid_order("the program has no such seat"),
        _ => Problem::unavailable("the order could not be numbered; try again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::message::{CategoryNo, Cents, ProgramId, Shard};

    #[test]
    fn a_message_put_together_around_its_seats_is_the_message() {
        let request = OrderRequested {
            v: 1,
            order: OrderNumber::compose(1_800_000_000_000, Shard::new(3).expect("valid"), 9)
                .expect("valid"),
            nonce: Nonce::new([1; 16]),
            user: UserId::new(r#""seats":["#).expect("quotes are visible characters"),
            program: ProgramId::new(5).expect("valid"),
            category: CategoryNo::new(0).expect("valid"),
            seats: vec![],
            unit_price_cents: Cents::new(50).expect("valid"),
            amount_cents: Cents::new(100).expect("valid"),
            idempotency_key: None,
            idempotency_hash: None,
            pay_by_ms: 1_800_000_900_000,
            trace: None,
        };
        let (head, tail) = around_seats(&request);
        let read: OrderRequested =
            serde_json::from_str(&format!("{head}3,4{tail}")).expect("a valid message");
        assert_eq!(
            read.seats.iter().map(|s| s.get()).collect::<Vec<_>>(),
            [3, 4]
        );
        assert_eq!(
            OrderRequested {
                seats: vec![],
                ..read
            },
            request
        );
    }
}
