//! Gates that have lost a program.

use std::sync::{Arc, Mutex};

use redis::aio::MultiplexedConnection;
use serde_json::json;
use shared::message::{Barrier, OrderNumber, OrderRequested};
use shared::sale::Status;
use storefront::kafka::{BrokerError, LogRanges, PublishOrders, Published};
use testkit::servers::redis_url;
use testkit::until;

use crate::support::{
    Scripted, another, call, free, keyed, open_with, order_when_open, pass_barriers, problem,
    program, settings, store, two,
};

pub(crate) async fn redis() -> MultiplexedConnection {
    let client = redis::Client::open(redis_url()).expect("an address");
    client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis runs (scripts/servers start)")
}

/// Every key of an environment.
pub(crate) async fn keys(redis: &mut MultiplexedConnection, prefix: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut from = 0_u64;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(from)
            .arg("MATCH")
            .arg(format!("{prefix}:*"))
            .arg("COUNT")
            .arg(1000);
        let (next, page): (u64, Vec<String>) = scan.query_async(redis).await.expect("scans");
        all.extend(page);
        from = next;
        if from == 0 {
            return all;
        }
    }
}

/// Removes every key of the environment, as a lost Redis does.
pub(crate) async fn lose(app: &storefront::App) {
    let mut redis = redis().await;
    for key in keys(&mut redis, app.settings.names.prefix()).await {
        let _: u64 = redis::cmd("DEL")
            .arg(key)
            .query_async(&mut redis)
            .await
            .expect("deletes");
    }
}

/// A publisher that copies the gate while the first message is in flight, and whose outcome is
/// unknown.
struct Copying {
    prefix: String,
    then: Arc<Scripted>,
    copy: Mutex<Vec<(String, Vec<u8>, i64)>>,
    first: Mutex<Option<String>>,
}

#[async_trait::async_trait]
impl PublishOrders for Copying {
    async fn ready(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn publish(&self, order: OrderNumber, message: &str) -> Published {
        if self.first.lock().expect("whole").is_some() {
            return self.then.publish(order, message).await;
        }
        let mut redis = redis().await;
        let mut copy = Vec::new();
        for key in keys(&mut redis, &self.prefix).await {
            let dump = redis::cmd("DUMP")
                .arg(&key)
                .query_async(&mut redis)
                .await
                .expect("dumps");
            let ttl: i64 = redis::cmd("PTTL")
                .arg(&key)
                .query_async(&mut redis)
                .await
                .expect("a time");
            copy.push((key, dump, ttl.max(0)));
        }
        *self.copy.lock().expect("whole") = copy;
        *self.first.lock().expect("whole") = Some(message.to_owned());
        Published::Unknown("scripted".to_owned())
    }

    async fn put_back(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Published {
        self.then.put_back(topic, key, value).await
    }

    async fn append_barrier(&self, partition: i32, barrier: &Barrier) -> Published {
        self.then.append_barrier(partition, barrier).await
    }

    async fn logs(&self) -> Result<LogRanges, BrokerError> {
        self.then.logs().await
    }
}

impl Copying {
    /// The gate goes back in time to the copy, on another server.
    async fn go_back(&self) {
        let mut redis = redis().await;
        for key in keys(&mut redis, &self.prefix).await {
            let _: u64 = redis::cmd("DEL")
                .arg(key)
                .query_async(&mut redis)
                .await
                .expect("deletes");
        }
        let copy = self.copy.lock().expect("whole").clone();
        for (key, dump, ttl) in copy {
            let mut restore = redis::cmd("RESTORE");
            let () = restore
                .arg(&key)
                .arg(ttl)
                .arg(dump)
                .query_async(&mut redis)
                .await
                .expect("restores");
            if key.ends_with(":head") {
                let mut other = redis::cmd("HSET");
                let _: u64 = other
                    .arg(&key)
                    .arg("replid")
                    .arg("0".repeat(40))
                    .query_async(&mut redis)
                    .await
                    .expect("writes");
            }
        }
    }
}

#[tokio::test]
async fn a_void_order_is_not_accepted_after_a_failover() {
    let settings = settings(&[]);
    let prefix = settings.names.prefix().to_owned();
    let copy = Mutex::default();
    let first = Mutex::default();
    let publisher = Arc::new(Copying {
        prefix,
        then: Scripted::new([]),
        copy,
        first,
    });
    let app = crate::support::open_with_settings(settings, publisher.clone()).await;
    let id = program(&app).await;
    let wish = keyed(two(&id, "alice"), "k");
    assert_eq!(problem(app.serve(&wish).await), (503, "publish_failed"));
    let first = publisher
        .first
        .lock()
        .expect("whole")
        .clone()
        .expect("published");
    let void = serde_json::from_str::<OrderRequested>(&first)
        .expect("a message")
        .order;
    let status = async |order| {
        app.store
            .order(order)
            .await
            .expect("Postgres runs")
            .map(|row| row.status)
    };
    assert_eq!(status(void).await, Some(Status::Void));
    publisher.go_back().await;
    let reservation = app
        .gate
        .reservation(void)
        .await
        .expect("Redis runs")
        .expect("kept");
    assert_eq!(reservation.state, shared::gate::ReservationState::Held);

    let reply = app.serve(&wish).await.expect("a new order");
    assert_eq!(reply.status, 202);
    let order = reply.body["order"]
        .as_str()
        .expect("a number")
        .parse::<OrderNumber>()
        .expect("a number");
    assert_ne!(order, void);
    assert_eq!(status(order).await, None, "it can be stored");
    assert_eq!(
        free(&app, &id).await,
        8,
        "the seats of the void order are free"
    );
}

#[tokio::test]
async fn a_lost_gate_opens_with_every_accepted_order() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let alices = app.serve(&two(&id, "alice")).await.expect("accepted");
    assert_eq!(alices.body["seats"], json!([0, 1]));
    lose(&app).await;
    // Her order is in Kafka and not stored: a sale now would sell her seats.
    publisher.ends.lock().expect("whole").insert(0, 1);
    assert_eq!(problem(app.serve(&two(&id, "bob")).await), (503, "loading"));
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 0).await;
    pass_barriers(&app, &publisher).await;
    assert_eq!(order_when_open(&app, &id, "bob").await, json!([2, 3]));
    assert_eq!(free(&app, &id).await, 6);
}

#[tokio::test]
async fn reading_a_program_opens_its_lost_gate() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    app.serve(&two(&id, "alice")).await.expect("accepted");
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 0).await;
    publisher.ends.lock().expect("whole").insert(0, 1);
    lose(&app).await;
    let look = call("GET", &format!("/programs/{id}"), None, None);
    app.serve(&look).await.expect("found");
    pass_barriers(&app, &publisher).await;
    until("the gate is open", async || {
        app.serve(&look).await.expect("found").body["categories"][0]["free"] == json!(8)
    })
    .await;
}

#[tokio::test]
async fn a_lost_accepted_order_is_never_absent() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    let order = app.serve(&two(&id, "alice")).await.expect("accepted").body["order"].clone();
    let order = order.as_str().expect("a number");
    publisher.ends.lock().expect("whole").insert(0, 1);
    lose(&app).await;
    let get = call("GET", &format!("/orders/{order}"), Some("alice"), None);
    let cancel = call(
        "POST",
        &format!("/orders/{order}/cancel"),
        Some("alice"),
        None,
    );
    for request in [&get, &cancel] {
        assert_eq!(problem(app.serve(request).await), (503, "loading"));
    }
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 0).await;
    pass_barriers(&app, &publisher).await;
    assert_eq!(
        app.serve(&get).await.expect("stored").body["status"],
        "unpaid"
    );
    let other = call(
        "GET",
        &format!("/orders/{}", order.parse::<u64>().expect("a number") ^ 1),
        Some("alice"),
        None,
    );
    until("the gate is open", async || {
        problem(app.serve(&other).await) != (503, "loading")
    })
    .await;
    assert_eq!(problem(app.serve(&other).await), (404, "no_such_order"));
    assert_eq!(
        app.serve(&cancel).await.expect("its row is there").body["status"],
        "cancelled"
    );
}

#[tokio::test]
async fn progress_on_a_recreated_topic_opens_nothing() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    app.serve(&two(&id, "alice")).await.expect("accepted");
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 1000).await;
    // Ten records stand in the new topic, unread.
    publisher.ends.lock().expect("whole").insert(0, 10);
    lose(&app).await;
    assert_eq!(problem(app.serve(&two(&id, "bob")).await), (503, "loading"));
    // Order-create comes to the barrier in the new topic, and so past all that stood before it.
    pass_barriers(&app, &publisher).await;
    order_when_open(&app, &id, "bob").await;
}

/// A barrier of an earlier filling stands before the orders that a later one waits for.
#[tokio::test]
async fn an_earlier_barrier_opens_no_later_filling() {
    let publisher = Scripted::new([]);
    publisher.ends.lock().expect("whole").insert(0, 0);
    let app = open_with(publisher.clone()).await;
    let id = program(&app).await;
    lose(&app).await;
    assert_eq!(
        problem(app.serve(&two(&id, "alice")).await),
        (503, "loading")
    );
    pass_barriers(&app, &publisher).await;
    assert_eq!(order_when_open(&app, &id, "alice").await, json!([0, 1]));
    // Her order is in Kafka and not stored when another instance begins the next filling.
    *publisher.ends.lock().expect("whole").entry(0).or_default() += 1;
    lose(&app).await;
    let other = another(&app, &[]);
    assert_eq!(
        problem(other.serve(&two(&id, "bob")).await),
        (503, "loading")
    );
    let barriers = publisher.barriers.lock().expect("whole").len();
    assert_eq!(barriers, 2, "each filling has its own");
    assert_eq!(problem(app.serve(&two(&id, "bob")).await), (503, "loading"));
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 1).await;
    pass_barriers(&app, &publisher).await;
    assert_eq!(order_when_open(&app, &id, "bob").await, json!([2, 3]));
}
