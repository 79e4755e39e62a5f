//! Promises about settings, limits, lag and other sources.

use serde_json::json;
use testkit::eventually;

use super::case::Case;
use super::items::{Behaviour, Phase};
use super::{Setup, SourceUnderTest};

/// A function with one instance.
fn single() -> Setup {
    Setup {
        concurrency: Some(1),
        ..Setup::default()
    }
}

pub(super) async fn pause<S: SourceUnderTest>() {
    let case = Case::<S>::up(Setup::default()).await;
    let place = case.source.place();
    let before = case.send_new(S::MANY / 2).await;
    case.items.eventually(Phase::Done, &before).await;
    case.host.said(&["set", &place.id, "paused=true"]);
    case.eventually_in(&place, "paused").await;
    assert_eq!(case.host.health().await.0, 200, "an operator paused it");
    eventually("nothing more can come", async || {
        S::is_still(&case.entry(&place).await).then_some(())
    })
    .await;
    let later = case.send_new(S::MANY / 2).await;
    case.eventually_lags(later.len()).await;
    assert_eq!(case.items.all(Phase::Started).len(), before.len());
    case.host.said(&["set", &place.id, "paused=false"]);
    case.items.eventually(Phase::Done, &later).await;
    case.eventually_empty().await;
    case.eventually_well(&place).await;
    case.items.each_began_once(&[before, later].concat());
    let changes = case.host.said(&["settings"]);
    for change in ["false -> true", "true -> false"] {
        let change = format!("{} paused: {change}", place.id);
        assert!(changes.contains(&change), "{change}: {changes}");
    }
}

pub(super) async fn setting<S: SourceUnderTest>() {
    let case = Case::<S>::up(Setup {
        batch: 1,
        ..single()
    })
    .await;
    let sent = case.source.plan(2);
    for item in &sent {
        case.items.set(item, Behaviour::Hold);
    }
    case.send(&sent).await;
    let begun = || {
        let begun = |item: &&String| case.items.count(Phase::Started, item) > 0;
        sent.iter().filter(begun).count()
    };
    eventually("one item is at the function", async || {
        (begun() == 1).then_some(())
    })
    .await;
    case.eventually_lags(sent.len()).await;
    assert_eq!(begun(), 1, "one at a time");
    case.host.said(&["set", "Worker", "concurrency=2"]);
    eventually("both are at the function", async || {
        (begun() == 2).then_some(())
    })
    .await;
    for item in &sent {
        case.items.remove(item, Behaviour::Hold);
    }
    case.items.eventually(Phase::Done, &sent).await;
    case.eventually_empty().await;
}

pub(super) async fn lag<S: SourceUnderTest>() {
    let case = Case::<S>::up(single()).await;
    let sent = case.source.plan(S::MANY.min(8));
    case.items.set(case.source.name(), Behaviour::Hold);
    case.send(&sent).await;
    case.eventually_lags(sent.len()).await;
    assert!(!case.items.have(Phase::Done, &sent[..1]), "it is held");
    case.items.remove(case.source.name(), Behaviour::Hold);
    case.items.eventually(Phase::Done, &sent).await;
    case.eventually_lags(0).await;
}

pub(super) async fn throttle<S: SourceUnderTest>() {
    let case = Case::<S>::up(Setup {
        attempts: Some(1),
        ..single()
    })
    .await;
    let occupant = "occupant-0.1".to_owned();
    case.items.set(&occupant, Behaviour::Hold);
    let call = reqwest::Client::new()
        .post(case.host.function("Worker"))
        .body(json!({ "item": occupant }).to_string());
    let call = tokio::spawn(call.send());
    let occupant = [occupant];
    case.items.eventually(Phase::Started, &occupant).await;
    let sent = case.send_new(S::MANY.min(8)).await;
    case.eventually_lags(sent.len()).await;
    assert_eq!(case.items.all(Phase::Started), occupant, "it is busy");
    case.items.remove(&occupant[0], Behaviour::Hold);
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    case.items.eventually(Phase::Done, &sent).await;
    case.eventually_lags(0).await;
    case.eventually_empty().await;
    assert_eq!(case.source.dead_letters().await, 0);
    case.items.each_began_once(&sent);
}

async fn fail_one<S: SourceUnderTest>(case: &Case<S>) {
    let one = case.send_new(1).await;
    case.items.eventually(Phase::Failed, &one).await;
}

pub(super) async fn neighbour<S: SourceUnderTest>() {
    let case = Case::<S>::with_neighbour(Setup::default()).await;
    let (failing, well) = (case.source.place(), case.other().place());
    case.items.set(case.source.name(), Behaviour::Fail);
    for _ in 0..3 {
        fail_one(&case).await;
    }
    let is_failing = async || {
        let entry = case.entry(&failing).await;
        let is_failing = entry["health"]["state"] == "failing";
        let given_up = S::GIVES_UP && S::lag(&entry) == Some(0);
        (is_failing || given_up).then_some(is_failing)
    };
    while !eventually("it is failing, or has given up all", is_failing).await {
        fail_one(&case).await;
    }
    let reason = case.eventually_named(&failing, "failing").await;
    assert!(!reason.is_empty());
    let sent = case.other().plan(S::MANY);
    case.other().send(&case.host, &sent).await;
    case.items.eventually(Phase::Done, &sent).await;
    assert_eq!(case.entry(&well).await["health"]["state"], "ok");
    let error = &case.entry(&failing).await["health"]["last_error"]["error"];
    assert!(error.is_string(), "{error}");
}
