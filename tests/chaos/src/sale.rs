//! The sale: programs that open one after the other, each rushed by buyers of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use ticket_rush::api::ApiClient;
use ticket_rush::keys::Keys;
use ticket_rush::rush::{BuyerPlan, Counts, Hall, Rush, Tally, buyers, poll_until_final};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

/// How long buyers of one program arrive.
pub const WAVE: Duration = Duration::from_secs(20);
/// Ticket limit of one buyer.
const USER_LIMIT: u32 = 6;
/// Seats for each buyer, fewer than they order: the last ones find few.
const SEATS_PER_BUYER: u32 = 4;
/// How long buyers repeat a request after the last one has arrived.
const PATIENCE: Duration = Duration::from_secs(30);
/// One of so many paid orders is refunded.
const REFUNDED: usize = 12;
/// What is refunded of an order that stays paid: less than a ticket costs.
const PART_CENTS: i64 = 100;
/// Lifetime of a token: longer than any run, since orders are looked up at its end.
const TOKEN: Duration = Duration::from_hours(48);
const RETRY: Duration = Duration::from_millis(300);
/// How long a program may take to open under faults.
const OPENING: Duration = Duration::from_mins(1);

/// What all programs share.
#[derive(Debug, Clone)]
pub struct Sale {
    /// The API.
    pub api: ApiClient,
    /// Signs the tokens.
    pub keys: Keys,
    /// Limits the requests in flight.
    pub permits: Arc<Semaphore>,
    /// Decides what buyers do.
    pub seed: u64,
    /// Buyers that arrive in a second.
    pub rate: u32,
    /// Time to pay.
    pub pay_window: Duration,
}

impl Sale {
    /// Runs it from `start` for `duration`. Returns when every buyer is done.
    pub async fn run(self, start: Instant, duration: Duration) -> Result<Vec<Rush>> {
        let waves = duration.as_secs_f64() / WAVE.as_secs_f64();
        let mut running = JoinSet::new();
        for n in 0..waves.ceil() as u32 {
            let begins = WAVE * n;
            let span = WAVE.min(duration.saturating_sub(begins));
            let sale = self.clone();
            running.spawn(async move {
                sleep_until(start + begins).await;
                sale.wave(n, span).await
            });
        }
        let mut rushes = Vec::new();
        while let Some(wave) = running.join_next().await {
            rushes.push(wave.context("a wave of buyers")??);
        }
        Ok(rushes)
    }

    async fn wave(&self, n: u32, span: Duration) -> Result<Rush> {
        let count = (f64::from(self.rate) * span.as_secs_f64()).ceil() as u32;
        let hall = Hall::of(count * SEATS_PER_BUYER);
        let rush = Rush {
            api: self.api.clone(),
            program: self.open(hall).await?,
            tally: Tally::default(),
            permits: self.permits.clone(),
            give_up_at: Instant::now() + span + PATIENCE,
            timed_out_after: self.pay_window + Duration::from_secs(4),
        };
        let seed = self.seed.wrapping_add(u64::from(n));
        let mut running = JoinSet::new();
        for plan in buyers(seed, count, hall, span) {
            let user = format!("wave-{n}-{}", plan.user);
            let buyer = self.keys.buyer(&user, None, TOKEN)?;
            let plan = BuyerPlan { user, ..plan };
            let rush = rush.clone();
            running.spawn(async move { rush.run_plan(buyer, plan).await });
        }
        while let Some(ended) = running.join_next().await {
            ended.context("a buyer")?;
        }
        self.refund(&rush).await?;
        Ok(rush)
    }

    /// An operator refunds some of the paid orders: whole ones, whose seats are free afterwards, and
    /// parts of others, which stay paid.
    async fn refund(&self, rush: &Rush) -> Result<()> {
        let operator = self.keys.buyer("operator", Some("payments:write"), TOKEN)?;
        let accepted = rush.tally.counts().accepted.into_iter();
        let paid = accepted.filter(|(_, order)| order.last_seen == "paid");
        for (n, (order, _)) in paid.step_by(REFUNDED).enumerate() {
            let part = (n % 2 == 1).then_some(PART_CENTS);
            let key = format!("refund-{order}");
            let answer = rush
                .until_answered(|| rush.api.refund(&operator, &order, part, &key))
                .await;
            match answer.http {
                200 | 202 => rush.tally.count("refund requested"),
                _ => rush.tally.unexpected("refund", &answer),
            }
        }
        Ok(())
    }

    /// Opens a program. A request without an answer may have opened one already, which stays
    /// without buyers.
    async fn open(&self, hall: Hall) -> Result<String> {
        let seller = self.keys.buyer("seller", Some("programs:write"), TOKEN)?;
        let program = hall.program(self.pay_window, USER_LIMIT);
        let until = Instant::now() + OPENING;
        loop {
            let answer = self.api.create_program(&seller, &program).await;
            match answer.text("id") {
                Some(id) if answer.ok() => return Ok(id.to_owned()),
                _ if Instant::now() < until => sleep(RETRY).await,
                _ => anyhow::bail!("no program opens: {} {}", answer.http, answer.body),
            }
        }
    }
}

/// Looks up the accepted orders of all programs until each is final or the time is up. Returns those
/// that are not.
pub async fn until_final(rushes: &[Rush], within: Duration) -> Vec<String> {
    let mut polls = JoinSet::new();
    for rush in rushes {
        let rush = rush.clone();
        polls.spawn(async move { poll_until_final(&rush, within, |_, _| ()).await });
    }
    polls.join_all().await.into_iter().flatten().collect()
}

/// Looks at the seats of each program until its gate is open or the time is up. After a loss of the
/// gate's data, the first request for a program begins its filling, and a program whose buyers are
/// done has none.
pub async fn until_open(rushes: &[Rush], within: Duration) {
    let until = Instant::now() + within;
    for rush in rushes {
        while Instant::now() < until {
            if rush.api.seats(&rush.program, 0).await.ok() {
                break;
            }
            sleep(RETRY).await;
        }
    }
}

/// What the buyers of all programs received.
pub fn counts(rushes: &[Rush]) -> Vec<Counts> {
    rushes.iter().map(|rush| rush.tally.counts()).collect()
}
