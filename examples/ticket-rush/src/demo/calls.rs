//! The API statistics against what the clients know they sent.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ticket_rush::sent::{RouteStatus, Sent};
use ticket_rush::shop::{Buyer, Shop};
use tokio::time::{Instant, sleep};

use crate::say;

/// Calls are on record so long after their answer at the latest.
const PATIENCE: Duration = Duration::from_secs(30);
/// Looking at the statistics is a call as well: it is left out, or each look would change what the next one sees.
const ITSELF: &str = "GET /api-calls/statistics";

/// Waits until every call is on record, shows the sums and compares them. True if they agree.
///
/// `exact`: nothing was killed and no server stopped, so every request is on record once. Else a call may be missing (its instance
/// was killed, or it was dropped while Kafka was away, which is counted), and one whose answer never came may be there.
pub(crate) async fn check(shop: &Shop, operator: &Buyer, exact: bool) -> Result<bool> {
    let sent = shop.sent().clone();
    let until = Instant::now() + PATIENCE;
    loop {
        let collected = collected(shop, operator).await?;
        let comparison = Comparison::of(&collected, &sent);
        if comparison.agrees(exact) && (exact || comparison.missing == 0) || Instant::now() > until
        {
            show(&collected);
            return Ok(comparison.tell(exact));
        }
        sleep(Duration::from_millis(250)).await;
    }
}

/// Calls on record by route and status.
async fn collected(shop: &Shop, operator: &Buyer) -> Result<BTreeMap<RouteStatus, u64>> {
    let answer = shop.statistics(operator, "by=route,status").await;
    ensure!(
        answer.http == 200,
        "the API statistics cannot be had: {} {}",
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
        if route != ITSELF {
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
        say::line(&format!("{route:<32} {}", sums.join("  ")));
    }
}

/// Both sides, compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Comparison {
    on_record: u64,
    sent: u64,
    /// Answered, and not on record.
    missing: u64,
    /// On record, and no answer like it came.
    extra: u64,
    /// Requests without an answer of the function.
    uncertain: u64,
}

impl Comparison {
    fn of(collected: &BTreeMap<RouteStatus, u64>, sent: &Sent) -> Self {
        let answered = sent.by_route_and_status();
        let answered: BTreeMap<_, _> = answered
            .into_iter()
            .filter(|((route, _), _)| route != ITSELF)
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
            found.on_record += there;
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

    fn tell(self, exact: bool) -> bool {
        let Self {
            on_record,
            sent,
            missing,
            extra,
            uncertain,
        } = self;
        let right = self.agrees(exact);
        let said =
            format!("{on_record} calls on record, {sent} answers counted by those who asked");
        match (right, missing + extra + uncertain) {
            (true, 0) => say::done(&format!("{said}: the same, by route and status")),
            (true, _) => say::done(&format!(
                "{said}: {missing} not on record (killed, or dropped while Kafka was away), {extra} on record whose answer never came \
                 ({uncertain} requests had none of the function's)"
            )),
            (false, _) => {
                say::fault(&format!(
                    "{said}: {missing} are missing, {extra} too many; {uncertain} requests had no answer"
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
    fn one_call_too_few_or_too_many_is_noticed() {
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
        let nobody = Sent::default();
        let found = Comparison::of(&map(&[("GET /a", 200, 3), ("GET /b", 404, 1)]), &nobody);
        assert_eq!(
            (found.on_record, found.sent, found.missing, found.extra),
            (4, 0, 0, 4)
        );
    }
}
