//! Requests that wait for their order to be stored: a share of the instances, and none in vain.

use std::pin::pin;

use redis::aio::MultiplexedConnection;
use storefront::App;
use storefront::http::{Call, Reply};
use testkit::servers::redis_url;
use testkit::until;

use crate::support::{Scripted, another, open_with_settings, program, settings, store, two};

fn waiting(program: &str, sub: &str) -> Call {
    let mut call = two(program, sub);
    call.query.insert("wait", "20");
    call
}

async fn redis() -> MultiplexedConnection {
    let client = redis::Client::open(redis_url()).expect("an address");
    client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis runs (scripts/servers start)")
}

/// Requests that wait now, and whether none may.
async fn places(app: &App, redis: &MultiplexedConnection) -> (usize, bool) {
    let key = format!("{}:{{s00}}:waiting", app.settings.names.prefix());
    let members: Vec<String> = redis::cmd("ZRANGE")
        .arg(key)
        .arg(0)
        .arg(-1)
        .query_async(&mut redis.clone())
        .await
        .expect("a set");
    let lagging = members.iter().any(|member| member == "!lagging");
    (members.len() - usize::from(lagging), lagging)
}

async fn served(app: &App, call: &Call) -> Reply {
    app.serve(call).await.expect("accepted")
}

#[tokio::test]
async fn a_share_of_the_instances_waits_and_no_more() {
    let publisher = Scripted::new([]);
    let app = open_with_settings(
        settings(&[("STOREFRONT_CONCURRENCY", "4")]),
        publisher.clone(),
    )
    .await;
    let other = another(&app, &[("STOREFRONT_CONCURRENCY", "4")]);
    let id = program(&app).await;
    let redis = redis().await;
    let alices = waiting(&id, "alice");
    let bobs = waiting(&id, "bob");
    let mut first = pin!(served(&app, &alices));
    tokio::select! {
        reply = &mut first => panic!("answered without waiting: {reply:?}"),
        () = until("alice waits", async || places(&app, &redis).await == (1, false)) => {}
    }
    let second = tokio::select! {
        biased;
        reply = &mut first => panic!("it was to wait for longer: {reply:?}"),
        reply = served(&other, &bobs) => reply,
    };
    assert_eq!(
        (second.status, second.retry_after),
        (202, Some(1)),
        "{second:?}"
    );
    let message = publisher.sent.lock().expect("whole")[0].clone();
    store(&app, &message, 0).await;
    assert_eq!(first.await.status, 201);
    assert_eq!(
        places(&app, &redis).await,
        (0, false),
        "the place is given back"
    );
}

#[tokio::test]
async fn no_request_waits_while_orders_are_not_stored() {
    let publisher = Scripted::new([]);
    let long = [("ORDER_WAIT_STALL_MS", "60000")];
    let app = open_with_settings(settings(&long), publisher.clone()).await;
    let hasty = another(&app, &[("ORDER_WAIT_STALL_MS", "3000")]);
    let id = program(&app).await;
    let redis = redis().await;
    let alices = waiting(&id, "alice");
    let bobs = waiting(&id, "bob");
    let carols = waiting(&id, "carol");
    let mut patient = pin!(served(&app, &alices));
    tokio::select! {
        reply = &mut patient => panic!("answered without waiting: {reply:?}"),
        () = until("alice waits", async || places(&app, &redis).await == (1, false)) => {}
    }
    let gave_up = tokio::select! {
        reply = served(&hasty, &bobs) => reply,
        reply = &mut patient => panic!("the one who waits longer ended first: {reply:?}"),
    };
    assert_eq!((gave_up.status, gave_up.retry_after), (202, Some(1)));
    let refused = tokio::select! {
        reply = served(&app, &carols) => reply,
        reply = &mut patient => panic!("it was to be refused at once: {reply:?}"),
    };
    assert_eq!(refused.status, 202);
}
