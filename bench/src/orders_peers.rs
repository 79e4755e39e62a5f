//! The sale in Spring, beside order-create and the storefront: `bench/peers/orders-spring`.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use sqlx::Row;
use ticket_rush::host::free_address;
use ticket_rush::locations::{Checkout, Servers};
use ticket_rush::remove;
use ticket_rush::topics::{self, PARTITIONS};

use crate::create::{BATCH, WORKERS};
use crate::environment::BenchEnvironment;
use crate::figures::{figure, goal, note};
use crate::leftovers::{self, Leftover};
use crate::peers::{Built, MAVEN, NotBuilt, Peer, Serving};
use crate::report::Bound;
use crate::throughput::Run;

/// The peer.
pub(crate) const SPRING: Peer = Peer {
    name: "Spring Boot 4",
    folder: "orders-spring",
    needs: MAVEN,
};
/// Orders that a listener without batches stores: it needs some ten seconds for them.
const FEW: u64 = 8_000;
const QUICK_FEW: u64 = 2_000;

/// A way to store orders in Spring.
struct Store {
    name: &'static str,
    profile: &'static str,
    listeners: usize,
    max_poll: usize,
    /// Stores only a part of the orders, since it is slow.
    few: bool,
    /// Bounds of order-create to it: of the rate, and of the CPU of an order.
    goals: [Option<Bound>; 2],
}

const STORES: [Store; 3] = [
    Store {
        name: "Spring, a transaction an order, 1 listener",
        profile: "store-records",
        listeners: 1,
        max_poll: 500,
        few: true,
        goals: [Some(Bound::AtLeast(30.0)), None],
    },
    Store {
        name: "Spring, a transaction an order, 4 listeners",
        profile: "store-records",
        listeners: 4,
        max_poll: 500,
        few: true,
        goals: [None, None],
    },
    Store {
        name: "Spring, batches and batched inserts, tuned",
        profile: "store-batches",
        listeners: WORKERS,
        max_poll: BATCH,
        few: false,
        goals: [Some(Bound::AtLeast(1.0)), Some(Bound::AtMost(0.25))],
    },
];

/// The last line that the peer prints.
#[derive(Deserialize)]
struct Report {
    events: u64,
    seconds: f64,
    cpu_seconds: f64,
}

/// Stores the orders of a topic in the ways of Spring, and prints their figures beside `ours`. The
/// tables have the columns and indexes of those that order-create writes. The error of a way that
/// fails is returned after the others have been measured.
pub(crate) async fn store(
    env: &BenchEnvironment,
    topic: &str,
    orders: u64,
    ours: Run,
    quick: bool,
) -> Result<()> {
    let built = match SPRING.build(&env.environment.checkout).await? {
        Ok(built) => built,
        Err(why) => {
            SPRING.print_skipped(&why);
            return Ok(());
        }
    };
    let few = orders.min(if quick { QUICK_FEW } else { FEW });
    note(&format!(
        "Spring: a heap of 1 GiB; the first tenth of its orders is warm-up, in which Java compiles \
         what is used often; with a transaction an order the first {few} orders of the topic, \
         otherwise all"
    ));
    let mut failed = Ok(());
    for way in &STORES {
        let orders = if way.few { few } else { orders };
        let run = match way.run(&built, env, topic, orders).await {
            Ok(run) => run,
            Err(error) => {
                failed = failed.and(Err(error));
                continue;
            }
        };
        figure(way.name, run.rate(), "orders/s");
        figure("  its CPU", run.cpu_per_million(), "s per million orders");
        let ratios = [
            ("rate", ours.rate() / run.rate()),
            (
                "CPU of an order",
                ours.cpu_per_million() / run.cpu_per_million(),
            ),
        ];
        for ((what, ratio), bound) in ratios.into_iter().zip(way.goals) {
            figure(&format!("  order-create to it: {what}"), ratio, "times");
            if let Some(bound) = bound {
                let name = format!("order-create to {}: {what}", way.name);
                goal(&name, ratio, bound, "times");
            }
        }
    }
    failed
}

impl Store {
    async fn run(
        &self,
        built: &Built,
        env: &BenchEnvironment,
        topic: &str,
        orders: u64,
    ) -> Result<Run> {
        sqlx::raw_sql(include_str!("sql/spring_tables.sql"))
            .execute(&env.db)
            .await?;
        let servers = &env.environment.servers;
        let schema = env.environment.prefix.replace('-', "_");
        let settings = [
            ("PROFILE", self.profile),
            ("BROKERS", &servers.brokers),
            ("TOPIC", topic),
            ("EVENTS", &orders.to_string()),
            ("DATABASE_URL", &servers.database_url),
            ("SCHEMA", &schema),
            ("LISTENERS", &self.listeners.to_string()),
            ("MAX_POLL", &self.max_poll.to_string()),
        ];
        let report: Report = built.report(&settings).await?;
        let stored: i64 = sqlx::query("SELECT count(*) FROM spring_orders")
            .fetch_one(&env.db)
            .await?
            .try_get(0)?;
        ensure!(
            stored >= orders as i64,
            "{} stored {stored} of {orders}",
            self.name
        );
        Ok(Run {
            done: report.events,
            seconds: report.seconds,
            cpu: report.cpu_seconds,
        })
    }
}

/// A way to accept orders in Spring.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accept {
    pub name: &'static str,
    profile: &'static str,
    /// Seats of the hall.
    pub seats: u32,
}

/// Reads the whole map of unsold seats for each order, and holds a thread until Kafka has
/// acknowledged it.
pub(crate) const MAP: Accept = Accept {
    name: "Spring, seat map read as a whole, latch",
    profile: "accept-map",
    seats: 6_000,
};
/// Costs the same in every hall, and no thread waits.
pub(crate) const RUNS: Accept = Accept {
    name: "Spring, constant script, asynchronous",
    profile: "accept-runs",
    seats: 10_000_000,
};

/// Spring, accepting the requests that the storefront accepts: the same path, body and status.
/// It does not check tokens, limits or repeated requests.
#[derive(Debug)]
pub(crate) struct Accepting {
    serving: Serving,
    servers: Servers,
    prefix: String,
    topic: String,
    pub address: SocketAddr,
}

impl Accepting {
    /// Starts it, with a full hall.
    pub(crate) async fn start(built: &Built, way: Accept) -> Result<Self> {
        let servers = Servers::from_env();
        let prefix = format!("bench-spring-{:06x}", rand::random::<u32>() >> 8);
        let topic = format!("{prefix}-orders");
        leftovers::note(Leftover::Keys(prefix.clone()));
        leftovers::note(Leftover::Topic(topic.clone()));
        topics::ensure(&servers, &topic, PARTITIONS).await?;
        let address = free_address(([127, 0, 0, 1], 0).into())?;
        let settings = [
            ("PROFILE", way.profile),
            ("BROKERS", &servers.brokers),
            ("TOPIC", &topic),
            ("REDIS_URL", &servers.redis_url),
            ("PREFIX", &prefix),
            ("SEATS", &way.seats.to_string()),
            ("ADDRESS", &address.to_string()),
        ];
        Ok(Self {
            serving: built.serve(&settings).await?,
            servers,
            prefix,
            topic,
            address,
        })
    }

    /// Its process.
    pub(crate) fn process(&self) -> Result<u32> {
        self.serving.id().context("Spring has ended")
    }

    /// Ends it and deletes its data.
    pub(crate) async fn stop(self) -> Result<()> {
        self.serving.stop().await?;
        topics::remove(&self.servers, &self.topic).await?;
        remove::keys(&self.servers, &self.prefix).await
    }
}

/// Builds the peer, unless something is missing.
pub(crate) async fn build() -> Result<Result<Built, NotBuilt>> {
    SPRING.build(&Checkout::find()?).await
}
