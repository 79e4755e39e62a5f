//! Following changes, and detecting missed ones.

use redis::pipe;

use super::environment::{Book, TestEnvironment, change, until};

#[tokio::test]
async fn every_instance_receives_a_change() {
    let environment = TestEnvironment::open();
    let book = Book::new(&[(7, 1)]);
    let instances = [
        environment.following(&book).await,
        environment.following(&book).await,
        environment.following(&book).await,
    ];
    for instance in &instances {
        assert_eq!(instance.read(7).await, 1);
    }
    book.commit(7, 2);
    environment.invalidate(change(7, 2)).await;
    for instance in &instances {
        until("it serves the new version", async || {
            instance.read(7).await == 2
        })
        .await;
    }
    // Old changes have no effect.
    let asked = book.reads();
    environment.invalidate(change(7, 1)).await;
    for instance in &instances {
        assert_eq!(instance.read(7).await, 2);
    }
    assert_eq!(book.reads(), asked);
}

/// Adds and removes the entry of a change in one step, so that no reader receives it.
async fn lost(environment: &TestEnvironment, lose: impl FnOnce(&mut redis::Pipeline, &str)) {
    let stream = environment.names.stream(super::environment::EVICTED);
    let mut steps = pipe();
    steps
        .atomic()
        .cmd("XADD")
        .arg(&stream)
        .arg("*")
        .arg("id")
        .arg(7)
        .arg("version")
        .arg(2)
        .ignore();
    lose(&mut steps, &stream);
    let client = redis::Client::open(super::environment::cache_url()).expect("an address");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis runs");
    let () = steps
        .query_async(&mut connection)
        .await
        .expect("Redis runs");
}

async fn after_losing(lose: impl FnOnce(&mut redis::Pipeline, &str)) {
    let environment = TestEnvironment::open();
    let book = Book::new(&[(7, 1), (8, 1)]);
    // Creates the stream.
    environment.invalidate(change(8, 1)).await;
    let instance = environment.following(&book).await;
    assert_eq!((instance.read(7).await, instance.read(8).await), (1, 1));
    book.commit(7, 2);
    environment
        .shared()
        .raise(change(7, 2))
        .await
        .expect("Redis runs");
    lost(&environment, lose).await;
    until("it serves the new version", async || {
        instance.read(7).await == 2
    })
    .await;
    // It receives later changes.
    book.commit(8, 2);
    environment.invalidate(change(8, 2)).await;
    until("it receives changes again", async || {
        instance.read(8).await == 2
    })
    .await;
}

#[tokio::test]
async fn a_deleted_stream_discards_memory() {
    after_losing(|steps, stream| {
        steps.del(stream).ignore();
    })
    .await;
}

#[tokio::test]
async fn a_trimmed_entry_discards_memory() {
    after_losing(|steps, stream| {
        steps.cmd("XTRIM").arg(stream).arg("MAXLEN").arg(0).ignore();
    })
    .await;
}

#[tokio::test]
async fn a_new_stream_discards_memory() {
    after_losing(|steps, stream| {
        steps.del(stream).ignore();
        steps
            .cmd("XADD")
            .arg(stream)
            .arg("*")
            .arg("id")
            .arg(9)
            .arg("version")
            .arg(1)
            .ignore();
    })
    .await;
}

#[tokio::test]
async fn an_invalid_entry_discards_memory() {
    after_losing(|steps, stream| {
        steps.del(stream).ignore();
        steps
            .cmd("XADD")
            .arg(stream)
            .arg("*")
            .arg("what")
            .arg("ever")
            .ignore();
    })
    .await;
    let environment = TestEnvironment::open();
    let book = Book::new(&[(7, 1)]);
    let instance = environment.following(&book).await;
    assert_eq!(instance.read(7).await, 1);
    book.commit(7, 2);
    environment
        .shared()
        .raise(change(7, 2))
        .await
        .expect("Redis runs");
    let stream = environment.names.stream(super::environment::EVICTED);
    let _: String = environment
        .query(&["XADD", &stream, "*", "what", "ever"])
        .await;
    until("it serves the new version", async || {
        instance.read(7).await == 2
    })
    .await;
}

#[tokio::test]
async fn loads_before_the_position_are_not_served() {
    let environment = TestEnvironment::open();
    let book = Book::new(&[(7, 1)]);
    let cache = environment.instance(
        &book,
        shared::cache::ChangeFeed::Follows {
            fresh_for: std::time::Duration::from_secs(20),
        },
    );
    assert_eq!(super::environment::read(&cache, 7).await, 1);
    // The change precedes the position of the follower.
    book.commit(7, 2);
    environment.invalidate(change(7, 2)).await;
    let follower = environment.follow(cache.local());
    until("the follower starts", async || cache.local().is_fresh()).await;
    assert_eq!(super::environment::read(&cache, 7).await, 2);
    follower.abort();
}
