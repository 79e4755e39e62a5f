//! Reading a program through the caches.

use std::time::Duration;

use shared::cache::{ChangeFeed, SharedLookup};
use shared::message::ProgramChanged;

use super::environment::{Book, TestEnvironment, change, id, program, read, until};

/// Without a running follower, memory is not served.
const NOT_YET: ChangeFeed = ChangeFeed::Follows {
    fresh_for: Duration::from_secs(20),
};

#[tokio::test]
async fn concurrent_misses_share_one_load() {
    let environment = TestEnvironment::open();
    let book = Book::new(&[(7, 1)]);
    let instance = environment.following(&book).await;
    book.hold();
    let readers: Vec<_> = (0..50)
        .map(|_| {
            let cache = instance.cache.clone();
            tokio::spawn(async move { read(&cache, 7).await })
        })
        .collect();
    book.held(1).await;
    book.release();
    for reader in readers {
        assert_eq!(reader.await.expect("reads"), 1);
    }
    assert_eq!(instance.read(7).await, 1);
    assert_eq!(book.reads(), 1);
    // Other instances find it in the shared cache.
    assert_eq!(read(&environment.instance(&book, NOT_YET), 7).await, 1);
    assert_eq!(book.reads(), 1);
}

#[tokio::test]
async fn a_read_after_a_change_gets_a_new_load() {
    let environment = TestEnvironment::open();
    let book = Book::new(&[(7, 1)]);
    // Memory is not served; only the time of the request decides.
    let cache = environment.instance(&book, NOT_YET);
    book.hold();
    let early = tokio::spawn({
        let cache = cache.clone();
        async move { read(&cache, 7).await }
    });
    book.held(1).await;
    book.commit(7, 2);
    environment
        .shared()
        .raise(change(7, 2))
        .await
        .expect("Redis runs");
    let late = tokio::spawn({
        let cache = cache.clone();
        async move { read(&cache, 7).await }
    });
    tokio::task::yield_now().await;
    book.release();
    assert_eq!(late.await.expect("reads"), 2);
    assert!(early.await.expect("reads") >= 1);
    assert_eq!(read(&cache, 7).await, 2);
}

#[tokio::test]
async fn a_load_before_a_change_is_not_stored() {
    let environment = TestEnvironment::open();
    let book = Book::new(&[(7, 1), (8, 1)]);
    let instance = environment.following(&book).await;
    assert_eq!(instance.read(8).await, 1);
    book.hold();
    let old_reader = tokio::spawn({
        let cache = instance.cache.clone();
        async move { read(&cache, 7).await }
    });
    // It has read version 1 and is blocked before it stores it.
    book.held(1).await;
    book.commit(7, 2);
    environment.invalidate(change(7, 2)).await;
    // Changes arrive in order: after this one, the other has arrived.
    book.commit(8, 2);
    book.release();
    environment.invalidate(change(8, 2)).await;
    until("the changes arrive", async || instance.read(8).await == 2).await;
    old_reader.await.expect("reads");
    assert_eq!(instance.read(7).await, 2);
    let kept = environment.shared().get(id(7), 1).await;
    assert!(
        !matches!(&kept, Ok(SharedLookup::Hit(Some(found))) if found.version.get() < 2),
        "{kept:?}"
    );
}

#[tokio::test]
async fn a_change_during_a_load_repeats_it() {
    let environment = TestEnvironment::open();
    let book = Book::new(&[(7, 1)]);
    let instance = environment.following(&book).await;
    book.hold();
    let reader = tokio::spawn({
        let cache = instance.cache.clone();
        async move { read(&cache, 7).await }
    });
    book.held(1).await;
    book.commit(7, 2);
    // This process made the change.
    instance
        .cache
        .changed(ProgramChanged {
            id: id(7),
            version: program(7, 2).version,
        })
        .await;
    book.release();
    assert_eq!(
        reader.await.expect("reads"),
        2,
        "an instance with version 2 never returns version 1"
    );
}

#[tokio::test]
async fn an_absent_program_is_cached_until_it_exists() {
    let environment = TestEnvironment::open();
    let book = Book::new(&[]);
    let instance = environment.following(&book).await;
    assert_eq!(
        (instance.read(7).await, instance.read(7).await, book.reads()),
        (0, 0, 1)
    );
    book.commit(7, 1);
    environment.invalidate(change(7, 1)).await;
    until("it exists", async || instance.read(7).await == 1).await;
}

#[tokio::test]
async fn an_error_of_the_source_is_not_cached() {
    let environment = TestEnvironment::open();
    let book = Book::new(&[(7, -1)]);
    let instance = environment.following(&book).await;
    assert_eq!(
        instance.cache.find(id(7)).await.map(|_| ()),
        Err("the source cannot be read".to_owned())
    );
    book.commit(7, 1);
    assert_eq!(instance.read(7).await, 1);
}

#[tokio::test]
async fn find_committed_reads_past_the_caches() {
    let environment = TestEnvironment::open();
    let book = Book::new(&[(7, 1)]);
    let instance = environment.following(&book).await;
    assert_eq!(instance.read(7).await, 1);
    book.commit(7, 2);
    let found = instance
        .cache
        .find_committed(id(7))
        .await
        .expect("read")
        .expect("there");
    assert_eq!(found.version.get(), 2);
    // Nor does this instance serve the older one after that.
    assert_eq!(instance.read(7).await, 2);
}

#[tokio::test]
async fn one_that_hears_nothing_serves_from_memory_for_its_short_time_only() {
    let environment = TestEnvironment::open();
    let book = Book::new(&[(7, 1)]);
    let keep = shared::cache::Retention {
        entries: 10,
        ttl: Duration::from_millis(300),
        shared_ttl: Duration::from_secs(60),
        absent_ttl: Duration::from_secs(1),
    };
    let cache = shared::cache::ProgramCache::new(
        book.clone(),
        environment.shared(),
        ChangeFeed::Unavailable,
        keep,
    );
    assert_eq!(read(&cache, 7).await, 1);
    book.commit(7, 2);
    environment
        .shared()
        .raise(change(7, 2))
        .await
        .expect("Redis runs");
    until("its time is over", async || read(&cache, 7).await == 2).await;
}
