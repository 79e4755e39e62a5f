//! The way a program is read: who loads, who waits, who is given what.

use std::time::Duration;

use shared::cache::{ChangeFeed, SharedLookup};
use shared::message::ProgramChanged;

use super::stage::{Book, Stage, change, id, program, read, until};

/// One that follows in name only: nobody reads for it, so nothing is served from memory.
const NOT_YET: ChangeFeed = ChangeFeed::Follows {
    fresh_for: Duration::from_secs(20),
};

#[tokio::test]
async fn many_who_miss_at_once_share_one_loading_and_later_ones_need_none() {
    let stage = Stage::open();
    let book = Book::new(&[(7, 1)]);
    let instance = stage.following(&book).await;
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
    assert_eq!(book.asked(), 1);
    // And others find it in the shared cache.
    assert_eq!(read(&stage.instance(&book, NOT_YET), 7).await, 1);
    assert_eq!(book.asked(), 1);
}

#[tokio::test]
async fn who_asks_after_a_change_is_not_given_a_loading_that_began_before_it() {
    let stage = Stage::open();
    let book = Book::new(&[(7, 1)]);
    // Memory is not served, so nothing but the asking orders the two.
    let cache = stage.instance(&book, NOT_YET);
    book.hold();
    let early = tokio::spawn({
        let cache = cache.clone();
        async move { read(&cache, 7).await }
    });
    book.held(1).await;
    book.commit(7, 2);
    stage
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
async fn a_reader_that_loaded_before_a_change_puts_nothing_back_anywhere() {
    let stage = Stage::open();
    let book = Book::new(&[(7, 1), (8, 1)]);
    let instance = stage.following(&book).await;
    assert_eq!(instance.read(8).await, 1);
    book.hold();
    let old_reader = tokio::spawn({
        let cache = instance.cache.clone();
        async move { read(&cache, 7).await }
    });
    // It has read version 1 and is held up before it can keep it.
    book.held(1).await;
    book.commit(7, 2);
    stage.invalidate(change(7, 2)).await;
    // News come in order: once this one has arrived, so has that.
    book.commit(8, 2);
    book.release();
    stage.invalidate(change(8, 2)).await;
    until("the news arrive", async || instance.read(8).await == 2).await;
    old_reader.await.expect("reads");
    assert_eq!(instance.read(7).await, 2);
    let kept = stage.shared().get(id(7), 1).await;
    assert!(
        !matches!(&kept, Ok(SharedLookup::Hit(Some(found))) if found.version.get() < 2),
        "{kept:?}"
    );
}

#[tokio::test]
async fn news_that_overtake_a_loading_make_it_load_again() {
    let stage = Stage::open();
    let book = Book::new(&[(7, 1)]);
    let instance = stage.following(&book).await;
    book.hold();
    let reader = tokio::spawn({
        let cache = instance.cache.clone();
        async move { read(&cache, 7).await }
    });
    book.held(1).await;
    book.commit(7, 2);
    // This process made the change itself.
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
        "an instance that knows of version 2 never answers with 1"
    );
}

#[tokio::test]
async fn what_does_not_exist_is_remembered_until_it_does() {
    let stage = Stage::open();
    let book = Book::new(&[]);
    let instance = stage.following(&book).await;
    assert_eq!(
        (instance.read(7).await, instance.read(7).await, book.asked()),
        (0, 0, 1)
    );
    book.commit(7, 1);
    stage.invalidate(change(7, 1)).await;
    until("it exists", async || instance.read(7).await == 1).await;
}

#[tokio::test]
async fn an_error_of_the_truth_is_told_and_not_kept() {
    let stage = Stage::open();
    let book = Book::new(&[(7, -1)]);
    let instance = stage.following(&book).await;
    assert_eq!(
        instance.cache.find(id(7)).await.map(|_| ()),
        Err("the book cannot be read".to_owned())
    );
    book.commit(7, 1);
    assert_eq!(instance.read(7).await, 1);
}

#[tokio::test]
async fn who_was_shown_a_newer_version_than_the_caches_have_gets_the_truth() {
    let stage = Stage::open();
    let book = Book::new(&[(7, 1)]);
    let instance = stage.following(&book).await;
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
    let stage = Stage::open();
    let book = Book::new(&[(7, 1)]);
    let keep = shared::cache::Retention {
        entries: 10,
        ttl: Duration::from_millis(300),
        shared_ttl: Duration::from_secs(60),
        absent_ttl: Duration::from_secs(1),
    };
    let cache = shared::cache::ProgramCache::new(
        book.clone(),
        stage.shared(),
        ChangeFeed::Unavailable,
        keep,
    );
    assert_eq!(read(&cache, 7).await, 1);
    book.commit(7, 2);
    stage
        .shared()
        .raise(change(7, 2))
        .await
        .expect("Redis runs");
    until("its time is over", async || read(&cache, 7).await == 2).await;
}
