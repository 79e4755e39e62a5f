//! Each class of requests has concurrency of its own: while one class is occupied, every other class
//! is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use journeys::{Settings, TestEnvironment, until};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use ticket_rush::api::{Answer, ApiClient, Buyer, PlacedOrder, SeatSelection};
use ticket_rush::application::ManagedFunction;
use ticket_rush::host::StatusClient;
use ticket_rush::status::FunctionStatus;
use tokio::task::JoinSet;

const LONG: Duration = Duration::from_mins(10);
/// The number of no order: a payment for it is recorded as unmatched.
const NO_ORDER: &str = "4611686018427387905";
/// The first id of no program. Each request names another, since absence is cached.
const NO_PROGRAM: u32 = 1_000_000;

/// A class of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Orders,
    Lookups,
    Payments,
    Operators,
}

impl Class {
    const ALL: [Self; 4] = [Self::Orders, Self::Lookups, Self::Payments, Self::Operators];

    /// The function that serves it.
    const fn function(self) -> &'static str {
        match self {
            Self::Orders => "Storefront",
            Self::Lookups => "StorefrontLookups",
            Self::Payments => "StorefrontPayments",
            Self::Operators => "StorefrontOperators",
        }
    }

    /// The lock that the requests of [`Clients::occupying`] wait for, and those of
    /// [`Clients::probe`] of the other classes do not.
    const fn lock(self) -> (&'static str, &'static str) {
        match self {
            Self::Orders | Self::Lookups => ("programs", "ACCESS EXCLUSIVE"),
            Self::Payments => ("payments", "EXCLUSIVE"),
            Self::Operators => ("api_minutes", "ACCESS EXCLUSIVE"),
        }
    }

    /// Status of an occupying request once the lock is released.
    const fn released(self) -> u16 {
        match self {
            Self::Orders | Self::Lookups => 404,
            Self::Payments | Self::Operators => 200,
        }
    }
}

/// The clients of all classes.
#[derive(Clone)]
struct Clients {
    api: ApiClient,
    buyer: Buyer,
    operator: Buyer,
    program: String,
    number: Arc<AtomicU32>,
}

impl Clients {
    fn next(&self) -> u32 {
        self.number.fetch_add(1, Ordering::Relaxed)
    }

    /// A request that waits in Postgres while the lock of its class is held.
    async fn occupying(&self, class: Class) -> Answer {
        let n = self.next();
        let absent = (NO_PROGRAM + n).to_string();
        match class {
            Class::Orders => {
                let one = SeatSelection::Best(1);
                self.api.order(&self.buyer, &absent, 0, &one, None, 0).await
            }
            Class::Lookups => self.api.program(&absent).await,
            Class::Payments => self.api.pay(NO_ORDER, &format!("held-{n}"), 1000).await,
            Class::Operators => self.api.statistics(&self.operator, "by=route").await,
        }
    }

    /// A request that ends well while another class is occupied. A payment pays `order`.
    async fn probe(&self, class: Class, order: &PlacedOrder) -> Result<()> {
        let answer = match class {
            Class::Orders => {
                let one = SeatSelection::Best(1);
                let program = &self.program;
                self.api.order(&self.buyer, program, 0, &one, None, 0).await
            }
            Class::Lookups => self.api.get_order(&self.buyer, &order.order).await,
            Class::Payments => {
                let (number, amount) = (&order.order, order.amount_cents);
                self.api.pay(number, &format!("pay-{number}"), amount).await
            }
            Class::Operators => self.api.statistics(&self.operator, "by=route").await,
        };
        ensure!(
            answer.ok(),
            "{class:?} was answered {} {}",
            answer.http,
            answer.body
        );
        Ok(())
    }
}

/// Requests that keep a class occupied: one that Postgres ends at its lock timeout is sent again.
struct Occupation {
    class: Class,
    clients: Clients,
    requests: JoinSet<Answer>,
    lock: PgConnection,
}

impl Occupation {
    /// Locks the table of the class.
    async fn begin(env: &TestEnvironment, clients: &Clients, class: Class) -> Result<Self> {
        let (table, mode) = class.lock();
        let mut lock = PgConnection::connect_with(&env.db.connect_options()).await?;
        let statement = format!("BEGIN; LOCK TABLE {table} IN {mode} MODE");
        sqlx::raw_sql(AssertSqlSafe(statement))
            .execute(&mut lock)
            .await?;
        Ok(Self {
            class,
            clients: clients.clone(),
            requests: JoinSet::new(),
            lock,
        })
    }

    /// Adds requests until the function of the class refuses one.
    async fn fill(&mut self, status: &StatusClient) -> Result<()> {
        let before = throttles(status, self.class).await?;
        until("the class refuses a request", async || {
            self.add();
            Ok((throttles(status, self.class).await? > before).then_some(()))
        })
        .await
    }

    fn add(&mut self) {
        let (clients, class) = (self.clients.clone(), self.class);
        self.requests.spawn(async move {
            loop {
                let answer = clients.occupying(class).await;
                let ended_by_postgres = answer.http == 503 && answer.instance.is_some();
                if !ended_by_postgres {
                    return answer;
                }
            }
        });
    }

    /// Releases the lock. Every request that was not refused is answered now.
    async fn end(mut self) -> Result<()> {
        sqlx::raw_sql("ROLLBACK").execute(&mut self.lock).await?;
        let answers = self.requests.join_all().await;
        let (refused, served): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.instance.is_none());
        ensure!(
            !refused.is_empty() && refused.iter().all(|answer| answer.http == 503),
            "the gateway refuses what exceeds the share: {refused:?}"
        );
        let expected = self.class.released();
        ensure!(
            !served.is_empty() && served.iter().all(|answer| answer.http == expected),
            "{expected} was expected: {served:?}"
        );
        Ok(())
    }
}

/// Number of requests that the function of a class refused at its concurrency.
async fn throttles(status: &StatusClient, class: Class) -> Result<u64> {
    let status = status.status().await?;
    let of = |function: &&FunctionStatus| function.function == class.function();
    let function = status.functions.iter().find(of);
    Ok(function.context("no such function")?.throttles)
}

#[tokio::test]
async fn every_class_is_answered_while_another_is_occupied() -> Result<()> {
    each_class_occupied(Vec::new()).await
}

#[tokio::test]
async fn classes_stay_apart_where_a_process_serves_many_requests() -> Result<()> {
    let managed = Class::ALL.map(|class| ManagedFunction {
        function: class.function(),
        max_concurrency: 2,
        instances: 1,
    });
    each_class_occupied(managed.to_vec()).await
}

/// Every class takes two requests at a time. `managed`: functions with one process for both.
async fn each_class_occupied(managed: Vec<ManagedFunction>) -> Result<()> {
    let parameters = [
        ("StorefrontConcurrency", "2"),
        ("StorefrontLookupsConcurrency", "2"),
        ("StorefrontPaymentsConcurrency", "2"),
        ("StorefrontOperatorsConcurrency", "2"),
        // Orders of a known program read no table that is locked here.
        ("ProgramCacheSharedTtlMs", "86400000"),
        // The collector writes to a table that is locked here.
        ("ApiDataCollectorEnabled", "false"),
    ];
    let parameters = parameters.map(|(name, value)| (name, value.to_owned()));
    let env = TestEnvironment::with(Settings {
        parameters: parameters.to_vec(),
        managed: Some(managed),
        ..Settings::default()
    })
    .await?;
    let host = env.up().await?;
    let status = host.status_client();
    let clients = Clients {
        api: env.api.clone(),
        buyer: env.buyer("ann")?,
        operator: env.keys.buyer("operator", Some("api-calls:read"), LONG)?,
        program: env.sale(2, 20, LONG, 20).await?,
        number: Arc::default(),
    };
    // One order for each round: its payment is applied once.
    let mut orders = Vec::new();
    for n in 0..Class::ALL.len() {
        let key = format!("order-{n}");
        let (buyer, program) = (&clients.buyer, &clients.program);
        let order = env
            .order(buyer, program, SeatSelection::Best(1), &key)
            .await?;
        env.until_status(buyer, &order.order, "unpaid").await?;
        orders.push(order);
    }
    for (occupied, order) in Class::ALL.into_iter().zip(&orders) {
        let mut occupation = Occupation::begin(&env, &clients, occupied).await?;
        occupation.fill(&status).await?;
        for class in Class::ALL.into_iter().filter(|class| *class != occupied) {
            let probe = clients.probe(class, order).await;
            probe.with_context(|| format!("while {occupied:?} was occupied"))?;
        }
        occupation.fill(&status).await?;
        let ended = occupation.end().await;
        ended.with_context(|| format!("{occupied:?} was occupied"))?;
    }
    env.audited(&[]).await?;
    host.stop().await?;
    env.remove().await
}
