//! One buyer: orders, repeats requests, pays, cancels or lets an order time out.

use std::sync::Arc;
use std::time::Duration;

use crate::api::{Answer, ApiClient, Buyer, PlacedOrder, SeatSelection};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use super::plan::{BuyerPlan, OrderPlan, Outcome, Repetition};
use super::tally::Tally;

/// Status codes of answers after which a client repeats its request; 0: no answer.
const TEMPORARY: [u16; 6] = [0, 429, 500, 502, 503, 504];

/// State that all buyers share.
#[derive(Debug, Clone)]
pub struct Rush {
    /// The API.
    pub api: ApiClient,
    /// Id of the program on sale.
    pub program: String,
    /// What the buyers received.
    pub tally: Tally,
    /// Limits the requests in flight.
    pub permits: Arc<Semaphore>,
    /// When buyers stop repeating an unanswered order.
    pub give_up_at: Instant,
    /// Time after its acceptance by which an unpaid order has timed out.
    pub timed_out_after: Duration,
}

impl Rush {
    /// Executes the plan.
    pub async fn run_plan(&self, buyer: Buyer, plan: BuyerPlan) {
        sleep(plan.arrives).await;
        let mut late = Vec::new();
        for (n, order) in plan.orders.iter().enumerate() {
            let Some(placed) = self.place(&buyer, order, n, plan.impatient).await else {
                continue;
            };
            self.tally.accepted(&buyer, &placed.order, &placed.status);
            if order.outcome == Outcome::PayLate {
                late.push((placed, Instant::now() + self.timed_out_after));
            } else {
                self.follow(&buyer, &placed, order.outcome).await;
            }
        }
        for (placed, when) in late {
            sleep_until(when).await;
            self.follow(&buyer, &placed, Outcome::PayLate).await;
        }
    }

    /// Repeats an order until the answer is final.
    async fn place(
        &self,
        buyer: &Buyer,
        plan: &OrderPlan,
        n: usize,
        impatient: bool,
    ) -> Option<PlacedOrder> {
        let mut selection = plan.selection.clone();
        let mut key = format!("{}-{n}", buyer.user);
        loop {
            let answer = self.click(buyer, plan, &selection, &key).await;
            if let Some(placed) = answer.order() {
                return Some(placed);
            }
            match (answer.http, answer.code()) {
                (409, Some("seats_taken" | "seats_blocked" | "not_adjacent")) => {
                    self.tally.count("seats taken");
                    match selection {
                        SeatSelection::Best(1) => return None,
                        SeatSelection::Best(_) => selection = SeatSelection::Best(1),
                        SeatSelection::Seats(_) => selection = SeatSelection::Best(2),
                    }
                    key.push('+'); // another selection is another order
                }
                (409, Some("sold_out")) => return self.give_up("sold out"),
                (409, Some("limit_reached")) => return self.give_up("limit reached"),
                (http, code) if TEMPORARY.contains(&http) => {
                    self.tally.refused(&answer);
                    let refused = http == 503 && code.is_some();
                    if (impatient && refused) || Instant::now() > self.give_up_at {
                        return self.give_up("gave up");
                    }
                    let pause = 300 + 1000 * answer.retry_after.unwrap_or(0).min(2);
                    sleep(Duration::from_millis(pause)).await;
                }
                _ => {
                    self.tally.unexpected("order", &answer);
                    return None;
                }
            }
        }
    }

    fn give_up(&self, why: &'static str) -> Option<PlacedOrder> {
        self.tally.count(why);
        None
    }

    async fn click(
        &self,
        buyer: &Buyer,
        plan: &OrderPlan,
        selection: &SeatSelection,
        key: &str,
    ) -> Answer {
        let order = async || {
            let _permit = self.permits.acquire().await;
            let (api, program) = (&self.api, &self.program);
            api.order(buyer, program, plan.category, selection, Some(key), 0)
                .await
        };
        let (one, other) = match plan.clicks {
            Repetition::Once => return order().await,
            Repetition::Double => {
                self.tally.count("double click");
                tokio::join!(order(), order())
            }
            Repetition::Again => {
                let first = order().await;
                if !first.ok() {
                    return first;
                }
                self.tally.count("repeated request");
                (first, order().await)
            }
        };
        // Two answers to one key name at most one order.
        if let (Some(a), Some(b)) = (one.order(), other.order())
            && a.order != b.order
        {
            self.tally.unexpected("one key, two orders", &other);
        }
        if one.ok() { one } else { other }
    }

    async fn follow(&self, buyer: &Buyer, placed: &PlacedOrder, outcome: Outcome) {
        let pay = |n| self.pay(placed, n);
        match outcome {
            Outcome::Pay => pay(1).await,
            Outcome::PayNotifiedTwice => {
                tokio::join!(pay(1), pay(1));
            }
            Outcome::PayTwice => {
                tokio::join!(pay(1), pay(2));
            }
            Outcome::Cancel => self.cancel(buyer, &placed.order).await,
            Outcome::Expire => self.tally.count("not paid"),
            Outcome::PayLate => {
                self.tally.count("paid too late");
                pay(1).await;
            }
        }
    }

    /// Payment number `n` of an order.
    async fn pay(&self, placed: &PlacedOrder, n: u32) {
        let order = &placed.order;
        let reference = format!("pay-{order}-{n}");
        let pay = || self.api.pay(order, &reference, placed.amount_cents);
        let answer = self.until_answered(pay).await;
        match (answer.http, answer.text("result")) {
            (200, Some("applied")) => {
                self.tally.count("payment applied");
                self.tally.seen(order, "paid");
            }
            (200, Some("duplicate")) => self.tally.count("payment notified twice"),
            (200, Some("unmatched")) => self.tally.count("payment came before its order"),
            (200, Some("to_refund")) => self.tally.count("payment to be refunded"),
            _ => self.tally.unexpected("payment", &answer),
        }
    }

    async fn cancel(&self, buyer: &Buyer, order: &str) {
        let cancel = || self.api.cancel(buyer, order);
        let answer = self.until_answered(cancel).await;
        match (answer.http, answer.text("status")) {
            (200, Some(status)) => {
                self.tally.count("cancelled");
                self.tally.seen(order, status);
            }
            (409, _) => {}
            _ => self.tally.unexpected("cancel", &answer),
        }
    }

    /// Repeats a request until its answer is final, as the provider repeats a notification.
    pub async fn until_answered<F>(&self, request: impl Fn() -> F) -> Answer
    where
        F: Future<Output = Answer>,
    {
        loop {
            let permit = self.permits.acquire().await;
            let answer = request().await;
            drop(permit);
            if !TEMPORARY.contains(&answer.http) {
                return answer;
            }
            self.tally.failed(&answer);
            sleep(Duration::from_millis(500)).await;
        }
    }
}
