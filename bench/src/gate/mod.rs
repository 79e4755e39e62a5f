//! The gate alone: its scripts by the figures of the Redis server, in halls of three sizes, each
//! sold from empty to sold out.
//!
//! | file | holds |
//! |---|---|
//! | `server` | a Redis server of its own, and what it has counted |
//! | `sale` | orders of a hall: reserved, accepted and settled by many clients |

mod sale;
mod server;

use anyhow::{Result, ensure};
use ticket_rush::locations::Checkout;

use crate::figures::{compared, figure, goal, group, heading};
use crate::report::Bound;
use sale::Sale;
use server::{Counted, Server};

/// Seats of the halls. A program of the sale has at most 200,000; the gate itself takes more.
const HALLS: [u32; 3] = [6_000, 60_000, 600_000];
/// The hall whose orders are accepted and settled.
const SETTLED: u32 = 60_000;

/// Measures all halls; for a quick look without the largest.
pub(crate) async fn run(quick: bool) -> Result<()> {
    let halls = if quick { &HALLS[..2] } else { &HALLS[..] };
    let folder = Checkout::find()?.data().join("bench");
    let server = Server::start(&folder).await?;
    group(
        "Gate: reserve",
        &format!(
            "orders of {} best seats with a key, {} clients, a buyer for every {} orders, until \
             no seat is free; times of the script by INFO latencystats of a Redis without \
             persistence",
            sale::SEATS_OF_ORDER,
            sale::CLIENTS,
            sale::ORDERS_OF_BUYER,
        ),
    );
    let mut reserved = Vec::new();
    for seats in halls.iter().copied() {
        server.clear().await?;
        let sale = Sale::open(&server.url, seats).await?;
        server.reset().await?;
        let sold = sale.sell_out().await?;
        ensure!(
            sold.len() as u32 * sale::SEATS_OF_ORDER == seats,
            "{} orders for {seats} seats",
            sold.len()
        );
        reserved.push(server.counted().await?);
    }
    let names: Vec<String> = halls.iter().map(|seats| format!("{seats} seats")).collect();
    heading(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let columns = |value: fn(&Counted) -> f64| reserved.iter().map(value).collect::<Vec<_>>();
    compared("p50", &columns(|counted| counted.p50), "us");
    compared("p99", &columns(|counted| counted.p99), "us");
    let mean = columns(|counted| counted.us / counted.calls);
    compared("mean", &mean, "us");
    let commands = columns(|counted| counted.commands / counted.calls);
    compared("commands of an order", &commands, "");
    for (seats, counted) in halls.iter().zip(&reserved).skip(1) {
        let name = |quantile| format!("reserve in a hall of {seats} seats, {quantile}");
        goal(&name("p50"), counted.p50, Bound::AtMost(30.0), "us");
        goal(&name("p99"), counted.p99, Bound::AtMost(60.0), "us");
    }

    server.clear().await?;
    let sale = Sale::open(&server.url, SETTLED).await?;
    let empty = server.bytes().await?;
    let sold = sale.sell_out().await?;
    let orders = sold.len() as f64;
    group(
        "Gate: from accepted to stored",
        &format!(
            "{orders} orders of the hall of {SETTLED} seats; settled in calls of {}",
            shared::gate::SETTLE_GROUP
        ),
    );
    server.reset().await?;
    sale.accept(&sold).await?;
    print("accept", &server.counted().await?, orders);
    let pending = server.bytes().await?;
    server.reset().await?;
    sale.settle(&sold).await?;
    print(
        "settle, accepted by the gate",
        &server.counted().await?,
        orders,
    );
    let stored = server.bytes().await?;
    server.clear().await?;
    let unknown = Sale::open(&server.url, SETTLED).await?;
    server.reset().await?;
    unknown.settle(&sold).await?;
    print(
        "settle, unknown to the gate",
        &server.counted().await?,
        orders,
    );
    figure(
        "memory of a pending order",
        (pending - empty) / orders,
        "bytes",
    );
    figure(
        "memory of a stored order",
        (stored - empty) / orders,
        "bytes",
    );
    server.stop().await
}

fn print(name: &str, counted: &Counted, orders: f64) {
    figure(name, counted.us / orders, "us per order");
    figure("  commands", counted.commands / orders, "per order");
    figure("  a call, p50", counted.p50, "us");
    figure("  a call, p99", counted.p99, "us");
}
