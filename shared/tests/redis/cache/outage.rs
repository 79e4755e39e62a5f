//! Without the cache Redis, programs are read from their source.

use std::time::Duration;

use shared::cache::ChangeFeed;

use super::environment::{Book, TestEnvironment, change, read, until};
use testkit::redis::PrivateRedis;

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_outage_reads_the_source_until_it_ends() {
    let mut server = PrivateRedis::start(&[]);
    let environment = TestEnvironment::at(&server.url(), Duration::from_millis(300));
    let book = Book::new(&[(7, 1)]);
    let instance = environment.following(&book).await;
    assert_eq!(instance.read(7).await, 1);
    server.kill();
    book.commit(7, 2);
    until("the outage is detected", async || {
        instance.read(7).await == 2
    })
    .await;
    for next in 3..=20 {
        book.commit(7, next);
        assert_eq!(instance.read(7).await, next);
    }
    tokio::task::block_in_place(|| server.start_again());
    until("changes are received again", async || {
        instance.cache.local().is_fresh()
    })
    .await;
    assert_eq!(instance.read(7).await, 20);
    let asked = book.reads();
    until("memory serves again", async || {
        let before = book.reads();
        instance.read(7).await == 20 && book.reads() == before
    })
    .await;
    assert!(book.reads() >= asked);
    book.commit(7, 21);
    environment.invalidate(change(7, 21)).await;
    until("the new version is served", async || {
        instance.read(7).await == 21
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_redis_that_starts_late_is_used() {
    let mut server = PrivateRedis::start(&[]);
    server.kill();
    let environment = TestEnvironment::at(&server.url(), Duration::from_millis(300));
    let book = Book::new(&[(7, 1)]);
    let cache = environment.instance(
        &book,
        ChangeFeed::Follows {
            fresh_for: Duration::from_secs(20),
        },
    );
    let follower = environment.follow(cache.local());
    for at in 1..=3 {
        book.commit(7, at);
        assert_eq!(read(&cache, 7).await, at);
    }
    tokio::task::block_in_place(|| server.start_again());
    until("the follower starts", async || cache.local().is_fresh()).await;
    follower.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn concurrent_reads_of_an_outage_share_a_load() {
    let mut server = PrivateRedis::start(&[]);
    server.kill();
    let environment = TestEnvironment::at(&server.url(), Duration::from_millis(300));
    let book = Book::new(&[(7, 1)]);
    let cache = environment.instance(
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
    assert!(book.reads() <= 2, "read {} times", book.reads());
}
