//! Payments arrive while buyers who wait, and strangers, use their classes of requests to the limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use journeys::{Settings, TestEnvironment, until};
use sqlx::Connection;
use ticket_rush::api::{ApiClient, Buyer, SeatSelection};
use ticket_rush::host::StatusClient;
use tokio::sync::watch;
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_mins(10);
const PAYMENTS: usize = 60;
/// Requests at a time of the class of orders, and of look-ups.
const SHARE: usize = 4;
/// The first id of no program. Each request names another, since absence is cached.
const NO_PROGRAM: u32 = 1_000_000;

/// Clients that repeat their request until the flood ends.
struct Flood {
    clients: JoinSet<()>,
    end: watch::Sender<bool>,
}

impl Flood {
    fn new() -> Self {
        Self {
            clients: JoinSet::new(),
            end: watch::Sender::new(false),
        }
    }

    /// A client without a token that looks up programs that do not exist.
    fn add_stranger(&mut self, api: &ApiClient, number: &Arc<AtomicU32>) {
        let (api, number, end) = (api.clone(), Arc::clone(number), self.end.subscribe());
        self.clients.spawn(async move {
            while !*end.borrow() {
                let absent = number.fetch_add(1, Ordering::Relaxed).to_string();
                api.program(&absent).await;
            }
        });
    }

    /// A buyer who orders seat after seat and asks to wait for each.
    fn add_waiter(&mut self, api: &ApiClient, buyer: Buyer, program: &str) {
        let (api, program, end) = (api.clone(), program.to_owned(), self.end.subscribe());
        self.clients.spawn(async move {
            let one = SeatSelection::Best(1);
            while !*end.borrow() {
                api.order(&buyer, &program, 0, &one, None, 5).await;
            }
        });
    }

    async fn end(self) {
        self.end.send_replace(true);
        self.clients.join_all().await;
    }
}

/// Requests that each function has refused because its share was used up.
async fn refused(status: &StatusClient, function: &str) -> Result<u64> {
    let status = status.status().await?;
    let throttles = status
        .functions
        .iter()
        .filter(|of| of.function == function)
        .map(|of| of.throttles);
    Ok(throttles.sum())
}

#[tokio::test]
async fn payments_are_answered_while_waiters_and_strangers_use_their_shares() -> Result<()> {
    let shares = [
        ("StorefrontConcurrency", SHARE.to_string()),
        ("StorefrontLookupsConcurrency", SHARE.to_string()),
        ("OrderWaitPercent", "75".to_owned()),
        ("OrderWaitStallMs", "60000".to_owned()),
    ];
    let env = TestEnvironment::with(Settings {
        parameters: shares.to_vec(),
        managed: Some(Vec::new()),
        ..Settings::default()
    })
    .await?;
    let host = env.up().await?;
    let status = host.status_client();

    let program = env.sale(10, 10, LONG, 6).await?;
    let mut unpaid = Vec::new();
    for n in 0..PAYMENTS {
        let buyer = env.buyer(&format!("buyer-{n}"))?;
        let one = SeatSelection::Best(1);
        unpaid.push(env.order(&buyer, &program, one, "k").await?);
    }
    let stored = "SELECT count(*) FROM orders WHERE status = 'unpaid'";
    until("every order is stored", async || {
        Ok((env.count(stored).await? == PAYMENTS as i64).then_some(()))
    })
    .await?;

    // No further order is stored while this lock is held, so every wait lasts for its whole time.
    let mut lock = sqlx::PgConnection::connect_with(&env.db.connect_options()).await?;
    let mut held = lock.begin().await?;
    sqlx::raw_sql("LOCK TABLE progress IN EXCLUSIVE MODE")
        .execute(&mut *held)
        .await?;
    let crowded = env.sale(100, 100, LONG, 1000).await?;
    let (mut flood, number) = (Flood::new(), Arc::new(AtomicU32::new(NO_PROGRAM)));
    for n in 0..2 * SHARE {
        flood.add_stranger(&env.api, &number);
        let waiter = env.buyer(&format!("waiter-{n}"))?;
        flood.add_waiter(&env.api, waiter, &crowded);
    }
    for function in ["Storefront", "StorefrontLookups"] {
        until(&format!("{function} refuses requests"), async || {
            Ok((refused(&status, function).await? > 0).then_some(()))
        })
        .await?;
    }

    let mut times = Vec::new();
    for order in &unpaid {
        let (number, sent) = (&order.order, Instant::now());
        let answer = env
            .api
            .pay(number, &format!("pay-{number}"), order.amount_cents)
            .await;
        times.push(sent.elapsed());
        ensure!(
            answer.http == 200 && answer.text("result") == Some("applied"),
            "the payment of {number} was answered {} {}",
            answer.http,
            answer.body
        );
    }
    times.sort_unstable();
    println!(
        "{PAYMENTS} payments: median {:?}, slowest {:?}",
        times[PAYMENTS / 2],
        times[PAYMENTS - 1]
    );
    assert_eq!(refused(&status, "StorefrontPayments").await?, 0);
    let paid = "SELECT count(*) FROM orders WHERE status = 'paid'";
    assert_eq!(env.count(paid).await?, PAYMENTS as i64);

    held.rollback().await?;
    flood.end().await;
    env.audited(&[]).await?;
    host.stop().await?;
    env.remove().await
}
