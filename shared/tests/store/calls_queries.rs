//! Queries over collected calls, their sums, and retention.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use shared::api_calls::{
    Aggregate, ApiCall, CallFilter, CallPosition, CallRow, GroupBy, Minute, SumFilter,
    counted_at_ms,
};

use crate::calls::{APPENDED_MS, call, records};
use crate::environment::{Environment, with};

const DAY_MS: i64 = 86_400_000;

fn everything() -> CallFilter {
    let from_ms = APPENDED_MS - DAY_MS;
    let until_ms = APPENDED_MS + DAY_MS;
    CallFilter {
        from_ms,
        until_ms,
        ip: None,
        route: None,
        url: None,
        status: None,
        user: None,
    }
}

fn in_all() -> SumFilter {
    let at = |ms| Minute::of_ms(ms);
    SumFilter {
        from: at(APPENDED_MS - DAY_MS),
        until: at(APPENDED_MS + DAY_MS),
        route: None,
        status: None,
        client: None,
    }
}

impl Environment {
    /// All pages of a query. With `adding`, another partition adds calls between the pages.
    async fn pages(&self, filter: &CallFilter, limit: u32, adding: bool) -> Vec<CallRow> {
        let (mut all, mut after): (Vec<CallRow>, Option<CallPosition>) = (Vec::new(), None);
        loop {
            let page = self
                .store
                .search_calls(filter, after, limit)
                .await
                .expect("postgres");
            assert!(page.len() <= limit as usize);
            let Some(last) = page.last() else { return all };
            after = Some(last.position);
            all.extend(page);
            if adding {
                let from = all.len() as i64 * 2;
                self.collect(&records(2, from..from + 2)).await;
            }
        }
    }
}

#[tokio::test]
async fn pages_show_every_call_once_newest_first() {
    with(|env| async move {
        env.collect(&records(0, 0..60)).await;
        // The same milliseconds in another partition: the record's position breaks ties.
        env.collect(&records(1, 0..60)).await;
        let before: BTreeSet<(i32, i64)> = env
            .pages(&everything(), 1_000, false)
            .await
            .iter()
            .map(|row| (row.position.source, row.position.offset))
            .collect();
        assert_eq!(before.len(), 120);
        let shown = env.pages(&everything(), 7, true).await;
        let key = |row: &CallRow| (row.position.at_ms, row.position.source, row.position.offset);
        assert!(
            shown.windows(2).all(|pair| key(&pair[0]) > key(&pair[1])),
            "newest first, none twice"
        );
        let of_before = shown
            .iter()
            .filter(|row| before.contains(&(row.position.source, row.position.offset)))
            .count();
        assert_eq!(of_before, 120, "none missing");
    })
    .await;
}

/// A condition and its predicate.
type Test = fn(&ApiCall) -> bool;

#[tokio::test]
async fn every_condition_finds_the_matching_calls() {
    with(|env| async move {
        env.collect(&records(0, 0..300)).await;
        let calls: Vec<ApiCall> = (0..300).map(call).collect();
        let with = |change: fn(&mut CallFilter)| {
            let mut filter = everything();
            change(&mut filter);
            filter
        };
        let cases: [(CallFilter, Test); 8] = [
            (everything(), |_| true),
            (with(|f| f.ip = "192.0.2.7".parse().ok()), |c| {
                c.ip.is_some_and(|ip| ip.to_string() == "192.0.2.7")
            }),
            (with(|f| f.route = Some("POST /r3".into())), |c| {
                c.route_key() == "POST /r3"
            }),
            (
                with(|f| f.url = Some("/r1/1".to_owned()..="/r1/1\u{7f}".to_owned())),
                |c| c.url.as_str().starts_with("/r1/1"),
            ),
            (
                with(|f| f.url = Some("/r1/1".to_owned()..="/r1/1".to_owned())),
                |c| c.url.as_str() == "/r1/1",
            ),
            (with(|f| f.status = Some(400..=599)), |c| c.status >= 400),
            (with(|f| f.user = Some("u3".into())), |c| {
                c.user.as_ref().is_some_and(|u| u.as_str() == "u3")
            }),
            (
                with(|f| {
                    f.status = Some(503..=503);
                    f.route = Some("POST /r3".into());
                    (f.from_ms, f.until_ms) = (APPENDED_MS - 60_200, APPENDED_MS - 60_000);
                }),
                |c| {
                    let at = counted_at_ms(c, None);
                    c.status == 503
                        && c.route_key() == "POST /r3"
                        && (APPENDED_MS - 60_200..APPENDED_MS - 60_000).contains(&at)
                },
            ),
        ];
        for (filter, test) in cases {
            let mut expected: Vec<&ApiCall> = calls.iter().filter(|call| test(call)).collect();
            expected.sort_by_key(|call| std::cmp::Reverse(call.at_ms));
            assert!(!expected.is_empty(), "{filter:?} matches some calls");
            let found = env.pages(&filter, 1_000, false).await;
            assert_eq!(found.len(), expected.len(), "{filter:?}");
            for (row, call) in found.iter().zip(expected) {
                assert_eq!(
                    (row.id, row.position.at_ms, row.status, row.duration_us),
                    (call.id, call.at_ms, call.status, call.duration_us)
                );
                assert_eq!(
                    (row.route.as_str(), row.url.as_str()),
                    (call.route_key().as_str(), call.url.as_str())
                );
                assert_eq!(
                    row.ip.as_deref(),
                    call.ip.map(|ip| ip.to_string()).as_deref()
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn sums_equal_the_calls_in_every_grouping() {
    with(|env| async move {
        env.collect(&records(0, 0..150)).await;
        env.collect(&records(1, 150..300)).await;
        let calls: Vec<ApiCall> = (0..300).map(call).collect();
        for bits in 0..16_u8 {
            let by = GroupBy {
                minute: bits & 1 > 0,
                route: bits & 2 > 0,
                status: bits & 4 > 0,
                client: bits & 8 > 0,
            };
            let mut expected: BTreeMap<_, Aggregate> = BTreeMap::new();
            for call in &calls {
                let key = (
                    by.minute.then(|| Minute::of_ms(call.at_ms)),
                    by.route.then(|| call.route_key()),
                    by.status.then_some(call.status),
                    by.client.then(|| call.client.to_string()),
                );
                expected
                    .entry(key)
                    .or_default()
                    .add(&Aggregate::of(call.duration_us));
            }
            let groups = env
                .store
                .sum_calls(&in_all(), by, 10_000)
                .await
                .expect("postgres");
            let found: BTreeMap<_, _> = groups
                .into_iter()
                .map(|g| ((g.minute, g.route, g.status, g.client), g.sums))
                .collect();
            assert_eq!(found, expected, "{by:?}");
        }
        let filter = SumFilter {
            status: Some(400..=499),
            client: Some("c2".into()),
            ..in_all()
        };
        let found = env
            .store
            .sum_calls(&filter, GroupBy::default(), 10)
            .await
            .expect("postgres");
        let expected = calls
            .iter()
            .filter(|c| c.status == 404 && c.client.as_str() == "c2")
            .count() as u64;
        assert_eq!(
            found
                .iter()
                .map(|group| group.sums.calls)
                .collect::<Vec<_>>(),
            [expected]
        );
        let nothing = SumFilter {
            route: Some("GET /nowhere".into()),
            ..in_all()
        };
        assert_eq!(
            env.store
                .sum_calls(&nothing, GroupBy::default(), 10)
                .await
                .expect("postgres"),
            []
        );
    })
    .await;
}

#[tokio::test]
async fn retention_deletes_the_oldest_in_bounded_steps() {
    with(|env| async move {
        env.collect(&records(0, 0..30)).await;
        env.run(
            "UPDATE api_calls SET at = now() - interval '8 days' \
             - log_offset * interval '1 minute' WHERE log_offset >= 10",
        )
        .await;
        env.run("UPDATE api_calls SET at = now() WHERE log_offset < 10")
            .await;
        env.run("UPDATE api_minutes SET minute = minute - interval '100 years' WHERE status = 404")
            .await;
        let kept = env
            .number("SELECT count(*) FROM api_minutes WHERE status <> 404")
            .await;
        let days = |days: u64| Duration::from_secs(days * 86_400);
        let first = env
            .store
            .delete_old_calls(days(7), days(18_250), 12)
            .await
            .expect("postgres");
        assert_eq!(first.calls, 12);
        assert_eq!(
            env.number("SELECT max(log_offset) FROM api_calls").await,
            17,
            "the oldest are deleted"
        );
        let second = env
            .store
            .delete_old_calls(days(7), days(18_250), 12)
            .await
            .expect("postgres");
        assert_eq!((second.calls, second.minutes), (8, 0));
        assert_eq!(env.number("SELECT count(*) FROM api_calls").await, 10);
        assert_eq!(env.number("SELECT count(*) FROM api_minutes").await, kept);
        // A redelivery does not restore deleted calls.
        assert_eq!(env.collect(&records(0, 0..30)).await.repeated, 30);
        assert_eq!(env.number("SELECT count(*) FROM api_calls").await, 10);
    })
    .await;
}
