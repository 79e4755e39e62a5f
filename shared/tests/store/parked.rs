//! Parked records: listed, replayed, discarded.

use std::time::Duration;

use shared::message::UserId;
use shared::store::{Discarded, ParkedId, ParkedState, ReplayBegun, ReplayEnd, ToReplay};

use crate::environment::{Environment, MIN_PAY_MS, TOPIC, unreadable, with};

const LONG: Duration = Duration::from_secs(600);

fn user(name: &str) -> UserId {
    UserId::new(name).expect("user")
}

async fn park(env: &Environment, values: &[&str]) -> Vec<ParkedId> {
    let arrivals: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(at, value)| unreadable(at as i64, Some(value.as_bytes()), "not an order"))
        .collect();
    env.store.store_orders(&arrivals, MIN_PAY_MS).await;
    let mut records = env
        .store
        .parked(Some(TOPIC), None, None, 100)
        .await
        .expect("postgres");
    records.reverse();
    records.into_iter().map(|record| record.id).collect()
}

async fn begin(env: &Environment, id: ParkedId, replays: u32) -> ReplayBegun {
    env.store
        .begin_replay(id, replays, &user("ann"), LONG)
        .await
        .expect("postgres")
}

async fn begun(env: &Environment, id: ParkedId, replays: u32) -> ToReplay {
    match begin(env, id, replays).await {
        ReplayBegun::Yes(record) => record,
        other => panic!("{other:?}"),
    }
}

const PUBLISHED: ReplayEnd<'static> = ReplayEnd::Published {
    partition: 3,
    offset: 77,
};

#[tokio::test]
async fn one_of_many_concurrent_replays_starts() {
    with(|env| async move {
        let id = park(&env, &["a"]).await[0];
        let racers: Vec<_> = (0..12)
            .map(|_| {
                let env = env.clone();
                tokio::spawn(async move { begin(&env, id, 0).await })
            })
            .collect();
        let mut winners = Vec::new();
        for racer in racers {
            match racer.await.expect("ran") {
                ReplayBegun::Yes(record) => winners.push(record),
                ReplayBegun::Busy(record) => assert!(record.busy),
                other => panic!("{other:?}"),
            }
        }
        let [winner] = winners.as_slice() else {
            panic!("{} may", winners.len())
        };
        assert_eq!(
            (
                winner.attempt,
                winner.value.as_deref(),
                winner.key.as_deref()
            ),
            (1, Some(b"a".as_slice()), None)
        );
        assert_eq!(env.store.end_replay(winner, &PUBLISHED).await, Ok(true));
        assert_eq!(
            env.store
                .end_replay(winner, &ReplayEnd::Unknown("late"))
                .await,
            Ok(false),
            "an end is recorded once"
        );
        let shown = env
            .store
            .parked_record(id, 100, 10)
            .await
            .expect("postgres")
            .expect("kept");
        assert_eq!(
            (shown.record.state, shown.record.replays, shown.record.busy),
            (ParkedState::Replayed, 1, false)
        );
        assert_eq!(
            (shown.history.len(), shown.history[0].place),
            (1, Some((3, 77)))
        );
    })
    .await;
}

#[tokio::test]
async fn a_replay_whose_claim_expired_blocks_no_other() {
    with(|env| async move {
        let id = park(&env, &["a"]).await[0];
        let slow = begun(&env, id, 0).await;
        assert!(matches!(begin(&env, id, 0).await, ReplayBegun::Busy(_)));
        env.run("UPDATE parked SET busy_until = now()").await;
        let next = begun(&env, id, 0).await;
        assert_eq!(next.attempt, 2);
        // The first attempt was only slow: its copy is on the topic while the second attempt runs.
        assert_eq!(env.store.end_replay(&slow, &PUBLISHED).await, Ok(true));
        let shown = env
            .store
            .parked_record(id, 0, 10)
            .await
            .expect("postgres")
            .expect("kept");
        assert_eq!(
            (shown.record.state, shown.record.replays, shown.record.busy),
            (ParkedState::Replayed, 1, true)
        );
        assert_eq!(env.store.end_replay(&next, &PUBLISHED).await, Ok(true));
        let shown = env
            .store
            .parked_record(id, 0, 10)
            .await
            .expect("postgres")
            .expect("kept");
        assert_eq!(
            (shown.record.replays, shown.record.busy, shown.history.len()),
            (2, false, 2)
        );
    })
    .await;
}

#[tokio::test]
async fn a_replay_needs_the_current_number_of_replays() {
    with(|env| async move {
        let ids = park(&env, &["a", "b"]).await;
        assert!(matches!(
            begin(&env, ids[0], 1).await,
            ReplayBegun::Differs(_)
        ));
        env.store
            .end_replay(&begun(&env, ids[0], 0).await, &PUBLISHED)
            .await
            .expect("postgres");
        assert!(matches!(begin(&env, ids[0], 0).await,
            ReplayBegun::Differs(record) if record.replays == 1));
        assert_eq!(begun(&env, ids[0], 1).await.attempt, 2);
        assert!(matches!(
            env.store.discard(ids[1], &user("bob"), "no use").await,
            Ok(Discarded::Yes(_))
        ));
        assert!(matches!(
            begin(&env, ids[1], 0).await,
            ReplayBegun::Discarded(_)
        ));
        assert_eq!(
            begin(&env, ParkedId::new(1 << 40).expect("id"), 0).await,
            ReplayBegun::Missing
        );
    })
    .await;
}

#[tokio::test]
async fn a_record_of_version_one_has_an_identity() {
    with(|env| async move {
        // The row as the first version wrote it, without the new columns.
        env.run(
            "INSERT INTO parked (topic, partition, log_offset, hash, value, reason)
             SELECT 'old', 0, n, sha256(n::text::bytea), 'x', 'why' FROM generate_series(1, 5) n",
        )
        .await;
        let page = env
            .store
            .parked(Some("old"), Some(ParkedState::Parked), None, 3)
            .await
            .expect("postgres");
        let rest = env
            .store
            .parked(Some("old"), None, page.last().map(|r| r.id), 10)
            .await
            .expect("postgres");
        let seen: std::collections::BTreeSet<_> =
            page.iter().chain(&rest).map(|record| record.id).collect();
        assert_eq!((page.len(), rest.len(), seen.len()), (3, 2, 5));
    })
    .await;
}
