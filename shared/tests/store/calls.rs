//! A batch of API calls: `collect_calls`, exactly once from Kafka on.

use std::net::IpAddr;

use lambda_batch::{ErrorClass, Reason};
use shared::api_calls::{ApiCall, Caps, CollectedBatch};
use shared::message::{CallClient, CallId, CallInstance, CallMethod, CallRoute, CallUrl, UserId};
use shared::store::Arrival;

use crate::environment::{Environment, with};

pub(crate) const CALLS: &str = "test-api-call";
pub(crate) const CAPS: Caps = Caps {
    routes: 20,
    clients: 20,
};
/// When the broker appended offset 0.
pub(crate) const APPENDED_MS: i64 = 1_800_000_000_000;

/// The `n`th of many calls, over several minutes, routes, statuses and clients.
pub(crate) fn call(n: i64) -> ApiCall {
    let pick = |of: i64| n.rem_euclid(of);
    ApiCall {
        v: 1,
        id: CallId::new(u128::try_from(n).expect("positive").to_be_bytes()),
        at_ms: APPENDED_MS - 60_000 * pick(3) - n,
        method: CallMethod::new(if pick(2) == 0 { "GET" } else { "POST" }).expect("in bounds"),
        route: CallRoute::new(format!("/r{}", pick(4))).expect("in bounds"),
        url: CallUrl::new(format!("/r{}/{}", pick(4), n)).expect("in bounds"),
        status: [200, 202, 404, 503][pick(4) as usize],
        duration_us: n as u64 * 137,
        client: CallClient::new(format!("c{}", pick(5))).expect("in bounds"),
        user: (pick(3) > 0).then(|| UserId::new(format!("u{}", pick(7))).expect("in bounds")),
        ip: (pick(5) > 0).then(|| IpAddr::from([192, 0, 2, pick(9) as u8])),
        trace: None,
        instance: CallInstance::new("i").expect("in bounds"),
    }
}

pub(crate) fn record(
    partition: i32,
    offset: i64,
    message: Result<ApiCall, Reason>,
) -> Arrival<'static, ApiCall> {
    let appended_ms = Some(APPENDED_MS + offset);
    Arrival {
        topic: CALLS,
        partition,
        offset,
        appended_ms,
        key: None,
        value: Some(b"value"),
        message,
    }
}

/// Calls of a partition. Number `n` is at offset `n`.
pub(crate) fn records(
    partition: i32,
    offsets: impl IntoIterator<Item = i64>,
) -> Vec<Arrival<'static, ApiCall>> {
    offsets
        .into_iter()
        .map(|offset| record(partition, offset, Ok(call(offset))))
        .collect()
}

impl Environment {
    pub(crate) async fn collect(&self, arrivals: &[Arrival<'_, ApiCall>]) -> CollectedBatch {
        let collected = self.store.collect_calls(arrivals, CAPS).await;
        assert_eq!(collected.unfinished, None);
        collected
    }

    /// Checks that sums and rows agree in every column.
    pub(crate) async fn check_calls(&self, expected: i64) {
        assert_eq!(
            self.number("SELECT count(*) FROM api_calls").await,
            expected,
            "records"
        );
        assert_eq!(
            self.number("SELECT coalesce(sum(calls), 0)::bigint FROM api_minutes")
                .await,
            expected,
            "sums"
        );
        let differ = "SELECT count(*) FROM
             (SELECT source, date_trunc('minute', at) AS minute, route, status, client,
             count(*)::bigint AS calls,
                     sum(duration_us)::bigint AS duration_us, max(duration_us) AS max_us FROM
                     api_calls GROUP BY 1, 2, 3, 4, 5) r
             FULL JOIN api_minutes m USING (source, minute, route, status, client)
             WHERE (r.calls, r.duration_us, r.max_us) IS DISTINCT FROM (m.calls, m.duration_us,
             m.max_us)
                OR (SELECT sum(b) FROM UNNEST(m.buckets) b) <> m.calls";
        assert_eq!(
            self.number(differ).await,
            0,
            "sums that differ from the records"
        );
    }
}

#[tokio::test]
async fn a_redelivered_record_is_added_once() {
    with(|env| async move {
        let batch = records(0, 0..50);
        let first = env.collect(&batch).await;
        assert_eq!((first.added, first.repeated), (50, 0));
        let again = env.collect(&batch).await;
        assert_eq!((again.added, again.repeated), (0, 50));
        // A shorter and a longer redelivery, and one from the middle.
        env.collect(&batch[..7]).await;
        let longer = env.collect(&records(0, 30..80)).await;
        assert_eq!((longer.added, longer.repeated), (30, 20));
        // A record twice in one batch counts once, and offsets may have gaps.
        let odd = env.collect(&records(0, [80, 80, 95, 95, 200])).await;
        assert_eq!((odd.added, odd.repeated), (3, 2));
        env.check_calls(83).await;
    })
    .await;
}

#[tokio::test]
async fn concurrent_partitions_and_redeliveries_count_exactly_once() {
    with(|env| async move {
        const PARTITIONS: i32 = 4;
        const RECORDS: i64 = 200;
        let mut deliveries = Vec::new();
        for partition in 0..PARTITIONS {
            // Two consumers hold the same partition: both deliver everything, in different slices.
            for slice in [7, 31] {
                let env = env.clone();
                deliveries.push(tokio::spawn(async move {
                    let all = records(partition, 0..RECORDS);
                    for part in all.chunks(slice) {
                        env.collect(part).await;
                    }
                }));
            }
        }
        // A third delivers batches of all partitions.
        let all = env.clone();
        deliveries.push(tokio::spawn(async move {
            for from in (0..RECORDS).step_by(13) {
                let part: Vec<_> = (0..PARTITIONS)
                    .rev()
                    .flat_map(|p| records(p, from..(from + 13).min(RECORDS)))
                    .collect();
                all.collect(&part).await;
            }
        }));
        for delivery in deliveries {
            delivery.await.expect("no delivery fails");
        }
        env.check_calls(i64::from(PARTITIONS) * RECORDS).await;
        assert_eq!(
            env.number("SELECT count(*) FROM api_sources").await,
            i64::from(PARTITIONS)
        );
        assert_eq!(
            env.number(
                "SELECT count(*) FROM api_progress WHERE next_offset = 200 AND incarnation = 1"
            )
            .await,
            4
        );
    })
    .await;
}

#[tokio::test]
async fn a_recreated_topic_is_a_new_source() {
    with(|env| async move {
        env.collect(&records(0, 0..50)).await;
        let mut anew = records(0, 0..20);
        for (at, record) in anew.iter_mut().enumerate() {
            record.appended_ms = Some(APPENDED_MS + 1_000 + at as i64);
        }
        let collected = env.collect(&anew).await;
        assert_eq!((collected.added, collected.repeated), (20, 0));
        assert_eq!(collected.recreated, [(CALLS.to_owned(), 0)]);
        // The new topic is redelivered like any other.
        let again = env.collect(&anew).await;
        assert_eq!((again.added, again.recreated.len()), (0, 0));
        assert_eq!(
            env.number("SELECT incarnation::bigint FROM api_progress")
                .await,
            2
        );
        assert_eq!(
            env.number("SELECT count(DISTINCT source) FROM api_calls")
                .await,
            2
        );
        env.check_calls(70).await;
    })
    .await;
}

#[tokio::test]
async fn unreadable_calls_are_parked_in_the_same_transaction() {
    with(|env| async move {
        let mut batch = records(0, 0..4);
        batch[1].message = Err(Reason::new("not JSON"));
        let collected = env.collect(&batch).await;
        assert_eq!((collected.added, collected.parked.len()), (3, 1));
        assert_eq!(
            env.number(
                "SELECT count(*) FROM parked WHERE log_offset = 1 AND value = 'value' \
                 AND reason = 'not JSON'"
            )
            .await,
            1
        );
        let again = env.collect(&batch).await;
        assert_eq!((again.added, again.parked.len()), (0, 0));
        assert_eq!(env.number("SELECT count(*) FROM parked").await, 1);
        env.check_calls(3).await;
    })
    .await;
}

#[tokio::test]
async fn the_call_that_postgres_refuses_is_parked() {
    with(|env| async move {
        env.run(
            "ALTER TABLE api_calls ADD CONSTRAINT whim \
             CHECK (url NOT IN ('/r1/77', '/r2/78', '/r3/199'))",
        )
        .await;
        let collected = env.collect(&records(0, 0..200)).await;
        assert_eq!(
            collected
                .parked
                .iter()
                .map(|(at, _)| *at)
                .collect::<Vec<_>>(),
            [77, 78, 199]
        );
        assert!(
            collected.parked[0].1.as_str().contains("23514"),
            "{}",
            collected.parked[0].1
        );
        assert_eq!(
            env.number("SELECT next_offset FROM api_progress").await,
            200
        );
        env.check_calls(197).await;
    })
    .await;
}

#[tokio::test]
async fn committed_records_stay_when_the_rest_fails() {
    with(|env| async move {
        env.run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF NEW.log_offset = 2 THEN RAISE EXCEPTION 'slow' USING ERRCODE = '57014';
             END IF; RETURN NEW; END $$",
        )
        .await;
        env.run(
            "CREATE TRIGGER refuse BEFORE INSERT ON api_calls \
             FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await;
        let batch = records(0, 0..4);
        let collected = env.store.collect_calls(&batch, CAPS).await;
        let unfinished = collected.unfinished.expect("offset 2 takes too long");
        assert_eq!(
            (unfinished.error.class, unfinished.from),
            (ErrorClass::Cancelled, 2)
        );
        assert_eq!(
            env.number("SELECT next_offset FROM api_progress").await,
            2,
            "never past an unfinished record"
        );
        env.check_calls(2).await;
        env.run("DROP TRIGGER refuse ON api_calls").await;
        let again = env.collect(&batch).await;
        assert_eq!((again.added, again.repeated), (2, 2));
        env.check_calls(4).await;
    })
    .await;
}

#[tokio::test]
async fn a_minute_keeps_its_caps_over_batches() {
    with(|env| async move {
        let mut calls: Vec<ApiCall> = (0..60).map(call).collect();
        for (n, call) in calls.iter_mut().enumerate() {
            call.at_ms = APPENDED_MS;
            call.route = CallRoute::new(format!("/forged/{n}")).expect("in bounds");
            call.client = CallClient::new(format!("forged-{n}")).expect("in bounds");
        }
        let caps = Caps {
            routes: 6,
            clients: 4,
        };
        let arrivals: Vec<_> = calls
            .into_iter()
            .enumerate()
            .map(|(n, call)| record(0, n as i64, Ok(call)))
            .collect();
        for part in arrivals.chunks(5) {
            assert_eq!(env.store.collect_calls(part, caps).await.added, 5);
        }
        assert_eq!(
            env.number("SELECT count(DISTINCT route) FROM api_minutes")
                .await,
            7
        );
        assert_eq!(
            env.number("SELECT count(DISTINCT client) FROM api_minutes")
                .await,
            5
        );
        assert_eq!(
            env.number("SELECT sum(calls)::bigint FROM api_minutes")
                .await,
            60
        );
        assert_eq!(
            env.number("SELECT count(DISTINCT route) FROM api_calls")
                .await,
            60,
            "the records keep their routes"
        );
    })
    .await;
}

#[tokio::test]
async fn a_wrong_sender_clock_is_bounded() {
    with(|env| async move {
        let mut batch = records(0, 0..2);
        for (record, at_ms) in batch.iter_mut().zip([ApiCall::MAX_AT_MS, 0]) {
            if let Ok(call) = &mut record.message {
                call.at_ms = at_ms;
            }
        }
        env.collect(&batch).await;
        let within = "SELECT count(*) FROM api_calls \
            WHERE at BETWEEN at_ms(1800000000000 - 3600000) AND at_ms(1800000000001)";
        assert_eq!(env.number(within).await, 2);
        env.check_calls(2).await;
    })
    .await;
}
