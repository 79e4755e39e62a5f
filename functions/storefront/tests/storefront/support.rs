//! Fixture: an environment per test, a scripted publisher, and requests of buyers and operators.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use serde_json::{Value, json};
use shared::access::Access;
use shared::config::Reader;
use shared::message::{Barrier, OrderNumber, OrderRequested};
use shared::store::Arrival;
use storefront::http::{Call, Fields, Problem, Reply};
use storefront::identity::Claims;
use storefront::kafka::{
    BrokerAccess, BrokerError, KafkaOrders, LogRanges, PublishOrders, Published,
};
use storefront::{App, Settings};
use testkit::{servers, until};
use tokio::sync::oneshot;

use crate::topics::create_topic;

/// When the scripted broker appends barriers: after every other record.
const BARRIER_MS: i64 = 1_800_000_000_001;

/// Key of the payment provider in tests.
pub(crate) const SECRET: &str = "a secret of the tests";

/// Settings of a new environment, with further variables.
pub(crate) fn settings(more: &[(&str, &str)]) -> Settings {
    settings_of(&testkit::prefix(), more)
}

fn settings_of(prefix: &str, more: &[(&str, &str)]) -> Settings {
    let redis = servers::redis_url();
    let database = servers::database_url();
    let cache = servers::cache_url();
    let brokers = servers::brokers();
    let mut vars: HashMap<String, String> = [
        ("ENV_PREFIX", prefix),
        ("REDIS_GATE_URL", &redis),
        ("REDIS_CACHE_URL", &cache),
        ("DATABASE_URL", &database),
        ("KAFKA_BROKERS", &brokers),
        ("PAYMENT_WEBHOOK_SECRET", SECRET),
    ]
    .into_iter()
    .chain(more.iter().copied())
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .collect();
    vars.entry("DELIVERY_TIMEOUT_MS".to_owned())
        .or_insert_with(|| "5000".to_owned());
    Settings::read(&Reader::new(vars)).expect("settings of a test are valid")
}

/// Access with the values of the settings themselves: nothing is read from elsewhere.
fn access(settings: &Settings) -> Access {
    let opened = Access::open(&settings.access).now_or_never();
    opened
        .expect("nothing to wait for")
        .expect("the settings have every value")
}

/// A storefront with real adapters, its schema and its topic.
pub(crate) async fn open() -> App {
    let settings = settings(&[]);
    create_topic(&settings.brokers, &settings.topic).await;
    let access = access(&settings);
    let app = App::open(settings, &access).await.expect("opens");
    app.store
        .migrate()
        .await
        .expect("Postgres runs (scripts/servers start)");
    app
}

/// A storefront with the given publisher.
pub(crate) async fn open_with(publisher: Arc<dyn PublishOrders>) -> App {
    open_with_settings(settings(&[]), publisher).await
}

/// A storefront with the given settings and publisher.
pub(crate) async fn open_with_settings(
    settings: Settings,
    publisher: Arc<dyn PublishOrders>,
) -> App {
    let app = with_publisher(settings, publisher);
    app.store
        .migrate()
        .await
        .expect("Postgres runs (scripts/servers start)");
    app
}

/// Another instance of the same environment.
pub(crate) fn another(app: &App, more: &[(&str, &str)]) -> App {
    let settings = settings_of(app.settings.names.prefix(), more);
    with_publisher(settings, app.publisher.clone())
}

/// Runs SQL in the schema of the environment.
pub(crate) async fn run(app: &App, sql: &'static str) {
    sqlx::raw_sql(sql)
        .execute(&testkit::postgres::pool(&app.settings.names.schema()))
        .await
        .expect("statement");
}

/// Topic, key and value of a replayed record.
pub(crate) type PutBack = (String, Option<Vec<u8>>, Option<Vec<u8>>);

/// A publisher with scripted outcomes.
#[derive(Default)]
pub(crate) struct Scripted {
    /// Outcomes of the next publishes. After the last one: acknowledged at rising offsets of
    /// partition 0.
    pub(crate) next: Mutex<Vec<Option<Published>>>,
    /// If set, the next publish ends when the sender is used or dropped.
    pub(crate) held: Mutex<Option<oneshot::Receiver<()>>>,
    /// Published messages, in order.
    pub(crate) sent: Mutex<Vec<String>>,
    /// Replayed records, in order.
    pub(crate) put_back: Mutex<Vec<PutBack>>,
    /// Next offset of each partition. Barriers raise it.
    pub(crate) ends: Mutex<BTreeMap<i32, i64>>,
    /// Appended barriers, in order.
    pub(crate) barriers: Mutex<Vec<(i32, i64, Barrier)>>,
}

impl Scripted {
    /// `None` as an outcome never completes.
    pub(crate) fn new(outcomes: impl IntoIterator<Item = Option<Published>>) -> Arc<Self> {
        let mut next: Vec<_> = outcomes.into_iter().collect();
        next.reverse();
        Arc::new(Self {
            next: Mutex::new(next),
            ..Self::default()
        })
    }

    async fn outcome(&self, offset: i64) -> Published {
        let next = self.next.lock().expect("no test panics here").pop();
        match next {
            None => Published::Acknowledged {
                partition: 0,
                offset,
                appended_ms: 1_800_000_000_000,
            },
            Some(Some(outcome)) => outcome,
            Some(None) => std::future::pending().await,
        }
    }
}

#[async_trait::async_trait]
impl PublishOrders for Scripted {
    async fn ready(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn publish(&self, _: OrderNumber, message: &str) -> Published {
        let offset = {
            let mut sent = self.sent.lock().expect("no test panics here");
            sent.push(message.to_owned());
            sent.len() as i64 - 1
        };
        let held = self.held.lock().expect("no test panics here").take();
        if let Some(held) = held {
            let _ = held.await;
        }
        self.outcome(offset).await
    }

    async fn put_back(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Published {
        let offset = {
            let mut put_back = self.put_back.lock().expect("no test panics here");
            put_back.push((
                topic.to_owned(),
                key.map(<[u8]>::to_vec),
                value.map(<[u8]>::to_vec),
            ));
            put_back.len() as i64 - 1
        };
        self.outcome(offset).await
    }

    async fn append_barrier(&self, partition: i32, barrier: &Barrier) -> Published {
        let offset = {
            let mut ends = self.ends.lock().expect("no test panics here");
            let end = ends.entry(partition).or_default();
            *end += 1;
            *end - 1
        };
        self.barriers.lock().expect("no test panics here").push((
            partition,
            offset,
            barrier.clone(),
        ));
        Published::Acknowledged {
            partition,
            offset,
            appended_ms: BARRIER_MS,
        }
    }

    async fn logs(&self) -> Result<LogRanges, BrokerError> {
        Ok(self
            .ends
            .lock()
            .expect("no test panics here")
            .iter()
            .map(|(partition, end)| (*partition, 0..*end))
            .collect())
    }
}

fn with_publisher(settings: Settings, publisher: Arc<dyn PublishOrders>) -> App {
    let (access, brokers) = (access(&settings), settings.brokers.as_str());
    let brokers = BrokerAccess::plaintext(brokers);
    App::with_publisher(settings, &access, publisher, brokers).expect("opens")
}

/// A publisher whose brokers are unreachable.
pub(crate) fn nowhere() -> Arc<dyn PublishOrders> {
    Arc::new(
        KafkaOrders::open(
            BrokerAccess::plaintext("127.0.0.1:9"),
            "none",
            Duration::from_millis(800),
            Duration::ZERO,
        )
        .expect("opens"),
    )
}

/// A call with the claim `sub`, if given.
pub(crate) fn call(method: &str, path: &str, sub: Option<&str>, body: Option<Value>) -> Call {
    let claims = sub
        .map(|sub| ("sub".to_owned(), sub.to_owned()))
        .into_iter();
    let claims = claims
        .chain([("scope".to_owned(), "programs:write".to_owned())])
        .collect();
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Call {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .collect(),
        headers: Fields::default(),
        body: body
            .map(|body| body.to_string().into_bytes())
            .unwrap_or_default(),
        claims: Claims::new(claims),
        source_ip: None,
        span: None,
    }
}

/// A call of an operator with these scopes.
pub(crate) fn by(sub: &str, scope: &str, method: &str, path: &str, body: Option<Value>) -> Call {
    let claims = [("sub", sub), ("scope", scope)].map(|(k, v)| (k.to_owned(), v.to_owned()));
    Call {
        claims: Claims::new(claims.into()),
        ..call(method, path, None, body)
    }
}

/// Adds an Idempotency-Key.
pub(crate) fn keyed(mut call: Call, key: &str) -> Call {
    call.headers
        .insert("idempotency-key".to_owned(), key.to_owned());
    call
}

/// Creates a program of one row of ten seats at 100 cents. Returns its id.
pub(crate) async fn program(app: &App) -> String {
    let body = json!({"title": "T", "categories": [{"name": "A", "rows": 1, "seats_per_row": 10,
    "price_cents": 100}]});
    let reply = app
        .serve(&call("POST", "/programs", Some("promoter"), Some(body)))
        .await
        .expect("created");
    reply.body["id"].as_str().expect("an id").to_owned()
}

/// An order of two adjacent seats.
pub(crate) fn two(program: &str, sub: &str) -> Call {
    call(
        "POST",
        &format!("/programs/{program}/orders"),
        Some(sub),
        Some(json!({"category": 0, "count": 2})),
    )
}

/// Number of free seats in the public answer.
pub(crate) async fn free(app: &App, program: &str) -> i64 {
    let reply = app
        .serve(&call("GET", &format!("/programs/{program}"), None, None))
        .await
        .expect("found");
    reply.body["categories"][0]["free"].as_i64().expect("open")
}

/// Stores one message at an offset of partition 0 as order-create does, without settling the gate.
pub(crate) async fn store(app: &App, message: &str, offset: i64) {
    let request: OrderRequested = serde_json::from_str(message).expect("a valid message");
    let arrival = Arrival {
        topic: &app.settings.topic,
        partition: 0,
        offset,
        appended_ms: Some(1_800_000_000_000),
        key: None,
        value: Some(message.as_bytes()),
        message: Ok(request),
    };
    let batch = app
        .store
        .store_orders(std::slice::from_ref(&arrival), 1_000)
        .await;
    assert_eq!(batch.unfinished, None);
}

/// Passes all barriers so far, as order-create does.
pub(crate) async fn pass_barriers(app: &App, publisher: &Scripted) {
    let barriers = publisher.barriers.lock().expect("whole").clone();
    for (partition, offset, barrier) in barriers {
        let value = barrier.encode();
        let arrival = Arrival {
            topic: &app.settings.topic,
            partition,
            offset,
            appended_ms: Some(BARRIER_MS),
            key: None,
            value: Some(value.as_bytes()),
            message: Err(lambda_batch::Reason::new("no order")),
        };
        let batch = app
            .store
            .store_orders(std::slice::from_ref(&arrival), 1_000)
            .await;
        assert_eq!((batch.unfinished, batch.parked), (None, vec![]));
    }
}

/// Repeats an order of two seats until the gate is open. Returns the seats.
pub(crate) async fn order_when_open(app: &App, id: &str, buyer: &str) -> Value {
    let seats = Mutex::new(None);
    until("the gate opens", async || {
        match app.serve(&two(id, buyer)).await {
            Ok(reply) => {
                *seats.lock().expect("whole") = Some(reply.body["seats"].clone());
                true
            }
            Err(problem) => {
                assert_eq!(problem.code, "loading");
                false
            }
        }
    })
    .await;
    seats.into_inner().expect("whole").expect("seats")
}

/// Status and code of a problem.
pub(crate) fn problem(result: Result<Reply, Problem>) -> (u16, &'static str) {
    match result {
        Err(problem) => (problem.status, problem.code),
        Ok(reply) => panic!("no problem but {reply:?}"),
    }
}
