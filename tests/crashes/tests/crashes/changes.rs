//! A program change on its way to every instance, with each process on the way killed at each
//! await.

use std::time::{Duration, SystemTime};

use lambda_batch::SqsBatch;
use serde_json::json;
use shared::cache::{PutResult, SharedLookup};
use shared::message::{ProgramChanged, ProgramVersion};

use crate::dying::{at_waits, killed_after, whole};
use crate::environment::{TestEnvironment, call, tick, with};

const EVERY: usize = 100;

/// The end of an invocation that is not near.
fn deadline() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

/// A message as stream-bridge sends it.
fn delivered(env: &TestEnvironment, version: i64) -> SqsBatch {
    let fields = json!({ "id": env.program.id.to_string(), "version": version.to_string() });
    let body =
        json!({ "stream": "program-changed", "id": format!("{version}-0"), "fields": fields })
            .to_string();
    let record =
        json!({ "messageId": "m", "body": body, "eventSource": "aws:sqs", "attributes": {} });
    serde_json::from_value(json!({ "Records": [record] })).expect("an event")
}

#[tokio::test]
async fn a_storefront_may_die_around_a_change() {
    with(async |env| {
        let round = async |waits| {
            let before = env.committed().await.version.get();
            let body = json!({ "version": before, "title": format!("after {waits} waits") });
            let path = format!("/programs/{}", env.program.id);
            let answer = killed_after(
                waits,
                env.storefront()
                    .serve(&call("PATCH", &path, "promoter", &body)),
            )
            .await;
            if let Some(answer) = &answer {
                assert_eq!(
                    answer.as_ref().map(|reply| reply.body["version"].clone()),
                    Ok(json!(before + 1))
                );
            }
            // The change is committed if and only if it is visible.
            let after = env.committed().await;
            assert_eq!(
                after.version.get() > before,
                after.title == format!("after {waits} waits")
            );
            env.abandon_changes().await;
            tick(&env.closer()).await;
            assert!(
                env.announced("program-changed")
                    .await
                    .contains(&after.version.get()),
                "version {} is lost",
                after.version
            );
            assert_eq!(
                env.app.store.unpublished(10).await.expect("Postgres runs"),
                []
            );
            whole(answer)
        };
        let killed = at_waits(EVERY, round).await;
        assert!(killed > 3, "killed {killed} times only");
    })
    .await;
}

#[tokio::test]
async fn the_invalidator_may_die_between_any_steps() {
    with(async |env| {
        let cache = env.app.programs.shared();
        let id = env.program.id;
        let mut version = 100;
        let round = async |waits| {
            version += 1;
            // A reader has cached the previous version.
            let Ok(SharedLookup::Miss(lease)) = cache.get(id, rand::random()).await else {
                panic!("the cache is empty before each round")
            };
            let mut old = env.program.clone();
            old.version = ProgramVersion::new(version - 1).expect("valid");
            let ttl = std::time::Duration::from_secs(60);
            assert_eq!(
                cache.put(id, &lease, Some(&old), ttl).await,
                Ok(PutResult::Stored)
            );

            let batch = delivered(env, version);
            let ended = killed_after(waits, async {
                env.invalidator().handle(&batch, deadline()).await
            })
            .await;
            if ended.is_none() {
                // The message is not acknowledged, so it is delivered again.
                assert!(
                    env.invalidator()
                        .handle(&batch, deadline())
                        .await
                        .is_empty()
                );
            }
            assert!(
                matches!(
                    cache.get(id, rand::random()).await,
                    Ok(SharedLookup::Miss(_))
                ),
                "the old body is served"
            );
            assert_eq!(
                cache.put(id, &lease, Some(&old), ttl).await,
                Ok(PutResult::Old)
            );
            assert!(
                env.announced("program-evicted").await.contains(&version),
                "version {version} is not announced to the instances"
            );
            whole(ended)
        };
        let killed = at_waits(EVERY, round).await;
        assert!(killed >= 2, "killed {killed} times only");
        let change = ProgramChanged {
            id,
            version: ProgramVersion::FIRST,
        };
        assert!(!cache.raise(change).await.expect("Redis runs").rose);
    })
    .await;
}
