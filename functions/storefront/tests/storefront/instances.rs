//! Several instances: cached programs and the identity in answers.

use crate::changes::{patch, shown};
use crate::support::{Scripted, another, call, open_with, program, two};
use serde_json::json;
use shared::message::{ProgramChanged, ProgramId};
use storefront::http::HttpEvent;
use testkit::until;

#[tokio::test]
async fn a_following_instance_serves_an_announced_change() {
    let app = open_with(Scripted::new([])).await;
    let id = program(&app).await;
    let follows = [
        ("PROGRAM_CACHE_READER", "true"),
        ("PROGRAM_CACHE_TTL_MS", "3600000"),
    ];
    let follower = another(&app, &follows);
    until("the follower is fresh", async || {
        follower.programs.local().is_fresh()
    })
    .await;
    assert_eq!(shown(&follower, &id).await["version"], json!(1));
    patch(&app, &id, json!({"version": 1, "title": "U"}))
        .await
        .expect("changed");
    // As the invalidator does at the end of the way.
    let streams = &app.settings.cache.streams;
    let evicted =
        streams.evicted_announcer(streams.link().expect("an address"), &app.settings.names);
    let program: ProgramId = id.parse().expect("an id");
    let version = shared::message::ProgramVersion::new(2).expect("valid");
    evicted
        .announce(
            ProgramChanged {
                id: program,
                version,
            },
            None,
        )
        .await
        .expect("Redis runs");
    until("it serves the change", async || {
        shown(&follower, &id).await["version"] == json!(2)
    })
    .await;
}

#[tokio::test]
async fn every_answer_names_its_instance() {
    let app = open_with(Scripted::new([])).await;
    let other = another(&app, &[]);
    assert_ne!(app.instance, other.instance);
    for path in ["/programs/1", "/nowhere"] {
        let event = HttpEvent {
            call: call("GET", path, None, None),
            ..HttpEvent::default()
        };
        let answer = app.answer(event).await;
        assert_eq!(
            answer.header(storefront::INSTANCE_HEADER),
            Some(app.instance.as_str())
        );
    }
}

#[tokio::test]
async fn programs_work_without_the_cache_redis() {
    let nowhere = testkit::net::free_address().port();
    let real = open_with(Scripted::new([])).await;
    let app = another(
        &real,
        &[
            ("REDIS_CACHE_URL", &format!("redis://127.0.0.1:{nowhere}")),
            ("PROGRAM_CACHE_READER", "true"),
        ],
    );
    let id = program(&app).await;
    for version in 1..=3 {
        assert_eq!(shown(&app, &id).await["version"], json!(version));
        patch(
            &app,
            &id,
            json!({"version": version, "title": format!("after {version}")}),
        )
        .await
        .expect("changed");
    }
    app.serve(&two(&id, "alice")).await.expect("accepted");
    // None of it reached the stream; all of it waits in the outbox.
    crate::support::run(
        &app,
        "UPDATE outbox SET created_at = created_at - interval '1 minute'",
    )
    .await;
    assert_eq!(
        app.store
            .unpublished(10)
            .await
            .expect("Postgres runs")
            .len(),
        4
    );
}
