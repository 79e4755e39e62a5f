//! Passwords that are rotated while seats are sold: those of the functions' role of `PostgreSQL` and
//! of their user at the gate. The functions read both from secrets, by ARN.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use journeys::{Settings, TestEnvironment, until};
use sqlx::query_scalar;
use testkit::aws::{KEY_OF_USHER, SecretsServer};
use testkit::private_postgres::PrivatePostgres;
use testkit::redis::PrivateRedis;
use testkit::wait::DEADLINE;
use ticket_rush::api::{Answer, SeatSelection};
use ticket_rush::locations::Servers;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const LONG: Duration = Duration::from_mins(10);
/// Buyers at the same time.
const BUYERS: u32 = 6;
/// Orders that are paid before, between and after the rotations, at least.
const ORDERS: u32 = 60;
/// A buyer's request is served within this time, however often the buyer has to repeat it.
const BOUND: Duration = Duration::from_secs(5);
/// The pause of a buyer between two requests.
const PAUSE: Duration = Duration::from_millis(50);

const DATABASE: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:writer-AbCdEf";
const GATE: &str = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:gate-AbCdEf";

fn login(user: &str, password: &str) -> String {
    format!(r#"{{"username":"{user}","password":"{password}"}}"#)
}

/// Servers whose passwords are rotated. Tables belong to the owner, who needs no password here.
struct RotatedServers {
    postgres: PrivatePostgres,
    gate: PrivateRedis,
    secrets: SecretsServer,
}

impl RotatedServers {
    async fn start() -> Self {
        let postgres = PrivatePostgres::with_settings("max_connections = 200").await;
        postgres
            .admin("CREATE ROLE writer LOGIN PASSWORD 'first'")
            .await;
        let rules = "host all writer 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust";
        postgres.allow(rules).await;
        let gate = PrivateRedis::start(&[]);
        gate.run(&[
            "ACL", "SETUSER", "seller", "on", ">first", "~*", "&*", "+@all",
        ]);
        let secrets = SecretsServer::with_key(KEY_OF_USHER).await;
        // Migrate logs in as the owner.
        secrets.put(DATABASE, &login("usher", ""));
        secrets.put(GATE, &login("seller", "first"));
        Self {
            postgres,
            gate,
            secrets,
        }
    }

    fn servers(&self) -> Servers {
        Servers {
            database_url: format!("postgres://usher@127.0.0.1:{}/usher", self.postgres.port()),
            redis_url: self.gate.url(),
            ..Servers::from_env()
        }
    }

    /// As a rotation of Secrets Manager does it: the next version, then the server, and the current
    /// version last. Ends all sessions, so that every process has to log in again.
    async fn rotate_database(&self) {
        self.secrets
            .put_stage(DATABASE, "AWSPENDING", &login("writer", "second"));
        self.postgres
            .admin("ALTER ROLE writer PASSWORD 'second'")
            .await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'writer'";
        self.postgres.admin(end).await;
    }

    fn end_rotation_of_database(&self) {
        self.secrets.put(DATABASE, &login("writer", "second"));
    }

    /// In one step: the server, and the secret after it. Ends all connections.
    fn rotate_gate(&self) {
        self.gate
            .run(&["ACL", "SETUSER", "seller", "resetpass", ">second"]);
        self.secrets.put(GATE, &login("seller", "second"));
        let killed: u32 = self.gate.query(&["CLIENT", "KILL", "USER", "seller"]);
        assert!(killed > 0, "the functions have connections");
    }

    /// Sessions of the functions' role.
    async fn sessions(&self) -> Result<i64> {
        let mut admin = self.postgres.connect("postgres").await?;
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'writer'";
        Ok(query_scalar(sql).fetch_one(&mut admin).await?)
    }
}

/// The attempts of one request.
struct Attempts {
    what: &'static str,
    began: Instant,
}

impl Attempts {
    fn of(what: &'static str) -> Self {
        let began = Instant::now();
        Self { what, began }
    }

    /// What an answer has, or `None` after a pause: then the request is to be repeated. Fails if the
    /// request took too long, or with an answer after which no client repeats.
    async fn next<T>(&self, answer: &Answer, served: Option<T>) -> Result<Option<T>> {
        let (what, took) = (self.what, self.began.elapsed());
        ensure!(took < BOUND, "{what} for {took:?}, then {answer:?}");
        if served.is_none() {
            ensure!(answer.http == 503, "{what} was answered {answer:?}");
            sleep(PAUSE).await;
        }
        Ok(served)
    }
}

/// Buys one seat after another until the sale ends.
async fn buy(
    env: Arc<TestEnvironment>,
    program: String,
    number: u32,
    paid: Arc<AtomicU32>,
    end: watch::Receiver<bool>,
) -> Result<()> {
    let (api, buyer) = (&env.api, env.buyer(&format!("buyer-{number}"))?);
    let one = SeatSelection::Best(1);
    let mut orders = 0;
    while !*end.borrow() {
        orders += 1;
        let key = format!("key-{orders}");
        let attempts = Attempts::of("an order");
        let order = loop {
            let answer = api.order(&buyer, &program, 0, &one, Some(&key), 0).await;
            if let Some(order) = attempts.next(&answer, answer.order()).await? {
                break order;
            }
        };
        let stored = async {
            while api.get_order(&buyer, &order.order).await.text("status") != Some("unpaid") {
                sleep(PAUSE).await;
            }
        };
        timeout(DEADLINE, stored).await?;
        let (reference, amount) = (format!("pay-{}", order.order), order.amount_cents);
        let attempts = Attempts::of("a payment");
        loop {
            let answer = api.pay(&order.order, &reference, amount).await;
            let result = answer.text("result");
            let applied = result.filter(|result| matches!(*result, "applied" | "duplicate"));
            if attempts.next(&answer, applied).await?.is_some() {
                break;
            }
        }
        paid.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Waits until so many orders more are paid.
async fn until_paid(paid: &AtomicU32, buyers: &mut JoinSet<Result<()>>, more: u32) -> Result<()> {
    let before = paid.load(Ordering::Relaxed);
    until(&format!("{more} orders are paid"), async || {
        Ok((paid.load(Ordering::Relaxed) >= before + more).then_some(()))
    })
    .await
    .or_else(|late| match buyers.try_join_next() {
        Some(ended) => ended?,
        None => Err(late),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_passwords_lose_no_order() -> Result<()> {
    let rotated = RotatedServers::start().await;
    let endpoint = ("AWS_ENDPOINT_URL_SECRETS_MANAGER", rotated.secrets.url());
    let parameters = [
        ("DatabaseSecretArn", DATABASE),
        ("RedisGateSecretArn", GATE),
        ("DatabaseWriterRole", "writer"),
    ];
    let env = TestEnvironment::with(Settings {
        parameters: parameters
            .map(|(name, value)| (name, value.to_owned()))
            .into(),
        servers: Some(rotated.servers()),
        variables: vec![endpoint],
        ..Settings::default()
    })
    .await?;
    let env = Arc::new(env);
    rotated.secrets.put(DATABASE, &login("writer", "first"));
    let host = env.up().await?;
    let program = env.sale(50, 100, LONG, 1000).await?;

    let (paid, end) = (Arc::new(AtomicU32::new(0)), watch::Sender::new(false));
    let mut buyers = JoinSet::new();
    for number in 0..BUYERS {
        let (env, program) = (env.clone(), program.clone());
        buyers.spawn(buy(env, program, number, paid.clone(), end.subscribe()));
    }
    until_paid(&paid, &mut buyers, ORDERS).await?;
    rotated.rotate_database().await;
    until_paid(&paid, &mut buyers, ORDERS).await?;
    rotated.end_rotation_of_database();
    rotated.rotate_gate();
    until_paid(&paid, &mut buyers, ORDERS).await?;
    end.send_replace(true);
    for bought in buyers.join_all().await {
        bought?;
    }

    // The sessions from before the rotations have ended: these have the new password.
    assert!(rotated.sessions().await? > 0);
    let reads = rotated.secrets.reads();
    for read in [
        (DATABASE, "AWSCURRENT"),
        (DATABASE, "AWSPENDING"),
        (GATE, "AWSCURRENT"),
    ] {
        let read = (read.0.to_owned(), read.1.to_owned());
        assert!(reads.contains(&read), "{read:?} is not in {reads:?}");
    }
    let stored = env
        .count("SELECT count(*) FROM orders WHERE status = 'paid'")
        .await?;
    assert_eq!(stored, i64::from(paid.load(Ordering::Relaxed)));
    env.audited(&[]).await?;
    host.stop().await?;
    Arc::into_inner(env)
        .expect("every buyer has ended")
        .remove()
        .await
}
