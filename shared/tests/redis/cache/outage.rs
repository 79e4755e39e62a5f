//! The cache Redis away: programs are read from the truth, never stale, never an error for that.

use std::time::Duration;

use shared::cache::ChangeFeed;

use super::stage::{Book, Stage, change, read, until};
use crate::private::Private;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_its_redis_every_read_is_the_truth_of_then_and_afterwards_memory_serves_again() {
    let mut server = Private::start(&[]);
    let stage = Stage::at(&server.url(), Duration::from_millis(300));
    let book = Book::new(&[(7, 1)]);
    let instance = stage.following(&book).await;
    assert_eq!(instance.read(7).await, 1);
    server.kill();
    book.commit(7, 2);
    until("the outage is noticed", async || {
        instance.read(7).await == 2
    })
    .await;
    for next in 3..=20 {
        book.commit(7, next);
        assert_eq!(instance.read(7).await, next);
    }
    tokio::task::block_in_place(|| server.start_again());
    until("it is heard again", async || {
        instance.cache.local().is_fresh()
    })
    .await;
    assert_eq!(instance.read(7).await, 20);
    let asked = book.asked();
    until("memory serves again", async || {
        let before = book.asked();
        instance.read(7).await == 20 && book.asked() == before
    })
    .await;
    assert!(book.asked() >= asked);
    book.commit(7, 21);
    stage.invalidate(change(7, 21)).await;
    until("the new version is served", async || {
        instance.read(7).await == 21
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_redis_that_was_never_there_is_no_error_and_is_used_once_it_comes() {
    let mut server = Private::start(&[]);
    server.kill();
    let stage = Stage::at(&server.url(), Duration::from_millis(300));
    let book = Book::new(&[(7, 1)]);
    let cache = stage.instance(
        &book,
        ChangeFeed::Follows {
            fresh_for: Duration::from_secs(20),
        },
    );
    let follower = stage.follow(cache.local());
    for at in 1..=3 {
        book.commit(7, at);
        assert_eq!(read(&cache, 7).await, at);
    }
    tokio::task::block_in_place(|| server.start_again());
    until("the follower begins", async || cache.local().is_fresh()).await;
    follower.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn many_who_ask_at_once_during_an_outage_ask_the_truth_together() {
    let mut server = Private::start(&[]);
    server.kill();
    let stage = Stage::at(&server.url(), Duration::from_millis(300));
    let book = Book::new(&[(7, 1)]);
    let cache = stage.instance(
        &book,
        ChangeFeed::Follows {
            fresh_for: Duration::from_secs(20),
        },
    );
    book.hold();
    let readers: Vec<_> = (0..50)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { read(&cache, 7).await })
        })
        .collect();
    book.held(1).await;
    book.release();
    for reader in readers {
        assert_eq!(reader.await.expect("reads"), 1);
    }
    assert!(book.asked() <= 2, "asked {} times", book.asked());
}
