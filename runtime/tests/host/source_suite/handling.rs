//! Promises about items: none is lost, order, failures, drain.

use std::collections::BTreeMap;

use super::case::Case;
use super::items::{Behaviour, Phase};
use super::{Setup, SourceUnderTest};

/// A timeout after which queues deliver what failed soon again.
const SHORT: u32 = 3;

fn short() -> Setup {
    Setup {
        timeout: SHORT,
        ..Setup::default()
    }
}

/// The unit of order of an item.
fn unit(item: &str) -> &str {
    item.rsplit_once('.').unwrap().0
}

pub(super) async fn handled<S: SourceUnderTest>() {
    let case = Case::<S>::up(Setup::default()).await;
    let mut sent = case.send_new(S::MANY).await;
    case.items.eventually(Phase::Done, &sent).await;
    sent.extend(case.send_new(2).await);
    case.items.eventually(Phase::Done, &sent).await;
    case.eventually_lags(0).await;
    case.eventually_empty().await;
    case.items.each_began_once(&sent);
}

pub(super) async fn kill<S: SourceUnderTest>() {
    // one instance: behind the held item, others have not begun
    let mut case = Case::<S>::up(Setup {
        concurrency: Some(1),
        ..short()
    })
    .await;
    let sent = case.source.plan(S::MANY);
    let held = sent[S::MANY / 2].clone();
    case.items.set(&held, Behaviour::Hold);
    case.send(&sent).await;
    let held = [held];
    case.items.eventually(Phase::Started, &held).await;
    case.host.kill();
    let before = case.items.counts(Phase::Started);
    case.host.up().await;
    case.items.remove(&held[0], Behaviour::Hold);
    case.items.eventually(Phase::Done, &sent).await;
    case.eventually_lags(0).await;
    case.eventually_empty().await;
    let after = case.items.counts(Phase::Started);
    assert!(after[&held[0]] > before[&held[0]], "it began again");
    let waited: Vec<String> = sent
        .into_iter()
        .filter(|item| !before.contains_key(item))
        .collect();
    assert!(!waited.is_empty(), "the host was killed amid its work");
    case.items.each_began_once(&waited);
}

pub(super) async fn order<S: SourceUnderTest>() {
    let case = Case::<S>::up(short()).await;
    let sent = case.source.plan(S::MANY);
    case.items.set(&sent[S::MANY / 2], Behaviour::StopOnce);
    case.items.set(&sent[S::MANY / 4 + 1], Behaviour::StopOnce);
    case.send(&sent).await;
    case.items.eventually(Phase::Done, &sent).await;
    let mut expected: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for item in &sent {
        expected.entry(unit(item)).or_default().push(item);
    }
    let done = case.items.all(Phase::Done);
    for (unit_name, expected) in expected {
        // an item may come again, but none overtakes one that is not done
        let mut next = 0;
        for item in done.iter().filter(|item| unit(item) == unit_name) {
            let at = expected.iter().position(|known| *known == item).unwrap();
            assert!(at <= next, "{item} before {}: {done:?}", expected[next]);
            next = next.max(at + 1);
        }
        assert_eq!(next, expected.len(), "{unit_name}");
    }
}

pub(super) async fn partial_failure<S: SourceUnderTest>() {
    let case = Case::<S>::up(short()).await;
    let sent = case.source.plan(S::MANY);
    // of two units, where the source has several
    let failing = [sent[S::MANY / 4 + 1].clone(), sent[S::MANY / 2].clone()];
    for item in &failing {
        case.items.set(item, Behaviour::FailOnce);
    }
    case.send(&sent).await;
    case.items.eventually(Phase::Done, &sent).await;
    case.eventually_empty().await;
    let counts = case.items.counts(Phase::Started);
    for (at, item) in sent.iter().enumerate() {
        let count = counts[item];
        if failing.contains(item) {
            assert_eq!(count, 2, "{item} failed once");
            continue;
        }
        let follows = |failed: &String| {
            unit(failed) == unit(item) && sent.iter().position(|found| found == failed) < Some(at)
        };
        let again = S::REPEATS_UNIT && failing.iter().any(follows);
        assert!(count == 1 || (again && count == 2), "{item}: {count}");
    }
}

pub(super) async fn poison<S: SourceUnderTest>() {
    let attempts = 2;
    let case = Case::<S>::up(Setup {
        attempts: Some(attempts),
        batch: 1,
        ..short()
    })
    .await;
    let mut sent = case.source.plan(S::MANY.min(20));
    case.items.set(&sent[1], Behaviour::Fail);
    case.send(&sent).await;
    let poison = sent.remove(1);
    case.items.eventually(Phase::Done, &sent).await;
    testkit::eventually("it is a dead letter", async || {
        (case.source.dead_letters().await == 1).then_some(())
    })
    .await;
    assert_eq!(
        case.items.count(Phase::Failed, &poison),
        attempts as usize,
        "attempts"
    );
    case.eventually_lags(0).await;
    case.eventually_empty().await;
    case.eventually_well(&case.source.place()).await;
}

pub(super) async fn drain<S: SourceUnderTest>() {
    let mut case = Case::<S>::up(Setup::default()).await;
    let mut sent = case.source.plan(S::MANY);
    let held = sent[S::MANY / 2].clone();
    case.items.set(&held, Behaviour::Hold);
    case.send(&sent).await;
    case.items
        .eventually(Phase::Started, std::slice::from_ref(&held))
        .await;
    case.begin_drain().await;
    case.items.remove(&held, Behaviour::Hold);
    let ended = case.ended().await;
    assert!(ended.success(), "{ended}: {}", case.host.log());
    assert_eq!(case.items.count(Phase::Done, &held), 1, "it was in flight");
    case.host.up().await;
    sent.extend(case.send_new(4.min(S::MANY)).await);
    case.items.eventually(Phase::Done, &sent).await;
    case.eventually_empty().await;
    case.items.each_began_once(&sent);
}
