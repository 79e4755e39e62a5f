//! Compares the API statistics with the requests that the clients sent.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ticket_rush::api::{ApiClient, Buyer};
use ticket_rush::request_counts::{RequestCounts, RouteStatus};
use tokio::time::{Instant, sleep};

use crate::output;

/// How long the statistics may lag behind the answers.
const MAX_LAG: Duration = Duration::from_secs(30);
/// The route of the statistics. It is excluded, since each read adds a call.
const STATISTICS_ROUTE: &str = "GET /api-calls/statistics";

/// Waits until every call is recorded, prints the sums and compares them. Returns whether they
/// agree.
///
/// `exact`: no fault was injected, so every request is recorded once. Otherwise a call may be
/// missing (its instance was killed, or dropped it while Kafka was stopped), and a call without an
/// answer may be recorded.
pub(crate) async fn check(api: &ApiClient, operator: &Buyer, exact: bool) -> Result<bool> {
    let sent = api.request_counts().clone();
    let until = Instant::now() + MAX_LAG;
    loop {
        let collected = collected(api, operator).await?;
        let comparison = Comparison::of(&collected, &sent);
        if comparison.agrees(exact) && (exact || comparison.missing == 0) || Instant::now() > until
        {
            show(&collected);
            return Ok(comparison.report(exact));
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// Recorded calls by route and status.
async fn collected(api: &ApiClient, operator: &Buyer) -> Result<BTreeMap<RouteStatus, u64>> {
    let answer = api.statistics(operator, "by=route,status").await;
    ensure!(
        answer.http == 200,
        "cannot read the API statistics: {} {}",
        answer.http,
        answer.body
    );
    let groups = answer.body["groups"]
        .as_array()
        .context("statistics have groups")?;
    let mut sums = BTreeMap::new();
    for group in groups {
        let route = group["route"].as_str().context("a group has a route")?;
        let status = group["status"].as_u64().context("a group has a status")?;
        let calls = group["calls"].as_u64().context("a group has calls")?;
        if route != STATISTICS_ROUTE {
            sums.insert((route.to_owned(), status as u16), calls);
        }
    }
    Ok(sums)
}

fn show(collected: &BTreeMap<RouteStatus, u64>) {
    let mut routes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for ((route, status), calls) in collected {
        routes
            .entry(route)
            .or_default()
            .push(format!("{status}: {calls}"));
    }
    for (route, sums) in routes {
        output::line(&format!("{route:<32} {}", sums.join("  ")));
    }
}

/// Result of the comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Comparison {
    recorded: u64,
    sent: u64,
    /// Answered but not recorded.
    missing: u64,
    /// Recorded without a matching answer.
    extra: u64,
    /// Requests that the function did not answer.
    uncertain: u64,
}

impl Comparison {
    fn of(collected: &BTreeMap<RouteStatus, u64>, sent: &RequestCounts) -> Self {
        let answered = sent.by_route_and_status();
        let answered: BTreeMap<_, _> = answered
            .into_iter()
            .filter(|((route, _), _)| route != STATISTICS_ROUTE)
            .collect();
        let mut found = Self {
            uncertain: sent.uncertain(),
            ..Self::default()
        };
        let of = |map: &BTreeMap<RouteStatus, u64>, key| map.get(key).copied().unwrap_or_default();
        for key in answered
            .keys()
            .chain(collected.keys().filter(|key| !answered.contains_key(key)))
        {
            let there = of(collected, key);
            let here = of(&answered, key);
            found.recorded += there;
            found.sent += here;
            found.missing += here.saturating_sub(there);
            found.extra += there.saturating_sub(here);
        }
        found
    }

    const fn agrees(self, exact: bool) -> bool {
        if exact {
            self.missing == 0 && self.extra == 0
        } else {
            self.extra <= self.uncertain
        }
    }

    fn report(self, exact: bool) -> bool {
        let Self {
            recorded,
            sent,
            missing,
            extra,
            uncertain,
        } = self;
        let right = self.agrees(exact);
        let counts = format!("{recorded} calls recorded, {sent} answers counted by the clients");
        match (right, missing + extra + uncertain) {
            (true, 0) => output::done(&format!("{counts}: equal by route and status")),
            (true, _) => output::done(&format!(
                "{counts}: {missing} not recorded (killed, or dropped while Kafka was stopped), {extra} recorded \
                 without an answer ({uncertain} requests were not answered by the function)"
            )),
            (false, _) => {
                output::fault(&format!(
                    "{counts}: {missing} missing, {extra} too many; {uncertain} requests without an answer"
                ));
            }
        }
        right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, u16, u64)]) -> BTreeMap<RouteStatus, u64> {
        pairs
            .iter()
            .map(|(route, status, calls)| (((*route).to_owned(), *status), *calls))
            .collect()
    }

    #[test]
    fn one_missing_or_extra_call_is_detected() {
        let comparison = |missing, extra, uncertain| Comparison {
            missing,
            extra,
            uncertain,
            ..Comparison::default()
        };
        assert!(comparison(0, 0, 0).agrees(true));
        assert!(!comparison(1, 0, 5).agrees(true));
        assert!(!comparison(0, 1, 5).agrees(true));
        assert!(comparison(1, 5, 5).agrees(false));
        assert!(!comparison(0, 6, 5).agrees(false));
    }

    #[test]
    fn both_sides_are_compared_by_route_and_status() {
        let none = RequestCounts::default();
        let found = Comparison::of(&map(&[("GET /a", 200, 3), ("GET /b", 404, 1)]), &none);
        assert_eq!(
            (found.recorded, found.sent, found.missing, found.extra),
            (4, 0, 0, 4)
        );
    }
}
