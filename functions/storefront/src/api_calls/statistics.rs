//! `GET /api-calls/statistics?from=&to=&route=&status=&client=&by=`

use serde_json::{Map, Value, json};
use shared::api_stats::{Aggregate, Minute};
use shared::store::{GroupBy, GroupSums, SumFilter};

use super::{admit, conditions};
use crate::http::{Call, Problem, Reply, time};
use crate::storefront::Storefront;

/// Longest time that is added up at once.
const LONGEST_MS: i64 = 400 * conditions::DAY_MS;
/// Groups answered at most.
const MOST_GROUPS: u32 = 5_000;

/// Sums of calls, of whole minutes: in all, and by each of the things that `by` lists.
pub async fn statistics(shop: &Storefront, call: &Call) -> Result<Reply, Problem> {
    admit(call)?;
    let (from_ms, until_ms) = conditions::period(call, shop.clock.now_ms(), LONGEST_MS)?;
    let filter = SumFilter {
        from: Minute::of_ms(from_ms),
        until: Minute(Minute::of_ms(until_ms - 1).0 + 1),
        route: conditions::route(call)?,
        status: conditions::status(call)?,
        client: conditions::client(call)?,
    };
    let by = by(call)?;
    let groups = shop.store.sum_calls(&filter, by, MOST_GROUPS + 1).await?;
    if groups.len() > MOST_GROUPS as usize {
        let detail = format_args!(
            "more than {MOST_GROUPS} groups: ask for a shorter time, or by fewer things"
        )
        .to_string();
        return Err(Problem::malformed(detail));
    }
    let mut total = Aggregate::default();
    for group in &groups {
        total.add(&group.sums);
    }
    let mut body = json!({
        "from": time(filter.from.start_ms()), "to": time(filter.until.start_ms()), "total": sums(&total),
    });
    if by != GroupBy::default() {
        body["groups"] = groups.iter().map(view).collect();
    }
    Ok(Reply::ok(body))
}

/// `by=minute,route`: any of four, in any order; none where the parameter is absent.
fn by(call: &Call) -> Result<GroupBy, Problem> {
    let mut by = GroupBy::default();
    for name in call
        .parameter("by")?
        .into_iter()
        .flat_map(|names| names.split(','))
    {
        match name.trim() {
            "minute" => by.minute = true,
            "route" => by.route = true,
            "status" => by.status = true,
            "client" => by.client = true,
            _ => {
                return Err(Problem::malformed(
                    "by must be a list of minute, route, status and client",
                ));
            }
        }
    }
    Ok(by)
}

/// A group: what it is of, and its sums.
fn view(group: &GroupSums) -> Value {
    let mut view = Map::new();
    if let Some(minute) = group.minute {
        view.insert("minute".into(), time(minute.start_ms()).into());
    }
    for (name, value) in [("route", &group.route), ("client", &group.client)] {
        if let Some(value) = value {
            view.insert(name.into(), value.as_str().into());
        }
    }
    if let Some(status) = group.status {
        view.insert("status".into(), status.into());
    }
    if let Value::Object(sums) = sums(&group.sums) {
        view.extend(sums);
    }
    Value::Object(view)
}

fn sums(sums: &Aggregate) -> Value {
    json!({
        "calls": sums.calls, "mean_us": sums.mean_us(), "max_us": sums.max_us, "p50_us": sums.percentile_us(500),
        "p95_us": sums.percentile_us(950), "p99_us": sums.percentile_us(990),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_asked_for_by_name_in_any_order() {
        let by = |text: &str| {
            by(&Call {
                query: [("by", text)].into_iter().collect(),
                ..Call::default()
            })
        };
        assert_eq!(super::by(&Call::default()), Ok(GroupBy::default()));
        assert_eq!(
            by("status, minute"),
            Ok(GroupBy {
                minute: true,
                status: true,
                ..GroupBy::default()
            })
        );
        assert_eq!(
            by("route,client"),
            Ok(GroupBy {
                route: true,
                client: true,
                ..GroupBy::default()
            })
        );
        for bad in ["url", "", "minute,", "minute,,route"] {
            assert_eq!(by(bad).map_err(|p| p.status), Err(400), "{bad:?}");
        }
    }
}
