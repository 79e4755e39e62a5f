//! Compares the API statistics with the requests that the clients sent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Deserialize;
use ticket_rush::api::{ApiClient, Buyer, RequestCounts, RouteStatus};
use tokio::time::{Instant, sleep};

use crate::output;

/// How long the statistics may lag behind the answers.
const MAX_LAG: Duration = Duration::from_secs(30);
/// The route of the statistics. It is excluded, since each read adds a call.
const STATISTICS_ROUTE: &str = "GET /api-calls/statistics";

/// The calls of one route and status.
#[derive(Deserialize)]
struct Group {
    route: String,
    status: u16,
    calls: u64,
}

/// Waits until every call is recorded, prints the sums and compares them. Returns whether they
/// agree.
///
/// `exact`: no fault was injected, so every request is recorded once. Otherwise a call may be
/// missing (its instance was killed, or dropped it while Kafka was stopped), and a call without an
/// answer may be recorded.
pub(crate) async fn check(api: &ApiClient, operator: &Buyer, exact: bool) -> Result<bool> {
    let sent = api.request_counts();
    let until = Instant::now() + MAX_LAG;
    loop {
        let collected = collected(api, operator).await?;
        let comparison = Comparison::of(&collected, &sent);
        if comparison.agrees(exact) && comparison.missing == 0 || Instant::now() > until {
            show(&collected);
            return Ok(comparison.report(exact));
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// Recorded calls by route and status.
async fn collected(api: &ApiClient, operator: &Buyer) -> Result<BTreeMap<RouteStatus, u64>> {
    let answer = api.statistics(operator, "by=route,status").await;
    let groups = Vec::<Group>::deserialize(&answer.body["groups"]);
    let (http, body) = (answer.http, &answer.body);
    let groups =
        groups.with_context(|| format!("cannot read the API statistics: {http} {body}"))?;
    let counted = groups
        .into_iter()
        .filter(|group| group.route != STATISTICS_ROUTE);
    Ok(counted
        .map(|group| ((group.route, group.status), group.calls))
        .collect())
}

fn show(collected: &BTreeMap<RouteStatus, u64>) {
    let mut routes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for ((route, status), calls) in collected {
        let sums = routes.entry(route).or_default();
        sums.push(format!("{status}: {calls}"));
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
        let mut found = Self {
            uncertain: sent.uncertain,
            ..Self::default()
        };
        let keys: BTreeSet<_> = sent.answered.keys().chain(collected.keys()).collect();
        for key in keys
            .into_iter()
            .filter(|(route, _)| route != STATISTICS_ROUTE)
        {
            let recorded = collected.get(key).copied().unwrap_or_default();
            let answered = sent.answered.get(key).copied().unwrap_or_default();
            found.recorded += recorded;
            found.sent += answered;
            found.missing += answered.saturating_sub(recorded);
            found.extra += recorded.saturating_sub(answered);
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
        let correct = self.agrees(exact);
        let result = match (correct, missing + extra + uncertain) {
            (true, 0) => "equal by route and status".to_owned(),
            (true, _) => format!(
                "{missing} not recorded (killed, or dropped while Kafka was stopped), {extra} recorded \
                 without an answer ({uncertain} requests were not answered by the function)"
            ),
            (false, _) => format!(
                "{missing} missing, {extra} too many; {uncertain} requests without an answer"
            ),
        };
        let counts = format!("{recorded} calls recorded, {sent} answers counted by the clients");
        output::checked(correct, &format!("{counts}: {result}"))
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
