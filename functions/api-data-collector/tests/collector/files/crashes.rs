//! A process is killed at each request to the object store in turn, before or after the request; the
//! next process completes what it left.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use api_data_collector::files::{self, FileStore};
use shared::access::Access;
use testkit::until;

use super::dying::{Dying, End};
use super::environment::{FileEnvironment, Records, with};

/// The work of a collector on a topic of its own: batches, one of them twice and one in other
/// bounds, and upkeep after each. Work that was killed or failed is repeated, as the event source and
/// the next interval do.
async fn work(env: &FileEnvironment, topic: &str, dying: &Dying) {
    let files = env.files_in(Arc::new(dying.clone()));
    let batches: [(i32, Range<i64>); 4] = [(0, 0..8), (1, 0..5), (0, 8..12), (0, 6..20)];
    for (partition, offsets) in batches {
        let batch = [Records::new(topic, partition, offsets.clone())];
        loop {
            let collected = dying.process(env.collect_with(&files, &batch)).await;
            if collected.is_some_and(|collected| collected.unfinished.is_none()) {
                break;
            }
        }
        upkeep(env, dying, &files).await;
    }
    upkeep(env, dying, &files).await;
}

async fn upkeep(env: &FileEnvironment, dying: &Dying, files: &FileStore) {
    loop {
        let run = files::run(&env.store, files, &env.settings);
        match dying.process(run).await {
            Some(Ok(upkeep)) if !upkeep.more => return,
            Some(Ok(_)) | None => {}
            Some(Err(error)) => assert!(dying.ended(), "{error}"),
        }
    }
}

async fn each_request(env: &mut FileEnvironment, end: End) {
    let objects = env.settings.open(&Access::default()).expect("a folder");
    let keep = env.settings.keep;
    let mut requests = 0;
    loop {
        let dying = Dying::new(objects.clone(), end, requests);
        work(env, &format!("t{requests}"), &dying).await;
        assert_eq!(env.check().await, 4, "{end:?} at request {requests}");
        let calls = env.number("SELECT count(*) FROM api_calls").await;
        assert_eq!(calls, 25 * (requests as i64 + 1));
        // Whatever is left disappears with its hour.
        env.settings.keep = Duration::ZERO;
        until("no object is left", async || {
            env.upkeep().await.is_ok() && env.objects().is_empty()
        })
        .await;
        env.settings.keep = keep;
        if !dying.ended() {
            break;
        }
        requests += 1;
    }
    assert!(requests > 20, "only {requests} requests");
}

#[tokio::test]
async fn a_kill_before_any_request_loses_and_doubles_nothing() {
    with(|mut env| async move { each_request(&mut env, End::KilledBefore).await }).await;
}

#[tokio::test]
async fn a_kill_after_any_request_loses_and_doubles_nothing() {
    with(|mut env| async move { each_request(&mut env, End::KilledAfter).await }).await;
}

#[tokio::test]
async fn a_lost_answer_to_any_request_loses_and_doubles_nothing() {
    with(|mut env| async move { each_request(&mut env, End::AnswerLost).await }).await;
}
