//! The plan of each buyer, derived from the seed.

use std::time::Duration;

use crate::api::SeatSelection;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

/// Seats in one row of the big categories.
const ROW: u32 = 40;
/// Name and price of each category.
const CATEGORIES: [(&str, i64); 3] = [("Front", 12_000), ("Stalls", 6_500), ("Balcony", 3_900)];

/// The hall: a small, popular front block, stalls and balcony.
#[derive(Debug, Clone, Copy)]
pub struct Hall {
    rows: [u32; 3],
}

impl Hall {
    /// A hall of about `seats` seats, in whole rows.
    pub fn of(seats: u32) -> Self {
        let rows = (seats / ROW).max(5);
        let front = (rows / 20).max(1);
        let stalls = (rows - front).div_ceil(2);
        Self {
            rows: [front, stalls, rows - front - stalls],
        }
    }

    /// Number of all seats.
    pub fn seats(self) -> u32 {
        self.rows.iter().sum::<u32>() * ROW
    }

    /// First seat of a category.
    pub fn first(self, category: u32) -> u32 {
        self.rows[..category as usize].iter().sum::<u32>() * ROW
    }

    /// Number of seats of a category.
    pub fn seats_of(self, category: u32) -> u32 {
        self.rows[category as usize] * ROW
    }

    /// The program as a request body.
    pub fn program(self, pay_window: Duration, limit: u32) -> Value {
        let category = |(rows, (name, price))| {
            json!({
                "name": name, "rows": rows, "seats_per_row": ROW, "price_cents": price,
            })
        };
        let categories = self.rows.into_iter().zip(CATEGORIES).map(category);
        json!({
            "title": "The rush", "categories": categories.collect::<Vec<_>>(),
            "pay_window_seconds": pay_window.as_secs(), "user_limit": limit,
        })
    }
}

/// How often a buyer sends one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// Once.
    Once,
    /// Twice concurrently.
    Double,
    /// Again after the answer.
    Again,
}

/// What the buyer does with an accepted order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Paid in time.
    Pay,
    /// The provider sends one notification twice, concurrently.
    PayNotifiedTwice,
    /// Two payments for one order: one must be refunded.
    PayTwice,
    /// Cancelled by the buyer.
    Cancel,
    /// Never paid, so that it times out.
    Expire,
    /// Paid after it timed out: must be refunded.
    PayLate,
}

/// How often buyers send an order, with weights.
const CLICKS: [(u32, Repetition); 3] = [
    (6, Repetition::Once),
    (3, Repetition::Double),
    (1, Repetition::Again),
];

/// What buyers do with accepted orders, with weights.
const OUTCOMES: [(u32, Outcome); 6] = [
    (10, Outcome::Pay),
    (3, Outcome::PayNotifiedTwice),
    (1, Outcome::PayTwice),
    (3, Outcome::Cancel),
    (2, Outcome::Expire),
    (1, Outcome::PayLate),
];

/// One order of a plan.
#[derive(Debug, Clone)]
pub struct OrderPlan {
    /// Category of the seats.
    pub category: u32,
    /// Seats.
    pub selection: SeatSelection,
    /// How often the request is sent.
    pub clicks: Repetition,
    /// What follows its acceptance.
    pub outcome: Outcome,
}

/// Plan of one buyer.
#[derive(Debug, Clone)]
pub struct BuyerPlan {
    /// `sub` of the buyer's token.
    pub user: String,
    /// When the buyer begins, counted from the start of the sale.
    pub arrives: Duration,
    /// Orders, one after the other.
    pub orders: Vec<OrderPlan>,
    /// Stops at the first 503.
    pub impatient: bool,
}

/// The number of served buyers after which the program changes.
pub fn half(buyers: u32) -> u64 {
    buyers.div_ceil(2).into()
}

/// Plans of all buyers, who arrive within `span`.
pub fn buyers(seed: u64, count: u32, hall: Hall, span: Duration) -> Vec<BuyerPlan> {
    let mut random = StdRng::seed_from_u64(seed);
    let buyer = |n| {
        let orders = 0..random.random_range(1..=4);
        BuyerPlan {
            user: format!("buyer-{n:04}"),
            orders: orders.map(|_| order(&mut random, hall)).collect(),
            arrives: span.mul_f64(random.random_range(0.0..1.0)),
            impatient: random.random_bool(0.2),
        }
    };
    (0..count).map(buyer).collect()
}

fn order(random: &mut StdRng, hall: Hall) -> OrderPlan {
    let category = pick(random, &[(2, 0), (5, 1), (3, 2)]);
    let selection = if random.random_bool(0.4) {
        SeatSelection::Seats(popular(random, hall, category))
    } else {
        SeatSelection::Best(random.random_range(1..=4))
    };
    OrderPlan {
        category,
        selection,
        clicks: pick(random, &CLICKS),
        outcome: pick(random, &OUTCOMES),
    }
}

/// A few adjacent seats near the front, which several buyers select.
fn popular(random: &mut StdRng, hall: Hall, category: u32) -> Vec<u32> {
    let range = hall.seats_of(category).min(4 * ROW);
    let start = random.random_range(0..range - 3);
    let from = hall.first(category) + start;
    (from..from + random.random_range(1..=3)).collect()
}

/// One of the choices, by their weights.
fn pick<T: Copy>(random: &mut StdRng, choices: &[(u32, T)]) -> T {
    let choice = choices.choose_weighted(random, |(weight, _)| *weight);
    choice.expect("every weight is positive").1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_every_plan_within_the_hall() {
        let hall = Hall::of(4000);
        assert_eq!(hall.seats(), 4000);
        let span = Duration::from_secs(8);
        let plan = buyers(7, 300, hall, span);
        assert_eq!(
            format!("{plan:?}"),
            format!("{:?}", buyers(7, 300, hall, span))
        );
        assert_ne!(
            format!("{plan:?}"),
            format!("{:?}", buyers(8, 300, hall, span))
        );
        for order in plan.iter().flat_map(|b| &b.orders) {
            let first = hall.first(order.category);
            let end = first + hall.seats_of(order.category);
            if let SeatSelection::Seats(seats) = &order.selection {
                assert!(seats.iter().all(|s| (first..end).contains(s)), "{order:?}");
            }
        }
        assert!(plan.iter().all(|b| b.arrives < span));
    }

    #[test]
    fn a_rush_of_any_size_reaches_its_half() {
        for buyers in 1..=5 {
            assert!((1..=u64::from(buyers)).contains(&half(buyers)), "{buyers}");
        }
    }

    #[test]
    fn a_small_hall_still_has_every_category() {
        let hall = Hall::of(200);
        assert!((0..3).all(|c| hall.seats_of(c) >= ROW), "{hall:?}");
    }
}
