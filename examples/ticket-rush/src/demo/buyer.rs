//! One buyer: orders, presses the button again, pays, cancels or walks away.

use std::sync::Arc;
use std::time::Duration;

use ticket_rush::shop::{Answer, Buyer, Placed, Shop, Want};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use super::plan::{BuyerPlan, Clicks, Fate, OrderPlan};
use super::tally::Tally;

/// What all buyers of a rush share.
#[derive(Debug, Clone)]
pub(crate) struct Rush {
    pub shop: Shop,
    pub program: String,
    pub tally: Tally,
    /// Requests in flight at most: what the network between the buyers and the shop lets through.
    pub line: Arc<Semaphore>,
    /// When the last buyer stops repeating an unanswered order.
    pub patience: Instant,
    /// When every unpaid order has surely timed out, counted from its acceptance.
    pub timed_out_after: Duration,
}

impl Rush {
    /// Goes through the whole plan.
    pub(crate) async fn shop_for(&self, buyer: Buyer, plan: BuyerPlan) {
        sleep(plan.arrives).await;
        let mut late = Vec::new();
        for (n, order) in plan.orders.iter().enumerate() {
            let Some(placed) = self.place(&buyer, order, n, plan.impatient).await else {
                continue;
            };
            self.tally.accepted(&buyer, &placed.order, &placed.status);
            if order.fate == Fate::PayLate {
                late.push((placed, Instant::now() + self.timed_out_after));
            } else {
                self.follow(&buyer, &placed, order.fate).await;
            }
        }
        for (placed, when) in late {
            sleep_until(when).await;
            self.follow(&buyer, &placed, Fate::PayLate).await;
        }
    }

    /// Orders until there is an answer that holds.
    async fn place(
        &self,
        buyer: &Buyer,
        plan: &OrderPlan,
        n: usize,
        impatient: bool,
    ) -> Option<Placed> {
        let mut want = plan.want.clone();
        let mut key = format!("{}-{n}", buyer.user);
        loop {
            let answer = self.click(buyer, plan, &want, &key).await;
            if let Some(placed) = answer.order() {
                return Some(placed);
            }
            match (answer.http, answer.code()) {
                (409, Some("seats_taken" | "not_adjacent")) => {
                    self.tally.count("seat was faster gone");
                    match want {
                        Want::Best(1) => return None,
                        Want::Best(_) => want = Want::Best(1),
                        Want::Seats(_) => want = Want::Best(2),
                    }
                    key.push('+'); // another wish is another order
                }
                (409, Some("sold_out")) => return self.no("sold out"),
                (409, Some("limit_reached")) => return self.no("limit reached"),
                (0 | 429 | 500 | 502 | 503 | 504, _) => {
                    self.tally.refused(&answer);
                    if (impatient && answer.http == 503 && answer.code().is_some())
                        || Instant::now() > self.patience
                    {
                        return self.no("gave up");
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

    fn no(&self, why: &'static str) -> Option<Placed> {
        self.tally.count(why);
        None
    }

    async fn click(&self, buyer: &Buyer, plan: &OrderPlan, want: &Want, key: &str) -> Answer {
        match plan.clicks {
            Clicks::Once => self.order(buyer, plan.category, want, key).await,
            Clicks::Double => {
                self.tally.count("double click");
                let both = tokio::join!(
                    self.order(buyer, plan.category, want, key),
                    self.order(buyer, plan.category, want, key)
                );
                self.same_order(both.0, both.1)
            }
            Clicks::Again => {
                let first = self.order(buyer, plan.category, want, key).await;
                if !first.ok() {
                    return first;
                }
                self.tally.count("repeated request");
                let again = self.order(buyer, plan.category, want, key).await;
                self.same_order(first, again)
            }
        }
    }

    /// Two answers to one key: at most one order.
    fn same_order(&self, one: Answer, other: Answer) -> Answer {
        if let (Some(a), Some(b)) = (one.order(), other.order())
            && a.order != b.order
        {
            self.tally.unexpected("one key, two orders", &other);
        }
        if one.ok() { one } else { other }
    }

    async fn order(&self, buyer: &Buyer, category: u32, want: &Want, key: &str) -> Answer {
        let _place = self.line.acquire().await;
        self.shop
            .order(buyer, &self.program, category, want, Some(key), 0)
            .await
    }

    async fn follow(&self, buyer: &Buyer, placed: &Placed, fate: Fate) {
        let order = placed.order.as_str();
        let amount = placed.amount_cents;
        let reference = |n: u32| format!("pay-{order}-{n}");
        match fate {
            Fate::Pay => self.pay(order, &reference(1), amount).await,
            Fate::PayToldTwice => {
                let first = reference(1);
                tokio::join!(
                    self.pay(order, &first, amount),
                    self.pay(order, &first, amount)
                );
            }
            Fate::PayTwice => {
                let first = reference(1);
                let second = reference(2);
                tokio::join!(
                    self.pay(order, &first, amount),
                    self.pay(order, &second, amount)
                );
            }
            Fate::Cancel => self.cancel(buyer, order).await,
            Fate::WalkAway => self.tally.count("walked away"),
            Fate::PayLate => {
                self.tally.count("paid too late");
                self.pay(order, &reference(1), amount).await;
            }
        }
    }

    /// The provider repeats a notification until it is answered.
    async fn pay(&self, order: &str, reference: &str, amount: i64) {
        loop {
            let place = self.line.acquire().await;
            let answer = self.shop.pay(order, reference, amount).await;
            drop(place);
            match (answer.http, answer.text("result")) {
                (200, Some("applied")) => {
                    self.tally.count("payment applied");
                    return self.tally.seen(order, "paid");
                }
                (200, Some("duplicate")) => return self.tally.count("payment told again"),
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
            let place = self.line.acquire().await;
            let answer = self.shop.cancel(buyer, order).await;
            drop(place);
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
