//! The limit: records from rdkafka into Postgres in batches, without host, function, fences or
//! Redis.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde::Deserialize;
use sqlx::{PgPool, Row};
use tokio::task::JoinSet;

use crate::cpu::Reading;
use crate::create::WARM;
use crate::environment::BenchEnvironment;
use crate::throughput::Run;

/// After this time without a record the topic has ended too early.
const PATIENCE: Duration = Duration::from_secs(30);

/// The columns of a row, borrowed from its message.
#[derive(Deserialize)]
struct Order<'a> {
    #[serde(rename = "order")]
    number: &'a str,
    nonce: &'a str,
    user: &'a str,
    program: &'a str,
    category: i32,
    seats: Vec<i32>,
    unit_price_cents: i64,
    amount_cents: i64,
    idempotency_key: Option<&'a str>,
    pay_by_ms: i64,
}

/// The rows of a batch, as one array per column.
#[derive(Default)]
struct Columns {
    number: Vec<i64>,
    nonce: Vec<String>,
    user: Vec<String>,
    program: Vec<i64>,
    category: Vec<i32>,
    seats: Vec<String>,
    unit_price: Vec<i64>,
    amount: Vec<i64>,
    key: Vec<Option<String>>,
    pay_by: Vec<i64>,
    seat_program: Vec<i64>,
    seat: Vec<i32>,
    seat_order: Vec<i64>,
}

impl Columns {
    fn push(&mut self, payload: &[u8]) -> Result<()> {
        let order: Order<'_> =
            serde_json::from_slice(payload).context("a record of the preloaded topic")?;
        let number = order.number.parse()?;
        let program = order.program.parse()?;
        self.number.push(number);
        self.nonce.push(order.nonce.to_owned());
        self.user.push(order.user.to_owned());
        self.program.push(program);
        self.category.push(order.category);
        let seats: Vec<String> = order.seats.iter().map(ToString::to_string).collect();
        self.seats.push(format!("{{{}}}", seats.join(",")));
        self.unit_price.push(order.unit_price_cents);
        self.amount.push(order.amount_cents);
        self.key.push(order.idempotency_key.map(str::to_owned));
        self.pay_by.push(order.pay_by_ms);
        for seat in order.seats {
            self.seat_program.push(program);
            self.seat.push(seat);
            self.seat_order.push(number);
        }
        Ok(())
    }

    async fn store(&self, db: &PgPool) -> Result<()> {
        let mut transaction = db.begin().await?;
        let orders = sqlx::query(include_str!("sql/bare_orders.sql"));
        let orders = orders
            .bind(&self.number)
            .bind(&self.nonce)
            .bind(&self.user)
            .bind(&self.program)
            .bind(&self.category);
        let orders = orders
            .bind(&self.seats)
            .bind(&self.unit_price)
            .bind(&self.amount)
            .bind(&self.key)
            .bind(&self.pay_by);
        orders.execute(&mut *transaction).await?;
        let seats = sqlx::query(include_str!("sql/bare_seats.sql"));
        seats
            .bind(&self.seat_program)
            .bind(&self.seat)
            .bind(&self.seat_order)
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }
}

/// Loads the whole topic. The first part is warm-up, as for order-create.
pub(crate) async fn run(
    env: &BenchEnvironment,
    topic: &str,
    orders: u64,
    workers: usize,
    batch: usize,
) -> Result<Run> {
    sqlx::raw_sql(include_str!("sql/bare_tables.sql"))
        .execute(&env.db)
        .await?;
    let done = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        let consumer = consumer(&env.environment.servers.brokers, topic)?;
        let db = env.db.clone();
        let done = done.clone();
        let topic = topic.to_owned();
        tasks.spawn(async move { work(&consumer, &db, &topic, &done, orders, batch).await });
    }
    let mut start = None;
    while !tasks.is_empty() {
        if let Some(ended) = tasks.try_join_next() {
            ended??;
        }
        let now = done.load(Ordering::Relaxed);
        if start.is_none() && now >= orders / WARM {
            start = Some((now, Instant::now(), Reading::own()));
        }
        if now >= orders {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (from, clock, cpu) = start.context("the loader ended before it began")?;
    let run = Run {
        done: orders - from,
        seconds: clock.elapsed().as_secs_f64(),
        cpu: Reading::own().since(&cpu),
    };
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let stored: i64 = sqlx::query("SELECT count(*) FROM bare_orders")
        .fetch_one(&env.db)
        .await?
        .try_get(0)?;
    ensure!(
        stored == orders as i64,
        "the bare loader stored {stored} of {orders}"
    );
    Ok(run)
}

fn consumer(brokers: &str, topic: &str) -> Result<Arc<BaseConsumer>> {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", brokers)
        .set("group.id", format!("{topic}-bare"))
        .set("auto.offset.reset", "earliest");
    settings
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false");
    let consumer: BaseConsumer = settings.create().context("Kafka's settings are wrong")?;
    consumer.subscribe(&[topic])?;
    Ok(Arc::new(consumer))
}

async fn work(
    consumer: &Arc<BaseConsumer>,
    db: &PgPool,
    topic: &str,
    done: &AtomicU64,
    orders: u64,
    batch: usize,
) -> Result<()> {
    let mut waited = Instant::now();
    while done.load(Ordering::Relaxed) < orders {
        let poller = consumer.clone();
        let (columns, next) = tokio::task::spawn_blocking(move || gather(&poller, batch)).await??;
        if columns.number.is_empty() {
            ensure!(
                waited.elapsed() < PATIENCE,
                "no record for {} s",
                PATIENCE.as_secs()
            );
            continue;
        }
        columns.store(db).await?;
        let mut offsets = TopicPartitionList::new();
        for (partition, offset) in next {
            offsets.add_partition_offset(topic, partition, Offset::Offset(offset))?;
        }
        consumer.commit(&offsets, CommitMode::Async)?;
        done.fetch_add(columns.number.len() as u64, Ordering::Relaxed);
        waited = Instant::now();
    }
    Ok(())
}

/// Takes the available records, up to a batch. Waits only for the first.
fn gather(consumer: &BaseConsumer, batch: usize) -> Result<(Columns, BTreeMap<i32, i64>)> {
    let mut columns = Columns::default();
    let mut next = BTreeMap::new();
    let mut wait = Duration::from_millis(200);
    while columns.number.len() < batch {
        let Some(message) = consumer.poll(wait) else {
            break;
        };
        let message = message?;
        columns.push(message.payload().unwrap_or_default())?;
        next.insert(message.partition(), message.offset() + 1);
        wait = Duration::ZERO;
    }
    Ok((columns, next))
}
