//! One buyer: orders, repeats requests, pays, cancels or lets an order time out.

use std::sync::Arc;
use std::time::Duration;

use ticket_rush::api::{Answer, ApiClient, Buyer, PlacedOrder, SeatSelection};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use super::plan::{BuyerPlan, OrderPlan, Outcome, Repetition};
use super::tally::Tally;

/// State that all buyers share.
#[derive(Debug, Clone)]
pub(crate) struct Rush {
    pub api: ApiClient,
    pub program: String,
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
    pub(crate) async fn run_plan(&self, buyer: Buyer, plan: BuyerPlan) {
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
                (409, Some("seats_taken" | "not_adjacent")) => {
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
                (0 | 429 | 500 | 502 | 503 | 504, _) => {
                    self.tally.refused(&answer);
                    if (impatient && answer.http == 503 && answer.code().is_some())
                        || Instant::now() > self.give_up_at
                    {
                        return self.give_up("gave up");
                    }
                    sleep(Duration::from_millis(
                        300 + 1000 * answer.retry_after.unwrap_or(0).min(2),
                    ))
                    .await;
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
        match plan.clicks {
            Repetition::Once => self.order(buyer, plan.category, selection, key).await,
            Repetition::Double => {
                self.tally.count("double click");
                let both = tokio::join!(
                    self.order(buyer, plan.category, selection, key),
                    self.order(buyer, plan.category, selection, key)
                );
                self.same_order(both.0, both.1)
            }
            Repetition::Again => {
                let first = self.order(buyer, plan.category, selection, key).await;
                if !first.ok() {
                    return first;
                }
                self.tally.count("repeated request");
                let again = self.order(buyer, plan.category, selection, key).await;
                self.same_order(first, again)
            }
        }
    }

    /// Checks that two answers to one key name at most one order.
    fn same_order(&self, one: Answer, other: Answer) -> Answer {
        if let (Some(a), Some(b)) = (one.order(), other.order())
            && a.order != b.order
        {
            self.tally.unexpected("one key, two orders", &other);
        }
        if one.ok() { one } else { other }
    }

    async fn order(
        &self,
        buyer: &Buyer,
        category: u32,
        selection: &SeatSelection,
        key: &str,
    ) -> Answer {
        let _permit = self.permits.acquire().await;
        self.api
            .order(buyer, &self.program, category, selection, Some(key), 0)
            .await
    }

    async fn follow(&self, buyer: &Buyer, placed: &PlacedOrder, outcome: Outcome) {
        let order = placed.order.as_str();
        let amount = placed.amount_cents;
        let reference = |n: u32| format!("pay-{order}-{n}");
        match outcome {
            Outcome::Pay => self.pay(order, &reference(1), amount).await,
            Outcome::PayNotifiedTwice => {
                let first = reference(1);
                tokio::join!(
                    self.pay(order, &first, amount),
                    self.pay(order, &first, amount)
                );
            }
            Outcome::PayTwice => {
                let first = reference(1);
                let second = reference(2);
                tokio::join!(
                    self.pay(order, &first, amount),
                    self.pay(order, &second, amount)
                );
            }
            Outcome::Cancel => self.cancel(buyer, order).await,
            Outcome::Expire => self.tally.count("not paid"),
            Outcome::PayLate => {
                self.tally.count("paid too late");
                self.pay(order, &reference(1), amount).await;
            }
        }
    }

    /// Repeats the notification until it is answered, as the provider does.
    async fn pay(&self, order: &str, reference: &str, amount: i64) {
        loop {
            let permit = self.permits.acquire().await;
            let answer = self.api.pay(order, reference, amount).await;
            drop(permit);
            match (answer.http, answer.text("result")) {
                (200, Some("applied")) => {
                    self.tally.count("payment applied");
                    return self.tally.seen(order, "paid");
                }
                (200, Some("duplicate")) => return self.tally.count("payment notified twice"),
                (200, Some("unmatched")) => {
                    return self.tally.count("payment came before its order");
                }
                (200, Some("to_refund")) => return self.tally.count("payment to be refunded"),
                (0 | 429 | 500 | 502 | 503 | 504, _) => sleep(Duration::from_millis(500)).await,
                _ => return self.tally.unexpected("payment", &answer),
            }
        }
    }

    async fn cancel(&self, buyer: &Buyer, order: &str) {
        loop {
            let permit = self.permits.acquire().await;
            let answer = self.api.cancel(buyer, order).await;
            drop(permit);
            match (answer.http, answer.text("status")) {
                (200, Some(status)) => {
                    self.tally.count("cancelled");
                    return self.tally.seen(order, status);
                }
                (409, _) => return,
                (0 | 429 | 500 | 502 | 503 | 504, _) => sleep(Duration::from_millis(500)).await,
                _ => return self.tally.unexpected("cancel", &answer),
            }
        }
    }
}
