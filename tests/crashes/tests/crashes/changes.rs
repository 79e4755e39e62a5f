//! A change of a program on its way to every instance, with whoever carries it killed at each wait.

use lambda_batch::SqsBatch;
use serde_json::json;
use shared::cache::{PutResult, SharedLookup};
use shared::message::{ProgramChanged, ProgramVersion};

use crate::dying::{at_waits, killed_after, whole};
use crate::world::{World, call, tick, with};

const EVERY: usize = 100;

/// A message as the bridge sends it.
fn delivered(world: &World, version: i64) -> SqsBatch {
    let fields = json!({ "id": world.program.id.to_string(), "version": version.to_string() });
    let body =
        json!({ "stream": "program-changed", "id": format!("{version}-0"), "fields": fields })
            .to_string();
    let record =
        json!({ "messageId": "m", "body": body, "eventSource": "aws:sqs", "attributes": {} });
    serde_json::from_value(json!({ "Records": [record] })).expect("an event")
}

#[tokio::test]
async fn a_storefront_may_die_around_a_change() {
    with(async |world| {
        let round = async |waits| {
            let before = world.committed().await.version.get();
            let body = json!({ "version": before, "title": format!("after {waits} waits") });
            let path = format!("/programs/{}", world.program.id);
            let answer = killed_after(
                waits,
                world
                    .storefront()
                    .serve(&call("PATCH", &path, "promoter", &body)),
            )
            .await;
            if let Some(answer) = &answer {
                assert_eq!(
                    answer.as_ref().map(|reply| reply.body["version"].clone()),
                    Ok(json!(before + 1))
                );
            }
            // Committed or not is the same as changed or not: nothing in between.
            let after = world.committed().await;
            assert_eq!(
                after.version.get() > before,
                after.title == format!("after {waits} waits")
            );
            world.abandon_changes().await;
            tick(&world.closer()).await;
            assert!(
                world
                    .told("program-changed")
                    .await
                    .contains(&after.version.get()),
                "version {} is lost",
                after.version
            );
            assert_eq!(
                world
                    .app
                    .store
                    .unpublished(10)
                    .await
                    .expect("Postgres runs"),
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
    with(async |world| {
        let cache = world.app.programs.shared();
        let id = world.program.id;
        let mut version = 100;
        let round = async |waits| {
            version += 1;
            // Somebody has read the version before.
            let Ok(SharedLookup::Miss(lease)) = cache.get(id, rand::random()).await else {
                panic!("dropped each time before")
            };
            let mut old = world.program.clone();
            old.version = ProgramVersion::new(version - 1).expect("valid");
            let ttl = std::time::Duration::from_secs(60);
            assert_eq!(
                cache.put(id, &lease, Some(&old), ttl).await,
                Ok(PutResult::Stored)
            );

            let batch = delivered(world, version);
            let ended =
                killed_after(waits, async { world.invalidator().handle(&batch).await }).await;
            if ended.is_none() {
                // Not acknowledged, so delivered again.
                assert!(world.invalidator().handle(&batch).await.is_empty());
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
                world.told("program-evicted").await.contains(&version),
                "no instance hears of version {version}"
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
