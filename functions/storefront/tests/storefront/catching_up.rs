//! Partitions whose end order-create cannot reach by reading records.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;
use shared::gate::ReservationState;
use shared::message::{Nonce, OrderNumber};
use shared::store::BarrierWait;
use storefront::App;
use storefront::barriers::append_requested;

use crate::create::Create;
use crate::rebuild::lose;
use testkit::until;

use crate::support::{call, open, order_when_open, problem, program, two};

const TIME: Duration = Duration::from_secs(30);

/// Leaves an aborted record and its marker at the end of both partitions: no consumer receives
/// either.
async fn abort_a_transaction(app: &App) {
    let brokers = app.settings.brokers.clone();
    let topic = app.settings.topic.clone();
    let abort = move || {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &brokers)
            .set("transactional.id", format!("{topic}-test"))
            .create()
            .expect("a producer");
        producer.init_transactions(TIME).expect("Kafka runs");
        producer.begin_transaction().expect("begun");
        for partition in 0..2 {
            producer
                .send(
                    BaseRecord::<(), str>::to(&topic)
                        .partition(partition)
                        .payload("aborted"),
                )
                .expect("queued");
        }
        producer.flush(TIME).expect("sent");
        producer.abort_transaction(TIME).expect("aborted");
    };
    tokio::task::spawn_blocking(abort).await.expect("no panic");
}

/// Deletes every record of both partitions, as retention does.
async fn delete_records(app: &App) {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &app.settings.brokers)
        .create()
        .expect("an admin client");
    let mut all = TopicPartitionList::new();
    for partition in 0..2 {
        all.add_partition_offset(&app.settings.topic, partition, Offset::End)
            .expect("an offset");
    }
    let deleted = admin
        .delete_records(&all, &AdminOptions::new().operation_timeout(Some(TIME)))
        .await
        .expect("Kafka runs");
    assert!(
        deleted
            .elements()
            .iter()
            .all(|partition| partition.error().is_ok()),
        "{deleted:?}"
    );
}

async fn is_stored(app: &App, order: OrderNumber) -> bool {
    app.store
        .order(order)
        .await
        .expect("Postgres runs")
        .is_some()
}

#[tokio::test]
async fn markers_at_the_end_do_not_keep_the_gate_closed() {
    let app = open().await;
    let id = program(&app).await;
    let order = app.serve(&two(&id, "alice")).await.expect("accepted").body["order"].clone();
    let order = order.as_str().expect("a number").parse().expect("a number");
    let _create = Create::start(&app);
    until("the order is stored", async || is_stored(&app, order).await).await;
    abort_a_transaction(&app).await;
    lose(&app).await;
    assert_eq!(order_when_open(&app, &id, "bob").await, json!([2, 3]));
}

#[tokio::test]
async fn deleted_records_do_not_keep_the_gate_closed() {
    let app = open().await;
    let id = program(&app).await;
    app.serve(&two(&id, "alice")).await.expect("accepted");
    delete_records(&app).await;
    lose(&app).await;
    let _create = Create::start(&app);
    assert_eq!(order_when_open(&app, &id, "bob").await, json!([0, 1]));
}

#[tokio::test]
async fn a_deleted_barrier_is_replaced() {
    let app = open().await;
    let id = program(&app).await;
    app.serve(&two(&id, "alice")).await.expect("accepted");
    lose(&app).await;
    assert_eq!(problem(app.serve(&two(&id, "bob")).await), (503, "loading"));
    delete_records(&app).await;
    let _create = Create::start(&app);
    assert_eq!(order_when_open(&app, &id, "bob").await, json!([0, 1]));
}

#[tokio::test]
async fn a_requested_barrier_proves_that_create_has_passed() {
    let app = open().await;
    let id = program(&app).await;
    let order = app.serve(&two(&id, "alice")).await.expect("accepted").body["order"].clone();
    let order: OrderNumber = order.as_str().expect("a number").parse().expect("a number");
    let reservation = app
        .gate
        .reservation(order)
        .await
        .expect("Redis runs")
        .expect("accepted");
    let ReservationState::Accepted { partition, .. } = reservation.state else {
        panic!("{reservation:?}")
    };
    delete_records(&app).await;
    // The closer finds it accepted when payment is due.
    let wait = BarrierWait {
        number: order,
        nonce: reservation.nonce,
        partition,
    };
    app.store
        .request_barriers(&app.settings.topic, &[wait])
        .await
        .expect("Postgres runs");
    let append = async || {
        append_requested(
            &app.store,
            &app.publisher,
            &app.settings.topic,
            Nonce::new(rand::random()),
        )
        .await
        .expect("appends")
    };
    assert_eq!(append().await, 1);
    assert_eq!(append().await, 0, "one is on its way");
    let _create = Create::start(&app);
    let is_behind = async || {
        !app.store
            .behind_barriers(&[order])
            .await
            .expect("Postgres runs")
            .is_empty()
    };
    until("the barrier is passed", is_behind).await;
    assert!(!is_stored(&app, order).await);
}

#[tokio::test]
async fn a_partition_that_is_gone_holds_nothing() {
    let app = open().await;
    let order = OrderNumber::new(1 << 40).expect("valid");
    let wait = BarrierWait {
        number: order,
        nonce: Nonce::new(rand::random()),
        partition: 7,
    };
    app.store
        .request_barriers(&app.settings.topic, &[wait])
        .await
        .expect("Postgres runs");
    let appended = append_requested(
        &app.store,
        &app.publisher,
        &app.settings.topic,
        Nonce::new(rand::random()),
    )
    .await
    .expect("appends");
    assert_eq!(appended, 0);
    assert_eq!(
        app.store
            .behind_barriers(&[order])
            .await
            .expect("Postgres runs")
            .len(),
        1
    );
}

#[tokio::test]
async fn while_create_stands_still_barriers_do_not_pile_up() {
    let app = open().await;
    let id = program(&app).await;
    lose(&app).await;
    for _ in 0..4 {
        assert_eq!(problem(app.serve(&two(&id, "bob")).await), (503, "loading"));
    }
    app.serve(&call("GET", &format!("/programs/{id}"), None, None))
        .await
        .expect("answered without free seats");
    let logs = app.publisher.logs().await.expect("Kafka runs");
    assert_eq!(
        logs.values().map(|log| log.end).sum::<i64>(),
        2,
        "one for each partition"
    );
}
