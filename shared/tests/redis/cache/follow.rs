//! Following changes, and detecting missed ones.

use redis::pipe;

use super::stage::{Book, Stage, change, until};

#[tokio::test]
async fn every_instance_hears_of_a_change_and_serves_the_new_version() {
    let stage = Stage::open();
    let book = Book::new(&[(7, 1)]);
    let instances = [
        stage.following(&book).await,
        stage.following(&book).await,
        stage.following(&book).await,
    ];
    for instance in &instances {
        assert_eq!(instance.read(7).await, 1);
    }
    book.commit(7, 2);
    stage.invalidate(change(7, 2)).await;
    for instance in &instances {
        until("it serves the new version", async || {
            instance.read(7).await == 2
        })
        .await;
    }
    // News of the past change nothing.
    let asked = book.asked();
    stage.invalidate(change(7, 1)).await;
    for instance in &instances {
        assert_eq!(instance.read(7).await, 2);
    }
    assert_eq!(book.asked(), asked);
}

/// Word of a change is added and lost in one step, so that no reader can have seen it.
async fn lost(stage: &Stage, lose: impl FnOnce(&mut redis::Pipeline, &str)) {
    let stream = stage.names.stream(super::stage::EVICTED);
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
    let client = redis::Client::open(super::stage::cache_url()).expect("an address");
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
    let stage = Stage::open();
    let book = Book::new(&[(7, 1), (8, 1)]);
    // So that there is a stream.
    stage.invalidate(change(8, 1)).await;
    let instance = stage.following(&book).await;
    assert_eq!((instance.read(7).await, instance.read(8).await), (1, 1));
    book.commit(7, 2);
    stage
        .shared()
        .raise(change(7, 2))
        .await
        .expect("Redis runs");
    lost(&stage, lose).await;
    until("it serves the new version", async || {
        instance.read(7).await == 2
    })
    .await;
    // And it hears what comes next.
    book.commit(8, 2);
    stage.invalidate(change(8, 2)).await;
    until("it hears again", async || instance.read(8).await == 2).await;
}

#[tokio::test]
async fn after_the_stream_was_deleted_nothing_from_before_is_served() {
    after_losing(|steps, stream| {
        steps.del(stream).ignore();
    })
    .await;
}

#[tokio::test]
async fn after_an_entry_was_trimmed_away_unheard_nothing_from_before_is_served() {
    after_losing(|steps, stream| {
        steps.cmd("XTRIM").arg(stream).arg("MAXLEN").arg(0).ignore();
    })
    .await;
}

#[tokio::test]
async fn after_the_stream_was_made_anew_nothing_from_before_is_served() {
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
async fn an_entry_that_cannot_be_read_may_be_about_any_program() {
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
    let stage = Stage::open();
    let book = Book::new(&[(7, 1)]);
    let instance = stage.following(&book).await;
    assert_eq!(instance.read(7).await, 1);
    book.commit(7, 2);
    stage
        .shared()
        .raise(change(7, 2))
        .await
        .expect("Redis runs");
    let stream = stage.names.stream(super::stage::EVICTED);
    let _: String = stage.ask(&["XADD", &stream, "*", "what", "ever"]).await;
    until("it serves the new version", async || {
        instance.read(7).await == 2
    })
    .await;
}

#[tokio::test]
async fn nothing_loaded_before_the_position_was_fixed_is_served_after_it() {
    let stage = Stage::open();
    let book = Book::new(&[(7, 1)]);
    let cache = stage.instance(
        &book,
        shared::cache::ChangeFeed::Follows {
            fresh_for: std::time::Duration::from_secs(20),
        },
    );
    assert_eq!(super::stage::read(&cache, 7).await, 1);
    // It changes before anybody follows: the news are in nobody's future.
    book.commit(7, 2);
    stage.invalidate(change(7, 2)).await;
    let follower = stage.follow(cache.local());
    until("the follower begins", async || cache.local().is_fresh()).await;
    assert_eq!(super::stage::read(&cache, 7).await, 2);
    follower.abort();
}
